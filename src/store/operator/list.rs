//! Operations over all owners.

use jiff_sqlx::Timestamp;
use sqlx::PgExecutor;

use crate::osb::{OperationId, Uid};
use crate::store::{OperationKind, OperationState, Phase, Result};

/// Which operations are listed; what is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this platform.
    pub platform: Option<String>,
    /// In this state.
    pub state: Option<OperationState>,
    /// Of this kind.
    pub kind: Option<OperationKind>,
    /// At most so many.
    pub limit: i64,
}

/// An operation with what stands around it.
#[derive(Clone, Debug)]
pub struct Listed {
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
    /// In words.
    pub description: String,
    /// The platform.
    pub platform: String,
    /// The platform's id of the instance.
    pub instance: String,
    /// The platform's id of the binding, where it is about one.
    pub binding: Option<String>,
    /// The offering's name.
    pub offering: String,
    /// The plan's name.
    pub plan: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When the platform stops polling.
    pub deadline: Timestamp,
    /// It runs, and its deadline has passed.
    pub overdue: bool,
    /// The key of the resource that has failed most often in a row.
    pub worst: Option<String>,
    /// How often that one has failed in a row.
    pub attempts: Option<i32>,
    /// The class of that one's last fault, or else of the one that the operation failed by.
    pub class: Option<String>,
}

/// Those that run, oldest first; then those that have ended, newest first.
pub async fn list(db: impl PgExecutor<'_>, filter: &Filter) -> Result<Vec<Listed>> {
    Ok(sqlx::query_as!(
        Listed,
        r#"SELECT o.id, o.owner, o.kind AS "kind: OperationKind", o.state AS "state: OperationState",
                  o.phase AS "phase: Phase", o.description, i.platform, i.id AS instance, b.id AS "binding?", i.offering,
                  i.plan, o.created_at, o.finished_at, o.deadline,
                  (o.state = 'in progress' AND o.deadline < now()) AS "overdue!", w.key AS "worst?",
                  w.attempts AS "attempts?", COALESCE(w.class, o.class) AS class
           FROM operation o LEFT JOIN binding b ON b.uid = o.owner JOIN instance i ON i.uid = COALESCE(b.instance, o.owner)
           LEFT JOIN LATERAL (
             SELECT r.key, r.attempts, r.class FROM resource r
             WHERE r.owner = o.owner AND r.class IS NOT NULL AND o.state = 'in progress'
               AND r.state NOT IN ('retained', 'abandoned')
             ORDER BY r.attempts DESC, r.place LIMIT 1) w ON true
           WHERE ($1::text IS NULL OR i.platform = $1) AND ($2::text IS NULL OR o.state = $2)
             AND ($3::text IS NULL OR o.kind = $3)
           ORDER BY (o.state <> 'in progress'), CASE WHEN o.state = 'in progress' THEN o.created_at END, o.created_at DESC
           LIMIT $4"#,
        filter.platform,
        filter.state.map(OperationState::as_str),
        filter.kind.map(OperationKind::as_str),
        filter.limit,
    )
    .fetch_all(db)
    .await?)
}
