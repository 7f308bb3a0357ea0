//! One action on one resource: intent committed, driver called, result committed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Broken;
use super::plan::Action;
use super::retry::{self, Verdict, Way};
use super::subject::{self, Blueprint};
use super::tally::Tally;
use super::turn::Turn;
use crate::catalog::{Evaluated, OutputMap};
use crate::driver::{Class, Context, Deletion, Driver, Fault, Handle, Kind, Outputs, Progress};
use crate::store::resource::Resource;
use crate::store::{self, OperationKind, ResourceState, Step, place};

/// The longest a driver may take for one call of its methods. Drivers bound themselves; this catches one that does not.
const DRIVER_LIMIT: Duration = Duration::from_secs(300);

/// An action and what it needs.
pub(super) struct Task<'a> {
    pub turn: &'a Turn<'a>,
    pub blueprint: Option<&'a Blueprint>,
    pub way: Way,
    pub row: Resource,
    pub outputs: OutputMap,
    pub tally: Arc<Tally>,
}

/// What came of it.
pub(super) enum Outcome {
    /// The row has moved; plan again.
    Moved,
    /// Trying again does not help: a sentence and the class of the fault.
    Hopeless(String, &'static str),
}

/// Performs an action; answers with the resource's key.
pub(super) async fn perform(mut task: Task<'_>, action: Action) -> (String, Result<Outcome, Broken>) {
    let result = match action {
        Action::Ensure(_) => task.ensure().await,
        Action::Delete(_) => task.delete().await,
        Action::Retain(_) => task.retain().await,
        Action::Drop(_) => task.drop_row().await,
    };
    (task.row.key, result)
}

/// Whether a ready resource is not what the blueprint wants.
pub(super) fn differs(
    turn: &Turn<'_>,
    blueprint: &Blueprint,
    row: &Resource,
    outputs: &OutputMap,
) -> Result<bool, Broken> {
    let wanted = blueprint.desired(&row.key, outputs)?;
    Ok(stored_desired(turn, row)?.as_ref() != Some(&wanted.value))
}

fn stored_desired(turn: &Turn<'_>, row: &Resource) -> Result<Option<Value>, Broken> {
    let Some(public) = &row.desired else { return Ok(None) };
    let sealed = row.desired_secrets.as_ref();
    subject::unseal(turn.engine.vault(), place::desired_secrets(row.uid), public, sealed).map(Some)
}

impl Task<'_> {
    async fn ensure(&mut self) -> Result<Outcome, Broken> {
        let Some(blueprint) = self.blueprint else { return Err(Broken::new("an ensure without a blueprint")) };
        let wanted = match blueprint.desired(&self.row.key, &self.outputs) {
            Ok(wanted) => wanted,
            Err(error) => return self.fault(Fault::bug(error.to_string())).await,
        };
        self.intend(&wanted).await?;
        let context = self.context(blueprint)?;
        let began = Instant::now();
        let known = self.known();
        let driver = self.driver()?;
        match self.call(driver.as_ref(), driver.ensure(&context, &wanted.value, known.as_ref())).await {
            Ok(Progress::Ready { handle, outputs }) => self.ready(driver.kind(), handle, outputs, began).await,
            Ok(Progress::Waiting { handle, after, note }) => {
                let mut step = Step::new("resource waiting", note).of(&self.row.key);
                step.retry_after = Some(after);
                let write =
                    store::resource::waiting(self.db(), &self.turn.fence, &step, self.row.uid, Some(&handle.0), after);
                self.write("waiting", write).await
            }
            Err(fault) if fault.name_taken => self.rename(blueprint, fault).await,
            Err(fault) => self.fault(self.as_seen(fault)).await,
        }
    }

    /// What a live binding was handed out is never replaced: if its identity is gone, a person has to bind anew.
    fn as_seen(&self, fault: Fault) -> Fault {
        let live = self.turn.subject.binding.is_some() && self.turn.subject.operation.kind == OperationKind::Refresh;
        match fault.class {
            Class::Gone if live => Fault { class: Class::Rejected, handle: None, ..fault },
            _ => fault,
        }
    }

