//! What a turn has at hand: the binding as it is now, and how it is written, called for and waited for.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::Fault;
use super::place::{NoBroker, Obstacle};
use super::state::{self, Patience, reason};
use crate::kubernetes::api::{
    BindingPlace, BindingStatus, Condition, ConditionType, Conditions, ServiceBinding, UserInfo,
};
use crate::kubernetes::clients::{self, Broker};
use crate::kubernetes::context::Context;
use crate::kubernetes::scope::Object;
use crate::kubernetes::turn::{Error, Turn};
use crate::kubernetes::words::{Sent, Words};
use crate::kubernetes::write;
use crate::osb::{self, DeleteQuery, OriginatingIdentity, PlanId, ServiceId};

/// How often is looked whether an obstacle has gone that no watch shows.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// One turn's binding.
pub struct Work<'a> {
    /// What every turn can use.
    pub cx: &'a Context,
    /// The bindings of the namespace.
    pub api: Api<ServiceBinding>,
    /// The binding as it is now.
    pub binding: ServiceBinding,
}

impl<'a> Work<'a> {
    /// Begins with what the watch has shown.
    pub fn new(cx: &'a Context, binding: &ServiceBinding) -> Self {
        let binding = binding.clone();
        let api = ServiceBinding::api(cx.client.clone(), binding.namespace().as_deref());
        Self { cx, api, binding }
    }

