//! What several verbs need: the database, the master key, the vault.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sqlx::postgres::PgConnectOptions;

use crate::aws::{KmsMasterKey, Sessions};
use crate::config::{Database, Secrets};
use crate::store::{self, PgPool};
use crate::vault::{FileMasterKey, MasterKey, Vault};

/// The longest statement of a request or a turn; nothing of ours comes near.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);

/// Connects to the database.
pub async fn pool(database: &Database, max: u32) -> anyhow::Result<PgPool> {
    // The error of a wrong URL may quote it, password included.
    let options = PgConnectOptions::from_str(database.database_url.expose())
        .map_err(|_| anyhow::anyhow!("DATABASE_URL is no PostgreSQL URL (postgres://user:password@host:5432/name)"))?;
    let limits =
        store::Limits { connections: max, acquire: database.database_acquire_timeout, statement: STATEMENT_TIMEOUT };
    store::connect(options, &limits)
        .await
        .with_context(|| format!("the database at {:?} cannot be reached", database.database_url))
}

/// The master key that the settings name.
pub fn master_key(secrets: &Secrets, sessions: &Sessions) -> anyhow::Result<Arc<dyn MasterKey>> {
    match (&secrets.master_key_file, &secrets.master_key_kms) {
        (Some(file), None) => Ok(Arc::new(FileMasterKey::load(file)?)),
        (None, Some(arn)) => Ok(Arc::new(KmsMasterKey::new(sessions, arn)?)),
        _ => anyhow::bail!(
            "a master key is needed: name its file with CHANDLERY_MASTER_KEY_FILE (make one with `chandlery keys generate`) \
             or a KMS key with CHANDLERY_MASTER_KEY_KMS, not both"
        ),
    }
}

/// Opens the vault; on an empty database the first ring key is made.
pub async fn vault(pool: &PgPool, master: &dyn MasterKey) -> anyhow::Result<Vault> {
    let mut ring = store::ring_key::all(pool).await?;
    if ring.is_empty() {
        let mut first = Vault::new_key(master).await?;
        first.active = true;
        match store::ring_key::insert(pool, &first).await {
            Ok(()) => {}
            // Another replica, starting at the same time, was first.
            Err(error) if error.constraint() == Some("ring_key_active_key") => {}
            Err(error) => return Err(error.into()),
        }
        ring = store::ring_key::all(pool).await?;
    }
    Ok(Vault::open(master, ring).await?)
}