    /// Commits what the thing shall be, unless the row says so already.
    async fn intend(&mut self, wanted: &Evaluated) -> Result<(), Broken> {
        let begun = matches!(self.row.state, ResourceState::Creating | ResourceState::Updating);
        if begun && stored_desired(self.turn, &self.row)?.as_ref() == Some(&wanted.value) {
            return Ok(());
        }
        let (state, verb) = match self.row.state {
            ResourceState::Planned | ResourceState::Creating => (ResourceState::Creating, "creating"),
            _ => (ResourceState::Updating, "updating"),
        };
        let step = Step::new("resource begun", self.sentence(verb)).of(&self.row.key);
        let place = place::desired_secrets(self.row.uid);
        let (public, sealed) = subject::seal(self.turn.engine.vault(), place, wanted.value.clone(), &wanted.secrets)?;
        let write =
            store::resource::intend(self.db(), &self.turn.fence, &step, self.row.uid, state, &public, sealed.as_ref());
        self.turn.engine.write("intend", write).await?;
        // As the statement did: what failed before was something else.
        self.row.attempts = 0;
        Ok(())
    }

    async fn ready(&self, kind: &Kind, handle: Handle, outputs: Outputs, began: Instant) -> Result<Outcome, Broken> {
        let mut outputs = outputs.0;
        // A secret is shown once: what the driver does not give again is what it gave before.
        if let Some(before) = self.outputs.get(&self.row.key) {
            for output in kind.outputs.iter().filter(|output| output.secret) {
                if let (None, Some(value)) = (outputs.get(output.name), before.get(output.name)) {
                    outputs.insert(output.name.to_owned(), value.clone());
                }
            }
        }
        let secrets: Vec<String> = kind
            .outputs
            .iter()
            .filter(|output| output.secret && outputs.contains_key(output.name))
            .map(|output| format!("/{}", output.name))
            .collect();
        let place = place::output_secrets(self.row.uid);
        let (public, sealed) = subject::seal(self.turn.engine.vault(), place, Value::Object(outputs), &secrets)?;
        let message = format!("{} is ready{}", words(&self.row.key), self.tally.ready());
        let mut step = Step::new("resource ready", message).of(&self.row.key);
        step.took =
            Some(self.row.running_for.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(began.elapsed()));
        let write = store::resource::ready(
            self.db(),
            &self.turn.fence,
            &step,
            self.row.uid,
            &handle.0,
            &public,
            sealed.as_ref(),
        );
        self.write("ready", write).await
    }

    async fn rename(&self, blueprint: &Blueprint, fault: Fault) -> Result<Outcome, Broken> {
        let generation = self.row.generation + 1;
        let name = blueprint.renamed(self.turn.engine, &self.turn.subject, &self.row.key, generation)?;
        let mut step = Step::new("resource renamed", self.sentence("creating, under another name,")).of(&self.row.key);
        step.detail = Some(fault.message);
        let write = store::resource::rename(self.db(), &self.turn.fence, &step, self.row.uid, &name, generation);
        self.write("rename", write).await
    }

    async fn delete(&mut self) -> Result<Outcome, Broken> {
        if self.row.state != ResourceState::Deleting {
            let step = Step::new("resource leaving", self.sentence("deleting")).of(&self.row.key);
            let write = store::resource::deleting(self.db(), &self.turn.fence, &step, self.row.uid);
            self.turn.engine.write("deleting", write).await?;
            self.row.attempts = 0;
        }
        let context = self.context_of(Default::default())?;
        let desired = stored_desired(self.turn, &self.row)?.unwrap_or(Value::Null);
        let known = self.known();
        let driver = self.driver()?;
        match self.call(driver.as_ref(), driver.delete(&context, &desired, known.as_ref())).await {
            Ok(Deletion::Gone) => {
                let mut step =
                    Step::new("resource gone", format!("{} is deleted{}", words(&self.row.key), self.tally.gone()))
                        .of(&self.row.key);
                step.took = self.row.running_for.and_then(|s| Duration::try_from_secs_f64(s).ok());
                let write = store::resource::gone(self.db(), &self.turn.fence, &step, self.row.uid);
                self.write("gone", write).await
            }
            Ok(Deletion::Waiting { after, note }) => {
                let mut step = Step::new("resource waiting", note).of(&self.row.key);
                step.retry_after = Some(after);
                let write = store::resource::waiting(self.db(), &self.turn.fence, &step, self.row.uid, None, after);
                self.write("waiting", write).await
            }
            Err(fault) if fault.class == Class::Gone => {
                let message = format!("{} was gone already{}", words(&self.row.key), self.tally.gone());
                let step = Step::new("resource gone", message).of(&self.row.key);
                let write = store::resource::gone(self.db(), &self.turn.fence, &step, self.row.uid);
                self.write("gone", write).await
            }
            Err(fault) => self.fault(fault).await,
        }
    }

