//! The command line: one file per verb, and the one place where roles are wired.

mod fit;
mod registry;
mod reload;
mod serve;
mod setup;

pub mod admin;
pub mod catalog;
pub mod controller;
pub mod keys;
pub mod migrate;
pub mod policy;

pub use registry::registry;
pub use setup::vault;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

/// An Open Service Broker for AWS.
#[derive(Debug, Parser)]
#[command(name = "chandlery", version, about, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve the Open Service Broker API and drive operations.
    Serve(Box<Config>),
    /// Bring the database to this version's schema.
    Migrate(migrate::Arguments),
    /// Check the administrator's file, print its JSON Schema, or hash a credential for it.
    #[command(subcommand)]
    Policy(policy::Verb),
    /// Check, show and document offerings; begin a new one.
    #[command(subcommand)]
    Catalog(Box<catalog::Verb>),
    /// Make or exchange a master key; list, rotate, renew and forget the ring keys that it wraps.
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Serve the kinds of servicecatalog.k8s.io in a Kubernetes cluster, over any broker.
    Controller(Box<controller::Arguments>),
    /// See what the broker is doing, and help it where it cannot go on.
    Admin(Box<admin::Arguments>),
}

/// Runs the program. Whatever goes wrong is one line (or a line for each problem) on standard error.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match runtime() {
        Ok(runtime) => runtime.block_on(run(arguments.verb)),
        Err(error) => Err(error),
    };
    match result {
        Ok(status) => status,
        // Whoever reads our output may stop reading: `chandlery admin show … | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chandlery: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // One TLS provider for the whole process, chosen before anything asks for the default.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        anyhow::bail!("a TLS provider is installed already");
    }
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

async fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    let out = &mut std::io::stdout();
    match verb {
        Verb::Serve(config) => serve::run(*config).await?,
        Verb::Migrate(arguments) => migrate::run(arguments).await?,
        Verb::Policy(verb) => policy::run(verb, out).await?,
        Verb::Catalog(verb) => return catalog::run(*verb, out).await,
        Verb::Keys(verb) => keys::run(verb, out).await?,
        Verb::Controller(arguments) => controller::run(*arguments, out).await?,
        Verb::Admin(arguments) => return admin::run(*arguments, out).await,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
