//! `chandlery keys …`: the master key, and the ring keys that it wraps.

use std::io::Write;

use clap::{Args, Subcommand};

use super::setup;
use crate::aws::{self, Sessions};
use crate::config::{Database, Secrets};
use crate::store;
use crate::vault::{FileMasterKey, Vault};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Print a new master key for a file of its own.
    Generate,
    /// List the ring keys.
    List(Ring),
    /// Make a new ring key. The replicas begin to seal under it once every one of them holds it.
    Rotate(Ring),
}

/// Where the ring is, and what wraps it.
#[derive(Debug, Args)]
pub struct Ring {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    secrets: Secrets,
}

/// Runs it.
pub async fn run(verb: Verb, out: &mut impl Write) -> anyhow::Result<()> {
    match verb {
        Verb::Generate => writeln!(out, "{}", FileMasterKey::generate()?.as_str())?,
        Verb::List(ring) => {
            let pool = setup::pool(&ring.database, 1).await?;
            for key in store::ring_key::listed(&pool).await? {
                writeln!(out, "{}  {:7}  {}  wrapped by {}", key.id, key.state, key.created_at.to_jiff(), key.master)?;
            }
        }
        Verb::Rotate(ring) => {
            let pool = setup::pool(&ring.database, 1).await?;
            let sessions = Sessions::load(aws::Settings::default()).await?;
            let master = setup::master_key(&ring.secrets, &sessions)?;
            // Opening it proves that this is the right master key.
            setup::vault(&pool, master.as_ref()).await?;
            let key = Vault::new_key(master.as_ref()).await?;
            store::ring_key::insert(&pool, &key).await?;
            writeln!(out, "{} is pending; it becomes active once every replica holds it (within a minute)", key.id)?;
        }
    }
    Ok(())
}