    async fn retain(&self) -> Result<Outcome, Broken> {
        let message = format!("{} stays in AWS as {}{}", words(&self.row.key), self.row.name, self.tally.gone());
        let step = Step::new("resource retained", message).of(&self.row.key);
        let write = store::resource::retained(self.db(), &self.turn.fence, &step, self.row.uid);
        self.write("retained", write).await
    }

    async fn drop_row(&self) -> Result<Outcome, Broken> {
        let message = format!("{} was never begun{}", words(&self.row.key), self.tally.gone());
        let step = Step::new("resource gone", message).of(&self.row.key);
        self.write("gone", store::resource::gone(self.db(), &self.turn.fence, &step, self.row.uid)).await
    }

    async fn fault(&self, fault: Fault) -> Result<Outcome, Broken> {
        let engine = self.turn.engine;
        if !self.turn.may_call() {
            return Err(Broken::LeaseLost);
        }
        engine.listener().fault(&self.row.kind, fault.class);
        let verdict = retry::verdict(&fault, self.turn.moment(self.way, &self.row));
        let (class, handle) = (fault.class.as_str(), fault.handle.as_ref().map(|handle| &handle.0));
        let (after, tail) = match verdict {
            Verdict::Again(after) => {
                let after = retry::jitter(after, self.row.uid.uuid().as_u128());
                (after, format!("; trying again in {}", seconds(after)))
            }
            Verdict::GiveUp => (Duration::ZERO, String::new()),
        };
        tracing::warn!(
            resource = self.row.key, kind = self.row.kind, name = self.row.name, owner = %self.turn.fence.owner,
            class, detail = fault.detail, "{}{tail}", fault.message
        );
        let mut step =
            Step::new("resource fault", format!("{}: {}{tail}", words(&self.row.key), fault.message)).of(&self.row.key);
        step.detail = fault.detail;
        step.retry_after = Some(after.min(Duration::from_secs(60)));
        let write = store::resource::failed(self.db(), &self.turn.fence, &step, self.row.uid, handle, class, after);
        self.write("fault", write).await?;
        Ok(match verdict {
            Verdict::Again(_) => Outcome::Moved,
            Verdict::GiveUp => {
                Outcome::Hopeless(format!("{}: {}.", words(&self.row.key), fault.message.trim_end_matches('.')), class)
            }
        })
    }

    /// Calls the driver under the turn's guard.
    async fn call<T>(&self, driver: &dyn Driver, call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        self.turn.engine.listener().before_call(driver.kind().name).await;
        match tokio::time::timeout(DRIVER_LIMIT, self.turn.guard.scope(call)).await {
            Ok(result) => result,
            Err(_) => Err(Fault::bug(format!("the driver of {} did not answer in time", driver.kind().name))),
        }
    }

    fn context(&self, blueprint: &Blueprint) -> Result<Context, Broken> {
        self.context_of(self.turn.subject.tags(blueprint))
    }

    fn context_of(&self, tags: std::collections::BTreeMap<String, String>) -> Result<Context, Broken> {
        Ok(Context {
            target: self.turn.subject.target()?,
            owner: self.turn.fence.owner,
            name: self.row.name.clone(),
            token: format!("{}-{}", self.row.uid, self.row.generation),
            tags,
            first: self.row.state == ResourceState::Planned,
        })
    }

    fn driver(&self) -> Result<Arc<dyn Driver>, Broken> {
        let driver = self.turn.engine.0.parts.registry.get(&self.row.kind);
        driver.cloned().ok_or_else(|| Broken::new(format!("this build has no driver for {}", self.row.kind)))
    }

    fn known(&self) -> Option<Handle> {
        self.row.handle.clone().map(Handle)
    }

    fn db(&self) -> &store::Singles {
        self.turn.engine.db()
    }

    async fn write(
        &self,
        what: &'static str,
        write: impl Future<Output = store::Result<()>>,
    ) -> Result<Outcome, Broken> {
        self.turn.engine.write(what, write).await.map(|()| Outcome::Moved)
    }

    fn sentence(&self, verb: &str) -> String {
        format!("{verb} {}", words(&self.row.key))
    }
}

/// A resource's key as a person would say it: `dead_letters` is "dead letters".
pub(super) fn words(key: &str) -> String {
    key.replace('_', " ")
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0 => "a moment".to_owned(),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}
