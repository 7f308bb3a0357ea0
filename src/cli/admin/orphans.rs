//! `chandlery admin orphans`: AWS and our rows, compared.
//!
//! A row is committed before the first call that makes its thing, and goes after the thing has gone. So what stands in no
//! row, neither before AWS was asked nor after, is nobody's; and a thing that AWS did not show although its row said "ready"
//! before and after is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::table::{Table, clean, or_dash};
use crate::catalog::identity::SLUG_RANDOM;
use crate::driver::{Context, Driver, Fault, Found, Handle, Registry, Target};
use crate::osb::Uid;
use crate::policy::Policy;
use crate::store::operator::{self, Thing};
use crate::store::{PgPool, ResourceState};

/// Where to look.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// In this target of the administrator's file only.
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    /// The administrator's file.
    #[arg(long, env = "CHANDLERY_POLICY", default_value = "policy.yaml", value_name = "FILE")]
    pub policy: PathBuf,
    /// What the names of the broker's resources begin with.
    #[arg(long, env = "CHANDLERY_NAME_PREFIX", default_value = "chandlery", value_name = "PREFIX")]
    pub name_prefix: String,
    /// As JSON, for scripts.
    #[arg(long)]
    pub json: bool,
}

/// How the comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// AWS and rows agree.
    Clean,
    /// They do not.
    Found,
    /// Something could not be looked at.
    Incomplete,
}

/// By account, kind and name: an account may be several targets.
type Strays = BTreeMap<(String, String, String), Stray>;

/// A thing that no row knows.
struct Stray {
    targets: BTreeSet<String>,
    owner: Option<String>,
}

#[derive(Default)]
struct Report {
    strays: Strays,
    /// What only begins like ours: another broker's whose prefix begins with ours, or a person's.
    alike: Strays,
    missing: Vec<Thing>,
    kept: Vec<Thing>,
    failures: Vec<String>,
    unseen: usize,
    unlisted: usize,
}

const FOOTNOTE: &str = "Bindings in mode `role` are a policy on somebody else's role: AWS offers no list of those that would not \
take the right to read all of the account's IAM, so they are compared in neither direction.";

/// Compares and prints.
pub async fn orphans(
    pool: &PgPool,
    registry: &Registry,
    policy: &Policy,
    arguments: &Arguments,
    out: &mut impl Write,
) -> anyhow::Result<Verdict> {
    let chosen = |target: &&crate::policy::Target| arguments.target.as_ref().is_none_or(|name| *name == target.name);
    let mut targets = Vec::new();
    for target in policy.targets().filter(chosen) {
        let target: Target = serde_json::to_value(target)
            .and_then(serde_json::from_value)
            .with_context(|| format!("the target {} cannot be read", target.name))?;
        targets.push(target);
    }
    if let (Some(name), true) = (&arguments.target, targets.is_empty()) {
        anyhow::bail!("the administrator's file has no target {}", clean(name));
    }
    let before = operator::things(pool).await?;
    let prefix = format!("{}-", arguments.name_prefix);
    let seen = look(registry, &targets, &prefix).await;
    let after = operator::things(pool).await?;
    let report = compare(registry, &targets, &prefix, seen, &before, &after);
    if arguments.json {
        writeln!(out, "{:#}", report.json())?;
    } else {
        report.print(&prefix, out)?;
    }
    Ok(match () {
        () if !report.failures.is_empty() => Verdict::Incomplete,
        () if report.strays.is_empty() && report.missing.is_empty() => Verdict::Clean,
        () => Verdict::Found,
    })
}

/// A kind in a target, and what there is of it.
type Looked<'a> = (&'a Target, String, Result<Vec<Found>, Fault>);

async fn look<'a>(registry: &Registry, targets: &'a [Target], prefix: &str) -> Vec<Looked<'a>> {
    let kinds: Vec<String> = registry.kinds().map(|kind| kind.name.to_owned()).collect();
    let mut looked = Vec::new();
    // The kinds of a target at the same time, the targets one after the other: gentle to accounts with many things.
    for target in targets {
        let found =
            kinds.iter().filter_map(|kind| Some((kind, registry.get(kind)?))).map(|(kind, driver)| async move {
                let context = Context {
                    target: target.clone(),
                    owner: Uid::random(),
                    name: String::new(),
                    token: String::new(),
                    tags: BTreeMap::new(),
                    first: false,
                };
                (target, kind.clone(), driver.inventory(&context, prefix).await)
            });
        looked.extend(join_all(found).await);
    }
    looked
}

