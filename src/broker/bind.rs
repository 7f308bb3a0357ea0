//! `PUT /v2/service_instances/:instance_id/service_bindings/:binding_id`, rotation included.

use serde_json::Value;

use super::order::{Ordered, placement};
use super::parameters::refused;
use super::references::{Owner, Referring};
use super::{Broker, Caller, Outcome, broken};
use crate::catalog::{Given, Verb};
use crate::osb::{Aftermath, BindRequest, BindingId, BindingResponse, Context, Error, InstanceId, OperationId, Uid};
use crate::policy::Terms;
use crate::store::binding::Binding;
use crate::store::instance::Instance;
use crate::store::operation::{NewOperation, Operation};
use crate::store::{self, Lane, OperationKind, OperationState, PgConnection, Phase, State, place};

use super::wait::failed_operation;

/// How often a bind looks again that lost a race for its id.
const RACES: usize = 3;

impl Broker {
    /// Binds. Checks in the order of the specification's checkers: ids, the instance, what exists, plan, bindable,
    /// parameters. Without `accepts_incomplete` the request waits for the end.
    pub async fn bind(
        &self,
        caller: &Caller,
        instance: &InstanceId,
        id: &BindingId,
        request: BindRequest,
        accepts_incomplete: bool,
    ) -> Result<Outcome<BindingResponse>, Error> {
        let ended = self.0.parts.wake.subscribe();
        let lane = if accepts_incomplete { Lane::Async } else { Lane::Sync };
        let mut begun = None;
        for _ in 0..RACES {
            begun = self.begin_bind(caller, instance, id, &request, lane).await?;
            if begun.is_some() {
                break;
            }
        }
        let operation = match begun.ok_or(Error::ConcurrencyError)? {
            Begun::Answer(outcome) => return Ok(outcome),
            Begun::Operation(operation) => operation,
        };
        if accepts_incomplete {
            return Ok(Outcome::Accepted(BindingResponse::in_progress(operation.to_string())));
        }
        let operation = self.ended(operation, ended).await?;
        match operation.state {
            OperationState::Succeeded => {
                let binding = store::binding::by_uid(self.singles(), operation.owner).await?;
                let binding = binding.filter(|binding| binding.state == State::Ready).ok_or(Error::ConcurrencyError)?;
                Ok(Outcome::Created(self.answer(&binding)?))
            }
            _ => Err(failed_operation(operation)),
        }
    }

    /// Everything that is decided in one transaction. `None`: another request with this id was first; look again.
    async fn begin_bind(
        &self,
        caller: &Caller,
        instance: &InstanceId,
        id: &BindingId,
        request: &BindRequest,
        lane: Lane,
    ) -> Result<Option<Begun>, Error> {
        let unknown = match (&request.service_id, &request.plan_id) {
            (Some(service), Some(plan)) => self.orderable(caller, service, plan).await.err(),
            _ => None,
        };
        let mut transaction = self.pool().begin().await.map_err(store::Error::from)?;
        let Some(instance) = store::instance::share(&mut transaction, &caller.platform, instance).await? else {
            return Err(unknown.unwrap_or_else(|| Error::not_found("There is no instance with this id.")));
        };
        let existing = store::binding::lock(&mut transaction, instance.uid, id).await?;
        // Ids that no catalog has are refused before anything else; the instance's or binding's own are fine after they left it.
        let own =
            |service, plan| request.service_id.as_ref() == Some(service) && request.plan_id.as_ref() == Some(plan);
        if let Some(refusal) = unknown
            && !own(&instance.service_id, &instance.plan_id)
            && !existing.as_ref().is_some_and(|binding| own(&binding.service_id, &binding.plan_id))
        {
            return Err(refusal);
        }
        if let Some(existing) = &existing {
            match self.rebound(&mut transaction, &instance, existing, request).await? {
                Some(begun) => return Ok(Some(begun)),
                None => {
                    store::binding::set_state(&mut *transaction, existing.uid, State::Deleted).await?;
                }
            }
        }
        let Some(operation) = self.new_bind(caller, &mut transaction, &instance, id, request, lane).await? else {
            return Ok(None);
        };
        transaction.commit().await.map_err(store::Error::from)?;
        self.accepted(OperationKind::Bind, lane, &instance.offering);
        Ok(Some(Begun::Operation(operation)))
    }

