//! Resources: one row for each external thing, written before the thing is made and removed after it is gone.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgExecutor;

use super::fence::fenced;
use super::owner::interval;
use super::{Fence, ResourceState, Result, Step};
use crate::osb::Uid;
use crate::vault::Sealed;

/// A resource's row.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The row's identity.
    pub uid: Uid,
    /// Its key in the offering: `bucket`, `node_groups["blue"]`.
    pub key: String,
    /// Its kind.
    pub kind: String,
    /// Its name in AWS.
    pub name: String,
    /// Which of the names its owner can derive.
    pub generation: i32,
    /// The keys of the resources it needs.
    pub depends_on: Vec<String>,
    /// One at a time within this group.
    pub serial: Option<String>,
    /// A deprovision leaves it in AWS.
    pub retain: bool,
    /// How far it is.
    pub state: ResourceState,
    /// What it shall be; secret leaves are references into `desired_secrets`.
    pub desired: Option<Value>,
    /// See `desired`.
    pub desired_secrets: Option<Sealed>,
    /// How its driver finds it.
    pub handle: Option<Value>,
    /// What others may refer to; secret ones are references into `output_secrets`.
    pub outputs: Option<Value>,
    /// See `outputs`.
    pub output_secrets: Option<Sealed>,
    /// Faults in a row.
    pub attempts: i32,
    /// How long until it may be tried again.
    pub due_in: f64,
    /// The class of the last fault.
    pub class: Option<String>,
    /// The last fault or wait in words.
    pub message: Option<String>,
    /// How long ago its current step began.
    pub running_for: Option<f64>,
}

/// All resources of an owner, in the order they were planned.
pub async fn of_owner(db: impl PgExecutor<'_>, owner: Uid) -> Result<Vec<Resource>> {
    Ok(sqlx::query_as!(
        Resource,
        r#"SELECT uid, key, kind, name, generation, depends_on, serial, retain, state AS "state: ResourceState", desired,
                  desired_secrets AS "desired_secrets: Sealed", handle, outputs, output_secrets AS "output_secrets: Sealed",
                  attempts, EXTRACT(EPOCH FROM run_at - now())::double precision AS "due_in!", class, message,
                  EXTRACT(EPOCH FROM now() - started_at)::double precision AS running_for
           FROM resource WHERE owner = $1 ORDER BY place"#,
        owner.uuid(),
    )
    .fetch_all(db)
    .await?)
}

/// Whether an owner still has something that must go: not what stays on purpose, nor what an operator told us to forget.
pub async fn is_owed(db: impl PgExecutor<'_>, owner: Uid) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM resource WHERE owner = $1 AND state NOT IN ('retained', 'abandoned')) AS "owed!""#,
        owner.uuid(),
    )
    .fetch_one(db)
    .await?)
}

/// A resource to be planned.
#[derive(Clone, Debug)]
pub struct NewResource {
    /// Its row's identity.
    pub uid: Uid,
    /// See [`Resource`].
    pub key: String,
    /// See [`Resource`].
    pub kind: String,
    /// See [`Resource`].
    pub name: String,
    /// See [`Resource`].
    pub depends_on: Vec<String>,
    /// See [`Resource`].
    pub serial: Option<String>,
    /// See [`Resource`].
    pub retain: bool,
}

/// Commits the rows of things to be made. Those that exist already keep their names and only take over order and `retain`.
pub async fn plan(db: impl PgExecutor<'_>, fence: &Fence, step: &Step, new: &[NewResource]) -> Result<()> {
    let rows: Vec<Value> = new
        .iter()
        .map(|resource| {
            serde_json::json!({
                "uid": resource.uid, "key": resource.key, "kind": resource.kind, "name": resource.name,
                "depends_on": resource.depends_on, "serial": resource.serial, "retain": resource.retain,
            })
        })
        .collect();
    fenced!(
        db,
        fence,
        step,
        "INSERT INTO resource (uid, owner, key, kind, name, depends_on, serial, retain, state)
         SELECT r.uid, fence.uid, r.key, r.kind, r.name, r.depends_on, r.serial, r.retain, 'planned'
         FROM fence, jsonb_to_recordset($10) AS r (uid uuid, key text, kind text, name text, depends_on text[], serial text,
                                                   retain boolean)
         ON CONFLICT (owner, key) DO UPDATE SET depends_on = EXCLUDED.depends_on, serial = EXCLUDED.serial,
                                                retain = EXCLUDED.retain",
        Value::Array(rows),
    )
}

