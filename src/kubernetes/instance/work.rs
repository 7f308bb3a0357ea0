//! Whether the broker must be asked for something: from what the user wants and what the broker was last known to have.

use super::refs::{Found, Trouble};
use super::unset::{Taken, taken};
use crate::kubernetes::api::{
    InstanceOperation, InstanceProperties, InstanceStatus, ProvisionStatus, ServiceInstanceSpec,
};
use crate::kubernetes::parameters::Given;

/// What is to be asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// The instance.
    Provision,
    /// That what an attempt may have left goes first: it was for something else than what is wanted now.
    Mitigate,
    /// A change.
    Update(Change),
    /// Nothing: the broker has what is wanted.
    Settled,
}

/// A change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The plan is named.
    pub plan: bool,
    /// The parameters are sent.
    pub parameters: bool,
    /// The version of what it shall run on.
    pub maintenance: Option<String>,
    /// What was taken away.
    pub taken: Taken,
}

/// Why a plan cannot become that of the instance.
pub fn refused(status: &InstanceStatus, found: &Found) -> Option<Refused> {
    let had = match status.provision_status {
        ProvisionStatus::Provisioned => status.external_properties.as_ref().map(InstanceProperties::plan_id),
        _ => None,
    };
    match had {
        Some(had) if had == found.plan_id => None,
        Some(_) if !found.plan_updatable => {
            let message = format!(
                "The plan of an instance of the class {} cannot be changed; the instance keeps the plan it has. Name that \
                 one again, or make another instance.",
                found.class_name
            );
            Some(Refused { trouble: Trouble { reason: "PlanChangeNotSupported", message }, lasting: true })
        }
        // An attempt to make it has begun already: it is brought to its end.
        None if status.operation().is_some() => None,
        _ => found.closed.clone().map(|trouble| Refused { trouble, lasting: false }),
    }
}

/// Why, and whether it stays so until the user changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The condition.
    pub trouble: Trouble,
    /// Only the user can change it.
    pub lasting: bool,
}

/// What is to be done. `adopts`: the id at the broker is the user's, so it may name something that was there before.
pub fn plan(
    spec: &ServiceInstanceSpec,
    status: &InstanceStatus,
    generation: i64,
    found: &Found,
    given: &Given,
    adopts: bool,
) -> Work {
    if status.provision_status != ProvisionStatus::Provisioned {
        return if !adopts && was_cut_off(status, found, given) { Work::Mitigate } else { Work::Provision };
    }
    let none = InstanceProperties::default();
    let had = status.external_properties.as_ref().unwrap_or(&none);
    let seen = status.observed_generation == generation;
    let going_on = status.operation() == Some(InstanceOperation::Update);
    // The call went out, and no answer was written down.
    let unanswered = going_on && status.retry.is_none();
    let (unsettled, touched) = match &status.ledger {
        Some(ledger) => (ledger.unsettled || ledger.unusable, ledger.update_requests != spec.update_requests),
        // Taken over: Service Catalog sent an update for every change of the spec.
        None => (false, !seen),
    };
    let all = unsettled || unanswered;
    let plan = had.plan_id() != found.plan_id;
    let parameters = had.parameter_checksum != given.checksum;
    if !(plan || parameters || all || touched || going_on && seen) {
        return Work::Settled;
    }
    let nothing = crate::osb::Parameters::default();
    let shown = had.parameters.as_ref().unwrap_or(&nothing);
    let taken = taken(&shown.0, &given.real.0, found.update_schema.as_ref());
    // A new plan comes with its own version; within the plan, the user says when it is time.
    let ledger = status.ledger.as_ref();
    let runs_on = ledger.and_then(|ledger| ledger.maintenance_version.as_ref());
    let was_asked = going_on && ledger.is_some_and(|ledger| ledger.maintenance_asked.is_some());
    let moves = plan || was_asked || touched && runs_on != found.maintenance.as_ref();
    let maintenance = found.maintenance.clone().filter(|_| moves);
    Work::Update(Change { plan: plan || all, parameters: parameters || all, maintenance, taken })
}

