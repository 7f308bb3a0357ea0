//! `chandlery admin retry`: now, not when the back-off says.

use std::io::Write;

use clap::Args;

use super::{find, who};
use crate::store::operator::{self, Retried};
use crate::store::{self, PgPool, State};

/// What.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// An operation, an instance or binding (our uid or the platform's id), or the name of a resource in AWS.
    pub id: String,
}

/// Makes it due.
pub async fn retry(pool: &PgPool, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<()> {
    let owner = find::one(pool, &arguments.id).await?.owner;
    let mut connection = pool.acquire().await?;
    match operator::retry(&mut connection, owner, &who()).await? {
        Retried::Hastened(operation, rows) => {
            writeln!(out, "operation {operation} is due now; {rows} of its resources start with fresh patience")?;
        }
        Retried::Started(operation, kind) => writeln!(out, "started {} {operation}", kind.as_str())?,
        Retried::Nothing(state) => anyhow::bail!("{}", nothing(state)),
    }
    Ok(store::ring(pool).await?)
}

fn nothing(state: State) -> &'static str {
    match state {
        State::Deleted => "nothing is left to be done: it is deleted",
        State::Failed => {
            "nothing is left to be done: it failed and left nothing behind; its platform may delete it or order it anew"
        }
        _ => {
            "nothing is to be retried: it is ready and no operation runs; what the platform asked for last has to be asked for again"
        }
    }
}
