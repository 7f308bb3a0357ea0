//! `chandlery admin abandon`: the last way out. The broker forgets a thing that it cannot delete.

use std::io::Write;

use anyhow::bail;
use clap::Args;

use super::table::clean;
use super::{find, who};
use crate::osb::Uid;
use crate::store::operator::{self, Refused};
use crate::store::{self, PgPool, ResourceState};

/// What.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The resource: its uid, or its name in AWS; or an instance or binding of which one resource is left.
    pub resource: String,
    /// The thing stays in AWS, and on its bill, until somebody deletes it there.
    #[arg(long)]
    pub yes_forget_it: bool,
}

/// A resource: uid, kind, key, name, state.
type Meant = (Uid, String, String, String, ResourceState);

/// The resources of that uid or name, else all of the instance or binding that goes by it.
async fn meant(pool: &PgPool, text: &str) -> anyhow::Result<Vec<Meant>> {
    let found = operator::resources(pool, text).await?;
    if !found.is_empty() {
        return Ok(found.into_iter().map(|(uid, _, kind, key, name, state)| (uid, kind, key, name, state)).collect());
    }
    let rows = operator::rows(pool, find::one(pool, text).await?.owner).await?;
    Ok(rows.into_iter().map(|row| (row.uid, row.kind, row.key, row.name, row.state)).collect())
}

/// Forgets it.
pub async fn abandon(pool: &PgPool, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<()> {
    let mut found = meant(pool, &arguments.resource).await?;
    if found.len() > 1 {
        found.retain(|(.., state)| !matches!(state, ResourceState::Retained | ResourceState::Abandoned));
    }
    let (uid, kind, key, name, state) = match found.as_slice() {
        [] => bail!("{} has no resource left", clean(&arguments.resource)),
        [one] => one.clone(),
        several => {
            let list: Vec<String> =
                several.iter().map(|(uid, kind, key, ..)| format!("{uid} ({kind}, {})", clean(key))).collect();
            bail!("{} names more than one; say which by its uid: {}", clean(&arguments.resource), list.join(", "));
        }
    };
    if !arguments.yes_forget_it {
        bail!(
            "{} ({kind} {}, {}) would stay in AWS and the broker would never look at it again; to do that, add --yes-forget-it",
            clean(&key),
            clean(&name),
            state.as_str()
        );
    }
    let mut connection = pool.acquire().await?;
    match operator::abandon(&mut connection, uid, &who()).await? {
        Ok(done) => {
            store::ring(pool).await?;
            writeln!(
                out,
                "{} ({}) is forgotten; {} stays in AWS until you delete it there",
                done.key, done.kind, done.name
            )?;
            if done.fenced {
                writeln!(out, "a turn was under way; it was stopped, and a call it had begun may still take effect")?;
            }
            match done.operation {
                Some(operation) => writeln!(out, "operation {operation} goes on without it")?,
                None => writeln!(out, "nothing runs for its owner; `chandlery admin retry {}` goes on", done.owner)?,
            }
            Ok(())
        }
        Err(Refused::Unknown) => bail!("it is gone already"),
        Err(Refused::Already) => bail!("the broker has left it in AWS already: it is {}", state.as_str()),
        Err(Refused::Wanted(state)) => bail!(
            "its owner is {} and needs it: without the row the engine would wait for it for ever. Have the owner deleted first \
             (the platform's DELETE), then abandon what cannot go",
            state.as_str()
        ),
    }
}
