//! `chandlery controller`: serves the kinds of `servicecatalog.k8s.io` in a cluster, over any broker.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use super::serve::stop_on_signal;
use crate::config;
use crate::http::{self, Server};
use crate::kubernetes::{Controllers, crds};
use crate::metrics::ControllerMetrics;
use crate::telemetry;

/// The controller, or what it needs in a cluster.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    settings: config::Controller,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the CustomResourceDefinitions, for `kubectl apply --server-side -f -`.
    Crds {
        /// Write one file for each of them there instead.
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
}

/// Runs it.
pub async fn run(arguments: Arguments, out: &mut impl Write) -> anyhow::Result<()> {
    match arguments.verb {
        None => control(arguments.settings).await,
        Some(Verb::Crds { directory: None }) => {
            for crd in crds::printed()? {
                write!(out, "---\n{}", crd.yaml)?;
            }
            Ok(())
        }
        Some(Verb::Crds { directory: Some(directory) }) => {
            for crd in crds::printed()? {
                let file = directory.join(format!("{}.yaml", crd.name));
                std::fs::write(&file, crd.yaml).with_context(|| format!("{} cannot be written", file.display()))?;
            }
            Ok(())
        }
    }
}

async fn control(settings: config::Controller) -> anyhow::Result<()> {
    telemetry::init(&settings.telemetry.log, settings.telemetry.log_format)?;
    if let Some(problem) = settings.problem() {
        anyhow::bail!(problem);
    }
    let (address, grace) = (settings.work.listen, settings.work.grace);
    let metrics = ControllerMetrics::new();
    let server = Server::bind(address, http::Settings { grace, ..http::Settings::default() }, None).await;
    let server = server.with_context(|| format!("{address} cannot be listened on"))?;
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    let controllers = Controllers::connect(settings, metrics.clone()).await?;
    let health = controllers.health();
    let probes = http::health(Arc::new(move || health.ready()), Arc::new(move || metrics.render()));
    // The probes outlive the work: a pod that winds down is still asked.
    let closed = CancellationToken::new();
    tracing::info!(address = %server.address()?, "probes and metrics are served");
    let probes = tokio::spawn(server.run(probes, closed.clone()));
    controllers.run(stop).await;
    closed.cancel();
    let _ = probes.await;
    tracing::info!("stopped");
    Ok(())
}
