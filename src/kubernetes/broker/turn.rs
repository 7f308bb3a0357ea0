//! A turn over a broker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::core::object::HasStatus;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

use super::catalog::{Problem, offered};
use super::due::{Due, Often, due};
use super::report::{Failure, failed, succeeded};
use super::{delete, sync};
use crate::kubernetes::api::{Backoff, ConditionType, Conditions};
use crate::kubernetes::context::Context;
use crate::kubernetes::finalizer;
use crate::kubernetes::scope::{BrokerObject, Object, Scope};
use crate::kubernetes::turn::{Error, Turn};
use crate::kubernetes::write;
use crate::osb_client::{CatalogAnswer, Headers};

/// The longest pause between two attempts to read a catalog.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// One turn over a broker.
pub async fn reconcile<S: Scope>(broker: Arc<S::Broker>, context: Arc<Context>) -> Turn {
    let context = &*context;
    if broker.meta().deletion_timestamp.is_some() {
        return delete::turn::<S>(context, &broker).await;
    }
    let api = S::Broker::api(context.client.clone(), broker.namespace().as_deref());
    let mut broker = if finalizer::is_put(&*broker) { broker } else { Arc::new(finalizer::put(&api, &*broker).await?) };
    let mut next = next::<S>(context, &broker);
    // What failed for want of a good login need not wait any longer.
    let is_down = broker.status().is_some_and(|status| !status.holds(ConditionType::Ready));
    let renewed = context.clients.may_be_renewed(&broker.uid().unwrap_or_default()) && is_down;
    if renewed {
        next = Due::Read;
    }
    if !matches!(next, Due::Wait(_)) {
        // What the watch has seen may be older than what we wrote ourselves a moment ago.
        broker = Arc::new(api.get(&broker.name_any()).await?);
        next = if renewed { Due::Read } else { self::next::<S>(context, &broker) };
    }
    let tag = match next {
        Due::Wait(None) => return Ok(Action::await_change()),
        Due::Wait(Some(pause)) => return Ok(Action::requeue(pause)),
        Due::Read => None,
        Due::Check(_) => context.tags.get(&broker.uid().unwrap_or_default()),
    };
    let (uid, generation) = (broker.uid().unwrap_or_default(), broker.meta().generation.unwrap_or_default());
    let mut wanted = (*broker).clone();
    match read::<S>(context, &broker, tag.as_deref()).await? {
        Ok(Read::Unchanged) => return Ok(Action::requeue(context.settings.brokers.catalog_check)),
        Ok(Read::Synced { classes, plans, problems }) => {
            for problem in &problems {
                let note = format!("{} is left out: {}", problem.what, problem.why);
                context.events.warning(&*broker, "ReadCatalog", "ErrorSyncingCatalog", note);
            }
            if S::CLUSTER {
                context.metrics.catalog(&broker.name_any(), classes, plans);
            }
            tracing::info!(catalog.classes = classes, catalog.plans = plans, "a catalog was read");
            succeeded(wanted.status_mut().get_or_insert_default(), generation, &problems);
            let told = format!("{classes} classes and {plans} plans");
            context.events.normal(&*broker, "ReadCatalog", "FetchedCatalog", told);
        }
        Err(failure) => {
            context.tags.forget(&uid);
            tracing::warn!("a catalog was not read: {}", failure.message);
            context.events.warning(&*broker, "ReadCatalog", failure.reason, &failure.message);
            let patience = context.settings.work.retry_patience;
            // Nothing tells us that a Secret or the broker was mended: it must not take long until we see it.
            let own = context.backoff();
            let backoff = Backoff { most: own.most.min(LONGEST_PAUSE.max(own.first)), ..own };
            failed(wanted.status_mut().get_or_insert_default(), generation, &failure, backoff, patience);
        }
    }
    // The write wakes the next turn, which finds out how long to wait.
    write::status(&api, &broker, &wanted).await?;
    Ok(Action::requeue(Duration::from_secs(1)))
}

/// The catalog is read anew at once: what is known of it is out of date. One that is read on demand only is the user's.
pub async fn reread<S: Scope>(context: &Context, namespace: Option<&str>, name: &str) -> Result<(), Error> {
    let api = S::Broker::api(context.client.clone(), namespace);
    let Some(broker) = api.get_opt(name).await? else { return Ok(()) };
    let mut wanted = broker.clone();
    if let Some(status) = wanted.status_mut() {
        status.last_catalog_retrieval_time = None;
    }
    context.tags.forget(&broker.uid().unwrap_or_default());
    match write::status(&api, &broker, &wanted).await {
        // Somebody writes it at this moment.
        Err(write::Error::Fenced) => Ok(()),
        done => done.map(drop).map_err(Error::from),
    }
}

/// Whether a broker is to be asked for its catalog.
fn next<S: Scope>(context: &Context, broker: &S::Broker) -> Due {
    let often = Often { read: context.settings.brokers.relist, check: context.settings.brokers.catalog_check };
    let asked = context.tags.asked(&broker.uid().unwrap_or_default());
    let status = broker.status().cloned().unwrap_or_default();
    due(broker.common(), broker.meta().generation.unwrap_or_default(), &status, often, asked)
}

enum Read {
    Unchanged,
    Synced { classes: usize, plans: usize, problems: Vec<Problem> },
}

async fn read<S: Scope>(
    context: &Context,
    broker: &S::Broker,
    tag: Option<&str>,
) -> Result<Result<Read, Failure>, Error> {
    let uid = broker.uid().unwrap_or_default();
    let answer = match context.clients.of(broker).await {
        Ok(reached) => reached.call("catalog", reached.client.catalog(Headers::default(), tag)).await,
        Err(error) => Err(error),
    };
    let (catalog, skipped, etag) = match answer {
        Err(error) => return Ok(Err(Failure::of(error)?)),
        Ok(CatalogAnswer::Unchanged) => {
            context.tags.again(&uid);
            return Ok(Ok(Read::Unchanged));
        }
        Ok(CatalogAnswer::Fresh { catalog, skipped, etag }) => (catalog, skipped, etag),
    };
    let skipped = skipped.into_iter().map(|one| Problem { what: format!("service {}", one.service), why: one.reason });
    let (offered, mut problems) = match offered::<S>(catalog, broker.common().catalog_restrictions.as_ref()) {
        Ok(offered) => offered,
        Err(error) => return Ok(Err(error.into())),
    };
    problems.extend(skipped);
    let begun = Instant::now();
    let synced = sync::sync::<S>(context, broker, offered).await?;
    tracing::debug!(took = ?begun.elapsed(), "classes and plans are written");
    problems.extend(synced.problems);
    context.tags.put(&uid, etag);
    Ok(Ok(Read::Synced { classes: synced.classes, plans: synced.plans, problems }))
}
