//! What goes on at the broker, and what goes: polls, mitigation, deprovision.

use kube::api::{DeleteParams, ListParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};

use super::ask::request_id;
use super::failure::Failure;
use super::poll::Polled;
use super::turn::Turning;
use super::{begin, ending, poll, request};
use crate::kubernetes::api::{
    ConditionStatus, ConditionType, Conditions, InstanceProperties, InstanceStatus, ProvisionStatus, ServiceBinding,
    UserInfo,
};
use crate::kubernetes::scope::{ClassObject, Object};
use crate::kubernetes::turn::{Error, Turn};
use crate::kubernetes::words::{Sent, Words};
use crate::kubernetes::{clients, write};
use crate::osb_client::{Headers, Status};

/// Where an instance is at its broker, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    cluster: bool,
    broker: String,
    service: String,
    plan: String,
}

impl Turning<'_> {
    /// Asks how far the operation is.
    pub async fn poll(&mut self) -> Turn {
        let mut status = self.status();
        let at = self.whereabouts(&status);
        let query = request::poll(&at.service, &at.plan, status.last_operation.as_deref());
        let (identity, request_id) = (self.identity(), request_id());
        // Orphan mitigation is on nobody's behalf.
        let identity = identity.filter(|_| !status.orphan_mitigation_in_progress);
        let headers = Headers { identity: identity.as_ref(), request_id: Some(&request_id) };
        let id = self.id();
        let result = match self.broker(at.cluster, &at.broker).await {
            Ok(broker) => broker.call("last_operation", broker.client.instance_operation(headers, &id, &query)).await,
            Err(error) => Err(error),
        };
        let limit = self.find().ok().and_then(|found| found.polling);
        let rules = self.rules();
        let with = Polled { adopts: self.adopts(), limit: limit.unwrap_or(rules.patience), rules };
        let words = self.words().await?;
        match result {
            Ok(answer) => {
                poll::told(&mut status, &words.operation(answer.body), answer.retry_after, with);
            }
            Err(error) => poll::refused(&mut status, &Failure::of(words.error(error))?, with),
        }
        self.finish(status).await
    }

    /// Deletes at the broker what a failed attempt may have left.
    pub async fn mitigate(&mut self) -> Turn {
        let status = self.status();
        let at = self.whereabouts(&status);
        if let Some((reason, message)) = self.obstacle(&at) {
            let mut status = status;
            let failure = Failure { message: message.clone(), ..Failure::default() };
            ending::waits(&mut status, reason, &message, &failure, self.rules());
            self.write(status).await?;
            return Ok(self.later());
        }
        self.call_delete(status, &at, None).await
    }

    /// Deletes the instance's bindings, and then the instance at the broker.
    pub async fn delete(&mut self) -> Turn {
        if let Some(bindings) = self.unbind().await? {
            let mut status = self.status();
            let message = format!("The bindings of the instance are deleted first: {bindings}.");
            status.set(ConditionType::Ready, ConditionStatus::False, "ServiceBindingsDeletion", message);
            self.write(status).await?;
            return Ok(Action::requeue(self.look_again()));
        }
        let mut status = self.status();
        let at = self.whereabouts(&status);
        let left = left(&status);
        begin::deprovision(&mut status, self.generation(), left);
        if let Some((reason, message)) = self.obstacle(&at) {
            let failure = Failure { message: message.clone(), ..Failure::default() };
            ending::waits(&mut status, reason, &message, &failure, self.rules());
            self.write(status).await?;
            return Ok(self.later());
        }
        self.write(status).await?;
        let (status, identity) = (self.status(), self.object.spec.user_info.clone());
        self.call_delete(status, &at, identity.as_ref()).await
    }

    async fn call_delete(&mut self, mut status: InstanceStatus, at: &Whereabouts, user: Option<&UserInfo>) -> Turn {
        let query = request::delete(&at.service, &at.plan);
        let (identity, request_id) = (user.map(UserInfo::identity), request_id());
        let headers = Headers { identity: identity.as_ref(), request_id: Some(&request_id) };
        let id = self.id();
        let result = match self.broker(at.cluster, &at.broker).await {
            Ok(broker) => broker.call("deprovision", broker.client.deprovision(headers, &id, &query)).await,
            Err(error) => Err(error),
        };
        let rules = self.rules();
        match result {
            Ok(answer) if answer.status == Status::Accepted => {
                super::answer::accepted(&mut status, answer.body.operation, None, rules, answer.retry_after);
            }
            Ok(_) => ending::deleted(&mut status, rules),
            Err(clients::Error::Broker(error)) if error.refusal().is_some_and(|refusal| refusal.is_gone()) => {
                ending::deleted(&mut status, rules);
            }
            Err(error) => {
                let error = self.words().await?.error(error);
                ending::delete_failed(&mut status, &Failure::of(error)?, rules);
            }
        }
        self.finish(status).await
    }

    /// What may be shown of what the broker says.
    async fn words(&self) -> Result<Words, Error> {
        let (status, spec) = (self.status(), &self.object.spec);
        let known = [&status.in_progress_properties, &status.external_properties].into_iter().flatten();
        let sent = Sent {
            namespace: self.object.metadata.namespace.as_deref().unwrap_or_default(),
            defaults: status.default_provision_parameters.as_ref(),
            own: spec.parameters.as_ref(),
            from: &spec.parameters_from,
            checksums: known.map(|known| known.parameter_checksum.clone()).collect(),
        };
        Ok(Words::of(&self.cx.client, sent).await?)
    }

    /// Writes the status; lets the object go if that was what it waited for.
    async fn finish(&mut self, status: InstanceStatus) -> Turn {
        let gone = status.deprovision_status == crate::kubernetes::api::DeprovisionStatus::Succeeded
            && self.object.metadata.deletion_timestamp.is_some();
        self.write(status).await?;
        if gone {
            crate::kubernetes::finalizer::take(&self.api, &self.object).await?;
            return Ok(Action::await_change());
        }
        Ok(self.later())
    }

    /// Deletes the bindings that are left, and names them.
    async fn unbind(&self) -> Result<Option<String>, Error> {
        let namespace = self.object.namespace();
        let api: Api<ServiceBinding> = ServiceBinding::api(self.cx.client.clone(), namespace.as_deref());
        let name = self.object.name_any();
        let mut left = Vec::new();
        for binding in api.list(&ListParams::default()).await?.items {
            if binding.spec.instance_ref.name != name {
                continue;
            }
            let called = binding.name_any();
            if binding.metadata.deletion_timestamp.is_none() {
                match api.delete(&called, &DeleteParams::default()).await {
                    Err(error) if !write::is_not_found(&error) => return Err(error.into()),
                    _ => {}
                }
            }
            // One without a finalizer is gone with that.
            if binding.finalizers().is_empty() && binding.metadata.deletion_timestamp.is_none() {
                continue;
            }
            let state = binding.status.map(|status| status.last_condition_state).unwrap_or_default();
            left.push(if state.is_empty() { called } else { format!("{called} ({state})") });
        }
        Ok((!left.is_empty()).then(|| left.join(", ")))
    }

    /// Why nobody can be asked to delete it: a reason, and a sentence that says what helps.
    fn obstacle(&self, at: &Whereabouts) -> Option<(&'static str, String)> {
        let helps = "Bring it back, or abandon the instance (svcat deprovision --abandon).";
        if at.service.is_empty() {
            let message = "The class of the instance does not exist any more, so no broker can be asked to delete it.";
            return Some(("ReferencesNonexistentServiceClass", format!("{message} {helps}")));
        }
        let seen = &self.cx.seen;
        let namespace = self.object.metadata.namespace.as_deref();
        let there = if at.cluster {
            seen.cluster.brokers.get(None, &at.broker).is_some()
        } else {
            seen.namespaced.brokers.get(namespace, &at.broker).is_some()
        };
        let message =
            || format!("The broker {:?} does not exist, so it cannot be asked to delete the instance.", at.broker);
        (!there).then(|| ("ReferencesNonexistentBroker", format!("{} {helps}", message())))
    }

    /// Where the instance is: as written down when it was ordered, else by its class.
    fn whereabouts(&self, status: &InstanceStatus) -> Whereabouts {
        let cluster = self.object.spec.choice.read().is_none_or(|chosen| chosen.cluster);
        let plan = left(status).plan_id().to_owned();
        if let Some(ledger) = status.ledger.as_ref().filter(|ledger| !ledger.service_id.is_empty()) {
            return Whereabouts {
                cluster,
                broker: ledger.broker_name.clone(),
                service: ledger.service_id.clone(),
                plan,
            };
        }
        let (seen, spec) = (&self.cx.seen, &self.object.spec);
        let namespace = self.object.metadata.namespace.as_deref();
        let of_class = if cluster {
            let class = spec.cluster_service_class_ref.as_ref();
            let class = class.and_then(|class| seen.cluster.classes.get(None, &class.name));
            class.map(|class| (class.broker().to_owned(), class.common().external_id.clone()))
        } else {
            let class = spec.service_class_ref.as_ref();
            let class = class.and_then(|class| seen.namespaced.classes.get(namespace, &class.name));
            class.map(|class| (class.broker().to_owned(), class.common().external_id.clone()))
        };
        let (broker, service) = of_class.unwrap_or_default();
        Whereabouts { cluster, broker, service, plan }
    }
}

/// What the broker has: what it was last known to have, else what it was asked for.
fn left(status: &InstanceStatus) -> InstanceProperties {
    let had = status.external_properties.clone().filter(|_| status.provision_status == ProvisionStatus::Provisioned);
    had.or_else(|| status.in_progress_properties.clone())
        .or_else(|| status.external_properties.clone())
        .unwrap_or_default()
}
