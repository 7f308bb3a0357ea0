//! What is read before the broker is asked, and the asking: provision and update.

use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};

use super::failure::Failure;
use super::refs::{self, Found, Trouble};
use super::request::{self, Place};
use super::turn::Turning;
use super::unset::Taken;
use super::work::{self, Change, Refused, Work};
use super::{answer, begin, step};
use crate::kubernetes::api::{
    ConditionStatus, ConditionType, Conditions, InstanceOperation, InstanceStatus, LocalRef, Named, ProvisionStatus,
    ServiceInstance,
};
use crate::kubernetes::broker;
use crate::kubernetes::clients;
use crate::kubernetes::parameters::{self, Given};
use crate::kubernetes::scope::{Cluster, Namespaced};
use crate::kubernetes::turn::{Error, Turn};
use crate::kubernetes::write;
use crate::osb::{InstanceId, OriginatingIdentity, Parameters, ProvisionResponse};
use crate::osb_client::{Answer, Headers, Status};

impl<'a> Turning<'a> {
    /// Finds what the instance is of, sees what the broker lacks, and asks for it.
    pub async fn work(&mut self) -> Turn {
        let found = match self.find() {
            Ok(found) => found,
            Err(Trouble { reason, message }) => return self.lacks(reason, &message).await,
        };
        match work::refused(&self.status(), &found) {
            None => {}
            Some(Refused { trouble: Trouble { reason, message }, lasting: false }) => {
                return self.lacks(reason, &message).await;
            }
            Some(Refused { trouble, lasting: true }) => return self.refuse(&trouble, &found).await,
        }
        self.settle(&found).await?;
        let mut status = self.status();
        if status.provision_status != ProvisionStatus::Provisioned {
            status.default_provision_parameters =
                Some(Parameters(found.defaults.clone())).filter(|defaults| !defaults.is_empty());
        }
        let given = match self.given(&status).await? {
            Ok(given) => given,
            Err(message) => return self.lacks("ErrorWithParameters", &message).await,
        };
        let generation = self.generation();
        match work::plan(&self.object.spec, &status, generation, &found, &given, self.adopts()) {
            Work::Settled => {
                begin::seen(&mut status, generation, &found);
                status.ledger_mut().update_requests = self.object.spec.update_requests;
                answer::ended(&mut status);
                if !status.holds(ConditionType::Ready) {
                    answer::ready(&mut status, "InstanceUpdatedSuccessfully", "The broker has what the spec asks for.");
                }
                self.write(status).await?;
                Ok(self.later())
            }
            Work::Mitigate => {
                let message =
                    "The controller ended before it heard of the last attempt, and the spec has changed since.";
                begin::mitigation(&mut status, "ProvisionCallFailed", message);
                self.write(status).await?;
                Ok(Action::requeue(std::time::Duration::from_millis(10)))
            }
            Work::Provision => self.provision(status, &found, &given).await,
            Work::Update(change) => self.update(status, &found, &given, &change).await,
        }
    }

    /// Looks whether what a Secret holds has changed. That it is not there matters only to one who needs it now.
    pub async fn look(&mut self) -> Turn {
        let status = self.status();
        if let Ok(given) = self.given(&status).await? {
            let same = if status.holds(ConditionType::Ready) {
                let had = status.external_properties.as_ref().map(|had| had.parameter_checksum.as_str());
                had.is_none_or(|had| had == given.checksum)
            } else {
                let refused = status.ledger.as_ref().and_then(|ledger| ledger.refused.as_deref());
                refused.is_none_or(|refused| refused == given.checksum)
            };
            if !same {
                return Box::pin(self.work()).await;
            }
        }
        self.rest().await
    }

    /// What the instance is of, as far as the watches have seen.
    pub fn find(&self) -> Result<Found, Trouble> {
        let seen = &self.cx.seen;
        match self.object.spec.choice.read() {
            Some(chosen) if !chosen.cluster => refs::find::<Namespaced>(&seen.namespaced, &self.object),
            _ => refs::find::<Cluster>(&seen.cluster, &self.object),
        }
    }

    /// Writes what was found into the spec, an id if there is none, and the finalizer if nothing was sent yet.
    async fn settle(&mut self, found: &Found) -> Result<(), Error> {
        let known = step::is_known(&self.status());
        let wanted = settled(&self.object, found, known, || uuid::Uuid::new_v4().to_string());
        self.object = write::object(&self.api, &self.object, &wanted).await?;
        Ok(())
    }

