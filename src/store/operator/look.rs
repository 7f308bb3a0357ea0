//! One owner with everything that belongs to it, without anything sealed.

use jiff_sqlx::Timestamp;
use sqlx::PgExecutor;

use crate::osb::{OperationId, Uid};
use crate::store::{OperationKind, OperationState, OwnerKind, Phase, ResourceState, Result, State};

/// An instance or a binding, as an operator sees it.
#[derive(Clone, Debug)]
pub struct OwnerSeen {
    /// Its identity.
    pub uid: Uid,
    /// What it is.
    pub kind: OwnerKind,
    /// How far it is.
    pub state: State,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When it was gone.
    pub deleted_at: Option<Timestamp>,
    /// The platform.
    pub platform: String,
    /// The instance's row.
    pub instance: Uid,
    /// The platform's id of the instance.
    pub instance_id: String,
    /// The platform's id of the binding.
    pub binding_id: Option<String>,
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
    /// The namespace in its context.
    pub namespace: Option<String>,
    /// The name in its context.
    pub instance_name: Option<String>,
    /// The target's name when it was made.
    pub target: Option<String>,
    /// `account/region`.
    pub place: String,
    /// Raised by every claim.
    pub epoch: i64,
    /// When its next turn is due.
    pub run_at: Option<Timestamp>,
    /// Until when a turn holds it.
    pub lease_until: Option<Timestamp>,
}

/// By its identity.
pub async fn owner(db: impl PgExecutor<'_>, uid: Uid) -> Result<Option<OwnerSeen>> {
    Ok(sqlx::query_as!(
        OwnerSeen,
        r#"SELECT w.uid, w.kind AS "kind: OwnerKind", COALESCE(b.state, i.state) AS "state!: State",
                  COALESCE(b.created_at, i.created_at) AS "created_at!",
                  CASE WHEN b.uid IS NULL THEN i.deleted_at ELSE b.deleted_at END AS deleted_at, i.platform,
                  i.uid AS instance, i.id AS instance_id, b.id AS "binding_id?", i.offering, i.plan,
                  COALESCE(b.revision, i.revision) AS "revision!", i.organization, i.space,
                  i.context ->> 'namespace' AS namespace, i.context ->> 'instance_name' AS instance_name,
                  i.target ->> 'name' AS target, w.target AS place, w.epoch, w.run_at, w.lease_until
           FROM owner w LEFT JOIN binding b ON b.uid = w.uid JOIN instance i ON i.uid = COALESCE(b.instance, w.uid)
           WHERE w.uid = $1"#,
        uid.uuid(),
    )
    .fetch_optional(db)
    .await?)
}

/// An operation, as an operator sees it.
#[derive(Clone, Debug)]
pub struct OperationSeen {
    /// Its identity.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// How far it is.
    pub state: OperationState,
    /// What it is busy with.
    pub phase: Phase,
    /// In words.
    pub description: String,
    /// The class of the fault that made it fail.
    pub class: Option<String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the platform stops polling.
    pub deadline: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// All operations of an owner, oldest first.
pub async fn operations(db: impl PgExecutor<'_>, owner: Uid) -> Result<Vec<OperationSeen>> {
    Ok(sqlx::query_as!(
        OperationSeen,
        r#"SELECT id, kind AS "kind: OperationKind", state AS "state: OperationState", phase AS "phase: Phase", description,
                  class, created_at, deadline, finished_at
           FROM operation WHERE owner = $1 ORDER BY created_at"#,
        owner.uuid(),
    )
    .fetch_all(db)
    .await?)
}

/// A resource, as an operator sees it.
#[derive(Clone, Debug)]
pub struct ResourceSeen {
    /// Its row's identity.
    pub uid: Uid,
    /// Its key in the offering.
    pub key: String,
    /// Its kind.
    pub kind: String,
    /// Its name in AWS.
    pub name: String,
    /// The keys of the resources it needs.
    pub depends_on: Vec<String>,
    /// How far it is.
    pub state: ResourceState,
    /// Faults in a row.
    pub attempts: i32,
    /// The class of the last fault.
    pub class: Option<String>,
    /// The last fault or wait in words.
    pub message: Option<String>,
    /// What AWS said.
    pub detail: Option<String>,
    /// When it may be tried again.
    pub run_at: Timestamp,
    /// When its current step began.
    pub started_at: Option<Timestamp>,
}

/// All resources of an owner, in the order they were planned.
pub async fn rows(db: impl PgExecutor<'_>, owner: Uid) -> Result<Vec<ResourceSeen>> {
    Ok(sqlx::query_as!(
        ResourceSeen,
        r#"SELECT uid, key, kind, name, depends_on, state AS "state: ResourceState", attempts, class, message, detail, run_at,
                  started_at
           FROM resource WHERE owner = $1 ORDER BY place"#,
        owner.uuid(),
    )
    .fetch_all(db)
    .await?)
}

/// A binding of an instance, in one line.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Its identity.
    pub uid: Uid,
    /// The platform's id for it.
    pub id: String,
    /// How far it is.
    pub state: State,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// What runs for it.
    pub live: Option<OperationKind>,
}

/// All bindings of an instance that are not gone, oldest first.
pub async fn bindings(db: impl PgExecutor<'_>, instance: Uid) -> Result<Vec<Bound>> {
    Ok(sqlx::query_as!(
        Bound,
        r#"SELECT b.uid, b.id, b.state AS "state: State", b.created_at, o.kind AS "live?: OperationKind"
           FROM binding b LEFT JOIN operation o ON o.owner = b.uid AND o.state = 'in progress'
           WHERE b.instance = $1 AND b.state <> 'deleted' ORDER BY b.created_at"#,
        instance.uuid(),
    )
    .fetch_all(db)
    .await?)
}

/// The database's clock, which all other times are of.
pub async fn now(db: impl PgExecutor<'_>) -> Result<Timestamp> {
    Ok(sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(db).await?)
}