    /// What a bind whose id is in use leads to; `None` if the one before failed and left nothing.
    async fn rebound(
        &self,
        db: &mut PgConnection,
        instance: &Instance,
        existing: &Binding,
        request: &BindRequest,
    ) -> Result<Option<Begun>, Error> {
        let live = store::operation::live(&mut *db, existing.uid).await?;
        match (existing.state, &live) {
            (State::Failed, None) => {
                let left = store::resource::is_owed(&mut *db, existing.uid).await?;
                return if left { Err(Error::ConcurrencyError) } else { Ok(None) };
            }
            (State::Failed | State::Deleting, _) | (_, Some(Operation { phase: Phase::Undo, .. })) => {
                return Err(Error::ConcurrencyError);
            }
            _ => {}
        }
        if !self.is_same_bind(existing, instance, request)? {
            return Err(Error::conflict("A binding with this id exists, with other attributes."));
        }
        match live {
            Some(Operation { kind: OperationKind::Bind, id, .. }) => Ok(Some(Begun::Operation(id))),
            _ => Ok(Some(Begun::Answer(Outcome::Exists(self.answer(existing)?)))),
        }
    }

    /// Writes a new binding and its operation; `None` if the id was taken meanwhile.
    async fn new_bind(
        &self,
        caller: &Caller,
        db: &mut PgConnection,
        instance: &Instance,
        id: &BindingId,
        request: &BindRequest,
        lane: Lane,
    ) -> Result<Option<OperationId>, Error> {
        let ordered = self.plan_of(instance).await?;
        let plan = ordered.plan()?;
        let is_other = |asked: Option<&str>, own: &str| asked.is_some_and(|asked| asked != own);
        if is_other(request.service_id.as_ref().map(|id| id.as_str()), instance.service_id.as_str())
            || is_other(request.plan_id.as_ref().map(|id| id.as_str()), instance.plan_id.as_str())
        {
            return Err(Error::bad_request("service_id and plan_id are not the instance's."));
        }
        if !ordered.revision.bindable() {
            return Err(Error::bad_request("Instances of this plan cannot be bound."));
        }
        match instance.state {
            State::Ready => {}
            State::Failed => return Err(Error::unprocessable("The instance was never made, so it cannot be bound.")),
            _ => return Err(Error::ConcurrencyError),
        }
        let live = store::operation::live(&mut *db, instance.uid).await?;
        if live.is_some_and(|live| live.kind != OperationKind::Refresh) {
            return Err(Error::ConcurrencyError);
        }

        let predecessor = self.predecessor(db, instance, &ordered, request).await?;
        let mut given = Given { given: request.parameters.0.clone(), ..Given::default() };
        let inherits = predecessor.is_some() && given.given.is_empty();
        let mut context = Value::Object(request.context.0.clone());
        let mut app_guid = request.app().map(str::to_owned);
        let mut route = request.bind_resource.route().map(str::to_owned);
        if let Some(before) = &predecessor {
            // Platforms do not keep what they sent, so a rotation inherits what it does not say.
            if inherits {
                given.given = self.open(&place::binding_parameters(before.uid), &before.parameters)?.given;
            }
            app_guid = app_guid.or_else(|| before.app_guid.clone());
            route = route.or_else(|| before.route.clone());
            if request.context.is_empty() {
                context = before.context.clone();
            }
        }
        let terms = self.terms_of(caller, instance, &ordered, request)?;
        if let Some(most) = terms.bindings_per_instance
            && store::binding::count_locked(&mut *db, instance.uid).await? >= i64::from(most)
        {
            return Err(Error::Unprocessable {
                code: Some("QuotaExceeded"),
                sentence: format!(
                    "The limit of {most} binding{} of an instance is reached: unbind one that is not needed.",
                    if most == 1 { "" } else { "s" }
                ),
                aftermath: Aftermath::Unsaid,
            });
        }
        let declared = &ordered.revision.offering().bind_parameters;
        given.forced = terms.forced.clone();
        given.forced.retain(|name, _| declared.contains_key(name));
        if inherits {
            given.given.retain(|name, _| !given.forced.contains_key(name));
        }
        let owner = Owner::of(instance);
        let set = given.given.clone();
        self.resolve(&ordered.revision, Verb::Bind, &mut given, &set, &terms, &owner).await?;
        let names = self.names_of(instance, &ordered)?;
        ordered
            .revision
            .accept(plan, Verb::Bind, &given.values(), &given.forced, &names.params)
            .map_err(|refusals| refused(&refusals))?;

        let uid = Uid::random();
        let binding = Binding {
            uid,
            instance: instance.uid,
            id: id.clone(),
            service_id: instance.service_id.clone(),
            plan_id: instance.plan_id.clone(),
            revision: instance.revision.clone(),
            context,
            app_guid,
            route,
            predecessor: predecessor.map(|before| before.id.to_string()),
            parameters: self.seal(&place::binding_parameters(uid), &given)?,
            answer: None,
            state: State::Creating,
        };
        let operation = NewOperation {
            id: OperationId::random(),
            description: "accepted; the binding is made in a moment",
            actor: caller.actor(),
            lasts: ordered.revision.maximum_polling_duration(plan),
        };
        let refers_to = given.refers_to();
        let (revision, owner) = (&ordered.revision, Owner::of(instance));
        self.hold(db, &Referring { revision, verb: Verb::Bind, given: &given, owner }, &refers_to).await?;
        match store::binding::insert(&mut *db, &binding, &refers_to, lane, &operation).await {
            Err(error) if error.constraint() == Some("binding_id_key") => Ok(None),
            other => Ok(other.map(|()| Some(operation.id))?),
        }
    }