    /// Reads it anew; false if it is not there any more.
    pub async fn refresh(&mut self) -> Result<bool, Error> {
        let Some(now) = self.api.get_opt(&self.binding.name_any()).await? else { return Ok(false) };
        if now.metadata.uid != self.binding.metadata.uid {
            return Ok(false);
        }
        self.binding = now;
        Ok(true)
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.binding.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The status.
    pub fn status(&self) -> BindingStatus {
        self.binding.status.clone().unwrap_or_default()
    }

    /// How long and how often is tried.
    pub fn patience(&self) -> Patience {
        Patience { backoff: self.cx.backoff(), total: self.cx.settings.work.retry_patience }
    }

    /// Writes a change of the status; what is new in `Ready` is an event, too.
    pub async fn save(&mut self, change: impl FnOnce(&mut BindingStatus)) -> Result<(), Error> {
        let mut wanted = self.binding.clone();
        let status = wanted.status.get_or_insert_default();
        change(status);
        status.reconciled_generation = wanted.metadata.generation.unwrap_or_default();
        let former = self.binding.status.as_ref().and_then(|status| status.condition(ConditionType::Ready)).cloned();
        self.binding = write::status(&self.api, &self.binding, &wanted).await?;
        let present = self.binding.status.as_ref().and_then(|status| status.condition(ConditionType::Ready));
        if let Some(present) = present {
            self.tell(former.as_ref(), present);
        }
        Ok(())
    }

    fn tell(&self, former: Option<&Condition>, present: &Condition) {
        const QUIET: [&str; 5] =
            [reason::BIND_IN_FLIGHT, reason::BINDING, reason::UNBIND_IN_FLIGHT, reason::UNBINDING, reason::MITIGATED];
        const GOOD: [&str; 2] = [reason::INJECTED, reason::UNBOUND];
        let is_same = |former: &Condition| former.reason == present.reason && former.message == present.message;
        if former.is_some_and(is_same) || QUIET.contains(&present.reason.as_str()) {
            return;
        }
        let action = if self.binding.metadata.deletion_timestamp.is_some() { "Unbind" } else { "Bind" };
        if GOOD.contains(&present.reason.as_str()) {
            self.cx.events.normal(&self.binding, action, &present.reason, present.message.as_str());
        } else {
            self.cx.events.warning(&self.binding, action, &present.reason, present.message.as_str());
        }
    }

    /// Says what is in the way of a bind, and comes again.
    pub async fn blocked(&mut self, obstacle: Obstacle) -> Turn {
        let Obstacle { reason, message, lasting } = obstacle;
        self.save(|status| match lasting {
            true => state::impossible(status, reason, &message),
            false => state::blocked(status, reason, &message),
        })
        .await?;
        Ok(if lasting { Action::await_change() } else { self.later() })
    }

    /// When an obstacle is looked at again.
    pub fn later(&self) -> Action {
        Action::requeue(LOOK_AGAIN.min(self.cx.settings.work.retry_most))
    }

    /// What may be shown of what the broker says.
    pub async fn words(&self) -> Result<Words, Error> {
        let (status, spec) = (self.status(), &self.binding.spec);
        let next = status.rotation.as_ref().and_then(|rotation| rotation.next.as_ref()?.properties.clone());
        let known = [status.in_progress_properties.clone(), status.external_properties.clone(), next];
        let sent = Sent {
            namespace: self.namespace(),
            defaults: None,
            own: spec.parameters.as_ref(),
            from: &spec.parameters_from,
            checksums: known.into_iter().flatten().map(|known| known.parameter_checksum).collect(),
        };
        Ok(Words::of(&self.cx.client, sent).await?)
    }

    /// On whose behalf.
    pub fn identity(&self) -> Option<OriginatingIdentity> {
        self.binding.spec.user_info.as_ref().map(UserInfo::identity)
    }

    /// What the broker is told of where the binding is.
    pub fn context(&self) -> osb::Context {
        let context = json!({
            "platform": "kubernetes",
            "namespace": self.namespace(),
            "clusterid": self.cx.cluster_id,
            "instance_name": self.binding.spec.instance_ref.name,
        });
        osb::Context(object(context))
    }

    /// What the broker is told of what is bound: as Service Catalog did, the namespace.
    pub async fn bind_resource(&self) -> Result<osb::BindResource, Error> {
        let namespace = Api::<Namespace>::all(self.cx.client.clone()).get_metadata(self.namespace()).await?;
        Ok(osb::BindResource(object(json!({ "app_guid": namespace.metadata.uid }))))
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Headers of one call.
pub struct With {
    identity: Option<OriginatingIdentity>,
    request_id: String,
}

impl With {
    /// On behalf of somebody, or of nobody: an orphan mitigation is no wish of a user (spec: "Originating Identity").
    pub fn new(identity: Option<OriginatingIdentity>) -> Self {
        Self { identity, request_id: Uuid::new_v4().to_string() }
    }

    /// As the client wants them.
    pub fn headers(&self) -> crate::osb_client::Headers<'_> {
        crate::osb_client::Headers { identity: self.identity.as_ref(), request_id: Some(&self.request_id) }
    }
}

/// What a call gave.
pub enum Outcome<T> {
    /// What was wanted.
    Done(T),
    /// Something for the status.
    Fault(Fault),
}

/// Makes a call; what is nobody's fault ends the turn.
pub async fn call<T>(
    work: &Work<'_>,
    broker: &Broker<'_>,
    operation: &'static str,
    doing: &str,
    call: impl Future<Output = Result<T, crate::osb_client::Error>>,
) -> Result<Outcome<T>, Error> {
    let result = match broker.call(operation, call).await {
        Err(error) => Err(work.words().await?.error(error)),
        done => done,
    };
    match result {
        Ok(done) => Ok(Outcome::Done(done)),
        Err(clients::Error::Broker(error)) => Ok(Outcome::Fault(super::answer::fault(&error, doing))),
        Err(clients::Error::Api(error)) => Err(error.into()),
        Err(clients::Error::NotLeader) => Err(Error::NotLeader),
        Err(error @ clients::Error::Credentials(_)) => {
            Ok(super::answer::not_called(&error).map(Outcome::Fault).ok_or(Error::NotLeader)?)
        }
    }
}

/// The error of a turn that is no broker's fault.
pub fn turn_error(error: clients::Error) -> Error {
    match error {
        clients::Error::Api(error) => error.into(),
        _ => Error::NotLeader,
    }
}

/// As [`turn_error`], of a broker that was looked for.
pub fn no_broker(error: NoBroker) -> Result<Obstacle, Error> {
    match error {
        NoBroker::Gone(obstacle) => Ok(obstacle),
        NoBroker::Error(error) => super::place::unreachable(&error).ok_or_else(|| turn_error(error)),
    }
}

/// The query of a delete.
pub fn delete_query(place: &BindingPlace) -> DeleteQuery {
    DeleteQuery {
        service_id: Some(ServiceId::from(place.service_id.as_str())),
        plan_id: Some(PlanId::from(place.plan_id.as_str())),
        accepts_incomplete: place.retrievable,
    }
}
