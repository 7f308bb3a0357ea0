//! `chandlery admin …`: the operator's way in, and out. It works on the database itself, so also while no broker runs.
//!
//! No verb needs the master key or opens a sealed value; `orphans` alone talks to AWS.

mod abandon;
mod find;
mod operations;
mod orphans;
mod retry;
mod show;
mod table;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{registry, setup};
use crate::aws::{self, Sessions};
use crate::config::Database;
use crate::policy::Policy;
use crate::store;

/// The exit status of `orphans` when something was found.
const FOUND: u8 = 3;

/// What to do, and where the database is.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    database: Database,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Verb {
    /// List operations: what runs, what failed, and why.
    Operations(operations::Arguments),
    /// Show an instance or binding with its operations, resources and events.
    Show(show::Arguments),
    /// Follow an operation until it ends; exit status 1 if it does not succeed.
    Watch(watch::Arguments),
    /// Have something tried again now, or what a failed operation left removed.
    Retry(retry::Arguments),
    /// Have a resource forgotten that cannot be deleted; it stays in AWS.
    Abandon(abandon::Arguments),
    /// Compare AWS with the database: exit status 3 if they differ, 1 if something could not be looked at.
    Orphans(orphans::Arguments),
}

/// Runs it.
pub async fn run(arguments: Arguments, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let pool = setup::pool(&arguments.database, 2).await?;
    let pending = store::pending_migrations(&pool).await?;
    if !pending.is_empty() {
        anyhow::bail!("the database is behind this version; run `chandlery migrate` first: {}", pending.join(", "));
    }
    match arguments.verb {
        Verb::Operations(arguments) => operations::operations(&pool, &arguments, out).await?,
        Verb::Show(arguments) => show::show(&pool, &arguments, out).await?,
        Verb::Watch(arguments) => {
            let registry = registry(&Sessions::load(aws::Settings::default()).await?);
            if !watch::watch(&pool, &registry, &arguments, out).await? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Verb::Retry(arguments) => retry::retry(&pool, &arguments, out).await?,
        Verb::Abandon(arguments) => abandon::abandon(&pool, &arguments, out).await?,
        Verb::Orphans(arguments) => {
            let policy = Policy::load(&arguments.policy)?;
            let registry = registry(&Sessions::load(aws::Settings::default()).await?);
            return Ok(match orphans::orphans(&pool, &registry, &policy, &arguments, out).await? {
                orphans::Verdict::Clean => ExitCode::SUCCESS,
                orphans::Verdict::Found => ExitCode::from(FOUND),
                orphans::Verdict::Incomplete => ExitCode::FAILURE,
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The person at the keyboard, as far as the machine knows, for the event.
fn who() -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    table::clean(&name).chars().take(64).collect()
}