/// Commits what a thing shall be, before the first call that makes or changes it.
pub async fn intend(
    db: impl PgExecutor<'_>,
    fence: &Fence,
    step: &Step,
    resource: Uid,
    state: ResourceState,
    desired: &Value,
    secrets: Option<&Sealed>,
) -> Result<()> {
    fenced!(
        db,
        fence,
        step,
        "UPDATE resource SET state = $11, desired = $12, desired_secrets = $13, started_at = now(), run_at = now(), attempts = 0,
                class = NULL, message = $3, detail = NULL
         FROM fence WHERE resource.uid = $10 AND resource.owner = fence.uid",
        resource.uuid(),
        state.as_str(),
        desired,
        secrets.map(Sealed::as_bytes),
    )
}

/// The thing is as desired. Secret outputs that the driver did not give again stay.
pub async fn ready(
    db: impl PgExecutor<'_>,
    fence: &Fence,
    step: &Step,
    resource: Uid,
    handle: &Value,
    outputs: &Value,
    secrets: Option<&Sealed>,
) -> Result<()> {
    fenced!(
        db,
        fence,
        step,
        "UPDATE resource SET state = 'ready', handle = $11, outputs = $12, output_secrets = $13, attempts = 0, class = NULL,
                message = NULL, detail = NULL
         FROM fence WHERE resource.uid = $10 AND resource.owner = fence.uid",
        resource.uuid(),
        handle,
        outputs,
        secrets.map(Sealed::as_bytes),
    )
}

/// AWS is working on it.
pub async fn waiting(
    db: impl PgExecutor<'_>,
    fence: &Fence,
    step: &Step,
    resource: Uid,
    handle: Option<&Value>,
    after: Duration,
) -> Result<()> {
    fenced!(
        db,
        fence,
        step,
        "UPDATE resource SET handle = COALESCE($11, handle), run_at = now() + $12::interval, attempts = 0, class = NULL,
                message = $3, detail = NULL
         FROM fence WHERE resource.uid = $10 AND resource.owner = fence.uid",
        resource.uuid(),
        handle,
        interval(after),
    )
}

/// The call failed and will be made again after a while. A thing that is gone has no handle any more.
pub async fn failed(
    db: impl PgExecutor<'_>,
    fence: &Fence,
    step: &Step,
    resource: Uid,
    handle: Option<&Value>,
    class: &str,
    after: Duration,
) -> Result<()> {
    fenced!(
        db,
        fence,
        step,
        "UPDATE resource SET handle = CASE WHEN $12 = 'gone' THEN $11 ELSE COALESCE($11, handle) END,
                run_at = now() + $13::interval, attempts = attempts + 1, class = $12,
                message = $3, detail = $8
         FROM fence WHERE resource.uid = $10 AND resource.owner = fence.uid",
        resource.uuid(),
        handle,
        class,
        interval(after),
    )
}

/// Somebody else holds the name: commits another one before the next call.
pub async fn rename(
    db: impl PgExecutor<'_>,
    fence: &Fence,
    step: &Step,
    resource: Uid,
    name: &str,
    generation: i32,
) -> Result<()> {
    fenced!(
        db,
        fence,
        step,
        "UPDATE resource SET name = $11, generation = $12, run_at = now(), handle = NULL
         FROM fence WHERE resource.uid = $10 AND resource.owner = fence.uid",
        resource.uuid(),
        name,
        generation,
    )
}

/// Commits that a thing is to go, before the first call that deletes it.
pub async fn deleting(db: impl PgExecutor<'_>, fence: &Fence, step: &Step, resource: Uid) -> Result<()> {
    fenced!(
        db,
        fence,
        step,
        "UPDATE resource SET state = 'deleting', started_at = now(), run_at = now(), attempts = 0, class = NULL, message = $3,
                detail = NULL
         FROM fence WHERE resource.uid = $10 AND resource.owner = fence.uid",
        resource.uuid(),
    )
}

/// The thing is gone, and with it its row.
pub async fn gone(db: impl PgExecutor<'_>, fence: &Fence, step: &Step, resource: Uid) -> Result<()> {
    fenced!(
        db,
        fence,
        step,
        "DELETE FROM resource USING fence WHERE resource.uid = $10 AND resource.owner = fence.uid",
        resource.uuid(),
    )
}

/// The thing stays in AWS on purpose; its row remembers it, without secrets.
pub async fn retained(db: impl PgExecutor<'_>, fence: &Fence, step: &Step, resource: Uid) -> Result<()> {
    fenced!(
        db,
        fence,
        step,
        "UPDATE resource SET state = 'retained', desired_secrets = NULL, output_secrets = NULL, message = $3
         FROM fence WHERE resource.uid = $10 AND resource.owner = fence.uid",
        resource.uuid(),
    )
}