    /// The parameters; the inner error is a sentence for the user.
    async fn given(&self, status: &InstanceStatus) -> Result<Result<Given, String>, Error> {
        let spec = &self.object.spec;
        let namespace = self.object.namespace().unwrap_or_default();
        let (defaults, own) = (status.default_provision_parameters.as_ref(), spec.parameters.as_ref());
        Ok(parameters::gather(&self.cx.client, &namespace, defaults, own, &spec.parameters_from).await?)
    }

    /// The user wants what cannot be: nothing is sent until the spec changes.
    async fn refuse(&mut self, trouble: &Trouble, found: &Found) -> Turn {
        let mut status = self.status();
        begin::seen(&mut status, self.generation(), found);
        answer::ended(&mut status);
        status.set(ConditionType::Ready, ConditionStatus::False, trouble.reason, &trouble.message);
        status.set(ConditionType::Failed, ConditionStatus::True, trouble.reason, &trouble.message);
        self.write(status).await?;
        Ok(self.later())
    }

    async fn provision(&mut self, mut status: InstanceStatus, found: &Found, given: &Given) -> Turn {
        let spec = self.object.spec.clone();
        let namespace = self.object.namespace().unwrap_or_default();
        let space = Api::<Namespace>::all(self.cx.client.clone()).get(&namespace).await?.uid().unwrap_or_default();
        let (generation, version) = (self.generation(), found.maintenance.clone());
        begin::order(&mut status, InstanceOperation::Provision, &spec, generation, found, given, version);
        let broker = match self.broker(found.cluster, &found.broker).await {
            Ok(broker) => broker,
            // Nothing goes out.
            Err(error) => {
                answer::provision_failed(&mut status, &Failure::of(error)?, self.adopts(), self.rules());
                self.write(status).await?;
                return Ok(self.later());
            }
        };
        self.write(status).await?;
        let request = request::provision(&self.place(&namespace), &space, found, given);
        let (identity, request_id) = (self.identity(), request_id());
        let headers = Headers { identity: identity.as_ref(), request_id: Some(&request_id) };
        let id = self.id();
        let result = broker.call("provision", broker.client.provision(headers, &id, &request, true)).await;
        let mut status = self.status();
        match result {
            Ok(answer) => self.answered(&mut status, answer),
            Err(error) => {
                let failure = Failure::of(error)?.scrubbed(given);
                self.reread(&failure, found).await?;
                answer::provision_failed(&mut status, &failure, self.adopts(), self.rules());
            }
        }
        self.write(status).await?;
        Ok(self.later())
    }

    async fn update(&mut self, mut status: InstanceStatus, found: &Found, given: &Given, change: &Change) -> Turn {
        let spec = self.object.spec.clone();
        let namespace = self.object.namespace().unwrap_or_default();
        let (generation, version) = (self.generation(), change.maintenance.clone());
        begin::order(&mut status, InstanceOperation::Update, &spec, generation, found, given, version);
        status.ledger_mut().remark = remark(&change.taken);
        let broker = match self.broker(found.cluster, &found.broker).await {
            Ok(broker) => broker,
            Err(error) => {
                answer::update_failed(&mut status, &Failure::of(error)?, self.rules());
                self.write(status).await?;
                return Ok(self.later());
            }
        };
        self.write(status).await?;
        let mut status = self.status();
        let had = status.external_properties.as_ref();
        let runs_on = status.ledger.as_ref().and_then(|ledger| ledger.maintenance_version.as_deref());
        let request = request::update(&self.place(&namespace), found, had, runs_on, given, change);
        let (identity, request_id) = (self.identity(), request_id());
        let headers = Headers { identity: identity.as_ref(), request_id: Some(&request_id) };
        let id = self.id();
        match broker.call("update", broker.client.update(headers, &id, &request, true)).await {
            Ok(answer) => self.answered(&mut status, answer),
            Err(error) => {
                let failure = Failure::of(error)?.scrubbed(given);
                self.reread(&failure, found).await?;
                answer::update_failed(&mut status, &failure, self.rules());
            }
        }
        self.write(status).await?;
        Ok(self.later())
    }

    /// The broker has done it, or works on it.
    fn answered(&self, status: &mut InstanceStatus, answer: Answer<ProvisionResponse>) {
        let Answer { status: code, body, retry_after } = answer;
        if code == Status::Accepted {
            answer::accepted(status, body.operation, body.dashboard_url, self.rules(), retry_after);
        } else {
            answer::succeeded(status, body.dashboard_url);
        }
    }

