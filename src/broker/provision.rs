//! `PUT /v2/service_instances/:instance_id`.

use serde_json::{Map, Value};

use super::order::{Ordered, placement};
use super::parameters::{Owner, refused, take_target};
use super::{Broker, Caller, Outcome, broken, named};
use crate::catalog::identity::InstanceFacts;
use crate::catalog::{Given, Names, Scope, Verb};
use crate::osb::{Error, InstanceId, InstanceMetadata, OperationId, ProvisionRequest, ProvisionResponse, Uid};
use crate::policy::{Decision, Quota, Refusal};
use crate::store::instance::{Counted, Instance};
use crate::store::operation::{NewOperation, Operation};
use crate::store::{self, OperationKind, Phase, State, place};

impl Broker {
    /// Orders an instance. Checks in the order of the specification's checkers: ids, what exists, parameters,
    /// `maintenance_info`, `accepts_incomplete`.
    pub async fn provision(
        &self,
        caller: &Caller,
        id: &InstanceId,
        mut request: ProvisionRequest,
        accepts_incomplete: bool,
    ) -> Result<Outcome<ProvisionResponse>, Error> {
        let ordered = self.orderable(caller, &request.service_id, &request.plan_id).await?;
        let target = take_target(&ordered.revision, &mut request.parameters.0)?;
        let mut given = Given { given: std::mem::take(&mut request.parameters.0), target, ..Given::default() };

        let existing = store::instance::find(self.pool(), &caller.platform, id).await?;
        let mut failed = None;
        if let Some(existing) = existing.filter(|instance| instance.state != State::Deleted) {
            match self.replayed(&existing, &request, &given).await? {
                Some(outcome) => return Ok(outcome),
                None => failed = Some(existing.uid),
            }
        }

        let decision = self.decide(caller, &request, &ordered, &given)?;
        let owner =
            Owner { platform: &caller.platform, organization: &request.organization_guid, space: &request.space_guid };
        self.resolve(&ordered.revision, Verb::Create, &mut given, &decision.terms, &owner).await?;
        given.forced = decision.terms.forced.clone();
        let plan = ordered.plan()?;
        let params = ordered
            .revision
            .accept(plan, Verb::Create, &given.values(), &given.forced, &Value::Null)
            .map_err(|refusals| refused(&refusals))?;
        let version = plan.document().maintenance.as_ref().map(|maintenance| maintenance.version.as_str());
        if request.maintenance_info.as_ref().is_some_and(|asked| Some(asked.version.as_str()) != version) {
            return Err(Error::MaintenanceInfoConflict);
        }
        if !accepts_incomplete {
            return Err(Error::AsyncRequired);
        }

        let instance = self.new_instance(caller, id, &request, &ordered, &decision, &given)?;
        let names = Names::of_instance(self.prefix(), &facts(&instance), plan, params);
        // Names that grow from what the user chose may be too long, and the user can still choose others.
        let specs = ordered.revision.resources(Scope::Instance, &names);
        specs.map_err(|error| Error::bad_request(format!("These parameters do not work together: {error}.")))?;
        let operation = NewOperation {
            id: OperationId::random(),
            description: "accepted; the work begins in a moment",
            actor: caller.actor(),
            lasts: ordered.revision.maximum_polling_duration(plan),
        };
        let response = self.response(&ordered, &names, Some(operation.id))?;
        if let Err(lost) = self.insert(&instance, &decision, &operation, failed).await? {
            // Two requests with one id raced, and this one lost: the winner may have asked for the same.
            let winner = store::instance::find(self.pool(), &caller.platform, id).await?.ok_or(lost.clone())?;
            return self.replayed(&winner, &request, &given).await?.ok_or(lost);
        }
        self.accepted(OperationKind::Provision, ordered.revision.name());
        Ok(Outcome::Accepted(response))
    }

    /// The answer if the id is in use; `None` if what used it failed and left nothing, so that it can be used anew.
    async fn replayed(
        &self,
        existing: &Instance,
        request: &ProvisionRequest,
        given: &Given,
    ) -> Result<Option<Outcome<ProvisionResponse>>, Error> {
        let live = store::operation::live(self.pool(), existing.uid).await?;
        match (existing.state, &live) {
            (State::Failed, None) => {
                let left = store::resource::of_owner(self.pool(), existing.uid).await?;
                return if left.is_empty() { Ok(None) } else { Err(Error::ConcurrencyError) };
            }
            (State::Failed | State::Deleting, _) => return Err(Error::ConcurrencyError),
            (_, Some(Operation { phase: Phase::Undo, .. })) => return Err(Error::ConcurrencyError),
            _ => {}
        }
        let stored = self.open(&place::instance_parameters(existing.uid), &existing.parameters)?;
        let same = existing.service_id == request.service_id
            && existing.plan_id == request.plan_id
            && existing.organization == request.organization_guid
            && existing.space == request.space_guid
            && stored.given == given.given
            && stored.target == given.target;
        if !same {
            return Err(Error::conflict("An instance with this id exists, with other attributes."));
        }
        let ordered = self.plan_of(existing).await?;
        let names = self.names_of(existing, &ordered)?;
        match live {
            Some(Operation { kind: OperationKind::Provision, id, .. }) => {
                Ok(Some(Outcome::Accepted(self.response(&ordered, &names, Some(id))?)))
            }
            Some(Operation { kind: OperationKind::Update | OperationKind::Deprovision, .. }) => {
                Err(Error::ConcurrencyError)
            }
            _ => Ok(Some(Outcome::Exists(self.response(&ordered, &names, None)?))),
        }
    }

