//! `chandlery admin show`: one instance or binding with everything that was done for it. Sealed values are not opened.

use std::io::Write;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::find;
use super::table::{Table, between, clean, or_dash, span, utc, when};
use crate::store::event::{self, Event};
use crate::store::operator::{self, Bound, OperationSeen, OwnerSeen, ResourceSeen};
use crate::store::{PgPool, ResourceState};

/// Of whom.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// An operation, an instance or binding (our uid or the platform's id), or the name of a resource in AWS.
    pub id: String,
    /// How many of the newest events are shown.
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub events: usize,
    /// As JSON, for scripts.
    #[arg(long)]
    pub json: bool,
}

struct Seen {
    now: Timestamp,
    owner: OwnerSeen,
    operations: Vec<OperationSeen>,
    resources: Vec<ResourceSeen>,
    bindings: Vec<Bound>,
    events: Vec<Event>,
    /// How many older events are not shown.
    older: usize,
}

/// Prints it.
pub async fn show(pool: &PgPool, arguments: &Arguments, out: &mut impl Write) -> anyhow::Result<()> {
    let uid = find::one(pool, &arguments.id).await?.owner;
    let owner = operator::owner(pool, uid).await?;
    let owner = owner.ok_or_else(|| anyhow::anyhow!("{uid} was forgotten at this moment"))?;
    let mut events = event::of_owner(pool, uid, 0, i64::MAX).await?;
    let older = events.len().saturating_sub(arguments.events);
    events.drain(..older);
    let seen = Seen {
        now: operator::now(pool).await?.to_jiff(),
        operations: operator::operations(pool, uid).await?,
        resources: operator::rows(pool, uid).await?,
        bindings: operator::bindings(pool, uid).await?,
        owner,
        events,
        older,
    };
    if arguments.json {
        writeln!(out, "{:#}", seen.json())?;
        return Ok(());
    }
    seen.head(out)?;
    seen.tables(out)?;
    seen.log(out)
}

impl Seen {
    fn head(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let (owner, now) = (&self.owner, self.now);
        writeln!(out, "{} {}: {}", owner.kind.as_str(), owner.uid, owner.state.as_str())?;
        let mut line = |name: &str, value: Option<String>| match value {
            Some(value) if !value.is_empty() => writeln!(out, "  {name:12}  {}", clean(&value)),
            _ => Ok(()),
        };
        line("platform", Some(owner.platform.clone()))?;
        let uid = owner.binding_id.as_ref().map(|_| format!(" (uid {})", owner.instance)).unwrap_or_default();
        line("instance id", Some(format!("{}{uid}", owner.instance_id)))?;
        line("binding id", owner.binding_id.clone())?;
        line("name", owner.instance_name.clone())?;
        line("offering", Some(format!("{}/{}, revision {}", owner.offering, owner.plan, short(&owner.revision))))?;
        line("target", Some(format!("{} ({})", or_dash(owner.target.as_deref()), owner.place)))?;
        line("organization", Some(owner.organization.clone()))?;
        line("space", Some(owner.space.clone()))?;
        line("namespace", owner.namespace.clone())?;
        line("ordered", Some(when(owner.created_at.to_jiff(), now)))?;
        line("deleted", owner.deleted_at.map(|at| when(at.to_jiff(), now)))?;
        let turn = match (owner.lease_until.map(|until| until.to_jiff()), owner.run_at.map(|at| at.to_jiff())) {
            (Some(until), _) if until > now => format!("under way, its lease lasts {} more", span(between(now, until))),
            (Some(until), _) => format!("lost: its lease ended {} ago", span(between(until, now))),
            (None, Some(due)) if due > now => format!("due in {}", span(between(now, due))),
            (None, Some(due)) => format!("due since {}", span(between(due, now))),
            (None, None) => "none to come".to_owned(),
        };
        line("next turn", Some(format!("{turn} (epoch {})", owner.epoch)))?;
        Ok(())
    }

    fn tables(&self, out: &mut impl Write) -> anyhow::Result<()> {
        writeln!(out, "\noperations")?;
        let mut table = Table::new(["OPERATION", "KIND", "STATE", "PHASE", "CLASS", "ACCEPTED", "TOOK", "DESCRIPTION"]);
        for operation in &self.operations {
            let began = operation.created_at.to_jiff();
            let end = operation.finished_at.map(|at| at.to_jiff());
            let overdue = end.is_none() && operation.deadline.to_jiff() < self.now;
            table.row([
                operation.id.to_string(),
                operation.kind.as_str().to_owned(),
                format!("{}{}", operation.state.as_str(), if overdue { ", OVERDUE" } else { "" }),
                operation.phase.as_str().to_owned(),
                or_dash(operation.class.as_deref()),
                when(began, self.now),
                span(between(began, end.unwrap_or(self.now))),
                operation.description.clone(),
            ]);
        }
        table.write("  ", out)?;

        writeln!(out, "\nresources")?;
        let mut table = Table::new(["KEY", "KIND", "NAME", "STATE", "FAULTS", "NEXT TRY", "UID"]);
        for row in &self.resources {
            let faults = match &row.class {
                Some(class) => format!("{class} x{}", row.attempts),
                None => "-".to_owned(),
            };
            table.row([
                row.key.clone(),
                row.kind.clone(),
                row.name.clone(),
                row.state.as_str().to_owned(),
                faults,
                self.next_try(row),
                row.uid.to_string(),
            ]);
        }
        table.write("  ", out)?;
        for row in &self.resources {
            if let Some(message) = &row.message {
                // Most sentences of the engine begin with the resource already.
                let named = message.starts_with(&row.key.replace('_', " "));
                let subject = if named { String::new() } else { format!("{}: ", clean(&row.key)) };
                writeln!(out, "  {subject}{}", clean(message))?;
            }
            if let Some(detail) = &row.detail {
                writeln!(out, "  {}: AWS said: {}", clean(&row.key), clean(detail))?;
            }
        }

        if !self.bindings.is_empty() {
            writeln!(out, "\nbindings")?;
            let mut table = Table::new(["UID", "BINDING ID", "STATE", "RUNS", "ORDERED"]);
            for binding in &self.bindings {
                table.row([
                    binding.uid.to_string(),
                    binding.id.clone(),
                    binding.state.as_str().to_owned(),
                    or_dash(binding.live.map(|kind| kind.as_str())),
                    when(binding.created_at.to_jiff(), self.now),
                ]);
            }
            table.write("  ", out)?;
        }
        Ok(())
    }

