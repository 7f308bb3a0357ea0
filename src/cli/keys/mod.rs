//! `chandlery keys …`: the master key, and the ring keys that it wraps.

mod change_master;
mod forget;
mod list;
mod reseal;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::setup;
use crate::aws::{self, Sessions};
use crate::config::{Database, Secrets};
use crate::store::{self, PgPool};
use crate::vault::{FileMasterKey, MasterKey, Vault};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Print a new master key for a file of its own.
    Generate,
    /// List the ring keys with the values that each holds, and the replicas.
    List {
        /// Where the ring is.
        #[command(flatten)]
        database: Database,
    },
    /// Make a new ring key. The replicas begin to seal under it once every one of them holds it.
    Rotate(Ring),
    /// Renew every value that an older ring key holds under the active one.
    Reseal(Ring),
    /// Delete a retired ring key that holds no value any more.
    Forget {
        /// The ring key.
        id: Uuid,
        /// Where the ring is.
        #[command(flatten)]
        database: Database,
    },
    /// Wrap every ring key by another master key, all of them or none.
    ChangeMaster(ChangeMaster),
}

/// Where the ring is, and what wraps it.
#[derive(Debug, Args)]
pub struct Ring {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    secrets: Secrets,
}

/// From which master key to which.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("old").required(true), group = clap::ArgGroup::new("new").required(true))]
pub struct ChangeMaster {
    /// The file of the key that wraps them now.
    #[arg(long, group = "old", value_name = "FILE")]
    old_file: Option<PathBuf>,
    /// The KMS key that wraps them now.
    #[arg(long, group = "old", value_name = "ARN")]
    old_kms: Option<String>,
    /// The file of the key that shall wrap them.
    #[arg(long, group = "new", value_name = "FILE")]
    new_file: Option<PathBuf>,
    /// The KMS key that shall wrap them.
    #[arg(long, group = "new", value_name = "ARN")]
    new_kms: Option<String>,
    #[command(flatten)]
    database: Database,
}

/// Runs it.
pub async fn run(verb: Verb, out: &mut impl Write) -> anyhow::Result<()> {
    match verb {
        Verb::Generate => writeln!(out, "{}", FileMasterKey::generate()?.as_str())?,
        Verb::List { database } => list::list(&setup::pool(&database, 1).await?, out).await?,
        Verb::Rotate(ring) => {
            let (pool, master) = ring.open().await?;
            // Opening it proves that this is the right master key.
            setup::vault(&pool, master.as_ref()).await?;
            let key = Vault::new_key(master.as_ref()).await?;
            store::ring_key::insert(&pool, &key).await?;
            writeln!(out, "{} is pending; it becomes active once every replica holds it (within a minute)", key.id)?;
        }
        Verb::Reseal(ring) => {
            let (pool, master) = ring.open().await?;
            let vault = setup::vault(&pool, master.as_ref()).await?;
            reseal::reseal(&pool, &vault, out).await?;
        }
        Verb::Forget { id, database } => forget::forget(&setup::pool(&database, 1).await?, id.into(), out).await?,
        Verb::ChangeMaster(arguments) => {
            let sessions = Sessions::load(aws::Settings::default()).await?;
            let key = |file: Option<PathBuf>, arn: Option<String>| {
                setup::master_key(&Secrets { master_key_file: file, master_key_kms: arn }, &sessions, warn)
            };
            let old = key(arguments.old_file, arguments.old_kms)?;
            let new = key(arguments.new_file, arguments.new_kms)?;
            let pool = setup::pool(&arguments.database, 1).await?;
            change_master::change_master(&pool, old.as_ref(), new.as_ref(), out).await?;
        }
    }
    Ok(())
}

fn warn(warning: &str) {
    eprintln!("warning: {warning}");
}

impl Ring {
    async fn open(&self) -> anyhow::Result<(PgPool, Arc<dyn MasterKey>)> {
        let pool = setup::pool(&self.database, 2).await?;
        let sessions = Sessions::load(aws::Settings::default()).await?;
        Ok((pool, setup::master_key(&self.secrets, &sessions, warn)?))
    }
}
