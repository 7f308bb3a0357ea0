//! The verbs of `chandlery catalog` as the command line has them.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::aws::{Scope, Sessions, Settings, least_privilege};
use crate::cli::registry;
use crate::policy::Policy;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Check every offering: every problem is printed with its place.
    Check(Directory),
    /// Show an offering, or one of its plans, as users meet it.
    Show {
        /// The offering's name; all of them if none.
        offering: Option<String>,
        /// One of its plans.
        #[arg(long, value_name = "NAME")]
        plan: Option<String>,
        /// The catalog as platforms get it, as JSON.
        #[arg(long)]
        json: bool,
        /// Where they are.
        #[command(flatten)]
        directory: Directory,
    },
    /// List the kinds of resources that this build can make, or tell the properties and outputs of one.
    Kinds {
        /// One of them: `s3/bucket`.
        kind: Option<String>,
    },
    /// Write a starter for a new offering; it passes the check as it is.
    New {
        /// The new offering's name.
        name: String,
        /// What it is made of: a kind of this build, `s3/bucket`.
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// Where they are.
        #[command(flatten)]
        directory: Directory,
    },
    /// Print the JSON Schema of the file format, for editors.
    Schema,
    /// Print the offerings as Markdown, for the people who order them.
    Docs(Directory),
    /// Note the ids of new offerings and plans down, so that nobody changes them by mistake.
    Lock(Directory),
    /// Print the IAM policy that the broker needs in a target, and no more than that.
    IamPolicy(IamPolicy),
}

/// Where the offerings are.
#[derive(Debug, Args)]
pub struct Directory {
    /// The directory of offerings, one YAML file each.
    #[arg(long = "catalog", env = "CHANDLERY_CATALOG", default_value = "catalog", value_name = "DIRECTORY")]
    path: PathBuf,
}

/// What the policy is narrowed to.
#[derive(Debug, Args)]
pub struct IamPolicy {
    /// What the names of the broker's resources begin with.
    #[arg(
        long = "prefix",
        visible_alias = "name-prefix",
        env = "CHANDLERY_NAME_PREFIX",
        default_value = "chandlery",
        value_name = "PREFIX"
    )]
    prefix: String,
    /// Account, partition and permissions boundary of this target in the administrator's file.
    #[arg(long, value_name = "NAME", conflicts_with = "account")]
    target: Option<String>,
    /// The administrator's file.
    #[arg(long, env = "CHANDLERY_POLICY", default_value = "policy.yaml", value_name = "FILE")]
    policy: PathBuf,
    /// The 12 digits of the account.
    #[arg(long, value_name = "DIGITS")]
    account: Option<String>,
    /// The second part of every ARN there.
    #[arg(long, default_value = "aws", value_name = "NAME")]
    partition: String,
    /// The permissions boundary that every user made by the broker must carry.
    #[arg(long, value_name = "ARN")]
    permissions_boundary: Option<String>,
}

/// Runs it. No credentials are needed and no call is made: drivers say what they are without either.
pub async fn run(verb: Verb, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let registry = registry(&Sessions::load(Settings::default()).await?);
    let sound = match verb {
        Verb::Check(directory) => super::check(&directory.path, &registry, out)?,
        Verb::Show { offering, plan, json, directory } => {
            super::show(&directory.path, &registry, offering.as_deref(), plan.as_deref(), json, out)?
        }
        Verb::Kinds { kind } => super::kinds(&registry, kind.as_deref(), out)?,
        Verb::New { name, kind, directory } => super::new(&directory.path, &name, kind.as_deref(), &registry, out)?,
        Verb::Schema => {
            super::schema(out)?;
            true
        }
        Verb::Docs(directory) => super::docs(&directory.path, &registry, out)?,
        Verb::Lock(directory) => super::lock(&directory.path, &registry, out)?,
        Verb::IamPolicy(arguments) => {
            writeln!(out, "{:#}", least_privilege(&registry, &scope(arguments)?))?;
            true
        }
    };
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn scope(arguments: IamPolicy) -> anyhow::Result<Scope> {
    let IamPolicy { prefix: name_prefix, target, policy, account, partition, permissions_boundary } = arguments;
    let Some(name) = target else {
        let Some(account) = account else { anyhow::bail!("say for which account: --target NAME, or --account DIGITS") };
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            anyhow::bail!("--account must be the 12 digits of an AWS account");
        }
        return Ok(Scope { partition, account, name_prefix, permissions_boundary });
    };
    let policy = Policy::load(&policy)?;
    let Some(target) = policy.target(&name) else { anyhow::bail!("the administrator's file has no target {name:?}") };
    Ok(Scope {
        partition: target.partition.clone(),
        account: target.account.clone(),
        name_prefix,
        permissions_boundary: permissions_boundary.or_else(|| target.permissions_boundary.clone()),
    })
}