    /// The broker says that we know an old version of its plan: its catalog is read again before the next attempt.
    async fn reread(&self, failure: &Failure, found: &Found) -> Result<(), Error> {
        let namespace = self.object.metadata.namespace.as_deref();
        match failure.stale {
            true if found.cluster => broker::reread::<Cluster>(self.cx, None, &found.broker).await,
            true => broker::reread::<Namespaced>(self.cx, namespace, &found.broker).await,
            false => Ok(()),
        }
    }

    /// The broker of that name, ready to be called.
    pub async fn broker(&self, cluster: bool, name: &str) -> Result<clients::Broker<'a>, clients::Error> {
        let seen = &self.cx.seen;
        let gone = || clients::Error::Credentials(format!("there is no broker {name:?}"));
        if cluster {
            self.cx.clients.of(&*seen.cluster.brokers.get(None, name).ok_or_else(gone)?).await
        } else {
            let namespace = self.object.metadata.namespace.as_deref();
            self.cx.clients.of(&*seen.namespaced.brokers.get(namespace, name).ok_or_else(gone)?).await
        }
    }

    /// The instance's id at the broker.
    pub fn id(&self) -> InstanceId {
        InstanceId::from(self.object.spec.external_id.as_str())
    }

    /// The user who last changed the spec.
    pub fn identity(&self) -> Option<OriginatingIdentity> {
        self.object.spec.user_info.as_ref().map(crate::kubernetes::api::UserInfo::identity)
    }

    fn place<'p>(&'p self, namespace: &'p str) -> Place<'p> {
        let name = self.object.metadata.name.as_deref().unwrap_or_default();
        Place { cluster_id: &self.cx.cluster_id, namespace, name }
    }
}

/// A name for a request, for both sides' logs.
pub fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// What could not be unset.
fn remark(taken: &Taken) -> Option<String> {
    let (names, verb) = (taken.kept.join(", "), if taken.kept.len() == 1 { "was" } else { "were" });
    (!taken.kept.is_empty()).then(|| {
        format!(
            "{names} {verb} taken out of the parameters, but the plan's schema for updates does not take null there, so it \
             cannot be unset: the broker may keep the value it had."
        )
    })
}

/// The object with what was found.
fn settled(object: &ServiceInstance, found: &Found, known: bool, id: impl FnOnce() -> String) -> ServiceInstance {
    let mut wanted = object.clone();
    let spec = &mut wanted.spec;
    let fresh = spec.cluster_service_plan_ref.is_none() && spec.service_plan_ref.is_none();
    let (class, plan) = (Some(LocalRef::new(&found.class)), Some(LocalRef::new(&found.plan)));
    if found.cluster {
        (spec.cluster_service_class_ref, spec.cluster_service_plan_ref) = (class, plan);
    } else {
        (spec.service_class_ref, spec.service_plan_ref) = (class, plan);
    }
    // The default plan is named once; a user who takes it away again is let be.
    let choice = &mut spec.choice;
    let sort = choice
        .read()
        .filter(|chosen| fresh && chosen.plan.is_none())
        .map(|chosen| (chosen.cluster, kind(chosen.class)));
    match sort {
        Some((true, Sort::ExternalName)) => choice.cluster_service_plan_external_name = Some(found.plan_name.clone()),
        Some((true, Sort::ExternalId)) => choice.cluster_service_plan_external_id = Some(found.plan_id.clone()),
        Some((true, Sort::Name)) => choice.cluster_service_plan_name = Some(found.plan.clone()),
        Some((false, Sort::ExternalName)) => choice.service_plan_external_name = Some(found.plan_name.clone()),
        Some((false, Sort::ExternalId)) => choice.service_plan_external_id = Some(found.plan_id.clone()),
        Some((false, Sort::Name)) => choice.service_plan_name = Some(found.plan.clone()),
        None => {}
    }
    if spec.external_id.is_empty() {
        spec.external_id = id();
        wanted.annotations_mut().insert(super::GENERATED.to_owned(), "true".to_owned());
    }
    super::label(&mut wanted);
    if !known && !crate::kubernetes::finalizer::is_put(&wanted) {
        wanted.finalizers_mut().push(crate::kubernetes::api::FINALIZER.to_owned());
    }
    wanted
}

enum Sort {
    ExternalName,
    ExternalId,
    Name,
}

fn kind(named: Named<'_>) -> Sort {
    match named {
        Named::ExternalName(_) => Sort::ExternalName,
        Named::ExternalId(_) => Sort::ExternalId,
        Named::Name(_) => Sort::Name,
    }
}
