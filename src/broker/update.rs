//! `PATCH /v2/service_instances/:instance_id`.

use serde_json::Value;

use super::order::{Ordered, placement};
use super::parameters::{refused, take_target};
use super::provision::facts;
use super::references::{Owner, Referring};
use super::upgrade::{self, Upgrade};
use super::{Broker, Caller, Outcome, broken};
use crate::catalog::{Given, Names, Verb};
use crate::osb::{Aftermath, Context, Error, InstanceId, OperationId, PlanId, UpdateRequest, UpdateResponse, is_same};
use crate::policy::Quota;
use crate::store::instance::Instance;
use crate::store::operation::{Change, NewOperation, Operation};
use crate::store::{self, Lane, OperationKind, PgConnection, Phase, State, place};

/// What an instance shall become.
pub(super) struct Aim {
    pub ordered: Ordered,
    given: Given,
    pub params: Value,
    maintenance_version: Option<String>,
    /// The user's own parameters would differ.
    asks_parameters: bool,
    quotas: Vec<Quota>,
}

/// What an update that runs makes of an instance.
pub(super) struct Aimed {
    pub ordered: Ordered,
    given: Given,
    moved: Instance,
    pub names: Names,
}

impl Aim {
    /// Whether it is anything else than what the instance is `now`.
    fn changes(&self, instance: &Instance, now: &Names) -> bool {
        self.ordered.plan().is_ok_and(|plan| *plan.id() != instance.plan_id)
            || self.maintenance_version != instance.maintenance_version
            || self.params != now.params
            || self.asks_parameters
    }
}

impl Broker {
    /// Changes an instance. Checks in the order of the specification's checkers: what exists, ids, an update that runs,
    /// parameters, plan change, `maintenance_info`, `accepts_incomplete`.
    pub async fn update(
        &self,
        caller: &Caller,
        id: &InstanceId,
        request: UpdateRequest,
        accepts_incomplete: bool,
    ) -> Result<Outcome<UpdateResponse>, Error> {
        let mut transaction = self.pool().begin().await.map_err(store::Error::from)?;
        let Some(instance) = store::instance::lock(&mut transaction, &caller.platform, id).await? else {
            return Err(Error::not_found("There is no instance with this id."));
        };
        let current = self.plan_of(&instance).await?;
        if request.service_id != instance.service_id {
            return Err(Error::bad_request("service_id is not the instance's: an instance cannot change its service."));
        }
        let stored = self.open(&place::instance_parameters(instance.uid), &instance.parameters)?;
        let now = self.names_of(&instance, &current)?;
        let wanted = self.wanted_plan(caller, &instance, &current, (&stored, &now), &request).await?;

        let held = stored.refers_to();
        let live = store::operation::live(&mut *transaction, instance.uid).await?;
        // What brings the instance back after a failed update gives way to a new one.
        if let Some(live) = live.filter(|live| live.kind != OperationKind::Refresh) {
            let joined = self.joined(&instance, &request, &stored, &live).await?;
            return if accepts_incomplete { Ok(Outcome::Accepted(joined)) } else { Err(Error::AsyncRequired) };
        }
        match instance.state {
            State::Ready => {}
            State::Failed => {
                return Err(Error::unprocessable_with(
                    "The instance was never made; delete it and order it again.",
                    Aftermath::Update { instance_usable: false, update_repeatable: false },
                ));
            }
            _ => return Err(Error::ConcurrencyError),
        }

        let context = Value::Object(request.context.0.clone());
        let context = Some(context).filter(|context| !request.context.is_empty() && *context != instance.context);
        let moved = moved(&instance, context.as_ref());
        let aim = match asks_something(&request, &instance) {
            true => Some(self.aim(caller, &instance, (&current, &now), wanted, &request, stored).await?),
            false => None,
        };
        let aim = aim.filter(|aim| aim.changes(&instance, &now));
        let Some(aim) = aim else {
            let Some(context) = &context else { return Ok(Outcome::Done(UpdateResponse::default())) };
            let names = self.names_of(&moved, &current)?;
            let outputs = self.public_outputs(moved.uid).await?;
            self.check_frozen(&moved, &current, &names, &outputs).await?;
            let shown = current.revision.shown(&names, &outputs);
            let shown = shown.map_err(|error| broken("an instance's metadata cannot be evaluated", &error))?;
            let shown = serde_json::to_value(shown).map_err(|error| broken("metadata cannot be stored", &error))?;
            store::instance::set_context(&mut *transaction, moved.uid, context, &shown).await?;
            transaction.commit().await.map_err(store::Error::from)?;
            return Ok(Outcome::Done(self.response(&current, &names, None)?));
        };
        if self.is_binding_busy(&mut transaction, &instance).await? {
            return Err(Error::ConcurrencyError);
        }
        self.check_possible(&mut transaction, &moved, (&current, &now), &aim).await?;
        if !accepts_incomplete {
            return Err(Error::AsyncRequired);
        }
        self.check_new_quotas(caller, &mut transaction, &current, &aim).await?;

        let plan = aim.ordered.plan()?;
        let operation = NewOperation {
            id: OperationId::random(),
            description: "accepted; the change begins in a moment",
            actor: caller.actor(),
            lasts: aim.ordered.revision.maximum_polling_duration(plan),
        };
        let change = Change {
            plan_id: Some(plan.id().to_string()),
            plan: Some(plan.name().to_owned()),
            revision: Some(aim.ordered.revision.digest.clone()),
            parameters: Some(self.seal(&place::operation_parameters(operation.id), &aim.given)?),
            maintenance_version: aim.maintenance_version.clone(),
            context,
            refers_to: Some(aim.given.refers_to()),
        };
        let kind = OperationKind::Update;
        let new: Vec<_> = aim.given.refers_to().into_iter().filter(|uid| !held.contains(uid)).collect();
        let (revision, owner) = (&aim.ordered.revision, Owner::of(&instance));
        let referring = Referring { revision, verb: Verb::Update, given: &aim.given, owner };
        self.hold(&mut transaction, &referring, &new).await?;
        store::operation::supersede(&mut *transaction, instance.uid).await?;
        store::operation::accept(&mut *transaction, instance.uid, kind, Lane::Async, &operation, &change).await?;
        transaction.commit().await.map_err(store::Error::from)?;
        self.accepted(kind, Lane::Async, aim.ordered.revision.name());

        let names = Names::of_instance(self.prefix(), &facts(&moved), plan, aim.params);
        Ok(Outcome::Accepted(self.response(&aim.ordered, &names, Some(operation.id))?))
    }