/// The controller ended after it had called and before it had heard, and now the user wants something else: the same
/// request again would tell what became of the first, but it is not the same any more.
fn was_cut_off(status: &InstanceStatus, found: &Found, given: &Given) -> bool {
    let unanswered = status.operation() == Some(InstanceOperation::Provision) && status.retry.is_none();
    let same =
        |asked: &InstanceProperties| asked.plan_id() == found.plan_id && asked.parameter_checksum == given.checksum;
    unanswered && !status.in_progress_properties.as_ref().is_none_or(same)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::kubernetes::parameters::merge;

    fn found(plan: &str) -> Found {
        let schema = json!({"properties": {"free": {"type": ["string", "null"]}}});
        Found {
            cluster: true,
            plan_id: plan.into(),
            plan_updatable: true,
            update_schema: schema.as_object().cloned(),
            ..Found::default()
        }
    }

    fn given(parameters: Value) -> Given {
        merge(None, Some(&serde_json::from_value(parameters).unwrap()), &[], &BTreeMap::new()).unwrap()
    }

    fn there(more: Value) -> InstanceStatus {
        let had = given(json!({"free": "a", "bound": 1}));
        let mut status = json!({
            "provisionStatus": "Provisioned", "observedGeneration": 1, "ledger": {"updateRequests": 1},
            "externalProperties": {"clusterServicePlanExternalID": "p", "parameters": had.shown.0,
                "parameterChecksum": had.checksum},
        });
        status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(status).unwrap()
    }

    fn change(
        status: &InstanceStatus,
        requests: i64,
        generation: i64,
        plan_id: &str,
        given: &Given,
    ) -> Option<(bool, bool)> {
        let spec = ServiceInstanceSpec { update_requests: requests, ..Default::default() };
        match plan(&spec, status, generation, &found(plan_id), given, false) {
            Work::Update(change) => Some((change.plan, change.parameters)),
            Work::Settled => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_update_names_what_changed() {
        let same = given(json!({"bound": 1, "free": "a"}));
        let other = given(json!({"bound": 2, "free": "a"}));
        let status = there(json!({}));
        assert_eq!(change(&status, 1, 2, "p", &same), None);
        assert_eq!(change(&status, 2, 2, "p", &same), Some((false, false)));
        assert_eq!(change(&status, 1, 2, "q", &same), Some((true, false)));
        assert_eq!(change(&status, 1, 1, "p", &other), Some((false, true)));
        let unsettled = there(json!({"ledger": {"updateRequests": 1, "unsettled": true}}));
        assert_eq!(change(&unsettled, 1, 2, "p", &same), Some((true, true)));
        let cut_off = there(json!({"currentOperation": "Update"}));
        assert_eq!(change(&cut_off, 1, 2, "p", &same), Some((true, true)));
        let taken_over = there(json!({"ledger": null}));
        assert_eq!(change(&taken_over, 0, 1, "p", &same), None);
        assert_eq!(change(&taken_over, 0, 2, "p", &same), Some((false, false)));
    }

    #[test]
    fn a_refused_update_is_sent_again_and_forgotten_when_the_user_takes_it_back() {
        let later = json!({"attempts": 1, "notBefore": "2020-01-01T00:00:00.000000Z"});
        let failed = there(json!({"currentOperation": "Update", "retry": later}));
        let same = given(json!({"bound": 1, "free": "a"}));
        assert_eq!(change(&failed, 1, 1, "p", &same), Some((false, false)));
        assert_eq!(change(&failed, 1, 2, "p", &same), None);
    }

    #[test]
    fn what_was_taken_away_is_named() {
        let status = there(json!({}));
        let spec = ServiceInstanceSpec { update_requests: 1, ..Default::default() };
        let Work::Update(change) = plan(&spec, &status, 2, &found("p"), &given(json!({})), false) else { panic!() };
        assert_eq!((change.taken.unset, change.taken.kept), (vec!["free".to_owned()], vec!["bound".to_owned()]));
    }

    #[test]
    fn a_cut_off_attempt_is_repeated_or_mitigated() {
        let sent = given(json!({"a": 1}));
        let status: InstanceStatus = serde_json::from_value(json!({
            "currentOperation": "Provision", "provisionStatus": "NotProvisioned",
            "inProgressProperties": {"clusterServicePlanExternalID": "p", "parameterChecksum": sent.checksum},
        }))
        .unwrap();
        let work = |given: &Given, adopts| plan(&Default::default(), &status, 2, &found("p"), given, adopts);
        assert_eq!(work(&sent, false), Work::Provision);
        assert_eq!(work(&given(json!({"a": 2})), false), Work::Mitigate);
        assert_eq!(work(&given(json!({"a": 2})), true), Work::Provision);
    }

    #[test]
    fn a_plan_is_refused_where_it_cannot_be_had() {
        let mut closed = found("q");
        closed.closed = Some(Trouble { reason: "ReferencesDeletedServicePlan", message: String::new() });
        let lasting = |status: &InstanceStatus, found: &Found| refused(status, found).map(|refused| refused.lasting);
        assert_eq!(lasting(&there(json!({})), &closed), Some(false));
        closed.plan_updatable = false;
        assert_eq!(lasting(&there(json!({})), &closed), Some(true));
        closed.plan_id = "p".into();
        assert_eq!(lasting(&there(json!({})), &closed), None, "its own plan may be closed");
        assert_eq!(lasting(&InstanceStatus::default(), &closed), Some(false));
    }
}
