//! Operations: accepted by a request, driven by the engine, polled by the platform.

use std::time::Duration;

use serde_json::Value;
use sqlx::{Acquire, PgConnection, PgExecutor};

use super::owner::interval;
use super::{
    Error, Fence, Lane, OperationKind, OperationState, Phase, Result, State, Step, binding, instance, reference,
};
use crate::osb::{OperationId, Uid};
use crate::vault::Sealed;

/// An operation about to be accepted.
#[derive(Clone, Debug)]
pub struct NewOperation<'a> {
    /// Its identity; the text of it is OSB's `operation`.
    pub id: OperationId,
    /// The first description, in words.
    pub description: &'a str,
    /// The platform's user who asked.
    pub actor: Option<Value>,
    /// How long the platform polls: the plan's `maximum_polling_duration`.
    pub lasts: Duration,
}

/// What an update makes of an instance once it has succeeded; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The new plan.
    pub plan_id: Option<String>,
    /// The new plan's name.
    pub plan: Option<String>,
    /// The revision it moves to.
    pub revision: Option<String>,
    /// The new parameters, sealed for this operation's row.
    pub parameters: Option<Sealed>,
    /// The new revision's maintenance version; it goes with `revision`.
    pub maintenance_version: Option<String>,
    /// The new context.
    pub context: Option<Value>,
    /// The instances that the new parameters name.
    pub refers_to: Option<Vec<Uid>>,
}

/// An operation's row, as engine and requests read it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its identity.
    pub id: OperationId,
    /// Whose it is.
    pub owner: Uid,
    /// What it does.
    pub kind: OperationKind,
    /// How far it is.
    pub state: OperationState,
    /// What it is busy with.
    pub phase: Phase,
    /// The newest event in words.
    pub description: String,
    /// See [`Change`].
    pub plan_id: Option<String>,
    /// See [`Change`].
    pub revision: Option<String>,
    /// See [`Change`].
    pub parameters: Option<Sealed>,
    /// See [`Change`].
    pub maintenance_version: Option<String>,
    /// See [`Change`].
    pub context: Option<Value>,
    /// Why it is being undone.
    pub reason: Option<String>,
    /// The class of the fault that made it so.
    pub class: Option<String>,
    /// Its deadline has passed, by the database's clock.
    pub expired: bool,
    /// Seconds since it was accepted, by the database's clock.
    pub age: f64,
}

macro_rules! select {
    ($tail:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            Operation,
            r#"SELECT id, owner, kind AS "kind: OperationKind", state AS "state: OperationState", phase AS "phase: Phase",
                      description, plan_id, revision, parameters AS "parameters: Sealed", maintenance_version, context,
                      reason, class, deadline < now() AS "expired!",
                      EXTRACT(EPOCH FROM now() - created_at)::double precision AS "age!" FROM operation "# + $tail,
            $($argument),*
        )
    };
}

/// The operation that runs for an owner.
pub async fn live(db: impl PgExecutor<'_>, owner: Uid) -> Result<Option<Operation>> {
    Ok(select!("WHERE owner = $1 AND state = 'in progress'", owner.uuid()).fetch_optional(db).await?)
}

/// The newest operation of an owner that a platform asked for.
pub async fn latest(db: impl PgExecutor<'_>, owner: Uid) -> Result<Option<Operation>> {
    Ok(select!(
        "WHERE owner = $1 AND kind NOT IN ('refresh', 'cleanup') ORDER BY created_at DESC LIMIT 1",
        owner.uuid()
    )
    .fetch_optional(db)
    .await?)
}

/// By its identity.
pub async fn by_id(db: impl PgExecutor<'_>, id: OperationId) -> Result<Option<Operation>> {
    Ok(select!("WHERE id = $1", id.uuid()).fetch_optional(db).await?)
}