    /// The plan and revision the request aims at. A change to the plan moves an instance to the current revision, and so
    /// does an update where no other maintenance version would come with it: versions a user stays at stay.
    async fn wanted_plan(
        &self,
        caller: &Caller,
        instance: &Instance,
        current: &Ordered,
        (stored, now): (&Given, &Names),
        request: &UpdateRequest,
    ) -> Result<Ordered, Error> {
        let plan_id = request.plan_id.clone().unwrap_or_else(|| instance.plan_id.clone());
        let newest = self.orderable(caller, &instance.service_id, &plan_id).await;
        if plan_id != instance.plan_id {
            return newest;
        }
        let Ok(newest) = newest else { return Ok(current.clone()) };
        let follows = match newest.plan()?.ladder() {
            None => request.maintenance_info.is_some() || version_of(&newest)? == instance.maintenance_version,
            Some(ladder) => {
                let held = upgrade::held(ladder, stored, now, instance);
                upgrade::is_asked(ladder, held.as_ref(), request)
                    || held.is_some_and(|held| ladder.step(&held).is_some())
            }
        };
        Ok(if follows { newest } else { current.clone() })
    }

    /// The answer while another operation runs: the same update again joins it.
    async fn joined(
        &self,
        instance: &Instance,
        request: &UpdateRequest,
        stored: &Given,
        live: &Operation,
    ) -> Result<UpdateResponse, Error> {
        if live.kind != OperationKind::Update || live.phase == Phase::Undo {
            return Err(Error::ConcurrencyError);
        }
        let Aimed { ordered: aimed, given, moved, names } = self.aimed(instance, live).await?;
        let plan = aimed.plan()?;
        let mut patch = request.parameters.clone().unwrap_or_default().0;
        let chosen = take_target(&aimed.revision, &mut patch);
        let is_here = chosen.is_ok_and(|chosen| chosen.is_none_or(|chosen| chosen == target_of(instance)));
        let carried = aimed.revision.carried(plan, &stored.given, &given.forced);
        let mut merged = aimed.revision.merge(&carried, &patch);
        let mut aimed_at = given.given.clone();
        // The way to a newer version is none of the user's doing, unless they asked for it.
        if let Some(ladder) = plan.ladder().filter(|ladder| !patch.contains_key(ladder.parameter())) {
            merged.remove(ladder.parameter());
            aimed_at.remove(ladder.parameter());
        }
        let version = request.maintenance_info.as_ref().map(|info| info.version.as_str());
        let same = request.plan_id.as_ref().unwrap_or(&instance.plan_id) == plan.id()
            && is_here
            && is_same(&aimed_at, &merged)
            && (request.context.is_empty() || moved.context == Value::Object(request.context.0.clone()))
            && (version.is_none() || version == live.maintenance_version.as_deref());
        if !same {
            return Err(Error::ConcurrencyError);
        }
        self.response(&aimed, &names, Some(live.id))
    }

