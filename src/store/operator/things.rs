//! What our rows say there is in AWS.

use serde_json::Value;
use sqlx::PgExecutor;

use crate::osb::Uid;
use crate::store::{ResourceState, Result};

/// A row of a thing, and where the thing is.
#[derive(Clone, Debug)]
pub struct Thing {
    /// The row's identity.
    pub uid: Uid,
    /// Whose it is.
    pub owner: Uid,
    /// Its kind.
    pub kind: String,
    /// Its name in AWS.
    pub name: String,
    /// How far it is.
    pub state: ResourceState,
    /// How its driver finds it.
    pub handle: Option<Value>,
    /// The 12 digits of the account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The platform.
    pub platform: String,
    /// The platform's id of the instance.
    pub instance: String,
    /// The platform's id of the binding.
    pub binding: Option<String>,
}

/// Every row.
pub async fn things(db: impl PgExecutor<'_>) -> Result<Vec<Thing>> {
    Ok(sqlx::query_as!(
        Thing,
        r#"SELECT r.uid, r.owner, r.kind, r.name, r.state AS "state: ResourceState", r.handle,
                  split_part(w.target, '/', 1) AS "account!", split_part(w.target, '/', 2) AS "region!", i.platform,
                  i.id AS instance, b.id AS "binding?"
           FROM resource r JOIN owner w ON w.uid = r.owner LEFT JOIN binding b ON b.uid = r.owner
           JOIN instance i ON i.uid = COALESCE(b.instance, r.owner) ORDER BY r.kind, r.name"#
    )
    .fetch_all(db)
    .await?)
}
