//! Takes over changes of catalog and policy while the broker runs.
//!
//! Files are looked at every few seconds, by content: a ConfigMap's files are symbolic links that are exchanged, which
//! neither modification times nor file events tell reliably. A broken file is refused with file, line and reason while
//! what runs goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::fit;
use crate::broker::Broker;
use crate::catalog::Catalog;
use crate::config;
use crate::driver::Registry;
use crate::metrics::Metrics;
use crate::policy::Policy;

/// Watches for ever.
pub async fn watch(broker: Broker, registry: Registry, files: config::Catalog, metrics: Arc<Metrics>) {
    let mut catalog_seen = fingerprint(&files.catalog);
    let mut policy_seen = fingerprint(&files.policy);
    loop {
        tokio::time::sleep(files.reload_interval).await;
        let now = fingerprint(&files.policy);
        if now != policy_seen {
            policy_seen = now;
            metrics.reload("policy", take_policy(&broker, &files.policy));
        }
        let now = fingerprint(&files.catalog);
        if now != catalog_seen {
            let loaded = take_catalog(&broker, &files.catalog, &registry).await;
            metrics.reload("catalog", loaded.unwrap_or(false));
            // One that could not be recorded is tried again; one that is broken waits for its next change.
            if loaded.is_some() {
                catalog_seen = now;
            }
        }
    }
}

fn take_policy(broker: &Broker, file: &Path) -> bool {
    match Policy::load(file) {
        Ok(policy) => {
            warn(&policy, &broker.offered());
            broker.set_policy(policy);
            tracing::info!(file = %file.display(), "took over the changed policy");
            true
        }
        Err(problems) => {
            tracing::error!("the changed policy is refused; the one before stays in force:\n{problems}");
            false
        }
    }
}

async fn take_catalog(broker: &Broker, directory: &Path, registry: &Registry) -> Option<bool> {
    let catalog = match Catalog::load(directory, registry) {
        Ok(catalog) => catalog,
        Err(problems) => {
            tracing::error!("the changed catalog is refused; the one before stays in force:\n{problems}");
            return Some(false);
        }
    };
    // A mount that has not appeared yet, or a slip. Every replica would stop being ready at once, for orders and all else.
    if catalog.offerings().is_empty() && !broker.offered().offerings().is_empty() {
        tracing::error!(
            "the changed catalog is refused; the one before stays in force: {} holds no offering any more. To offer nothing to \
             a platform, say so in the administrator's file (`offerings: []`)",
            directory.display()
        );
        return Some(false);
    }
    match broker.publish(catalog.clone()).await {
        Ok(()) => {
            warn(&broker.policy(), &catalog);
            tracing::info!(directory = %directory.display(), "took over the changed catalog");
            Some(true)
        }
        Err(error) => {
            tracing::warn!(%error, "the changed catalog could not be recorded; it is tried again");
            tokio::time::sleep(Duration::from_secs(1)).await;
            None
        }
    }
}

fn warn(policy: &Policy, catalog: &Catalog) {
    fit::warnings(policy, catalog).iter().for_each(|warning| tracing::warn!("{warning}"));
}

/// The contents of a file, or of a directory's files with their names. What cannot be read counts as nothing.
fn fingerprint(path: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(path) else {
        return std::fs::read(path).map(|content| vec![(String::new(), content)]).unwrap_or_default();
    };
    let mut files: Vec<_> = entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, std::fs::read(entry.path()).ok()?)))
        .filter(|(name, _)| !name.starts_with('.'))
        .collect();
    files.sort();
    files
}
