//! What several verbs need: the database, the master key, the vault.

use std::os::unix::fs::PermissionsExt;
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
    if let Some(problem) = database.database_url.problem() {
        anyhow::bail!(problem);
    }
    // The error of a wrong URL may quote it, password included.
    let options = PgConnectOptions::from_str(database.database_url.expose())
        .map_err(|_| anyhow::anyhow!("DATABASE_URL is no PostgreSQL URL (postgres://user:password@host:5432/name)"))?;
    let limits =
        store::Limits { connections: max, acquire: database.database_acquire_timeout, statement: STATEMENT_TIMEOUT };
    store::connect(options, &limits)
        .await
        .with_context(|| format!("the database at {:?} cannot be reached", database.database_url))
}

/// The master key that the settings name. A file that every user of the machine may read is told to `warn`: it may be the only
/// way to mount it, so it is no reason to stop.
pub fn master_key(secrets: &Secrets, sessions: &Sessions, warn: fn(&str)) -> anyhow::Result<Arc<dyn MasterKey>> {
    match (&secrets.master_key_file, &secrets.master_key_kms) {
        (Some(file), None) => {
            let key = FileMasterKey::load(file)?;
            if std::fs::metadata(file)?.permissions().mode() & 0o004 != 0 {
                warn(&format!(
                    "the master key in {} can be read by every user of this machine: chmod o-r it (in Kubernetes set the \
                     volume's defaultMode to 0440)",
                    file.display()
                ));
            }
            Ok(Arc::new(key))
        }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_database_that_cannot_be_had_is_told_with_its_cause() {
        for (url, cause) in [
            ("mysql://u:hunter2@db/x", "must have the form postgres://"),
            // Nobody listens on port 1.
            ("postgres://u:hunter2@127.0.0.1:1/x", "refused"),
        ] {
            let database_acquire_timeout = Duration::from_millis(300);
            let database = Database { database_url: url.parse().unwrap(), database_pool: 6, database_acquire_timeout };
            let error = format!("{:#}", pool(&database, 1).await.unwrap_err());
            assert!(error.contains(cause) && !error.contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_master_key_that_everybody_can_read_is_told() {
        static TOLD: AtomicUsize = AtomicUsize::new(0);
        let sessions = Sessions::load(crate::aws::Settings::default()).await.unwrap();
        let file = std::env::temp_dir().join(format!("chandlery-key-{}", uuid::Uuid::new_v4()));
        std::fs::write(&file, FileMasterKey::generate().unwrap().as_bytes()).unwrap();
        let secrets = Secrets { master_key_file: Some(file.clone()), master_key_kms: None };
        for (mode, told) in [(0o600, 0), (0o440, 0), (0o644, 1)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let count = |_: &str| {
                TOLD.fetch_add(1, Ordering::Relaxed);
            };
            master_key(&secrets, &sessions, count).unwrap();
            assert_eq!(TOLD.load(Ordering::Relaxed), told, "{mode:o}");
        }
        std::fs::remove_file(&file).unwrap();
    }
}