fn compare(
    registry: &Registry,
    targets: &[Target],
    prefix: &str,
    seen: Vec<Looked<'_>>,
    before: &[Thing],
    after: &[Thing],
) -> Report {
    let known: BTreeSet<(&str, &str, &str)> = before
        .iter()
        .chain(after)
        .map(|thing| (thing.account.as_str(), thing.kind.as_str(), thing.name.as_str()))
        .collect();
    let mut report = Report::default();
    let mut there = BTreeSet::new();
    let mut looked = BTreeSet::new();
    for (target, kind, found) in seen {
        let found = match found {
            Ok(found) => found,
            Err(fault) => {
                let detail = fault.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
                report.failures.push(format!("{kind} in {}: {}{detail}", target.name, fault.message));
                continue;
            }
        };
        looked.insert((target.account.clone(), target.region.clone(), kind.clone()));
        for Found { name, owner } in found {
            if !known.contains(&(target.account.as_str(), kind.as_str(), name.as_str())) {
                let key = (target.account.clone(), kind.clone(), name.clone());
                let strays = if is_ours(&name, prefix) { &mut report.strays } else { &mut report.alike };
                let stray = strays.entry(key).or_insert_with(|| Stray { targets: BTreeSet::new(), owner });
                stray.targets.insert(target.name.clone());
            }
            there.insert((target.account.clone(), kind.clone(), name));
        }
    }
    let still: BTreeMap<Uid, ResourceState> = after.iter().map(|thing| (thing.uid, thing.state)).collect();
    let is_listed = |thing: &Thing| {
        let handle = thing.handle.clone().map(Handle);
        registry.get(&thing.kind).is_none_or(|driver: &std::sync::Arc<dyn Driver>| driver.is_listed(handle.as_ref()))
    };
    for thing in before {
        let Some(state) = still.get(&thing.uid) else { continue };
        let place = (thing.account.clone(), thing.region.clone(), thing.kind.clone());
        let in_sight = targets.iter().any(|target| target.account == thing.account && target.region == thing.region);
        let exists = there.contains(&(thing.account.clone(), thing.kind.clone(), thing.name.clone()));
        match state {
            _ if !in_sight => report.unseen += 1,
            // Gone is what has been looked for and not found.
            ResourceState::Retained | ResourceState::Abandoned if exists || !looked.contains(&place) => {
                report.kept.push(Thing { state: *state, ..thing.clone() });
            }
            ResourceState::Retained | ResourceState::Abandoned => {}
            _ if !is_listed(thing) => report.unlisted += 1,
            ResourceState::Ready if thing.state == ResourceState::Ready && !exists && looked.contains(&place) => {
                report.missing.push(thing.clone());
            }
            _ => {}
        }
    }
    report
}

/// Whether the name has the form that a broker of this prefix gives.
fn is_ours(name: &str, prefix: &str) -> bool {
    let random = name.strip_prefix(prefix).and_then(|rest| rest.as_bytes().get(..SLUG_RANDOM));
    random.is_some_and(|random| random.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')))
}

impl Stray {
    /// What it looks like, for those who have to decide about it.
    fn about(&self) -> String {
        match &self.owner {
            Some(owner) => format!("made by a broker for owner {owner}"),
            None => "has no owner tag".to_owned(),
        }
    }
}

impl Report {
    fn print(&self, prefix: &str, out: &mut impl Write) -> anyhow::Result<()> {
        if self.strays.is_empty() {
            writeln!(out, "AWS has nothing named {prefix}* that no row knows.")?;
        } else {
            writeln!(out, "In AWS, and no row knows it ({}):", self.strays.len())?;
            stray_table(&self.strays).write("  ", out)?;
        }
        if !self.alike.is_empty() {
            writeln!(
                out,
                "Only its prefix is ours ({}), perhaps not a broker's at all, not counted:",
                self.alike.len()
            )?;
            stray_table(&self.alike).write("  ", out)?;
        }
        if self.missing.is_empty() {
            writeln!(out, "AWS has everything that is ready.")?;
        } else {
            writeln!(out, "Ready by its row, and AWS does not have it ({}):", self.missing.len())?;
            things(&self.missing).write("  ", out)?;
        }
        if !self.kept.is_empty() {
            writeln!(out, "Left in AWS on purpose ({}), not counted:", self.kept.len())?;
            things(&self.kept).write("  ", out)?;
        }
        for failure in &self.failures {
            writeln!(out, "NOT LOOKED AT: {}", clean(failure))?;
        }
        if self.unseen > 0 {
            writeln!(out, "{} rows are in accounts or regions that were not looked at.", self.unseen)?;
        }
        if self.unlisted > 0 {
            writeln!(out, "{} rows were not compared. {FOOTNOTE}", self.unlisted)?;
        } else {
            writeln!(out, "{FOOTNOTE}")?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let list = |things: &[Thing]| -> Vec<Value> {
            things
                .iter()
                .map(|thing| {
                    json!({
                        "uid": thing.uid, "kind": thing.kind, "name": thing.name, "state": thing.state.as_str(),
                        "account": thing.account, "region": thing.region, "owner": thing.owner,
                        "platform": thing.platform, "instance_id": thing.instance, "binding_id": thing.binding,
                    })
                })
                .collect()
        };
        let strays = |strays: &Strays| -> Vec<Value> {
            strays
                .iter()
                .map(|((account, kind, name), stray)| {
                    json!({
                        "account": account, "kind": kind, "name": name, "targets": stray.targets, "owner": stray.owner,
                        "about": stray.about(),
                    })
                })
                .collect()
        };
        json!({
            "unknown_in_aws": strays(&self.strays),
            "only_prefix_is_ours": strays(&self.alike),
            "missing_in_aws": list(&self.missing),
            "left_on_purpose": list(&self.kept),
            "not_looked_at": self.failures,
            "rows_elsewhere": self.unseen,
            "rows_not_comparable": self.unlisted,
            "note": FOOTNOTE,
        })
    }
}

fn stray_table(strays: &Strays) -> Table {
    let mut table = Table::new(["KIND", "NAME", "ACCOUNT", "TARGET", "ABOUT IT"]);
    for ((account, kind, name), stray) in strays {
        let targets: Vec<&str> = stray.targets.iter().map(String::as_str).collect();
        table.row([kind.clone(), name.clone(), account.clone(), targets.join(", "), stray.about()]);
    }
    table
}

fn things(list: &[Thing]) -> Table {
    let mut table = Table::new(["KIND", "NAME", "STATE", "PLACE", "PLATFORM", "INSTANCE", "BINDING"]);
    for thing in list {
        table.row([
            thing.kind.clone(),
            thing.name.clone(),
            thing.state.as_str().to_owned(),
            format!("{}/{}", thing.account, thing.region),
            thing.platform.clone(),
            thing.instance.clone(),
            or_dash(thing.binding.as_deref()),
        ]);
    }
    table
}
