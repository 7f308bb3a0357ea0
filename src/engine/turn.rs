//! One turn: everything that can be done for one owner now. It ends when all there is to do is to wait.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::OnceCell;

use super::act::{self, Outcome};
use super::plan::{self, Goal, Wanted};
use super::retry::{Moment, Way};
use super::subject::{self, Blueprint, Subject};
use super::tally::Tally;
use super::{Broken, Engine, bindings, ends};
use crate::catalog::{OutputMap, Spec};
use crate::driver::Guard;
use crate::osb::Uid;
use crate::store::owner::Claim;
use crate::store::resource::{NewResource, Resource};
use crate::store::{self, Fence, OperationKind, Phase, Step};

/// The longest wait that a turn sits out itself: handing the lease back and claiming again would take about as long.
const SHORT_WAIT: Duration = Duration::from_millis(500);

/// The longest that a turn begins something new: then others have theirs, and deadlines are looked at again.
const LONG_TURN: Duration = Duration::from_secs(2);

/// How many resources of one owner are worked on at the same time.
const WIDTH: usize = 8;

/// What a turn has in its hands.
pub(super) struct Turn<'a> {
    pub engine: &'a Engine,
    pub guard: &'a Guard,
    pub fence: Fence,
    pub subject: Subject,
    pub began: Instant,
    /// What a binding's expressions may refer to of its instance.
    pub instance_outputs: OnceCell<OutputMap>,
}

/// How far work towards a goal has come.
pub(super) enum Reached {
    /// There, with these outputs.
    Done(OutputMap),
    /// Not yet; come back after this long.
    Wait(Duration),
    /// It cannot be reached: a sentence and the class of the fault.
    Hopeless(String, &'static str),
}

/// Takes a turn. Answers when the next one is due; `None`: when something happens, or never.
pub(super) async fn run(engine: &Engine, claim: &Claim, guard: &Guard) -> Result<Option<Duration>, Broken> {
    let Some(subject) = Subject::load(engine, claim).await? else {
        store::owner::rest(engine.db(), claim).await?;
        return Ok(None);
    };
    let fence = Fence { owner: claim.owner, epoch: claim.epoch, operation: subject.operation.id };
    let instance_outputs = OnceCell::new();
    let mut turn = Turn { engine, guard, fence, subject, began: Instant::now(), instance_outputs };
    // A turn passes a few phases at most; each sets the next one in the row and in memory.
    loop {
        let (kind, phase) = (turn.subject.operation.kind, turn.subject.operation.phase);
        let step = match (kind, phase) {
            (OperationKind::Deprovision, Phase::Check) => ends::may_go(&mut turn).await?,
            (OperationKind::Cleanup, Phase::Check) => turn.enter(bindings::first_of_removal(&turn)).await?,
            (OperationKind::Deprovision | OperationKind::Cleanup, Phase::Bindings) => {
                bindings::remove(&mut turn).await?
            }
            (OperationKind::Update, Phase::Bindings) => bindings::refresh(&mut turn).await?,
            (OperationKind::Deprovision | OperationKind::Cleanup | OperationKind::Unbind, _) => turn.unmake().await?,
            (OperationKind::Provision | OperationKind::Bind, Phase::Undo) => turn.undo_making().await?,
            (OperationKind::Update, Phase::Undo) => turn.go_back().await?,
            _ => turn.make().await?,
        };
        match step {
            Next::Phase => {}
            Next::Wait(after) => return Ok(Some(after)),
            Next::Ended => {
                engine.0.parts.wake.finished(turn.fence.operation);
                bindings::tell_instance(&turn).await;
                return Ok(None);
            }
        }
        if engine.is_stopping() {
            return Ok(Some(Duration::ZERO));
        }
    }
}

/// What a phase leads to.
pub(super) enum Next {
    /// Another phase.
    Phase,
    /// Another turn.
    Wait(Duration),
    /// The end of the operation.
    Ended,
}

impl Turn<'_> {
    /// Enters a phase.
    pub async fn enter(&mut self, (phase, step): (Phase, Step)) -> Result<Next, Broken> {
        let write = store::operation::enter(self.engine.db(), &self.fence, &step, phase, None);
        self.engine.write("phase", write).await?;
        self.subject.operation.phase = phase;
        Ok(Next::Phase)
    }

    async fn make(&mut self) -> Result<Next, Broken> {
        let is_refresh = self.subject.operation.kind == OperationKind::Refresh;
        let blueprint = match self.subject.blueprint(self.engine, true).await {
            // Its offering says things now that this binding's parameters do not fit: it stays as it is.
            Err(Broken::Defect(why)) if is_refresh => return ends::refresh_failed(self, why).await,
            blueprint => blueprint?,
        };
        if self.subject.operation.kind == OperationKind::Update
            && let Some(next) = ends::may_shrink(self, &blueprint).await?
        {
            return Ok(next);
        }
        // An instance that an update left half-way is brought back however long it takes.
        let way = if is_refresh && self.subject.binding.is_none() { Way::Cleanup } else { Way::Forward };
        match self.work(Some(&blueprint), way).await? {
            Reached::Wait(after) => Ok(Next::Wait(after)),
            Reached::Done(outputs) => ends::made(self, &blueprint, &outputs).await,
            Reached::Hopeless(why, _) if is_refresh => ends::refresh_failed(self, why).await,
            Reached::Hopeless(why, class) => self.undo(why, class).await,
        }
    }