    /// What the update that runs makes of an instance.
    pub(super) async fn aimed(&self, instance: &Instance, live: &Operation) -> Result<Aimed, Error> {
        let digest = live.revision.as_deref().unwrap_or(&instance.revision);
        let plan_id = live.plan_id.as_deref().map_or_else(|| instance.plan_id.clone(), PlanId::from);
        let ordered = Ordered::new(self.revision(digest).await?, plan_id);
        let given = match &live.parameters {
            Some(sealed) => self.open(&place::operation_parameters(live.id), sealed)?,
            None => self.open(&place::instance_parameters(instance.uid), &instance.parameters)?,
        };
        let (plan, moved) = (ordered.plan()?, moved(instance, live.context.as_ref()));
        let params = ordered.revision.effective(plan, Verb::Create, &given);
        let names = Names::of_instance(self.prefix(), &facts(&moved), plan, params);
        Ok(Aimed { ordered, given, moved, names })
    }

    async fn is_binding_busy(&self, db: &mut PgConnection, instance: &Instance) -> Result<bool, Error> {
        for binding in store::binding::of_instance(&mut *db, instance.uid).await? {
            if store::operation::live(&mut *db, binding.uid).await?.is_some_and(|live| live.kind == OperationKind::Bind)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn aim(
        &self,
        caller: &Caller,
        instance: &Instance,
        (current, now): (&Ordered, &Names),
        wanted: Ordered,
        request: &UpdateRequest,
        mut given: Given,
    ) -> Result<Aim, Error> {
        let (from, plan) = (current.plan()?, wanted.plan()?);
        let mut patch = request.parameters.clone().unwrap_or_default().0;
        let chosen = take_target(&wanted.revision, &mut patch)?;
        let here = target_of(instance);
        if chosen.is_some_and(|chosen| chosen != here) {
            return Err(refusal("target cannot change: an instance cannot move; order a new one there."));
        }
        let stored = match &instance.context {
            Value::Object(map) => Context(map.clone()),
            _ => Context::default(),
        };
        let context = if request.context.is_empty() { &stored } else { &request.context };
        let order = placement(&caller.platform, &instance.organization, &instance.space, context, &wanted)?;
        let terms = self.policy().terms(&order, here);
        let ladder = plan.ladder();
        // What cannot change after creation stays forced to what it was forced to then; a version changes by upgrades only.
        let parameters = &wanted.revision.offering().parameters;
        let is_version = |name: &str| ladder.is_some_and(|ladder| ladder.parameter() == name);
        let updatable =
            |name: &str| !is_version(name) && parameters.get(name).is_some_and(|parameter| parameter.updatable);
        let upgrade = match ladder {
            None => None,
            Some(ladder) => {
                let held = upgrade::held(ladder, &given, now, instance);
                Some(Upgrade::wanted(ladder, &wanted, held, request, &patch)?)
            }
        };
        given.forced.retain(|name, _| !updatable(name) && !is_version(name));
        let forced_now = terms.forced.iter().filter(|(name, _)| updatable(name));
        given.forced.extend(forced_now.map(|(name, value)| (name.clone(), value.clone())));
        let carried = wanted.revision.carried(plan, &given.given, &given.forced);
        given.given = wanted.revision.merge(&carried, &patch);
        for (name, _) in patch.iter().filter(|(_, value)| value.is_null()) {
            // Null means "back to the default": of what has none, or is not the user's, it is refused like any other value.
            let fixed = plan.document().fixed.contains_key(name) || given.forced.contains_key(name);
            if fixed || !parameters.contains_key(name) {
                given.given.insert(name.clone(), Value::Null);
            }
        }
        let asks_parameters = !is_same(&carried, &given.given);
        let owner = Owner::of(instance);
        self.resolve(&wanted.revision, Verb::Update, &mut given, &patch, &terms, &owner).await?;

        let mut values = given.values();
        if let (Some(ladder), Some(upgrade)) = (ladder, &upgrade) {
            values.insert(ladder.parameter().to_owned(), upgrade.value.clone());
        }
        let params = wanted
            .revision
            .accept(plan, Verb::Update, &values, &given.forced, &Value::Null)
            .map_err(|refusals| refused(&refusals))?;
        if plan.id() != from.id() {
            if let Some(deny) = &terms.deny {
                return Err(Error::bad_request(deny.clone()));
            }
            if !from.document().change_to.iter().any(|name| name == plan.name()) {
                return Err(Error::Unprocessable {
                    code: Some("PlanChangeNotSupported"),
                    sentence: format!(
                        "An instance of the plan {} cannot change to the plan {}.",
                        from.name(),
                        plan.name()
                    ),
                    aftermath: Aftermath::Update { instance_usable: true, update_repeatable: false },
                });
            }
        }
        let version = version_of(&wanted)?;
        if request.maintenance_info.as_ref().is_some_and(|asked| Some(asked.version.as_str()) != version.as_deref()) {
            return Err(Error::MaintenanceInfoConflict);
        }
        let stays = wanted.revision.digest == current.revision.digest && plan.id() == from.id();
        given.version = None;
        let maintenance_version = match (ladder, &upgrade) {
            (Some(ladder), Some(upgrade)) => {
                let step = upgrade.allowed(&terms)?;
                ladder.reach(&mut given, &upgrade.value);
                Some(step.version.clone())
            }
            _ if stays => instance.maintenance_version.clone(),
            _ => version,
        };
        Ok(Aim { ordered: wanted, given, params, maintenance_version, asks_parameters, quotas: terms.quotas })
    }

    /// Refuses a change to a plan whose limit is reached. What counts the instance already does not count it again.
    async fn check_new_quotas(
        &self,
        caller: &Caller,
        db: &mut PgConnection,
        current: &Ordered,
        aim: &Aim,
    ) -> Result<(), Error> {
        let from = current.plan()?.name();
        let counts_plan = |quota: &&Quota| quota.plan.as_ref().is_some_and(|plans| !plans.matches(from));
        let mut new = aim.quotas.iter().filter(counts_plan).peekable();
        if aim.ordered.plan()?.name() == from || new.peek().is_none() {
            return Ok(());
        }
        store::instance::lock_count(&mut *db, &caller.platform).await?;
        let aftermath = Aftermath::Update { instance_usable: true, update_repeatable: true };
        self.check_quotas(db, &caller.platform, new, aftermath).await
    }
}

/// Whether a request is about more than the context. Service Catalog sends nothing else, too, when the last parameter is taken
/// away; what changed around the instance meanwhile (a default, a forced value) is no reason to begin an update then.
fn asks_something(request: &UpdateRequest, instance: &Instance) -> bool {
    request.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty())
        || request.maintenance_info.is_some()
        || request.plan_id.as_ref().is_some_and(|plan| *plan != instance.plan_id)
}

/// The instance with the context that a request or an update under way gives it.
fn moved(instance: &Instance, context: Option<&Value>) -> Instance {
    let context = context.unwrap_or(&instance.context).clone();
    Instance { context, ..instance.clone() }
}

fn target_of(instance: &Instance) -> &str {
    instance.target.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn version_of(ordered: &Ordered) -> Result<Option<String>, Error> {
    Ok(ordered.plan()?.document().maintenance.as_ref().map(|maintenance| maintenance.version.clone()))
}

pub(super) fn refusal(sentence: &str) -> Error {
    let aftermath = Aftermath::Update { instance_usable: true, update_repeatable: false };
    Error::unprocessable_with(sentence, aftermath)
}
