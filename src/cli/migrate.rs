//! `chandlery migrate`: brings the database to this version's schema.

use clap::Args;

use super::setup;
use crate::config::Database;
use crate::store;

/// Where the database is.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,
}

/// Applies what is missing; safe to run from several places at once.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let pool = setup::pool(&arguments.database, 2).await?;
    let pending = store::pending_migrations(&pool).await?;
    store::migrate(&pool).await?;
    for migration in &pending {
        eprintln!("applied {migration}");
    }
    if pending.is_empty() {
        eprintln!("the database is up to date");
    }
    Ok(())
}