    fn decide(
        &self,
        caller: &Caller,
        request: &ProvisionRequest,
        ordered: &Ordered,
        given: &Given,
    ) -> Result<Decision, Error> {
        let (organization, space) = (&request.organization_guid, &request.space_guid);
        let mut order = placement(&caller.platform, organization, space, &request.context, ordered)?;
        order.chosen_target = given.target.as_deref();
        self.policy().decide(&order).map_err(|refusal| match refusal {
            Refusal::Denied(_) | Refusal::TargetNotAllowed { .. } => Error::bad_request(refusal.to_string()),
            _ => Error::unprocessable(refusal.to_string()),
        })
    }

    fn new_instance(
        &self,
        caller: &Caller,
        id: &InstanceId,
        request: &ProvisionRequest,
        ordered: &Ordered,
        decision: &Decision,
        given: &Given,
    ) -> Result<Instance, Error> {
        let uid = Uid::random();
        let plan = ordered.plan()?;
        let json = |value| serde_json::to_value(value).map_err(|error| broken("a target cannot be stored", &error));
        Ok(Instance {
            uid,
            platform: caller.platform.clone(),
            id: id.clone(),
            service_id: request.service_id.clone(),
            plan_id: request.plan_id.clone(),
            offering: ordered.revision.name().to_owned(),
            plan: plan.name().to_owned(),
            revision: ordered.revision.digest.clone(),
            organization: request.organization_guid.clone(),
            space: request.space_guid.clone(),
            context: Value::Object(request.context.0.clone()),
            target: json(&decision.target)?,
            parameters: self.seal(&place::instance_parameters(uid), given)?,
            maintenance_version: plan.document().maintenance.as_ref().map(|maintenance| maintenance.version.clone()),
            tags: serde_json::to_value(&decision.terms.tags).unwrap_or_default(),
            state: State::Creating,
            was_ready: false,
        })
    }

    /// Commits the order, unless another one was first (the inner error).
    async fn insert(
        &self,
        instance: &Instance,
        decision: &Decision,
        operation: &NewOperation<'_>,
        failed: Option<Uid>,
    ) -> Result<Result<(), Error>, Error> {
        let target = format!("{}/{}", decision.target.account, decision.target.region);
        let quotas = &decision.terms.quotas;
        let result = if quotas.is_empty() && failed.is_none() {
            store::instance::insert(self.pool(), instance, &target, operation).await
        } else {
            let mut transaction = self.pool().begin().await.map_err(store::Error::from)?;
            if let Some(failed) = failed {
                store::instance::set_state(&mut *transaction, failed, State::Deleted).await?;
            }
            if !quotas.is_empty() {
                store::instance::lock_count(&mut transaction, &instance.platform).await?;
            }
            for quota in quotas {
                let count = store::instance::count(&mut *transaction, &instance.platform, &counted(quota)).await?;
                if count >= i64::from(quota.max) {
                    let sentence = format!("{}.", quota.refusal());
                    return Err(Error::Unprocessable {
                        code: Some("QuotaExceeded"),
                        sentence,
                        aftermath: Default::default(),
                    });
                }
            }
            match store::instance::insert(&mut *transaction, instance, &target, operation).await {
                Ok(()) => transaction.commit().await.map_err(store::Error::from),
                Err(error) => Err(error),
            }
        };
        match result {
            Err(error) if error.constraint() == Some("instance_id_key") => Ok(Err(Error::ConcurrencyError)),
            other => Ok(Ok(other?)),
        }
    }

    fn response(
        &self,
        ordered: &Ordered,
        names: &Names,
        operation: Option<OperationId>,
    ) -> Result<ProvisionResponse, Error> {
        let bug = |error| broken("an instance's metadata cannot be evaluated", &error);
        Ok(ProvisionResponse {
            dashboard_url: ordered.revision.dashboard_url(names).map_err(bug)?,
            operation: operation.and_then(named),
            metadata: InstanceMetadata { labels: ordered.revision.labels(names).map_err(bug)?, attributes: Map::new() },
        })
    }

    /// An instance's names in expressions, as it is now.
    pub(super) fn names_of(&self, instance: &Instance, ordered: &Ordered) -> Result<Names, Error> {
        let plan = ordered.plan()?;
        let given = self.open(&place::instance_parameters(instance.uid), &instance.parameters)?;
        let params = ordered.revision.effective(plan, Verb::Create, &given, &Value::Null);
        let params =
            params.map_err(|refusals| broken("stored parameters do not fit their revision", &refused(&refusals)))?;
        Ok(Names::of_instance(self.prefix(), &facts(instance), plan, params))
    }
}

/// What identifies an instance in expressions.
pub(super) fn facts(instance: &Instance) -> InstanceFacts<'_> {
    InstanceFacts {
        uid: instance.uid,
        id: instance.id.as_str(),
        organization: &instance.organization,
        space: &instance.space,
        context: &instance.context,
        target: &instance.target,
    }
}

fn counted(quota: &Quota) -> Counted {
    let like = |globs: &Option<crate::policy::Globs>| globs.as_ref().map(|globs| globs.as_like());
    Counted {
        organization: quota.organization.clone(),
        space: quota.space.clone(),
        namespace: quota.namespace.clone(),
        offering: like(&quota.offering),
        plan: like(&quota.plan),
        target: like(&quota.target),
    }
}
