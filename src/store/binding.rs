//! Bindings.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};

use super::operation::{End, NewOperation, finishing};
use super::owner::interval;
use super::{Fence, Lane, Result, State, Step, reference};
use crate::osb::{BindingId, InstanceId, PlanId, PlatformName, ServiceId, Uid};
use crate::vault::Sealed;

/// A binding's row.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The row's identity.
    pub uid: Uid,
    /// The instance's row.
    pub instance: Uid,
    /// The platform's id for it.
    pub id: BindingId,
    /// As the request named it.
    pub service_id: ServiceId,
    /// As the request named it.
    pub plan_id: PlanId,
    /// The digest of the revision it was made by; it follows its instance's updates.
    pub revision: String,
    /// OSB's `context`.
    pub context: Value,
    /// The application it is for.
    pub app_guid: Option<String>,
    /// The route it is for.
    pub route: Option<String>,
    /// The binding it rotates.
    pub predecessor: Option<String>,
    /// What the user gave and what was forced.
    pub parameters: Sealed,
    /// What the platform gets, once it is ready.
    pub answer: Option<Sealed>,
    /// How far it is.
    pub state: State,
}

macro_rules! select {
    ($tail:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            Binding,
            r#"SELECT b.uid, b.instance, b.id, b.service_id, b.plan_id, b.revision, b.context, b.app_guid, b.route,
                      b.predecessor, b.parameters AS "parameters: Sealed", b.answer AS "answer: Sealed", b.state AS "state: State" FROM binding b "# + $tail,
            $($argument),*
        )
    };
}

/// The binding that carries this id now, or else the newest that did, whatever became of its instance.
pub async fn find(
    db: impl PgExecutor<'_>,
    platform: &PlatformName,
    instance: &InstanceId,
    id: &BindingId,
) -> Result<Option<Binding>> {
    Ok(select!(
        "JOIN instance i ON i.uid = b.instance WHERE i.platform = $1 AND i.id = $2 AND b.id = $3
         ORDER BY (i.state = 'deleted'), i.deleted_at DESC, (b.state = 'deleted'), b.deleted_at DESC LIMIT 1",
        platform.as_str(),
        instance.as_str(),
        id.as_str(),
    )
    .fetch_optional(db)
    .await?)
}

/// The binding of a locked instance that carries this id now, locked.
pub async fn lock(db: &mut PgConnection, instance: Uid, id: &BindingId) -> Result<Option<Binding>> {
    Ok(select!(
        "WHERE b.instance = $1 AND b.id = $2 AND b.state <> 'deleted' FOR NO KEY UPDATE",
        instance.uuid(),
        id.as_str(),
    )
    .fetch_optional(db)
    .await?)
}

/// By the row's own identity.
pub async fn by_uid(db: impl PgExecutor<'_>, uid: Uid) -> Result<Option<Binding>> {
    Ok(select!("WHERE b.uid = $1", uid.uuid()).fetch_optional(db).await?)
}

/// Locks the row before its owner, as requests do; its state.
pub(super) async fn lock_row(db: &mut PgConnection, uid: Uid) -> Result<State> {
    Ok(sqlx::query_scalar!(
        r#"SELECT state AS "state: State" FROM binding WHERE uid = $1 FOR NO KEY UPDATE"#,
        uid.uuid()
    )
    .fetch_one(db)
    .await?)
}

/// Locks the bindings of a locked instance that are in force.
pub(super) async fn lock_ready(db: &mut PgConnection, instance: Uid) -> Result<Vec<Uid>> {
    let bindings = sqlx::query_scalar!(
        "SELECT uid FROM binding WHERE instance = $1 AND state = 'ready' ORDER BY uid FOR NO KEY UPDATE",
        instance.uuid(),
    );
    Ok(bindings.fetch_all(db).await?.into_iter().map(Uid::from).collect())
}

/// All bindings of an instance that are not gone.
pub async fn of_instance(db: impl PgExecutor<'_>, instance: Uid) -> Result<Vec<Binding>> {
    Ok(select!("WHERE b.instance = $1 AND b.state <> 'deleted' ORDER BY b.created_at", instance.uuid())
        .fetch_all(db)
        .await?)
}

/// How many bindings of an instance a limit counts: not those that failed and left nothing. Whoever counts waits for others
/// who do, until this transaction ends, so that the limit cannot be overrun.
pub async fn count_locked(db: &mut PgConnection, instance: Uid) -> Result<i64> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))::text", instance.to_string())
        .fetch_one(&mut *db)
        .await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM binding WHERE instance = $1 AND state <> 'deleted'
           AND (state <> 'failed' OR EXISTS (SELECT FROM resource WHERE owner = binding.uid))"#,
        instance.uuid()
    )
    .fetch_one(db)
    .await?)
}

/// Writes a new binding with its owner row (at the instance's platform and target), its bind operation and the first event.
/// An id in use fails on the constraint `binding_id_key`.
pub async fn insert(
    db: impl PgExecutor<'_>,
    new: &Binding,
    refers_to: &[Uid],
    lane: Lane,
    operation: &NewOperation<'_>,
) -> Result<()> {
    sqlx::query!(
        "WITH o AS (INSERT INTO owner (uid, kind, platform, target, lane, run_at)
                    SELECT $1, 'binding', platform, target, $2, now() FROM owner WHERE uid = $3),
              b AS (INSERT INTO binding (uid, instance, id, service_id, plan_id, revision, context, app_guid, route,
                                         predecessor, parameters, refers_to, state)
                    VALUES ($1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $17, 'creating')),
              op AS (INSERT INTO operation (id, owner, kind, description, actor, deadline)
                     VALUES ($13, $1, 'bind', $14, $15, now() + $16))
         INSERT INTO event (owner, operation, actor, what, message)
         SELECT $1, $13, platform, 'accepted', $14 FROM owner WHERE uid = $3",
        new.uid.uuid(),
        lane.number(),
        new.instance.uuid(),
        new.id.as_str(),
        new.service_id.as_str(),
        new.plan_id.as_str(),
        new.revision,
        new.context,
        new.app_guid,
        new.route,
        new.predecessor,
        new.parameters.as_bytes(),
        operation.id.uuid(),
        operation.description,
        operation.actor,
        interval(operation.lasts),
        &reference::column(refers_to),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Sets the state of a locked binding.
pub async fn set_state(db: impl PgExecutor<'_>, uid: Uid, state: State) -> Result<()> {
    sqlx::query!(
        "UPDATE binding SET state = $2, deleted_at = CASE WHEN $2 = 'deleted' THEN now() ELSE deleted_at END,
                answer = CASE WHEN $2 = 'deleted' THEN NULL ELSE answer END WHERE uid = $1",
        uid.uuid(),
        state.as_str(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the binding's operation.
pub(super) async fn finish(db: impl PgExecutor<'_>, fence: &Fence, step: &Step, end: &End<'_>) -> Result<()> {
    finishing!(
        db,
        fence,
        step,
        end,
        "binding",
        "UPDATE binding SET state = $10, answer = CASE WHEN $10 = 'deleted' THEN NULL ELSE COALESCE($11, answer) END,
                revision = COALESCE(ended.revision, binding.revision),
                deleted_at = CASE WHEN $10 = 'deleted' THEN now() END
         FROM ended WHERE uid = ended.owner",
        end.becomes.as_str(),
        end.answer.map(Sealed::as_bytes),
    )
}
