//! `chandlery admin operations`: what runs, what failed, and why.

use std::io::Write;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::table::{Table, between, or_dash, span};
use crate::store::operator::{self, Filter, Listed};
use crate::store::{OperationKind, OperationState, PgPool, Phase};

/// Which ones.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Of this platform only.
    #[arg(long, value_name = "NAME")]
    pub platform: Option<String>,
    /// In this state only.
    #[arg(long, value_enum, default_value = "in-progress")]
    pub state: Which,
    /// Of this kind only.
    #[arg(long, value_enum)]
    pub kind: Option<Kind>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub limit: u32,
    /// As JSON, for scripts.
    #[arg(long)]
    pub json: bool,
}

/// In which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// Those that run.
    InProgress,
    /// Those that failed, newest first.
    Failed,
    /// All that are remembered.
    All,
}

/// Of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// An instance is made.
    Provision,
    /// An instance is changed.
    Update,
    /// An instance is removed.
    Deprovision,
    /// A binding is made.
    Bind,
    /// A binding is removed.
    Unbind,
    /// Ours: resources are ensured again.
    Refresh,
    /// Ours: what a failed operation left is removed.
    Cleanup,
}

impl From<Kind> for OperationKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Provision => Self::Provision,
            Kind::Update => Self::Update,
            Kind::Deprovision => Self::Deprovision,
            Kind::Bind => Self::Bind,
            Kind::Unbind => Self::Unbind,
            Kind::Refresh => Self::Refresh,
            Kind::Cleanup => Self::Cleanup,
        }
    }
}

/// Prints the list.
pub async fn operations(pool: &PgPool, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<()> {
    let state = match arguments.state {
        Which::InProgress => Some(OperationState::InProgress),
        Which::Failed => Some(OperationState::Failed),
        Which::All => None,
    };
    let filter = Filter {
        platform: arguments.platform.clone(),
        state,
        kind: arguments.kind.map(OperationKind::from),
        limit: i64::from(arguments.limit),
    };
    let now = operator::now(pool).await?.to_jiff();
    let found = operator::list(pool, &filter).await?;
    if arguments.json {
        let list: Vec<Value> = found.iter().map(|operation| as_json(operation, now)).collect();
        writeln!(out, "{:#}", Value::Array(list))?;
        return Ok(());
    }
    let mut table =
        Table::new(["OPERATION", "KIND", "STATE", "AGE", "INSTANCE", "PLATFORM", "OFFERING", "TROUBLE", "DESCRIPTION"]);
    for operation in &found {
        let (id, kind, state) = (operation.id, operation.kind, operation.state);
        let phase = match (kind, operation.phase) {
            (OperationKind::Deprovision | OperationKind::Cleanup, phase) => phase,
            // Nothing is asked before something is made, so it has no phase of its own for that.
            (_, Phase::Check) => Phase::Forward,
            (_, phase) => phase,
        };
        let phase = phase.as_str();
        let state = match (state, operation.overdue) {
            (OperationState::InProgress, true) => format!("{phase}, OVERDUE"),
            (OperationState::InProgress, false) => phase.to_owned(),
            (ended, _) => ended.as_str().to_owned(),
        };
        let instance = match &operation.binding {
            Some(binding) => format!("{} / {binding}", operation.instance),
            None => operation.instance.clone(),
        };
        table.row([
            id.to_string(),
            kind.as_str().to_owned(),
            state,
            span(between(operation.created_at.to_jiff(), now)),
            instance,
            operation.platform.clone(),
            format!("{}/{}", operation.offering, operation.plan),
            trouble(operation),
            operation.description.clone(),
        ]);
    }
    table.write("", out)?;
    let overdue = found.iter().filter(|operation| operation.overdue).count();
    if found.len() as u64 == u64::from(arguments.limit) {
        writeln!(out, "(the first {}; --limit shows more)", arguments.limit)?;
    } else {
        writeln!(out, "({} operations, {overdue} overdue)", found.len())?;
    }
    Ok(())
}

fn trouble(operation: &Listed) -> String {
    match (&operation.class, &operation.worst, operation.attempts) {
        (Some(class), Some(key), Some(attempts)) => format!("{class} x{attempts} {key}"),
        (class, ..) => or_dash(class.as_deref()),
    }
}

fn as_json(operation: &Listed, now: Timestamp) -> Value {
    json!({
        "operation": operation.id,
        "kind": operation.kind.as_str(),
        "state": operation.state.as_str(),
        "phase": operation.phase.as_str(),
        "description": operation.description,
        "owner": operation.owner,
        "platform": operation.platform,
        "instance_id": operation.instance,
        "binding_id": operation.binding,
        "offering": operation.offering,
        "plan": operation.plan,
        "accepted_at": operation.created_at.to_jiff().to_string(),
        "finished_at": operation.finished_at.map(|at| at.to_jiff().to_string()),
        "deadline": operation.deadline.to_jiff().to_string(),
        "age_seconds": between(operation.created_at.to_jiff(), now),
        "overdue": operation.overdue,
        "resource": operation.worst,
        "attempts": operation.attempts,
        "class": operation.class,
    })
}
