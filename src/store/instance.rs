//! Instances.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};

use super::gather::in_place;
use super::operation::{End, NewOperation, finishing};
use super::owner::interval;
use super::{Fence, Lane, Result, State, Step, reference};
use crate::osb::{InstanceId, PlanId, PlatformName, ServiceId, Uid};
use crate::vault::Sealed;

/// An instance's row.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The row's identity.
    pub uid: Uid,
    /// The platform that made it.
    pub platform: PlatformName,
    /// That platform's id for it.
    pub id: InstanceId,
    /// Its offering.
    pub service_id: ServiceId,
    /// Its plan; after a successful update the new one.
    pub plan_id: PlanId,
    /// The offering's name.
    pub offering: String,
    /// The plan's name.
    pub plan: String,
    /// The digest of the revision it runs by.
    pub revision: String,
    /// OSB's `organization_guid`.
    pub organization: String,
    /// OSB's `space_guid`.
    pub space: String,
    /// OSB's `context`, as last sent.
    pub context: Value,
    /// The account and region it lives in ([`crate::driver::Target`]).
    pub target: Value,
    /// What the user gave and what was forced.
    pub parameters: Sealed,
    /// The `maintenance_info.version` it is at.
    pub maintenance_version: Option<String>,
    /// The administrator's tags.
    pub tags: Value,
    /// How far it is.
    pub state: State,
    /// It could be used at some time.
    pub was_ready: bool,
}

macro_rules! select {
    ($tail:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            Instance,
            r#"SELECT uid, platform, id, service_id, plan_id, offering, plan, revision, organization, space, context, target,
                      parameters AS "parameters: Sealed", maintenance_version, tags, state AS "state: State", ready_at IS NOT NULL AS "was_ready!" FROM instance "# + $tail,
            $($argument),*
        )
    };
}

/// The instance that carries this id now, or else the newest that did.
pub async fn find(db: impl PgExecutor<'_>, platform: &PlatformName, id: &InstanceId) -> Result<Option<Instance>> {
    Ok(select!(
        "WHERE platform = $1 AND id = $2 ORDER BY (state = 'deleted'), deleted_at DESC LIMIT 1",
        platform.as_str(),
        id.as_str(),
    )
    .fetch_optional(db)
    .await?)
}

/// The same, if it is not deleted, locked against any other change until the transaction ends.
pub async fn lock(db: &mut PgConnection, platform: &PlatformName, id: &InstanceId) -> Result<Option<Instance>> {
    Ok(select!(
        "WHERE platform = $1 AND id = $2 AND state <> 'deleted' FOR NO KEY UPDATE",
        platform.as_str(),
        id.as_str(),
    )
    .fetch_optional(db)
    .await?)
}

/// The same, locked against changes but not against other binds.
pub async fn share(db: &mut PgConnection, platform: &PlatformName, id: &InstanceId) -> Result<Option<Instance>> {
    Ok(select!("WHERE platform = $1 AND id = $2 AND state <> 'deleted' FOR SHARE", platform.as_str(), id.as_str(),)
        .fetch_optional(db)
        .await?)
}

/// By the row's own identity.
pub async fn by_uid(db: impl PgExecutor<'_>, uid: Uid) -> Result<Option<Instance>> {
    Ok(select!("WHERE uid = $1", uid.uuid()).fetch_optional(db).await?)
}

/// Which instances a limit counts: those of the platform that agree with everything set here. Names are `LIKE` patterns.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// In this organization.
    pub organization: Option<String>,
    /// In this space.
    pub space: Option<String>,
    /// In this namespace.
    pub namespace: Option<String>,
    /// Of offerings named so.
    pub offering: Option<Vec<String>>,
    /// Of plans named so.
    pub plan: Option<Vec<String>>,
    /// In targets named so.
    pub target: Option<Vec<String>>,
}

