//! The vault's ring keys, wrapped by the master key.

use sqlx::PgExecutor;

use super::Result;
use crate::osb::Uid;
use crate::vault::RingKey;

/// All ring keys, oldest first.
pub async fn all(db: impl PgExecutor<'_>) -> Result<Vec<RingKey>> {
    let rows =
        sqlx::query!("SELECT id, wrapped, master, state FROM ring_key ORDER BY created_at, id").fetch_all(db).await?;
    Ok(rows
        .into_iter()
        .map(|row| RingKey {
            id: row.id.into(),
            wrapped: row.wrapped,
            master: row.master,
            active: row.state == "active",
        })
        .collect())
}

/// A ring key as operators see it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its identity.
    pub id: Uid,
    /// `pending`, `active` or `retired`.
    pub state: String,
    /// Which master key wraps it.
    pub master: String,
    /// When it was made.
    pub created_at: jiff_sqlx::Timestamp,
}

/// All ring keys, without the keys.
pub async fn listed(db: impl PgExecutor<'_>) -> Result<Vec<Listed>> {
    Ok(sqlx::query_as!(Listed, "SELECT id, state, master, created_at FROM ring_key ORDER BY created_at, id")
        .fetch_all(db)
        .await?)
}

/// Records a key. `active` only for the very first one: a later one begins as pending, until every replica holds it. A
/// second first one (two replicas starting on an empty database) fails on the constraint `ring_key_active_key`.
pub async fn insert(db: impl PgExecutor<'_>, key: &RingKey) -> Result<()> {
    let state = if key.active { "active" } else { "pending" };
    sqlx::query!(
        "INSERT INTO ring_key (id, wrapped, master, state) VALUES ($1, $2, $3, $4)",
        key.id.uuid(),
        key.wrapped,
        key.master,
        state,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes the newest pending key the active one if every replica seen within the last minute holds it; the one before is
/// kept for unsealing. Answers the key that is active afterwards.
pub async fn promote(db: &mut sqlx::PgConnection) -> Result<Option<Uid>> {
    use sqlx::Acquire;
    let mut transaction = db.begin().await?;
    let ready = sqlx::query_scalar!(
        "SELECT id FROM ring_key k WHERE state = 'pending' AND EXISTS (SELECT FROM replica)
         AND NOT EXISTS (SELECT FROM replica r WHERE r.seen_at > now() - interval '1 minute' AND k.id <> ALL (r.ring_keys))
         ORDER BY created_at DESC LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some(id) = ready {
        sqlx::query!("UPDATE ring_key SET state = 'retired' WHERE state = 'active'").execute(&mut *transaction).await?;
        sqlx::query!("UPDATE ring_key SET state = 'active' WHERE id = $1", id).execute(&mut *transaction).await?;
    }
    let active =
        sqlx::query_scalar!("SELECT id FROM ring_key WHERE state = 'active'").fetch_optional(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(active.map(Uid::from))
}

/// Stores a key wrapped by another master key.
pub async fn rewrap(db: impl PgExecutor<'_>, key: &RingKey) -> Result<()> {
    sqlx::query!("UPDATE ring_key SET wrapped = $2, master = $3 WHERE id = $1", key.id.uuid(), key.wrapped, key.master)
        .execute(db)
        .await?;
    Ok(())
}

/// Keeps every other writer of the ring out until the transaction ends. Readers go on.
pub async fn lock(db: &mut sqlx::PgConnection) -> Result<()> {
    sqlx::query("LOCK TABLE ring_key IN SHARE ROW EXCLUSIVE MODE").execute(db).await?;
    Ok(())
}

/// Why a ring key cannot be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// There is no such key.
    Unknown,
    /// It is not retired: values are or will be sealed under it.
    NotRetired,
    /// So many replicas have not taken its successor into use yet.
    SealedUnder(i64),
    /// So many values are sealed under it.
    Holds(i64),
}

/// Deletes a retired key that holds nothing.
pub async fn forget(db: &mut sqlx::PgConnection, key: Uid) -> Result<std::result::Result<(), Kept>> {
    use sqlx::Acquire;
    let mut transaction = db.begin().await?;
    lock(&mut transaction).await?;
    let state = sqlx::query_scalar!("SELECT state FROM ring_key WHERE id = $1", key.uuid())
        .fetch_optional(&mut *transaction)
        .await?;
    match state.as_deref() {
        None => return Ok(Err(Kept::Unknown)),
        Some("retired") => {}
        Some(_) => return Ok(Err(Kept::NotRetired)),
    }
    // Before the values are counted: whoever stops sealing under it later has committed what it sealed before.
    let replicas = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM replica WHERE seals_with = $1"#, key.uuid())
        .fetch_one(&mut *transaction)
        .await?;
    if replicas > 0 {
        return Ok(Err(Kept::SealedUnder(replicas)));
    }
    let values = super::reseal::count(&mut transaction, key).await?;
    if values > 0 {
        return Ok(Err(Kept::Holds(values)));
    }
    sqlx::query!("DELETE FROM ring_key WHERE id = $1", key.uuid()).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Ok(()))
}