    /// Turns back, for that reason.
    pub async fn undo(&mut self, why: String, class: &'static str) -> Result<Next, Broken> {
        let step = Step::new("undo", format!("{why} Undoing what was done."));
        let because = Some((why.as_str(), class));
        let write = store::operation::enter(self.engine.db(), &self.fence, &step, Phase::Undo, because);
        self.engine.write("phase", write).await?;
        let operation = &mut self.subject.operation;
        (operation.phase, operation.reason, operation.class) = (Phase::Undo, Some(why), Some(class.to_owned()));
        Ok(Next::Phase)
    }

    async fn undo_making(&mut self) -> Result<Next, Broken> {
        match self.work(None, Way::Back).await? {
            Reached::Wait(after) => Ok(Next::Wait(after)),
            Reached::Done(_) => ends::undone(self, None).await,
            Reached::Hopeless(why, _) => ends::undone(self, Some(why)).await,
        }
    }

    async fn go_back(&mut self) -> Result<Next, Broken> {
        let blueprint = self.subject.blueprint(self.engine, false).await?;
        match self.work(Some(&blueprint), Way::Back).await? {
            Reached::Wait(after) => Ok(Next::Wait(after)),
            Reached::Done(_) => ends::undone(self, None).await,
            Reached::Hopeless(why, _) => ends::undone(self, Some(why)).await,
        }
    }

    async fn unmake(&mut self) -> Result<Next, Broken> {
        let way = if self.subject.operation.kind == OperationKind::Cleanup { Way::Cleanup } else { Way::Back };
        match self.work(None, way).await? {
            Reached::Wait(after) => Ok(Next::Wait(after)),
            Reached::Done(_) => ends::unmade(self).await,
            Reached::Hopeless(why, _) => ends::unmake_failed(self, why).await,
        }
    }

    /// Whether the lease still covers a call. If not, another turn is due, with a lease of its own.
    pub fn may_call(&self) -> bool {
        self.guard.outlasts(self.engine.0.parts.settings.call_timeout)
    }

    /// Where a fault of that resource finds us.
    pub fn moment(&self, way: Way, row: &Resource) -> Moment {
        Moment {
            way,
            attempts: u32::try_from(row.attempts).unwrap_or_default(),
            expired: self.subject.operation.expired,
            unit: self.engine.0.parts.settings.backoff,
        }
    }

    /// Works towards a blueprint, or towards nothing, as far as it goes now.
    async fn work(&self, blueprint: Option<&Blueprint>, way: Way) -> Result<Reached, Broken> {
        let mut running = FuturesUnordered::new();
        let mut busy = BTreeSet::new();
        let mut hopeless = None;
        let mut tally = None;
        loop {
            let rows = store::resource::of_owner(self.engine.db(), self.fence.owner).await?;
            if let Some(blueprint) = blueprint
                && hopeless.is_none()
                && self.plan_missing(blueprint, &rows).await?
            {
                continue;
            }
            let mut outputs = OutputMap::new();
            if let Some(blueprint) = blueprint {
                outputs = self.outputs(&rows).await?;
                // What an update removes is no more, for what stays: that changes first, and then the other goes.
                rows.iter().filter(|row| !blueprint.has(&row.key)).for_each(|row| drop(outputs.remove(&row.key)));
            }
            let next = self.decide(blueprint, &rows, &outputs, &busy)?;
            if next.done && hopeless.is_none() {
                return Ok(Reached::Done(outputs));
            }
            let expired = way == Way::Forward && self.subject.operation.expired;
            if expired && hopeless.is_none() {
                hopeless = Some(ends::too_late(&self.subject, &rows));
            }
            let goes_on = self.may_call() && self.began.elapsed() < LONG_TURN && !self.engine.is_stopping();
            let may_begin = hopeless.is_none() && goes_on;
            let left_undone = !may_begin && !next.now.is_empty();
            if may_begin {
                for action in next.now {
                    if running.len() == WIDTH {
                        break;
                    }
                    let Some(row) = rows.iter().find(|row| row.key == action.key()) else { continue };
                    busy.insert(row.key.clone());
                    let wanted = blueprint.map_or(0, |blueprint| blueprint.specs.len());
                    let tally = Arc::clone(tally.get_or_insert_with(|| Arc::new(Tally::new(&rows, wanted))));
                    tally.begin(row);
                    let task =
                        act::Task { turn: self, blueprint, way, row: row.clone(), outputs: outputs.clone(), tally };
                    running.push(act::perform(task, action));
                }
            }
            if running.is_empty() {
                if let Some((why, class)) = hopeless {
                    return Ok(Reached::Hopeless(why, class));
                }
                if left_undone {
                    return Ok(Reached::Wait(Duration::ZERO));
                }
                match next.wait {
                    Some(wait) if wait <= SHORT_WAIT && goes_on => {
                        tokio::time::sleep(wait).await;
                        continue;
                    }
                    Some(wait) => return Ok(Reached::Wait(wait)),
                    None if goes_on => {
                        return Err(Broken::new("nothing to do, nothing to wait for, and not done"));
                    }
                    None => return Ok(Reached::Wait(Duration::ZERO)),
                }
            }
            let Some((key, outcome)) = running.next().await else { continue };
            busy.remove::<String>(&key);
            match outcome {
                Ok(Outcome::Hopeless(why, class)) => {
                    hopeless.get_or_insert((why, class));
                }
                Ok(Outcome::Moved) => {}
                Err(error) => {
                    // No call is left under way behind a lease that is handed back.
                    self.guard.revoke();
                    while running.next().await.is_some() {}
                    return Err(error);
                }
            }
        }
    }