    /// The binding that this one takes over from.
    async fn predecessor(
        &self,
        db: &mut PgConnection,
        instance: &Instance,
        ordered: &Ordered,
        request: &BindRequest,
    ) -> Result<Option<Binding>, Error> {
        let Some(id) = &request.predecessor_binding_id else { return Ok(None) };
        if !ordered.plan()?.document().binding_rotatable {
            return Err(Error::bad_request("Bindings of this plan cannot be rotated."));
        }
        let before = store::binding::lock(&mut *db, instance.uid, id).await?;
        match before.filter(|binding| binding.state == State::Ready) {
            Some(before) => Ok(Some(before)),
            None => {
                Err(Error::bad_request("predecessor_binding_id names no binding of this instance that is in force."))
            }
        }
    }

    fn terms_of(
        &self,
        caller: &Caller,
        instance: &Instance,
        ordered: &Ordered,
        request: &BindRequest,
    ) -> Result<Terms, Error> {
        let stored = match &instance.context {
            Value::Object(map) => Context(map.clone()),
            _ => Context::default(),
        };
        let context = if request.context.namespace().is_some() { &request.context } else { &stored };
        let order = placement(&caller.platform, &instance.organization, &instance.space, context, ordered)?;
        let target = instance.target.get("name").and_then(Value::as_str);
        let target = target.ok_or_else(|| broken("an instance's target has no name", &instance.uid))?;
        Ok(self.policy().terms(&order, target))
    }
}

/// What a bind comes to, for now.
enum Begun {
    /// It is there already.
    Answer(Outcome<BindingResponse>),
    /// It is being made.
    Operation(OperationId),
}
