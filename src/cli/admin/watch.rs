//! `chandlery admin watch`: an operation's log as it is written, until the operation ends.
//!
//! The log is read again every half second. Events of one operation may become visible out of their order (two resources'
//! writes commit at the same time), so the newest ones are read once more each time and what was printed is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use clap::Args;

use super::find;
use super::table::{between, clean, span, utc};
use crate::driver::Registry;
use crate::store::event;
use crate::store::operator::{self, OperationSeen, ResourceSeen};
use crate::store::{OperationKind, OperationState, PgPool, Phase, ResourceState};

const PAUSE: Duration = Duration::from_millis(500);

/// How many events before the newest one are looked at again: far more than can be in the making at a time.
const AGAIN: usize = 64;

/// Of whom.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// An operation; or an instance, a binding or a resource, whose running or else newest operation is followed.
    pub id: String,
}

/// Follows it. True if it succeeded.
pub async fn watch(
    pool: &PgPool,
    registry: &Registry,
    arguments: &Arguments,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let found = find::one(pool, &arguments.id).await?;
    let named = found.operation.or(newest(&operator::operations(pool, found.owner).await?).map(|it| it.id.uuid()));
    let Some(id) = named else { anyhow::bail!("{} has no operation", clean(&arguments.id)) };
    let mut seen = BTreeSet::new();
    let mut told = String::new();
    loop {
        // The state before the events: when it says that all is over, every event is there to be read.
        let operations = operator::operations(pool, found.owner).await?;
        let Some(operation) = operations.into_iter().find(|operation| operation.id.uuid() == id) else {
            anyhow::bail!("the operation {id} was forgotten");
        };
        let began = operation.created_at.to_jiff();
        let low = seen.iter().rev().nth(AGAIN).copied().unwrap_or_default();
        for event in event::of_owner(pool, found.owner, low, i64::MAX).await? {
            if event.operation != id || !seen.insert(event.id) {
                continue;
            }
            let at = event.at.to_jiff();
            let elapsed = format!("+{}", span(between(began, at)));
            writeln!(out, "{}  {elapsed:>11}  {:16}  {}", utc(at), clean(&event.what), clean(&event.message))?;
            if let Some(detail) = &event.detail {
                writeln!(out, "{:37}AWS said: {}", "", clean(detail))?;
            }
        }
        if operation.state != OperationState::InProgress {
            let took = operation.finished_at.map_or(0.0, |at| between(began, at.to_jiff()));
            writeln!(out, "{} {} after {}", operation.kind.as_str(), operation.state.as_str(), span(took))?;
            return Ok(operation.state == OperationState::Succeeded);
        }
        let now = operator::now(pool).await?.to_jiff();
        let rows = operator::rows(pool, found.owner).await?;
        let progress = progress(&operation, &rows, registry);
        if progress != told && !rows.is_empty() {
            writeln!(out, "{:20}  {:>11}  {progress}", "", format!("+{}", span(between(began, now))))?;
            told = progress;
        }
        out.flush()?;
        tokio::time::sleep(PAUSE).await;
    }
}

fn newest(operations: &[OperationSeen]) -> Option<&OperationSeen> {
    operations.iter().find(|operation| operation.state == OperationState::InProgress).or(operations.last())
}

/// How far it is, and how long the rest usually takes.
fn progress(operation: &OperationSeen, rows: &[ResourceSeen], registry: &Registry) -> String {
    let kept = |row: &&ResourceSeen| !matches!(row.state, ResourceState::Retained | ResourceState::Abandoned);
    let rows: Vec<&ResourceSeen> = rows.iter().filter(kept).collect();
    let removing = operation.phase == Phase::Undo && operation.kind != OperationKind::Update
        || matches!(operation.kind, OperationKind::Deprovision | OperationKind::Unbind | OperationKind::Cleanup);
    let left = usual(&rows, registry, removing);
    let about = if left.is_zero() { String::new() } else { format!(", usually {} more", span(left.as_secs_f64())) };
    match removing {
        true => format!("{} resources left{about}", rows.len()),
        false => {
            let ready = rows.iter().filter(|row| row.state == ResourceState::Ready).count();
            format!("{ready} of {} resources ready{about}", rows.len())
        }
    }
}

/// The longest chain of what is still to be done, by the usual times of the kinds.
fn usual(rows: &[&ResourceSeen], registry: &Registry, removing: bool) -> Duration {
    let by_key: BTreeMap<&str, &ResourceSeen> = rows.iter().map(|row| (row.key.as_str(), *row)).collect();
    let mut known = BTreeMap::new();
    rows.iter().map(|row| chain(row, &by_key, registry, removing, &mut known)).max().unwrap_or_default()
}

/// The chain that ends with this resource. Removing goes the other way along the same chains.
fn chain<'a>(
    row: &'a ResourceSeen,
    by_key: &BTreeMap<&str, &'a ResourceSeen>,
    registry: &Registry,
    removing: bool,
    known: &mut BTreeMap<&'a str, Duration>,
) -> Duration {
    if let Some(length) = known.get(row.key.as_str()) {
        return *length;
    }
    // A row that depends on itself by mistake ends here, too.
    known.insert(&row.key, Duration::ZERO);
    let before = row.depends_on.iter().filter_map(|key| by_key.get(key.as_str()));
    let before = before.map(|row| chain(row, by_key, registry, removing, known)).max().unwrap_or_default();
    let own = match (registry.kind(&row.kind), removing, row.state) {
        (Some(kind), true, _) => kind.usual_delete,
        (Some(kind), false, state) if state != ResourceState::Ready => kind.usual_create,
        _ => Duration::ZERO,
    };
    known.insert(&row.key, before + own);
    before + own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::registry;

    #[test]
    fn the_estimate_is_the_longest_chain_of_what_is_left() {
        let at = jiff_sqlx::Timestamp::from(jiff::Timestamp::UNIX_EPOCH);
        let row = |key: &str, depends_on: &[&str], state| ResourceSeen {
            uid: crate::osb::Uid::random(),
            key: key.to_owned(),
            kind: "test/queue".to_owned(),
            name: key.to_owned(),
            depends_on: depends_on.iter().map(|key| (*key).to_owned()).collect(),
            state,
            attempts: 0,
            class: None,
            message: None,
            detail: None,
            run_at: at,
            started_at: None,
        };
        let usual_create = registry().kind("test/queue").unwrap().usual_create;
        let rows = [
            row("a", &[], ResourceState::Ready),
            row("b", &["a"], ResourceState::Creating),
            row("c", &["b", "c"], ResourceState::Planned),
            row("d", &["a"], ResourceState::Planned),
        ];
        let rows: Vec<&ResourceSeen> = rows.iter().collect();
        assert_eq!(usual(&rows, &registry(), false), usual_create * 2);
        assert_eq!(usual(&rows, &registry(), true), registry().kind("test/queue").unwrap().usual_delete * 3);
    }
}
