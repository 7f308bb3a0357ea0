//! An instance's bindings while the instance changes: they are unbound before it goes, and ensured again after it changed.

use std::time::Duration;

use serde_json::Value;

use super::Broken;
use super::ends::{self, follow_up, succeeded};
use super::subject::Blueprint;
use super::turn::{Next, Turn};
use crate::store::{self, Lane, OperationKind, OwnerKind, Phase, State, Step, place};

/// How often a waiting instance looks at its bindings without being woken.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The phase in which a removal begins: bindings have none of their own.
pub(super) fn first_of_removal(turn: &Turn<'_>) -> (Phase, Step) {
    match turn.subject.kind {
        OwnerKind::Instance => (Phase::Bindings, Step::new("deleting", "deleting the instance")),
        OwnerKind::Binding => (Phase::Forward, Step::new("deleting", "deleting the binding")),
    }
}

/// Unbinds whatever is bound (a platform that forgot its bindings could never delete the instance otherwise).
pub(super) async fn remove(turn: &mut Turn<'_>) -> Result<Next, Broken> {
    let engine = turn.engine;
    let bound = store::binding::of_instance(engine.db(), turn.fence.owner).await?;
    if bound.is_empty() {
        return turn.enter((Phase::Forward, Step::new("deleting", "deleting the instance's resources"))).await;
    }
    let mut begun = false;
    for binding in &bound {
        let unbind = async {
            let mut connection = engine.pool().acquire().await?;
            let new = follow_up("unbinding because the instance is deleted");
            store::operation::unbind_with_instance(&mut connection, &turn.fence, binding.uid, &new).await
        };
        begun |= engine.write("unbind", unbind).await?;
    }
    if begun {
        engine.0.parts.wake.overtaken(Lane::Async);
    }
    if turn.subject.operation.expired && turn.subject.operation.kind == OperationKind::Deprovision {
        let names: Vec<&str> = bound.iter().map(|binding| binding.id.as_str()).collect();
        return ends::unmake_failed(turn, format!("bindings could not be removed yet: {}.", names.join(", "))).await;
    }
    Ok(Next::Wait(LOOK_AGAIN))
}

/// An update's resources are ready: its aim becomes the instance's own, and live bindings follow.
pub(super) async fn begin_refresh(turn: &mut Turn<'_>, blueprint: &Blueprint, shown: Value) -> Result<Next, Broken> {
    let engine = turn.engine;
    let parameters = engine.vault().seal_json(&place::instance_parameters(turn.fence.owner), &blueprint.given)?;
    let step = Step::new("updated", "the instance's resources are updated");
    let become_updated = async {
        let mut connection = engine.pool().acquire().await?;
        let revision = blueprint.revision.digest.as_str();
        let refresh = || follow_up("following the instance's update");
        store::operation::become_updated(&mut connection, &turn.fence, &step, &parameters, revision, &shown, refresh)
            .await
    };
    if engine.write("updated", become_updated).await? > 0 {
        engine.0.parts.wake.overtaken(Lane::Async);
    }
    turn.subject.operation.phase = Phase::Bindings;
    Ok(Next::Phase)
}

/// Waits until live bindings have followed the update, but not for ever: they go on by themselves.
pub(super) async fn refresh(turn: &mut Turn<'_>) -> Result<Next, Broken> {
    let engine = turn.engine;
    if !turn.subject.operation.expired {
        for binding in store::binding::of_instance(engine.db(), turn.fence.owner).await? {
            let live = store::operation::live(engine.db(), binding.uid).await?;
            if live.is_some_and(|live| live.kind == OperationKind::Refresh) {
                return Ok(Next::Wait(LOOK_AGAIN));
            }
        }
    }
    let operation = turn.fence.operation;
    let failed = store::operation::failed_refreshes(engine.db(), turn.fence.owner, operation).await?;
    let message = match failed.as_slice() {
        [] => "the instance is updated".to_owned(),
        ids => format!("the instance is updated; bindings that could not follow: {}", ids.join(", ")),
    };
    ends::end(turn, Step::new("succeeded", message), &succeeded(State::Ready)).await
}

/// A binding's operation has ended: its instance may be waiting for that.
pub(super) async fn tell_instance(turn: &Turn<'_>) {
    let Some(binding) = &turn.subject.binding else { return };
    let engine = turn.engine;
    match store::owner::wake(engine.db(), binding.instance).await {
        Ok(true) => engine.0.parts.wake.work(Lane::Async),
        Ok(false) => {}
        Err(error) => tracing::debug!(%error, "an instance was not told; it looks by itself"),
    }
}
