//! How operations end, and what is told to the platform then.

use std::time::Duration;

use serde_json::{Map, Value};

use super::act::words;
use super::retry::{self, Verdict, Way};
use super::subject::{Blueprint, Stop, Subject};
use super::turn::{Next, Turn};
use super::{Broken, bindings, subject};
use crate::catalog::OutputMap;
use crate::driver::{Class, Context, Handle};
use crate::osb::{BindingResponse, Credentials, OperationId};
use crate::store::operation::{End, NewOperation};
use crate::store::resource::Resource;
use crate::store::{self, Lane, OperationKind, OperationState, OwnerKind, ResourceState, State, Step, place};

/// How long an operation of ours that nobody polls is given before it counts as overdue in the operator's list.
const FOLLOW_UP_LASTS: Duration = Duration::from_secs(24 * 3600);

/// Everything is as asked.
pub(super) async fn made(turn: &mut Turn<'_>, blueprint: &Blueprint, outputs: &OutputMap) -> Result<Next, Broken> {
    match turn.subject.operation.kind {
        OperationKind::Update => match &blueprint.stop {
            Some(stop) => passed(turn, blueprint, stop, shown(blueprint, outputs)?).await,
            None => bindings::begin_refresh(turn, blueprint, shown(blueprint, outputs)?).await,
        },
        OperationKind::Bind => {
            let answer = answer(blueprint, outputs)?;
            let sealed = turn.engine.vault().seal_json(&place::binding_answer(turn.fence.owner), &answer)?;
            let step = Step::new("succeeded", "the credentials are ready");
            end(turn, step, &End { answer: Some(&sealed), ..succeeded(State::Ready) }).await
        }
        OperationKind::Refresh => {
            let step = Step::new("succeeded", "everything is as it should be");
            end(turn, step, &succeeded(State::Ready)).await
        }
        _ => {
            let step = Step::new("succeeded", "the instance is ready");
            end(turn, step, &End { shown: Some(shown(blueprint, outputs)?), ..succeeded(State::Ready) }).await
        }
    }
}

/// An upgrade has reached a version on its way: that is what the instance is from now on, whatever comes of the rest.
async fn passed(turn: &Turn<'_>, blueprint: &Blueprint, stop: &Stop, shown: Value) -> Result<Next, Broken> {
    let engine = turn.engine;
    let parameters = engine.vault().seal_json(&place::instance_parameters(turn.fence.owner), &blueprint.given)?;
    let step = Step::new("upgraded", format!("version {} is reached; on the way to {}", stop.version, stop.last));
    let pass = async {
        let mut connection = engine.pool().acquire().await?;
        store::operation::pass(&mut connection, &turn.fence, &step, &parameters, &stop.version, &shown).await
    };
    engine.write("upgraded", pass).await?;
    Ok(Next::Wait(Duration::ZERO))
}

/// What a fetch shows of the instance.
fn shown(blueprint: &Blueprint, outputs: &OutputMap) -> Result<Value, Broken> {
    let shown = blueprint.revision.shown(&blueprint.names, outputs)?;
    serde_json::to_value(shown).map_err(|error| Broken::new(format!("what a fetch shows cannot be stored: {error}")))
}