    /// Commits rows for what the blueprint has and the owner lacks, and what it says otherwise of rows that are there (an
    /// update may change whether a thing is to be retained). Answers whether there was anything.
    async fn plan_missing(&self, blueprint: &Blueprint, rows: &[Resource]) -> Result<bool, Broken> {
        let is_planned = |spec: &Spec| {
            rows.iter().any(|row| {
                row.key == spec.key
                    && (&row.depends_on, &row.serial, row.retain) == (&spec.depends_on, &spec.serial, spec.retain)
            })
        };
        if blueprint.specs.iter().all(is_planned) {
            return Ok(false);
        }
        let new: Vec<NewResource> = blueprint
            .specs
            .iter()
            .map(|spec| NewResource {
                uid: Uid::random(),
                key: spec.key.clone(),
                kind: spec.kind.clone(),
                name: spec.name.clone(),
                depends_on: spec.depends_on.clone(),
                serial: spec.serial.clone(),
                retain: spec.retain,
            })
            .collect();
        let names: Vec<&str> = blueprint.specs.iter().map(|spec| spec.key.as_str()).collect();
        let step = Step::new("planned", format!("planned: {}", names.join(", ")));
        self.engine.write("plan", store::resource::plan(self.engine.db(), &self.fence, &step, &new)).await?;
        Ok(true)
    }

    /// What expressions may refer to: the owner's own outputs and, for a binding, its instance's.
    async fn outputs(&self, rows: &[Resource]) -> Result<OutputMap, Broken> {
        let mut outputs = subject::outputs(self.engine.vault(), rows)?;
        if let Some(binding) = &self.subject.binding {
            let read = async {
                let rows = store::resource::of_owner(self.engine.db(), binding.instance).await?;
                subject::outputs(self.engine.vault(), &rows)
            };
            // Read once: nothing changes an instance while one of its bindings is made or follows a change.
            outputs.extend(self.instance_outputs.get_or_try_init(|| read).await?.clone());
        }
        Ok(outputs)
    }

    fn decide(
        &self,
        blueprint: Option<&Blueprint>,
        rows: &[Resource],
        outputs: &OutputMap,
        busy: &BTreeSet<String>,
    ) -> Result<plan::Next, Broken> {
        let seen: Vec<plan::Row> = rows.iter().map(planned).collect();
        let kind = self.subject.operation.kind;
        let Some(blueprint) = blueprint else {
            // What stays is what somebody could use: a provision that was stopped is undone whole.
            let removes = matches!(kind, OperationKind::Deprovision | OperationKind::Cleanup);
            let retain = removes && self.subject.instance.was_ready;
            return Ok(plan::next(&seen, &Goal::Nothing { retain }, busy));
        };
        let wanted: Vec<Wanted> = blueprint
            .specs
            .iter()
            .map(|spec| Wanted {
                key: spec.key.clone(),
                depends_on: spec.depends_on.clone(),
                serial: spec.serial.clone(),
            })
            .collect();
        // What a provision or bind starts from does not change while it runs.
        let fixed = matches!(kind, OperationKind::Provision | OperationKind::Bind);
        let by_key: HashMap<&str, &Resource> = rows.iter().map(|row| (row.key.as_str(), row)).collect();
        let failed = Cell::new(None);
        let differs = |key: &str| {
            let Some(row) = by_key.get(key).filter(|_| !fixed) else { return false };
            act::differs(self, blueprint, row, outputs).unwrap_or_else(|error| {
                failed.set(Some(error));
                false
            })
        };
        let next = plan::next(&seen, &Goal::Have { keys: &wanted, differs: &differs }, busy);
        match failed.take() {
            Some(error) => Err(error),
            None => Ok(next),
        }
    }
}

fn planned(row: &Resource) -> plan::Row {
    plan::Row {
        key: row.key.clone(),
        depends_on: row.depends_on.clone(),
        serial: row.serial.clone(),
        retain: row.retain,
        state: row.state,
        due_in: Duration::try_from_secs_f64(row.due_in).unwrap_or_default(),
    }
}