/// How many instances of a platform a limit counts: not those that failed and left nothing.
pub async fn count(db: impl PgExecutor<'_>, platform: &PlatformName, counted: &Counted) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM instance WHERE platform = $1 AND state <> 'deleted'
           AND (state <> 'failed' OR EXISTS (SELECT FROM resource WHERE owner = instance.uid))
           AND ($2::text IS NULL OR organization = $2) AND ($3::text IS NULL OR space = $3)
           AND ($4::text IS NULL OR context ->> 'namespace' = $4)
           AND ($5::text[] IS NULL OR offering LIKE ANY ($5)) AND ($6::text[] IS NULL OR plan LIKE ANY ($6))
           AND ($7::text[] IS NULL OR target ->> 'name' LIKE ANY ($7))"#,
        platform.as_str(),
        counted.organization,
        counted.space,
        counted.namespace,
        counted.offering.as_deref(),
        counted.plan.as_deref(),
        counted.target.as_deref(),
    )
    .fetch_one(db)
    .await?)
}

/// Makes everybody who counts a platform's instances wait for this transaction, so that a limit cannot be overrun.
pub async fn lock_count(db: &mut PgConnection, platform: &PlatformName) -> Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('chandlery:' || $1, 0))::text", platform.as_str())
        .fetch_one(db)
        .await?;
    Ok(())
}

