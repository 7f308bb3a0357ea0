//! One turn over an instance: reads what the decision needs, calls, and writes down what came of it.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};

use super::answer::Rules;
use super::step::{self, Step};
use crate::kubernetes::api::{ConditionStatus, ConditionType, Conditions, InstanceStatus, Retry, ServiceInstance};
use crate::kubernetes::context::Context;
use crate::kubernetes::finalizer;
use crate::kubernetes::scope::Object;
use crate::kubernetes::turn::{Error, Turn};
use crate::kubernetes::write;

/// An instance in its turn.
pub struct Turning<'a> {
    /// What every turn can use.
    pub cx: &'a Context,
    /// The instances of the namespace.
    pub api: Api<ServiceInstance>,
    /// The instance as it was last read or written.
    pub object: ServiceInstance,
}

/// One turn over an instance.
pub async fn reconcile(instance: Arc<ServiceInstance>, cx: Arc<Context>) -> Turn {
    if cx.leaves(&instance) {
        return Ok(Action::await_change());
    }
    let api = ServiceInstance::api(cx.client.clone(), instance.metadata.namespace.as_deref());
    let mut turn = Turning { cx: &cx, api, object: (*instance).clone() };
    let mut step = step::next(&turn.object);
    if step.repeats(&turn.status()) {
        // What the watch has seen may be older than what the last turn wrote: nothing is sent twice for that.
        let Some(now) = turn.api.get_opt(&turn.object.name_any()).await? else { return Ok(Action::await_change()) };
        turn.object = now;
        step = step::next(&turn.object);
    }
    match step {
        Step::HandsOff => Ok(Action::await_change()),
        Step::Wait(wait) => Ok(Action::requeue(wait)),
        Step::Rest => turn.rest().await,
        Step::Look => turn.look().await,
        Step::Release => turn.release().await,
        Step::Work => Box::pin(turn.work()).await,
        Step::Poll => turn.poll().await,
        Step::Mitigate => turn.mitigate().await,
        Step::Delete => turn.delete().await,
    }
}

impl Turning<'_> {
    /// The status, to be changed and written.
    pub fn status(&self) -> InstanceStatus {
        self.object.status.clone().unwrap_or_default()
    }

    /// The generation of the spec that was read.
    pub fn generation(&self) -> i64 {
        self.object.metadata.generation.unwrap_or_default()
    }

    /// How patient we are.
    pub fn rules(&self) -> Rules {
        Rules { backoff: self.cx.backoff(), patience: self.cx.settings.work.retry_patience }
    }

    /// The instance's id is the user's own, not one that we made: it may name something that was there before.
    pub fn adopts(&self) -> bool {
        !self.object.annotations().contains_key(super::GENERATED)
    }

    /// Writes the status if it differs, and tells what is new of it as events.
    pub async fn write(&mut self, status: InstanceStatus) -> Result<(), Error> {
        let mut wanted = self.object.clone();
        wanted.status = Some(status);
        let before = self.status();
        self.object = write::status(&self.api, &self.object, &wanted).await?;
        self.announce(&before, wanted.status.as_ref());
        Ok(())
    }

    /// When the next turn is due; a change of the object makes one earlier.
    pub fn later(&self) -> Action {
        let wait = self.object.status.as_ref().and_then(|status| status.retry.as_ref()).map(Retry::wait);
        match wait {
            Some(wait) => Action::requeue(wait.unwrap_or(Duration::from_millis(10))),
            None => Action::await_change(),
        }
    }

    /// States that something is missing, and looks again after a pause that grows with the time it has been missing.
    pub async fn lacks(&mut self, reason: &'static str, message: &str) -> Turn {
        let mut status = self.status();
        let generation = self.generation();
        (status.observed_generation, status.reconciled_generation) = (generation, generation);
        status.unset(ConditionType::Failed);
        status.set(ConditionType::Ready, ConditionStatus::False, reason, message);
        // A pause that is left belongs to another trouble. That there is one says that the last call was answered.
        if let Some(retry) = status.retry.as_mut().filter(|retry| retry.wait().is_some()) {
            retry.not_before = super::answer::at_once();
        }
        self.write(status).await?;
        Ok(Action::requeue(self.look_again()))
    }

    /// A pause that grows with the time since Ready last changed.
    pub fn look_again(&self) -> Duration {
        let status = self.status();
        let since = status.condition(ConditionType::Ready).map(|ready| ready.last_transition_time.0);
        let age = since.map(|since| jiff::Timestamp::now().duration_since(since).unsigned_abs()).unwrap_or_default();
        (age / 4).clamp(Duration::from_millis(500), Duration::from_secs(30))
    }

    async fn release(&mut self) -> Turn {
        finalizer::take(&self.api, &self.object).await?;
        Ok(Action::await_change())
    }

    /// All is well; the labels by which svcat finds the instance may be missing on one that was taken over.
    pub async fn rest(&mut self) -> Turn {
        let mut wanted = self.object.clone();
        super::label(&mut wanted);
        if wanted.metadata.labels != self.object.metadata.labels {
            self.object = write::object(&self.api, &self.object, &wanted).await?;
        }
        Ok(Action::await_change())
    }

    fn announce(&self, before: &InstanceStatus, now: Option<&InstanceStatus>) {
        for condition in now.map(|now| now.conditions.as_slice()).unwrap_or_default() {
            let former = before.condition(condition.type_);
            if former.is_some_and(|former| former.reason == condition.reason && former.message == condition.message) {
                continue;
            }
            let action = match before.operation().or(now.and_then(InstanceStatus::operation)) {
                Some(operation) => format!("{operation:?}"),
                None => "Reconcile".to_owned(),
            };
            let well = match condition.type_ {
                ConditionType::Ready => {
                    condition.status == ConditionStatus::True || super::PROGRESS.contains(&condition.reason.as_str())
                }
                _ => false,
            };
            let events = &self.cx.events;
            if well {
                events.normal(&self.object, &action, &condition.reason, &condition.message);
            } else {
                events.warning(&self.object, &action, &condition.reason, &condition.message);
            }
        }
    }
}