/// Accepts an operation on an owner whose row (instance or binding) the transaction has locked: writes it with its first
/// event, raises the epoch so that no earlier turn can write any more, and makes the owner due. What an earlier operation
/// failed at is tried again at once: whoever asks again has perhaps just repaired it.
pub async fn accept(
    db: impl PgExecutor<'_>,
    owner: Uid,
    kind: OperationKind,
    lane: Lane,
    new: &NewOperation<'_>,
    change: &Change,
) -> Result<()> {
    sqlx::query!(
        "WITH o AS (UPDATE owner SET epoch = epoch + 1, lane = $2, run_at = now() WHERE uid = $1 RETURNING uid, platform),
              again AS (UPDATE resource SET run_at = now(), attempts = 0 FROM o
                        WHERE resource.owner = o.uid AND resource.class IS NOT NULL),
              op AS (INSERT INTO operation (id, owner, kind, description, actor, deadline, plan_id, revision, parameters,
                                            maintenance_version, context, plan, refers_to)
                     VALUES ($3, $1, $4, $5, $6, now() + $7, $8, $9, $10, $11, $12, $13, $14))
         INSERT INTO event (owner, operation, actor, what, message)
         SELECT $1, $3, CASE WHEN $4 IN ('refresh', 'cleanup') THEN 'engine' ELSE platform END, 'accepted', $5 FROM o",
        owner.uuid(),
        lane.number(),
        new.id.uuid(),
        kind.as_str(),
        new.description,
        new.actor,
        interval(new.lasts),
        change.plan_id,
        change.revision,
        change.parameters.as_ref().map(Sealed::as_bytes),
        change.maintenance_version,
        change.context,
        change.plan,
        change.refers_to.as_deref().map(reference::column) as Option<Vec<uuid::Uuid>>,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the operation that runs for an owner because another takes its place in the same transaction.
pub async fn supersede(db: impl PgExecutor<'_>, owner: Uid) -> Result<()> {
    sqlx::query!(
        "WITH o AS (SELECT uid FROM owner WHERE uid = $1 FOR NO KEY UPDATE)
         UPDATE operation SET state = 'superseded', finished_at = now() FROM o
         WHERE operation.owner = o.uid AND operation.state = 'in progress'",
        owner.uuid(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The same operation was asked for again: what failed is tried again now instead of when its back-off ends.
pub async fn hurry(db: impl PgExecutor<'_>, owner: Uid) -> Result<()> {
    sqlx::query!(
        "WITH o AS (UPDATE owner SET run_at = now() WHERE uid = $1 AND run_at IS NOT NULL RETURNING uid)
         UPDATE resource SET run_at = now() FROM o WHERE resource.owner = o.uid AND resource.class IS NOT NULL",
        owner.uuid(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Enters a phase; `because` says why, when it is the undo: a sentence and the class of the fault.
pub async fn enter(
    db: impl PgExecutor<'_>,
    fence: &Fence,
    step: &Step,
    phase: Phase,
    because: Option<(&str, &str)>,
) -> Result<()> {
    let (reason, class) = because.unzip();
    let (owner, epoch, operation) = (fence.owner.uuid(), fence.epoch, fence.operation.uuid());
    let done = sqlx::query!(
        "WITH fence AS (SELECT uid FROM owner WHERE uid = $1 AND epoch = $2 FOR SHARE),
              logged AS (INSERT INTO event (owner, operation, actor, what, resource, message, detail)
                         SELECT uid, $3, 'engine', $6, $8, $7, $9 FROM fence)
         UPDATE operation SET phase = $4, reason = COALESCE($5, reason), class = COALESCE($10, class), description = $7
         FROM fence WHERE id = $3",
        owner,
        epoch,
        operation,
        phase.as_str(),
        reason,
        step.what,
        step.message,
        step.resource,
        step.detail,
        class,
    )
    .execute(db)
    .await?;
    if done.rows_affected() == 0 { Err(Error::Fenced) } else { Ok(()) }
}

/// What an update aimed at becomes the instance's own, and the operation goes on to the bindings in `refresh`: each gets an
/// operation that ensures its resources again, in place of one from an earlier update that has not ended yet. `parameters`
/// are the operation's, sealed for the instance's row; `shown` is what a fetch shows from now on. Answers how many bindings
/// follow.
pub async fn become_updated(
    db: &mut PgConnection,
    fence: &Fence,
    step: &Step,
    parameters: &Sealed,
    revision: &str,
    shown: &Value,
    refresh: impl Fn() -> NewOperation<'static>,
) -> Result<usize> {
    let mut transaction = db.begin().await?;
    instance::lock_row(&mut transaction, fence.owner).await?;
    // Those that are being unbound at this moment wait for our lock or have left the list.
    let bindings = binding::lock_ready(&mut transaction, fence.owner).await?;
    enter(&mut *transaction, fence, step, Phase::Bindings, None).await?;
    instance::become_updated(&mut transaction, fence, parameters, None, shown).await?;
    for uid in &bindings {
        let change = Change { revision: Some(revision.to_owned()), ..Change::default() };
        supersede(&mut *transaction, *uid).await?;
        accept(&mut *transaction, *uid, OperationKind::Refresh, Lane::Async, &refresh(), &change).await?;
    }
    transaction.commit().await?;
    Ok(bindings.len())
}

/// An upgrade has reached a version on its way: that, and what else the operation aimed at, becomes the instance's own, and the
/// operation goes on.
pub async fn pass(
    db: &mut PgConnection,
    fence: &Fence,
    step: &Step,
    parameters: &Sealed,
    version: &str,
    shown: &Value,
) -> Result<()> {
    let mut transaction = db.begin().await?;
    instance::lock_row(&mut transaction, fence.owner).await?;
    enter(&mut *transaction, fence, step, Phase::Forward, None).await?;
    instance::become_updated(&mut transaction, fence, parameters, Some(version), shown).await?;
    transaction.commit().await?;
    Ok(())
}

/// Begins to unbind a binding because its instance goes, unless that is under way or done. Answers whether it began.
pub async fn unbind_with_instance(
    db: &mut PgConnection,
    fence: &Fence,
    binding: Uid,
    new: &NewOperation<'_>,
) -> Result<bool> {
    let mut transaction = db.begin().await?;
    let bound = binding::lock_row(&mut transaction, binding).await?;
    super::owner::stands(&mut transaction, fence).await?;
    let live = live(&mut *transaction, binding).await?;
    let leaving = live.is_some_and(|live| matches!(live.kind, OperationKind::Unbind | OperationKind::Cleanup));
    if leaving || bound == State::Deleted {
        return Ok(false);
    }
    supersede(&mut *transaction, binding).await?;
    binding::set_state(&mut *transaction, binding, State::Deleting).await?;
    accept(&mut *transaction, binding, OperationKind::Unbind, Lane::Async, new, &Change::default()).await?;
    transaction.commit().await?;
    Ok(true)
}

/// The ids of an instance's bindings whose newest refresh, begun since that operation, has failed.
pub async fn failed_refreshes(db: impl PgExecutor<'_>, instance: Uid, since: OperationId) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "SELECT b.id FROM binding b JOIN LATERAL (
           SELECT o.state FROM operation o
           WHERE o.owner = b.uid AND o.kind = 'refresh' AND o.created_at >= (SELECT created_at FROM operation WHERE id = $2)
           ORDER BY o.created_at DESC LIMIT 1) newest ON newest.state = 'failed'
         WHERE b.instance = $1 AND b.state = 'ready' ORDER BY b.id",
        instance.uuid(),
        since.uuid(),
    )
    .fetch_all(db)
    .await?)
}

/// How an operation ends.
#[derive(Debug)]
pub struct End<'a> {
    /// Succeeded or failed.
    pub state: OperationState,
    /// What becomes of the instance or binding.
    pub becomes: State,
    /// OSB's `instance_usable`, where it is to be told.
    pub instance_usable: Option<bool>,
    /// OSB's `update_repeatable`, where it is to be told.
    pub update_repeatable: Option<bool>,
    /// The owner is a binding and this is what its platform gets.
    pub answer: Option<&'a Sealed>,
    /// The owner is an instance and this is what a fetch shows of it from now on; `None`: as before.
    pub shown: Option<Value>,
}

/// Ends an operation: its state, the owner's state, the event and the schedule, in one statement. The lease is handed back
/// with it, since nothing is left to do.
pub async fn finish(
    db: impl PgExecutor<'_>,
    fence: &Fence,
    step: &Step,
    kind: super::OwnerKind,
    end: &End<'_>,
) -> Result<()> {
    match kind {
        super::OwnerKind::Instance => instance::finish(db, fence, step, end).await,
        super::OwnerKind::Binding => binding::finish(db, fence, step, end).await,
    }
}

/// The same, and begins the operation that goes on with what is left.
pub async fn finish_and_follow(
    db: &mut PgConnection,
    fence: &Fence,
    step: &Step,
    kind: super::OwnerKind,
    end: &End<'_>,
    (follows, operation): (OperationKind, NewOperation<'_>),
) -> Result<()> {
    let mut transaction = db.begin().await?;
    finish(&mut *transaction, fence, step, kind, end).await?;
    accept(&mut *transaction, fence.owner, follows, Lane::Async, &operation, &Change::default()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Ends the fence's operation and runs `$sql`, which makes of the owner's own row (`$table`) what becomes of it. That row is
/// locked before the owner's, as requests do. `$1` to `$9` are the fence's, the step's and the end's, `$10` and on are the
/// arguments; `$sql` reads `ended` (one row, or none if the epoch has moved on) and must touch just the owner's own row.
macro_rules! finishing {
    ($connection:expr, $fence:expr, $step:expr, $end:expr, $table:literal, $sql:literal, $($argument:expr),* $(,)?) => {{
        let (fence, step): (&$crate::store::Fence, &$crate::store::Step) = ($fence, $step);
        let end: &$crate::store::operation::End<'_> = $end;
        let done = sqlx::query!(
            "WITH locked AS (SELECT uid FROM " + $table + " WHERE uid = $1 FOR NO KEY UPDATE),
             fence AS (UPDATE owner SET run_at = NULL, lease_id = NULL, lease_until = NULL FROM locked
                       WHERE owner.uid = locked.uid AND epoch = $2
                         AND EXISTS (SELECT FROM operation WHERE id = $3 AND state = 'in progress')
                       RETURNING owner.uid),
             ended AS (UPDATE operation SET state = $7, description = $5, finished_at = now(), instance_usable = $8,
                                            update_repeatable = $9
                       FROM fence WHERE id = $3 RETURNING operation.owner, operation.revision),
             logged AS (INSERT INTO event (owner, operation, actor, what, message, detail)
                        SELECT owner, $3, 'engine', $4, $5, $6 FROM ended) " + $sql,
            fence.owner.uuid(),
            fence.epoch,
            fence.operation.uuid(),
            step.what,
            step.message,
            step.detail,
            end.state.as_str(),
            end.instance_usable,
            end.update_repeatable,
            $($argument),*
        )
        .execute($connection)
        .await?;
        if done.rows_affected() == 0 { Err($crate::store::Error::Fenced) } else { Ok(()) }
    }};
}
pub(super) use finishing;

/// How many operations run, and for how many seconds the most overdue owner has been due.
pub async fn backlog(db: impl PgExecutor<'_>) -> Result<(i64, f64)> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM operation WHERE state = 'in progress') AS "running!",
                  COALESCE(EXTRACT(EPOCH FROM now() - (SELECT min(run_at) FROM owner WHERE run_at IS NOT NULL AND lease_id IS NULL)), 0)::double precision
                  AS "oldest!""#
    )
    .fetch_one(db)
    .await?;
    Ok((row.running, row.oldest))
}
