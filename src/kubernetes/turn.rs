//! One turn over one object: how it ends, what is counted and logged of it.
//!
//! A reconciler decides from the object, does **one** thing, writes the status, and says when it wants to be called again.
//! What a broker or a user did wrong is no error here: it is a condition, and the time of the next attempt is in
//! `status.retry`. An error is what kept the turn from writing that down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use kube::runtime::Controller;
use kube::runtime::controller::{Action, Error as RuntimeError};
use kube::{Resource, ResourceExt};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::context::Context;
use super::scope::Object;
use super::write;

/// What kept a turn from its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else has changed the object.
    #[error("another controller has changed the object meanwhile")]
    Fenced,
    /// The API server.
    #[error("the API server: {0}")]
    Api(kube::Error),
    /// This replica does not hold the lease.
    #[error("this replica does not hold the lease")]
    NotLeader,
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Api(error)
    }
}

impl From<write::Error> for Error {
    fn from(error: write::Error) -> Self {
        match error {
            write::Error::Fenced => Self::Fenced,
            write::Error::Api(error) => Self::Api(error),
        }
    }
}

impl Error {
    fn word(&self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Api(error) if write::is_not_found(error) => "gone",
            Self::Api(_) => "api error",
            Self::NotLeader => "not leader",
        }
    }

    /// When the turn is tried again. The pauses of brokers are in the status; these are for the API server.
    fn pause(&self) -> Duration {
        match self {
            Self::Fenced => Duration::from_millis(50),
            Self::Api(error) if write::is_not_found(error) => Duration::from_secs(60),
            Self::Api(_) | Self::NotLeader => Duration::from_secs(3),
        }
    }
}

/// How a turn ends.
pub type Turn = Result<Action, Error>;

/// Runs the controllers of a kind until `stop`; then no turn is begun, and those that run end.
pub async fn drive<K, F, R>(controllers: Vec<Controller<K>>, context: Arc<Context>, stop: CancellationToken, turn: R)
where
    K: Object,
    R: Fn(Arc<K>, Arc<Context>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Turn> + Send + 'static,
{
    let runs = controllers.into_iter().map(|controller| {
        let turn = turn.clone();
        controller
            .graceful_shutdown_on(stop.clone().cancelled_owned())
            .run(move |object, context| watched(object, context, turn.clone()), after_error, Arc::clone(&context))
            .for_each(|result| async move {
                match result {
                    Ok(_) | Err(RuntimeError::ReconcilerFailed(..) | RuntimeError::ObjectNotFound(_)) => {}
                    Err(error) => tracing::warn!(object.kind = %K::kind(&()), "a watch was interrupted: {error}"),
                }
            })
    });
    futures_util::future::join_all(runs).await;
}

async fn watched<K, F, R>(object: Arc<K>, context: Arc<Context>, turn: R) -> Turn
where
    K: Object,
    R: Fn(Arc<K>, Arc<Context>) -> F,
    F: Future<Output = Turn> + Send,
{
    let kind = kind_of::<K>();
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    if context.settings.cluster.ignores(&namespace) {
        return Ok(Action::await_change());
    }
    let span = tracing::info_span!("turn", object.kind = kind, object.namespace = namespace, object.name = name);
    let begun = Instant::now();
    // A lost lease ends all turns from outside; this is for one that would begin at that moment.
    let result = if context.held.is_held() {
        turn(object, Arc::clone(&context)).instrument(span.clone()).await
    } else {
        Err(Error::NotLeader)
    };
    context.metrics.reconcile(kind, result.as_ref().map_or_else(Error::word, |_| "done"), begun.elapsed());
    if let Err(error) = &result {
        span.in_scope(|| match error {
            Error::Api(error) if !write::is_not_found(error) => tracing::warn!("the turn did not end: {error}"),
            error => tracing::debug!("the turn did not end: {error}"),
        });
    }
    result
}

fn after_error<K>(_: Arc<K>, error: &Error, _: Arc<Context>) -> Action {
    Action::requeue(error.pause())
}

/// The kind as a word that lives for ever: a label of metrics.
fn kind_of<K: Resource<DynamicType = ()>>() -> &'static str {
    match K::kind(&()) {
        std::borrow::Cow::Borrowed(kind) => kind,
        std::borrow::Cow::Owned(_) => "unknown",
    }
}