    fn next_try(&self, row: &ResourceSeen) -> String {
        let at = row.run_at.to_jiff();
        match row.state {
            ResourceState::Ready | ResourceState::Retained | ResourceState::Abandoned => "-".to_owned(),
            _ if at > self.now => format!("in {}", span(between(self.now, at))),
            _ => "now".to_owned(),
        }
    }

    fn log(&self, out: &mut impl Write) -> anyhow::Result<()> {
        writeln!(out, "\nevents")?;
        if self.older > 0 {
            writeln!(out, "  ({} older ones; --events N shows more)", self.older)?;
        }
        let mut table = Table::new(["TIME", "OPERATION", "WHO", "WHAT", "TOOK", "MESSAGE"]);
        for event in &self.events {
            let kind = self.operations.iter().find(|operation| operation.id.uuid() == event.operation);
            let mut message = event.message.clone();
            if let Some(detail) = &event.detail {
                message = format!("{message} [{detail}]");
            }
            table.row([
                utc(event.at.to_jiff()),
                kind.map_or_else(|| event.operation.to_string(), |operation| operation.kind.as_str().to_owned()),
                event.actor.clone(),
                event.what.clone(),
                event.took_ms.map_or_else(|| "-".to_owned(), |took| span(took as f64 / 1000.0)),
                message,
            ]);
        }
        table.write("  ", out)?;
        Ok(())
    }

    fn json(&self) -> Value {
        let owner = &self.owner;
        let time = |at: Option<jiff_sqlx::Timestamp>| at.map(|at| at.to_jiff().to_string());
        json!({
            "now": self.now.to_string(),
            "uid": owner.uid,
            "kind": owner.kind.as_str(),
            "state": owner.state.as_str(),
            "platform": owner.platform,
            "instance": owner.instance,
            "instance_id": owner.instance_id,
            "binding_id": owner.binding_id,
            "instance_name": owner.instance_name,
            "offering": owner.offering,
            "plan": owner.plan,
            "revision": owner.revision,
            "target": owner.target,
            "place": owner.place,
            "organization": owner.organization,
            "space": owner.space,
            "namespace": owner.namespace,
            "ordered_at": time(Some(owner.created_at)),
            "deleted_at": time(owner.deleted_at),
            "epoch": owner.epoch,
            "due_at": time(owner.run_at),
            "lease_until": time(owner.lease_until),
            "operations": self.operations.iter().map(|operation| json!({
                "operation": operation.id,
                "kind": operation.kind.as_str(),
                "state": operation.state.as_str(),
                "phase": operation.phase.as_str(),
                "class": operation.class,
                "description": operation.description,
                "accepted_at": time(Some(operation.created_at)),
                "deadline": time(Some(operation.deadline)),
                "finished_at": time(operation.finished_at),
            })).collect::<Vec<_>>(),
            "resources": self.resources.iter().map(|row| json!({
                "uid": row.uid,
                "key": row.key,
                "kind": row.kind,
                "name": row.name,
                "state": row.state.as_str(),
                "attempts": row.attempts,
                "class": row.class,
                "message": row.message,
                "detail": row.detail,
                "next_try_at": time(Some(row.run_at)),
                "step_began_at": time(row.started_at),
            })).collect::<Vec<_>>(),
            "bindings": self.bindings.iter().map(|binding| json!({
                "uid": binding.uid,
                "binding_id": binding.id,
                "state": binding.state.as_str(),
                "runs": binding.live.map(|kind| kind.as_str()),
                "ordered_at": time(Some(binding.created_at)),
            })).collect::<Vec<_>>(),
            "events": self.events.iter().map(|event| json!({
                "at": time(Some(event.at)),
                "operation": event.operation,
                "actor": event.actor,
                "what": event.what,
                "resource": event.resource,
                "message": event.message,
                "detail": event.detail,
                "took_ms": event.took_ms,
            })).collect::<Vec<_>>(),
            "older_events": self.older,
        })
    }
}

/// Enough of a digest to tell revisions apart.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