/// Writes a new instance with its owner row, its provision operation and the first event: one statement, one round trip.
/// An id in use fails on the constraint `instance_id_key`.
pub async fn insert(
    db: impl PgExecutor<'_>,
    new: &Instance,
    refers_to: &[Uid],
    target: &str,
    operation: &NewOperation<'_>,
) -> Result<()> {
    sqlx::query!(
        "WITH o AS (INSERT INTO owner (uid, kind, platform, target, lane, run_at)
                    VALUES ($1, 'instance', $2, $3, $4, now())),
              i AS (INSERT INTO instance (uid, platform, id, service_id, plan_id, revision, organization, space, context,
                                          target, parameters, maintenance_version, tags, offering, plan, refers_to, state)
                    VALUES ($1, $2, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $20, $21, $22, 'creating')),
              op AS (INSERT INTO operation (id, owner, kind, description, actor, deadline)
                     VALUES ($16, $1, 'provision', $17, $18, now() + $19))
         INSERT INTO event (owner, operation, actor, what, message) VALUES ($1, $16, $2, 'accepted', $17)",
        new.uid.uuid(),
        new.platform.as_str(),
        target,
        Lane::Async.number(),
        new.id.as_str(),
        new.service_id.as_str(),
        new.plan_id.as_str(),
        new.revision,
        new.organization,
        new.space,
        new.context,
        new.target,
        new.parameters.as_bytes(),
        new.maintenance_version,
        new.tags,
        operation.id.uuid(),
        operation.description,
        operation.actor,
        interval(operation.lasts),
        new.offering,
        new.plan,
        &reference::column(refers_to),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Sets the state of a locked instance to one that a request gives it.
pub async fn set_state(db: impl PgExecutor<'_>, uid: Uid, state: State) -> Result<()> {
    sqlx::query!(
        "UPDATE instance SET state = $2, updated_at = now(),
                deleted_at = CASE WHEN $2 = 'deleted' THEN now() ELSE deleted_at END WHERE uid = $1",
        uid.uuid(),
        state.as_str(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the instance's operation.
pub(super) async fn finish(db: impl PgExecutor<'_>, fence: &Fence, step: &Step, end: &End<'_>) -> Result<()> {
    finishing!(
        db,
        fence,
        step,
        end,
        "instance",
        "UPDATE instance SET state = $10, updated_at = now(), shown = COALESCE($11, shown),
                ready_at = CASE WHEN $10 = 'ready' THEN COALESCE(ready_at, now()) ELSE ready_at END,
                deleted_at = CASE WHEN $10 = 'deleted' THEN now() ELSE deleted_at END
         FROM ended WHERE uid = ended.owner",
        end.becomes.as_str(),
        end.shown,
    )
}

/// Locks the row before its owner, as requests do.
pub(super) async fn lock_row(db: &mut PgConnection, uid: Uid) -> Result<()> {
    sqlx::query!("SELECT uid FROM instance WHERE uid = $1 FOR NO KEY UPDATE", uid.uuid()).fetch_optional(db).await?;
    Ok(())
}

/// Stores a context that was sent without any other change, and what a fetch shows with it.
pub async fn set_context(db: impl PgExecutor<'_>, uid: Uid, context: &Value, shown: &Value) -> Result<()> {
    let uid = uid.uuid();
    sqlx::query!(
        "UPDATE instance SET context = $2, shown = $3, updated_at = now() WHERE uid = $1",
        uid,
        context,
        shown
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What a fetch needs of an instance.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// See [`Instance`].
    pub uid: Uid,
    /// See [`Instance`].
    pub service_id: ServiceId,
    /// See [`Instance`].
    pub plan_id: PlanId,
    /// See [`Instance`].
    pub revision: String,
    /// See [`Instance`].
    pub parameters: Sealed,
    /// See [`Instance`].
    pub maintenance_version: Option<String>,
    /// The rest of the answer, as it was evaluated at the instance's last change.
    pub shown: Value,
}

/// The ready instances that carry these ids. In the order asked.
pub async fn fetch(db: impl PgExecutor<'_>, asked: &[(PlatformName, InstanceId)]) -> Result<Vec<Option<Fetched>>> {
    let (platforms, ids): (Vec<&str>, Vec<&str>) =
        asked.iter().map(|(platform, id)| (platform.as_str(), id.as_str())).unzip();
    let rows = sqlx::query!(
        r#"SELECT asked.place AS "place!", uid, service_id, plan_id, revision, parameters AS "parameters: Sealed",
                  maintenance_version, shown
           FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (platform, id, place)
           JOIN instance ON instance.platform = asked.platform AND instance.id = asked.id AND state = 'ready'"#,
        &platforms as &[&str],
        &ids as &[&str],
    )
    .fetch_all(db)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let fetched = Fetched {
            uid: row.uid.into(),
            service_id: row.service_id.into(),
            plan_id: row.plan_id.into(),
            revision: row.revision,
            parameters: row.parameters,
            maintenance_version: row.maintenance_version,
            shown: row.shown,
        };
        (row.place, fetched)
    });
    Ok(in_place(asked.len(), rows))
}

/// What an update aimed at becomes the instance's own; `version`, where an upgrade is only on its way.
pub(super) async fn become_updated(
    db: &mut PgConnection,
    fence: &Fence,
    sealed: &Sealed,
    version: Option<&str>,
    shown: &Value,
) -> Result<()> {
    sqlx::query!(
        "UPDATE instance SET plan_id = COALESCE(o.plan_id, instance.plan_id), plan = COALESCE(o.plan, instance.plan), revision = COALESCE(o.revision, instance.revision),
                parameters = $3, context = COALESCE(o.context, instance.context),
                refers_to = COALESCE(o.refers_to, instance.refers_to),
                maintenance_version = CASE WHEN o.revision IS NULL THEN instance.maintenance_version
                                           ELSE COALESCE($5, o.maintenance_version) END,
                shown = $4, updated_at = now()
         FROM operation o WHERE instance.uid = $1 AND o.id = $2",
        fence.owner.uuid(),
        fence.operation.uuid(),
        sealed.as_bytes(),
        shown,
        version,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes tombstones older than `kept`, with everything that belongs to them, at most `limit`; not those that left
/// something in AWS on purpose. Answers how many.
pub async fn forget(db: &mut PgConnection, kept: std::time::Duration, limit: i64) -> Result<u64> {
    let owners = sqlx::query_scalar!(
        r#"SELECT uid AS "uid!" FROM instance i WHERE state = 'deleted' AND deleted_at < now() - $1::interval
           AND NOT EXISTS (SELECT FROM resource r WHERE r.owner = i.uid)
           AND NOT EXISTS (SELECT FROM binding b JOIN resource r ON r.owner = b.uid WHERE b.instance = i.uid)
           AND NOT EXISTS (SELECT FROM operation o WHERE o.owner = i.uid AND o.state = 'in progress')
           LIMIT $2"#,
        interval(kept),
        limit,
    )
    .fetch_all(&mut *db)
    .await?;
    let bindings = sqlx::query_scalar!("DELETE FROM binding WHERE instance = ANY ($1) RETURNING uid", &owners)
        .fetch_all(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM instance WHERE uid = ANY ($1)", &owners).execute(&mut *db).await?;
    let all: Vec<_> = owners.into_iter().chain(bindings).collect();
    sqlx::query!("DELETE FROM event WHERE owner = ANY ($1)", &all).execute(&mut *db).await?;
    Ok(sqlx::query!("DELETE FROM owner WHERE uid = ANY ($1)", &all).execute(db).await?.rows_affected())
}