/// What a binding's platform gets.
fn answer(blueprint: &Blueprint, outputs: &OutputMap) -> Result<BindingResponse, Broken> {
    let credentials = match blueprint.revision.credentials(&blueprint.names, outputs)?.value {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let endpoints = blueprint.revision.endpoints(&blueprint.names, outputs)?;
    Ok(BindingResponse { credentials: Some(Credentials(credentials)), endpoints, ..BindingResponse::default() })
}

/// What a provision, bind or update did is undone; `left`: all but this.
pub(super) async fn undone(turn: &mut Turn<'_>, left: Option<String>) -> Result<Next, Broken> {
    let operation = &turn.subject.operation;
    let why = operation.reason.clone().unwrap_or_else(|| "it failed.".to_owned());
    let rejected = operation.class.as_deref() == Some(Class::Rejected.as_str());
    let is_update = operation.kind == OperationKind::Update;
    let between = operation
        .maintenance_version
        .as_deref()
        .filter(|_| is_update)
        .is_some_and(|aim| turn.subject.instance.maintenance_version.as_deref().is_some_and(|now| now != aim));
    let message = match (&left, is_update) {
        (None, false) => format!("{why} Everything that had been made is removed again."),
        // An upgrade may have come some of its way.
        (None, true) if between => {
            let now = turn.subject.instance.maintenance_version.as_deref().unwrap_or_default();
            format!("{why} The instance is at version {now}.")
        }
        (None, true) => format!("{why} The instance is as it was before."),
        (Some(left), false) => {
            format!(
                "{why} Not everything could be removed again ({left}) The broker keeps trying; a DELETE is possible."
            )
        }
        (Some(left), true) => {
            format!("{why} The instance could not be brought back yet ({left}) The broker keeps trying.")
        }
    };
    let follow_up = left.is_some().then(|| match is_update {
        true => (OperationKind::Refresh, follow_up("bringing the instance back to what it was")),
        false => (OperationKind::Cleanup, follow_up("removing what a failed operation left")),
    });
    let end = End {
        state: OperationState::Failed,
        becomes: if is_update { State::Ready } else { State::Failed },
        instance_usable: is_update.then_some(left.is_none()),
        update_repeatable: is_update.then_some(!rejected),
        answer: None,
        shown: None,
    };
    end_and_go_on(turn, Step::new("failed", message), &end, follow_up).await
}

/// Everything is gone.
pub(super) async fn unmade(turn: &mut Turn<'_>) -> Result<Next, Broken> {
    let message = match turn.subject.kind {
        OwnerKind::Instance => "the instance is deleted",
        OwnerKind::Binding => "the binding is deleted",
    };
    // What a failed provision left is gone now, but the platform was told of a failed instance: that one stays to be seen.
    let failed = turn.subject.operation.kind == OperationKind::Cleanup
        && match &turn.subject.binding {
            Some(binding) => binding.state == State::Failed,
            None => turn.subject.instance.state == State::Failed,
        };
    let becomes = if failed { State::Failed } else { State::Deleted };
    end(turn, Step::new("succeeded", message), &succeeded(becomes)).await
}

/// Something could not be deleted in a time that a platform waits: it is told, and the work goes on.
pub(super) async fn unmake_failed(turn: &mut Turn<'_>, why: String) -> Result<Next, Broken> {
    let message = format!("{why} It is not deleted completely. The broker keeps trying; DELETE may be sent again.");
    let is_instance = turn.subject.kind == OwnerKind::Instance;
    let end = End {
        state: OperationState::Failed,
        becomes: State::Deleting,
        instance_usable: is_instance.then_some(false),
        update_repeatable: None,
        answer: None,
        shown: None,
    };
    let cleanup = (OperationKind::Cleanup, follow_up("removing what is left"));
    end_and_go_on(turn, Step::new("failed", message), &end, Some(cleanup)).await
}

/// A live binding's (or instance's) resources could not be ensured again. It stays as it is, and operators see why.
pub(super) async fn refresh_failed(turn: &mut Turn<'_>, why: String) -> Result<Next, Broken> {
    let end = End { state: OperationState::Failed, ..succeeded(State::Ready) };
    self::end(turn, Step::new("failed", why), &end).await
}

/// Asks every resource of an instance that was usable whether it may go, before the first one goes.
pub(super) async fn may_go(turn: &mut Turn<'_>) -> Result<Next, Broken> {
    let rows = store::resource::of_owner(turn.engine.db(), turn.fence.owner).await?;
    let begun = rows.iter().any(|row| row.state == ResourceState::Deleting);
    if turn.subject.instance.was_ready && !begun {
        for row in rows.iter().filter(|row| !row.retain && is_there(row.state)) {
            match ask(turn, row).await? {
                Answer::Yes => {}
                Answer::Later(after) => return Ok(Next::Wait(after)),
                Answer::No { why, detail, .. } => return stays(turn, &rows, why, detail).await,
            }
        }
    }
    let next = bindings::first_of_removal(turn);
    turn.enter(next).await
}

/// Asks what an update would remove whether it may go, before anything changes. `None`: it may.
pub(super) async fn may_shrink(turn: &mut Turn<'_>, blueprint: &Blueprint) -> Result<Option<Next>, Broken> {
    let rows = store::resource::of_owner(turn.engine.db(), turn.fence.owner).await?;
    if rows.iter().any(|row| row.state == ResourceState::Deleting) {
        return Ok(None);
    }
    for row in rows.iter().filter(|row| !blueprint.has(&row.key) && is_there(row.state)) {
        match ask(turn, row).await? {
            Answer::Yes => {}
            Answer::Later(after) => return Ok(Some(Next::Wait(after))),
            Answer::No { why, class, .. } => return turn.undo(why, class).await.map(Some),
        }
    }
    Ok(None)
}

fn is_there(state: ResourceState) -> bool {
    matches!(state, ResourceState::Ready | ResourceState::Updating)
}

/// Whether a resource may go.
enum Answer {
    Yes,
    /// It could not be asked; again after this long.
    Later(Duration),
    /// A sentence, what AWS said, and the class of the fault.
    No {
        why: String,
        detail: Option<String>,
        class: &'static str,
    },
}

async fn ask(turn: &Turn<'_>, row: &Resource) -> Result<Answer, Broken> {
    let engine = turn.engine;
    let driver = engine.0.parts.registry.get(&row.kind).cloned();
    let driver = driver.ok_or_else(|| Broken::new(format!("this build has no driver for {}", row.kind)))?;
    let context = Context {
        target: turn.subject.target()?,
        owner: turn.fence.owner,
        name: row.name.clone(),
        token: format!("{}-{}", row.uid, row.generation),
        tags: Default::default(),
        first: false,
    };
    let public = row.desired.clone().unwrap_or_default();
    let sealed = row.desired_secrets.as_ref();
    let desired = subject::unseal(engine.vault(), place::desired_secrets(row.uid), &public, sealed)?;
    let known = row.handle.clone().map(Handle);
    engine.listener().before_call(driver.kind().name).await;
    let Err(fault) = turn.guard.scope(driver.may_delete(&context, &desired, known.as_ref())).await else {
        return Ok(Answer::Yes);
    };
    if fault.class == Class::Gone {
        return Ok(Answer::Yes);
    }
    if !turn.may_call() {
        return Err(Broken::LeaseLost);
    }
    engine.listener().fault(&row.kind, fault.class);
    // A refusal is an answer, not a failure to be tried again.
    let verdict = match fault.class {
        Class::Rejected => Verdict::GiveUp,
        _ => retry::verdict(&fault, turn.moment(Way::Back, row)),
    };
    let (why, class) = (format!("{}: {}.", words(&row.key), fault.message.trim_end_matches('.')), fault.class.as_str());
    match verdict {
        Verdict::Again(after) if !turn.subject.operation.expired => {
            let after = retry::jitter(after, row.uid.uuid().as_u128());
            let mut step = Step::new("resource fault", why).of(&row.key);
            step.detail = fault.detail;
            let write = store::resource::failed(engine.db(), &turn.fence, &step, row.uid, None, class, after);
            engine.write("fault", write).await?;
            Ok(Answer::Later(after))
        }
        _ => Ok(Answer::No { why, detail: fault.detail, class }),
    }
}

/// The instance cannot be deleted, and nothing of it was.
async fn stays(turn: &Turn<'_>, rows: &[Resource], why: String, detail: Option<String>) -> Result<Next, Broken> {
    let mut step = Step::new("failed", format!("{why} Nothing was deleted; the instance is usable."));
    step.detail = detail;
    // An update that the DELETE superseded may have left things half-way.
    let halfway = rows.iter().any(|row| row.state != ResourceState::Ready);
    let end = End { state: OperationState::Failed, instance_usable: Some(true), ..succeeded(State::Ready) };
    let refresh = halfway.then(|| (OperationKind::Refresh, follow_up("bringing the instance back to what it was")));
    end_and_go_on(turn, step, &end, refresh).await
}

/// Why an operation is given up at its deadline, with what it was waiting for.
pub(super) fn too_late(subject: &Subject, rows: &[Resource]) -> (String, &'static str) {
    let waiting = rows.iter().find(|row| row.state != ResourceState::Ready);
    let what = match waiting {
        Some(row) => format!(" {} was not ready: {}", words(&row.key), row.message.as_deref().unwrap_or("not begun")),
        None => String::new(),
    };
    let noun = if subject.operation.kind == OperationKind::Update { "the update" } else { "it" };
    let sentence = format!("{noun} took longer than the plan allows.{}", what.trim_end_matches('.'));
    (format!("{}.", sentence.trim_end_matches('.')), Class::Transient.as_str())
}

pub(super) fn succeeded<'a>(becomes: State) -> End<'a> {
    End {
        state: OperationState::Succeeded,
        becomes,
        instance_usable: None,
        update_repeatable: None,
        answer: None,
        shown: None,
    }
}

pub(super) fn follow_up(description: &'static str) -> NewOperation<'static> {
    NewOperation { id: OperationId::random(), description, actor: None, lasts: FOLLOW_UP_LASTS }
}

/// Ends the operation.
pub(super) async fn end(turn: &Turn<'_>, step: Step, end: &End<'_>) -> Result<Next, Broken> {
    end_and_go_on(turn, step, end, None).await
}

/// Ends the operation and begins one of ours that goes on with what is left.
async fn end_and_go_on(
    turn: &Turn<'_>,
    step: Step,
    end: &End<'_>,
    follow_up: Option<(OperationKind, NewOperation<'_>)>,
) -> Result<Next, Broken> {
    let engine = turn.engine;
    let (fence, owner, follows) = (&turn.fence, turn.subject.kind, follow_up.is_some());
    let finish = async {
        let Some(follow_up) = follow_up else {
            return store::operation::finish(engine.db(), fence, &step, owner, end).await;
        };
        let mut connection = engine.pool().acquire().await?;
        store::operation::finish_and_follow(&mut connection, fence, &step, owner, end, follow_up).await
    };
    engine.write("end", finish).await?;
    let kind = turn.subject.operation.kind.as_str();
    let took = Duration::try_from_secs_f64(turn.subject.operation.age).unwrap_or_default() + turn.began.elapsed();
    let succeeded = end.state == OperationState::Succeeded;
    engine.listener().finished(kind, &turn.subject.instance.offering, succeeded, took);
    tracing::info!(
        operation = %turn.fence.operation, owner = %turn.fence.owner, kind, outcome = end.state.as_str(),
        instance = %turn.subject.instance.id, platform = %turn.subject.instance.platform, "{}", step.message
    );
    if follows {
        engine.0.parts.wake.work(Lane::Async);
    }
    Ok(Next::Ended)
}
