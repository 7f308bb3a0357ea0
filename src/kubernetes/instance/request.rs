//! The requests that go to a broker, as Service Catalog sent them, in both scopes.

use serde_json::{Value, json};

use super::refs::Found;
use super::work::Change;
use crate::kubernetes::api::InstanceProperties;
use crate::kubernetes::parameters::Given;
use crate::osb::{
    Context, DeleteQuery, LastOperationQuery, MaintenanceInfo, PlanId, PreviousValues, ProvisionRequest, ServiceId,
    UpdateRequest,
};

/// Where an instance is.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The cluster, as brokers know it.
    pub cluster_id: &'a str,
    /// The namespace.
    pub namespace: &'a str,
    /// The instance's name.
    pub name: &'a str,
}

impl Place<'_> {
    fn context(&self) -> Context {
        let context = json!({
            "platform": "kubernetes", "namespace": self.namespace, "clusterid": self.cluster_id,
            "instance_name": self.name,
        });
        match context {
            Value::Object(context) => Context(context),
            _ => Context::default(),
        }
    }
}

/// `PUT`.
pub fn provision(place: &Place<'_>, namespace_uid: &str, found: &Found, given: &Given) -> ProvisionRequest {
    ProvisionRequest {
        service_id: ServiceId::from(found.service_id.as_str()),
        plan_id: PlanId::from(found.plan_id.as_str()),
        context: place.context(),
        organization_guid: place.cluster_id.to_owned(),
        space_guid: namespace_uid.to_owned(),
        parameters: given.real.clone(),
        maintenance_info: found.maintenance.clone().map(MaintenanceInfo::version),
    }
}

/// `PATCH`: what changed, and all of what was before. `runs_on`: the version of maintenance that the instance has.
pub fn update(
    place: &Place<'_>,
    found: &Found,
    had: Option<&InstanceProperties>,
    runs_on: Option<&str>,
    given: &Given,
    change: &Change,
) -> UpdateRequest {
    let parameters = change.parameters.then(|| {
        let mut all = given.real.clone();
        all.0.extend(change.taken.unset.iter().map(|name| (name.clone(), Value::Null)));
        all
    });
    let mut previous = json!({ "service_id": found.service_id });
    if let Some(plan) = had.map(InstanceProperties::plan_id).filter(|plan| !plan.is_empty()) {
        previous["plan_id"] = plan.into();
    }
    if let Some(version) = runs_on {
        previous["maintenance_info"] = json!({ "version": version });
    }
    UpdateRequest {
        service_id: ServiceId::from(found.service_id.as_str()),
        plan_id: change.plan.then(|| PlanId::from(found.plan_id.as_str())),
        context: place.context(),
        parameters,
        previous_values: previous.as_object().cloned().map(PreviousValues),
        maintenance_info: change.maintenance.clone().map(MaintenanceInfo::version),
    }
}

/// `DELETE`.
pub fn delete(service: &str, plan: &str) -> DeleteQuery {
    let (service_id, plan_id) = ids(service, plan);
    DeleteQuery { service_id, plan_id, accepts_incomplete: true }
}

/// `GET …/last_operation`.
pub fn poll(service: &str, plan: &str, operation: Option<&str>) -> LastOperationQuery {
    let (service_id, plan_id) = ids(service, plan);
    LastOperationQuery { service_id, plan_id, operation: operation.map(str::to_owned) }
}

fn ids(service: &str, plan: &str) -> (Option<ServiceId>, Option<PlanId>) {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    (given(service).map(ServiceId::from), given(plan).map(PlanId::from))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kubernetes::instance::unset::Taken;
    use crate::kubernetes::parameters::merge;

    const PLACE: Place<'_> = Place { cluster_id: "c", namespace: "team", name: "db" };

    fn found() -> Found {
        Found { service_id: "s".into(), plan_id: "p2".into(), ..Found::default() }
    }

    fn given() -> Given {
        let own = serde_json::from_value(json!({"size": 2})).unwrap();
        merge(None, Some(&own), &[], &BTreeMap::new()).unwrap()
    }

    #[test]
    fn a_provision_is_what_service_catalog_sent() {
        let body = serde_json::to_value(provision(&PLACE, "uid", &found(), &given())).unwrap();
        let context = json!({"platform": "kubernetes", "namespace": "team", "clusterid": "c", "instance_name": "db"});
        let expected = json!({"service_id": "s", "plan_id": "p2", "organization_guid": "c", "space_guid": "uid",
            "parameters": {"size": 2}, "context": context});
        assert_eq!(body, expected);
    }

    #[test]
    fn an_update_holds_what_changed_and_all_that_was_before() {
        let had = InstanceProperties { service_plan_external_id: "p1".into(), ..Default::default() };
        let of = |change: &Change| {
            let mut body =
                serde_json::to_value(update(&PLACE, &found(), Some(&had), Some("1.0.0"), &given(), change)).unwrap();
            body.as_object_mut().unwrap().remove("context");
            body
        };
        let previous = json!({"service_id": "s", "plan_id": "p1", "maintenance_info": {"version": "1.0.0"}});
        assert_eq!(of(&Change::default()), json!({"service_id": "s", "previous_values": previous}));
        let taken = Taken { unset: vec!["gone".into()], kept: vec!["stays".into()] };
        let all = json!({"service_id": "s", "plan_id": "p2", "parameters": {"size": 2, "gone": null},
            "maintenance_info": {"version": "2.0.0"}, "previous_values": previous});
        let maintenance = Some("2.0.0".to_owned());
        assert_eq!(of(&Change { plan: true, parameters: true, maintenance, taken }), all);
        // All of them were taken away: that is said, too.
        let change = Change { parameters: true, ..Change::default() };
        let body =
            serde_json::to_value(update(&PLACE, &found(), Some(&had), None, &Given::default(), &change)).unwrap();
        assert_eq!(body["parameters"], json!({}));
    }
}
