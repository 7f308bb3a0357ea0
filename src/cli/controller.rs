//! `chandlery controller`: serves the kinds of `servicecatalog.k8s.io` in a cluster, over any broker.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use super::serve::stop_on_signal;
use crate::config;
use crate::http::{self, Server};
use crate::kubernetes::crds::{self, Applied};
use crate::kubernetes::{Controllers, admission};
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
    Crds(Crds),
}

#[derive(Debug, Args)]
struct Crds {
    /// Write one file for each of them there instead.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,

    /// Bring those of the cluster to this version's instead. None is ever deleted.
    #[arg(long, conflicts_with = "directory")]
    apply: bool,

    /// A kubeconfig; without one the service account of the pod, else the user's own kubeconfig.
    #[arg(long, env = "CHANDLERY_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

/// Runs it.
pub async fn run(arguments: Arguments, out: &mut impl Write) -> anyhow::Result<()> {
    match arguments.verb {
        None => control(arguments.settings).await,
        Some(Verb::Crds(crds)) => define(crds, out).await,
    }
}

async fn define(arguments: Crds, out: &mut impl Write) -> anyhow::Result<()> {
    if arguments.apply {
        for (name, applied) in crds::apply(arguments.kubeconfig.as_deref()).await? {
            writeln!(out, "{name}: {}", word(applied))?;
        }
        return Ok(());
    }
    for crd in crds::printed()? {
        match &arguments.directory {
            None => write!(out, "---\n{}", crd.yaml)?,
            Some(directory) => {
                let file = directory.join(format!("{}.yaml", crd.name));
                std::fs::write(&file, crd.yaml).with_context(|| format!("{} cannot be written", file.display()))?;
            }
        }
    }
    Ok(())
}

fn word(applied: Applied) -> &'static str {
    match applied {
        Applied::Created => "created",
        Applied::Changed => "changed",
        Applied::Current => "is current",
    }
}

/// What the API server asks about orders, if that is wanted.
async fn webhook(settings: &config::Webhook, grace: Duration) -> anyhow::Result<Option<(Server, http::Router)>> {
    let (Some(address), Some(cert), Some(key)) =
        (settings.webhook_listen, &settings.webhook_cert, &settings.webhook_key)
    else {
        return Ok(None);
    };
    let tls = http::Tls::from_files(cert.clone(), key.clone()).context("the webhook's certificate cannot be read")?;
    let server = Server::bind(address, http::Settings { grace, ..http::Settings::default() }, Some(tls)).await;
    let server = server.with_context(|| format!("{address} cannot be listened on"))?;
    let own = settings.webhook_user.clone().unwrap_or_default();
    tracing::info!(address = %server.address()?, "the admission webhook is served");
    Ok(Some((server, http::webhook("/identity", Arc::new(move |body| admission::review(body, &own))))))
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
    let webhook = webhook(&settings.webhook, grace).await?;
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    let controllers = Controllers::connect(settings, metrics.clone()).await?;
    let health = controllers.health();
    let probes = http::health(Arc::new(move || health.ready()), Arc::new(move || metrics.render()));
    // The probes outlive the work: a pod that winds down is still asked.
    let closed = CancellationToken::new();
    tracing::info!(address = %server.address()?, "probes and metrics are served");
    let probes = tokio::spawn(server.run(probes, closed.clone()));
    let webhook = webhook.map(|(server, router)| tokio::spawn(server.run(router, closed.clone())));
    controllers.run(stop).await;
    closed.cancel();
    let _ = probes.await;
    if let Some(webhook) = webhook {
        let _ = webhook.await;
    }
    tracing::info!("stopped");
    Ok(())
}
