//! `PUT /v2/service_instances/:instance_id`.

use serde_json::{Map, Value};

use super::order::{Ordered, placement};
use super::parameters::{refused, take_target};
use super::references::{Owner, Referring};
use super::{Broker, Caller, Outcome, broken, named};
use crate::catalog::identity::InstanceFacts;
use crate::catalog::{Given, Names, Scope, Verb};
use crate::osb::{
    Aftermath, Error, InstanceId, InstanceMetadata, OperationId, PlatformName, ProvisionRequest, ProvisionResponse,
    Uid, is_same, sentence,
};
use crate::policy::{Decision, Quota, Refusal, Target};
use crate::store::instance::{Counted, Instance};
use crate::store::operation::{NewOperation, Operation};
use crate::store::{self, Lane, OperationKind, PgConnection, Phase, State, place};

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
        let ordered = self.orderable(caller, &request.service_id, &request.plan_id).await;
        let mut failed = None;
        if let Some(existing) = self.in_use(caller, id).await? {
            // An instance's own ids are fine also after they have left the catalog.
            let own = existing.service_id == request.service_id && existing.plan_id == request.plan_id;
            if let (Err(refusal), false) = (&ordered, own) {
                return Err(refusal.clone());
            }
            match self.replayed(&existing, &request, accepts_incomplete).await? {
                Some(outcome) => return Ok(outcome),
                None => failed = Some(existing.uid),
            }
        }
        let ordered = ordered?;

        let asked = request.clone();
        let target = take_target(&ordered.revision, &mut request.parameters.0)?;
        let mut given = Given { given: std::mem::take(&mut request.parameters.0), target, ..Given::default() };
        let decision = self.decide(caller, &request, &ordered, &given)?;
        let owner = Owner {
            platform: &caller.platform,
            organization: &request.organization_guid,
            space: &request.space_guid,
            target: &stored(&decision.target)?,
        };
        let set = given.given.clone();
        self.resolve(&ordered.revision, Verb::Create, &mut given, &set, &decision.terms, &owner).await?;
        given.forced = decision.terms.forced.clone();
        let plan = ordered.plan()?;
        let params = ordered
            .revision
            .accept(plan, Verb::Create, &given.values(), &given.forced, &Value::Null)
            .map_err(|refusals| refused(&refusals))?;
        if let Some(ladder) = plan.ladder() {
            let chosen = ladder.chosen(&params).cloned().unwrap_or_default();
            if ladder.step(&chosen).is_none() {
                let sentence = format!("{} must be one of {}.", ladder.parameter(), ladder.values());
                return Err(Error::bad_request(sentence));
            }
            given.version = Some(chosen);
        }
        let mut instance = self.new_instance(caller, id, &request, &ordered, &decision, &given)?;
        instance.maintenance_version = plan.maintenance_version(&params).map(str::to_owned);
        let names = Names::of_instance(self.prefix(), &facts(&instance), plan, params);
        // Names that grow from what the user chose may be too long, and the user can still choose others.
        let specs = ordered.revision.resources(Scope::Instance, &names);
        specs.map_err(|error| Error::bad_request(format!("These parameters do not work together: {error}.")))?;
        let version = plan.document().maintenance.as_ref().map(|maintenance| maintenance.version.as_str());
        if request.maintenance_info.as_ref().is_some_and(|asked| Some(asked.version.as_str()) != version) {
            return Err(Error::MaintenanceInfoConflict);
        }
        if !accepts_incomplete {
            return Err(Error::AsyncRequired);
        }

        let operation = NewOperation {
            id: OperationId::random(),
            description: "accepted; the work begins in a moment",
            actor: caller.actor(),
            lasts: ordered.revision.maximum_polling_duration(plan),
        };
        let response = self.response(&ordered, &names, Some(operation.id))?;
        let referring = Referring { revision: &ordered.revision, verb: Verb::Create, given: &given, owner };
        if !self.insert(&instance, &referring, &decision, &operation, failed).await? {
            // Two requests with one id raced, and this one lost: the winner may have asked for the same.
            let winner = self.in_use(caller, id).await?.ok_or(Error::ConcurrencyError)?;
            let joined = self.replayed(&winner, &asked, accepts_incomplete).await?;
            return joined.ok_or(Error::ConcurrencyError);
        }
        self.accepted(OperationKind::Provision, Lane::Async, ordered.revision.name());
        Ok(Outcome::Accepted(response))
    }

    /// The instance that carries the id now.
    async fn in_use(&self, caller: &Caller, id: &InstanceId) -> Result<Option<Instance>, Error> {
        let found = store::instance::find(self.singles(), &caller.platform, id).await?;
        Ok(found.filter(|instance| instance.state != State::Deleted))
    }

    /// The answer if the id is in use; `None` if what used it failed and left nothing, so that it can be used anew.
    async fn replayed(
        &self,
        existing: &Instance,
        request: &ProvisionRequest,
        accepts_incomplete: bool,
    ) -> Result<Option<Outcome<ProvisionResponse>>, Error> {
        let live = store::operation::live(self.singles(), existing.uid).await?;
        match (existing.state, &live) {
            (State::Failed, None) => {
                let left = store::resource::is_owed(self.singles(), existing.uid).await?;
                return if left { Err(Error::ConcurrencyError) } else { Ok(None) };
            }
            (State::Failed | State::Deleting, _) => return Err(Error::ConcurrencyError),
            (_, Some(Operation { phase: Phase::Undo, .. })) => return Err(Error::ConcurrencyError),
            _ => {}
        }
        let ordered = self.plan_of(existing).await?;
        if !self.is_same_order(existing, &ordered, request)? {
            return Err(Error::conflict("An instance with this id exists, with other attributes."));
        }
        let names = self.names_of(existing, &ordered)?;
        match live {
            Some(Operation { kind: OperationKind::Provision, .. }) if !accepts_incomplete => Err(Error::AsyncRequired),
            Some(Operation { kind: OperationKind::Provision, id, .. }) => {
                Ok(Some(Outcome::Accepted(self.response(&ordered, &names, Some(id))?)))
            }
            Some(Operation { kind: OperationKind::Update | OperationKind::Deprovision, .. }) => {
                Err(Error::ConcurrencyError)
            }
            _ => Ok(Some(Outcome::Exists(self.response(&ordered, &names, None)?))),
        }
    }

    /// Whether an order asks for just what this instance is now. Its context may differ: names and annotations change.
    fn is_same_order(&self, existing: &Instance, ordered: &Ordered, request: &ProvisionRequest) -> Result<bool, Error> {
        let stored = self.open(&place::instance_parameters(existing.uid), &existing.parameters)?;
        let mut asked = request.parameters.0.clone();
        let target = take_target(&ordered.revision, &mut asked);
        Ok(existing.service_id == request.service_id
            && existing.plan_id == request.plan_id
            && existing.organization == request.organization_guid
            && existing.space == request.space_guid
            && target.is_ok_and(|target| target == stored.target)
            && is_same(&stored.given, &asked))
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
            _ => Error::unprocessable(sentence(&refusal.to_string())),
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
            target: stored(&decision.target)?,
            parameters: self.seal(&place::instance_parameters(uid), given)?,
            maintenance_version: None,
            tags: serde_json::to_value(&decision.terms.tags).unwrap_or_default(),
            state: State::Creating,
            was_ready: false,
        })
    }

    /// Commits the order in the place of one that failed, if `failed`. False: another one was first.
    async fn insert(
        &self,
        instance: &Instance,
        referring: &Referring<'_>,
        decision: &Decision,
        operation: &NewOperation<'_>,
        failed: Option<Uid>,
    ) -> Result<bool, Error> {
        let target = format!("{}/{}", decision.target.account, decision.target.region);
        let quotas = &decision.terms.quotas;
        let refers_to = &referring.given.refers_to();
        let result = if quotas.is_empty() && failed.is_none() && refers_to.is_empty() {
            store::instance::insert(self.singles(), instance, refers_to, &target, operation).await
        } else {
            let mut transaction = self.pool().begin().await.map_err(store::Error::from)?;
            if let Some(failed) = failed {
                let now = store::instance::lock(&mut transaction, &instance.platform, &instance.id).await?;
                let live = store::operation::live(&mut *transaction, failed).await?;
                if live.is_some() || now.is_none_or(|now| now.uid != failed || now.state != State::Failed) {
                    return Ok(false);
                }
                store::instance::set_state(&mut *transaction, failed, State::Deleted).await?;
            }
            if !quotas.is_empty() {
                store::instance::lock_count(&mut transaction, &instance.platform).await?;
                // The same request may have been first, and it counts.
                let first = store::instance::find(&mut *transaction, &instance.platform, &instance.id).await?;
                if first.is_some_and(|first| first.state != State::Deleted) {
                    return Ok(false);
                }
                self.check_quotas(&mut transaction, &instance.platform, quotas.iter(), Aftermath::Unsaid).await?;
            }
            self.hold(&mut transaction, referring, refers_to).await?;
            match store::instance::insert(&mut *transaction, instance, refers_to, &target, operation).await {
                Ok(()) => transaction.commit().await.map_err(store::Error::from),
                Err(error) => Err(error),
            }
        };
        match result {
            Err(error) if error.constraint() == Some("instance_id_key") => Ok(false),
            other => Ok(other.map(|()| true)?),
        }
    }

    /// Refuses what a limit does not let pass. The count is locked, so that it cannot be overrun.
    pub(super) async fn check_quotas(
        &self,
        db: &mut PgConnection,
        platform: &PlatformName,
        quotas: impl Iterator<Item = &Quota> + Send,
        aftermath: Aftermath,
    ) -> Result<(), Error> {
        for quota in quotas {
            let count = store::instance::count(&mut *db, platform, &counted(quota)).await?;
            if count >= i64::from(quota.max) {
                let sentence = sentence(&quota.refusal());
                return Err(Error::Unprocessable { code: Some("QuotaExceeded"), sentence, aftermath });
            }
        }
        Ok(())
    }

    /// What the first answer tells, and every one that repeats it.
    pub(super) fn response(
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
        let params = ordered.revision.effective(plan, Verb::Create, &given);
        Ok(Names::of_instance(self.prefix(), &facts(instance), plan, params))
    }
}

/// A target as an instance's row has it.
fn stored(target: &Target) -> Result<Value, Error> {
    serde_json::to_value(target).map_err(|error| broken("a target cannot be stored", &error))
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
