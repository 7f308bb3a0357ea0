//! From whatever an operator has in hand to the owner it belongs to.

use sqlx::PgExecutor;
use uuid::Uuid;

use crate::osb::Uid;
use crate::store::{OwnerKind, ResourceState, Result, State};

/// An owner that goes by what was asked for.
#[derive(Clone, Debug)]
pub struct Match {
    /// Its identity.
    pub owner: Uid,
    /// An instance or a binding.
    pub kind: OwnerKind,
    /// What was recognised: `operation`, `instance`, `binding`, `resource`.
    pub by: String,
    /// It was recognised by an identity that we gave, which nobody else can choose.
    pub sure: bool,
    /// The operation, where one was named.
    pub operation: Option<Uuid>,
    /// The platform.
    pub platform: String,
    /// The platform's id of the instance.
    pub instance: String,
    /// The platform's id of the binding.
    pub binding: Option<String>,
    /// How far the owner is.
    pub state: State,
}

/// Every owner that goes by this: an operation, our uid or the platform's id of an instance or binding, our uid of a
/// resource or its name in AWS. The surest first, then the living, then the newest.
pub async fn find(db: impl PgExecutor<'_>, text: &str) -> Result<Vec<Match>> {
    Ok(sqlx::query_as!(
        Match,
        r#"WITH named AS (
             SELECT owner, 'operation' AS by, true AS sure, id AS operation FROM operation WHERE id = $2
             UNION ALL SELECT uid, 'instance', true, NULL FROM instance WHERE uid = $2
             UNION ALL SELECT uid, 'binding', true, NULL FROM binding WHERE uid = $2
             UNION ALL SELECT owner, 'resource', true, NULL FROM resource WHERE uid = $2
             UNION ALL SELECT uid, 'instance', false, NULL FROM instance WHERE id = $1
             UNION ALL SELECT uid, 'binding', false, NULL FROM binding WHERE id = $1
             UNION ALL SELECT DISTINCT owner, 'resource', false, NULL::uuid FROM resource WHERE name = $1)
           SELECT n.owner AS "owner!", w.kind AS "kind: OwnerKind", n.by AS "by!", n.sure AS "sure!",
                  n.operation AS "operation?", i.platform, i.id AS instance, b.id AS "binding?",
                  COALESCE(b.state, i.state) AS "state!: State"
           FROM named n JOIN owner w ON w.uid = n.owner LEFT JOIN binding b ON b.uid = n.owner
           JOIN instance i ON i.uid = COALESCE(b.instance, n.owner)
           ORDER BY n.sure DESC, (COALESCE(b.state, i.state) = 'deleted'), COALESCE(b.created_at, i.created_at) DESC"#,
        text,
        Uuid::parse_str(text).ok(),
    )
    .fetch_all(db)
    .await?)
}

/// The resources of that uid or name: uid, owner, kind, key, name, state.
pub async fn resources(
    db: impl PgExecutor<'_>,
    text: &str,
) -> Result<Vec<(Uid, Uid, String, String, String, ResourceState)>> {
    let rows = sqlx::query!(
        r#"SELECT uid, owner, kind, key, name, state AS "state: ResourceState" FROM resource
           WHERE name = $1 OR uid = $2 ORDER BY place"#,
        text,
        Uuid::parse_str(text).ok(),
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.uid.into(), row.owner.into(), row.kind, row.key, row.name, row.state)).collect())
}
