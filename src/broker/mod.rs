//! Use cases: one file per verb. Each decides in one transaction and never calls a cloud.
//!
//! What this module guarantees: the checks of a request come in the order that the specification and its checkers expect
//! (`docs/ARCHITECTURE.md` lists it per route); what is accepted is committed before it is answered; the same request again
//! gets the same answer; one platform never sees another's instances.

mod bind;
mod bound;
mod catalog;
mod deprovision;
mod fetch;
mod last_operation;
mod order;
mod parameters;
mod possible;
mod provision;
mod references;
mod unbind;
mod update;
mod upgrade;
mod wait;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
pub use catalog::PublishError;
use futures_util::FutureExt;
use uuid::Uuid;

use crate::catalog::Shelf;
use crate::metrics::Metrics;
use crate::osb::{self, ApiVersion, InstanceId, LastOperation, OperationId, OriginatingIdentity, PlatformName};
use crate::policy::Policy;
use crate::store::poll::Asked;
use crate::store::{self, Gather, Lane, PgPool, Singles, Wake};
use crate::vault::{ExposeSecret, SecretString, Vault};

/// The broker. Clones share everything.
#[derive(Clone)]
pub struct Broker(Arc<Inner>);

struct Inner {
    parts: Parts,
    singles: Arc<Singles>,
    polls: Gather<Asked, store::poll::Polled>,
    fetches: Gather<(PlatformName, InstanceId), store::instance::Fetched>,
    policy: RwLock<Policy>,
    pages: catalog::Pages,
}

/// What the broker works with.
pub struct Parts {
    /// This replica's identity, which its engine shares.
    pub replica: Uuid,
    /// Our database. The broker opens up to as many connections again for single statements.
    pub pool: PgPool,
    /// Seals and unseals.
    pub vault: Vault,
    /// The offerings.
    pub shelf: Shelf,
    /// The bell.
    pub wake: Wake,
    /// Counts what is accepted.
    pub metrics: Arc<Metrics>,
    /// The stem of every name in AWS.
    pub name_prefix: String,
    /// How long a synchronous bind or unbind waits for its end.
    pub sync_wait: Duration,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose credentials were used.
    pub platform: PlatformName,
    /// The version of the API the request speaks.
    pub version: ApiVersion,
    /// The platform's user, where it said.
    pub identity: Option<OriginatingIdentity>,
    /// The request's own name, where it has one.
    pub request_id: Option<String>,
}

/// How a request ends well.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<T> {
    /// 200: it was so already.
    Exists(T),
    /// 201: made by this request.
    Created(T),
    /// 202: being worked on.
    Accepted(T),
    /// 200: done by this request.
    Done(T),
}

/// The catalog as one platform sees it.
#[derive(Clone, Debug)]
pub struct CatalogPage {
    /// The JSON.
    pub body: Bytes,
    /// Changes if and only if the body does.
    pub etag: String,
    /// When this body was first served by this replica.
    pub last_modified: jiff::Timestamp,
}

/// The answer to a poll.
#[derive(Clone, Debug)]
pub struct Polled {
    /// The body.
    pub body: LastOperation,
    /// In how many seconds to ask again.
    pub retry_after: Option<u32>,
}

/// What a request proves itself with.
pub enum Credentials {
    /// `Authorization: Basic`.
    Basic {
        /// The user.
        username: String,
        /// Their password.
        password: SecretString,
    },
    /// `Authorization: Bearer`.
    Bearer(SecretString),
}

impl Broker {
    /// A broker under a policy. Publish a catalog before serving.
    pub fn new(parts: Parts, policy: Policy) -> Self {
        let singles = Arc::new(Singles::beside(&parts.pool));
        let (here, there) = (Arc::clone(&singles), Arc::clone(&singles));
        let polls = Gather::new(move |asked: Vec<Asked>| {
            let db = Arc::clone(&here);
            async move { store::poll::instances(&*db, &asked).await }.boxed()
        });
        let fetches = Gather::new(move |asked: Vec<(PlatformName, InstanceId)>| {
            let db = Arc::clone(&there);
            async move { store::instance::fetch(&*db, &asked).await }.boxed()
        });
        Self(Arc::new(Inner {
            parts,
            singles,
            polls,
            fetches,
            policy: RwLock::new(policy),
            pages: catalog::Pages::default(),
        }))
    }

    /// Whose credentials these are.
    pub fn authenticate(&self, credentials: &Credentials) -> Option<PlatformName> {
        let policy = self.0.policy.read().unwrap_or_else(PoisonError::into_inner);
        match credentials {
            Credentials::Basic { username, password } => policy.authenticate(username, password.expose_secret()),
            Credentials::Bearer(token) => policy.authenticate_bearer(token.expose_secret()),
        }
        .cloned()
    }

    /// Puts another version of the administrator's file in force.
    pub fn set_policy(&self, policy: Policy) {
        *self.0.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
        self.0.pages.clear();
    }

    /// The administrator's file in force.
    pub fn policy(&self) -> Policy {
        self.0.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections for single statements are open, and how many of them unused.
    pub fn connections(&self) -> (usize, usize) {
        (self.singles().size(), self.singles().idle())
    }

    /// What is not ready, if anything.
    pub async fn ready(&self) -> Result<(), Vec<String>> {
        let mut missing = Vec::new();
        match store::pending_migrations(self.pool()).await {
            Ok(pending) if pending.is_empty() => {}
            Ok(pending) => missing.push(format!("migrations are pending: {}", pending.join(", "))),
            Err(_) => missing.push("the database does not answer".to_owned()),
        }
        if self.0.parts.shelf.current().offerings().is_empty() {
            missing.push("the catalog is empty".to_owned());
        }
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }

    fn pool(&self) -> &PgPool {
        &self.0.parts.pool
    }

    fn singles(&self) -> &Singles {
        &self.0.singles
    }

    fn vault(&self) -> &Vault {
        &self.0.parts.vault
    }

    fn shelf(&self) -> &Shelf {
        &self.0.parts.shelf
    }

    fn prefix(&self) -> &str {
        &self.0.parts.name_prefix
    }

    /// An operation was committed.
    fn accepted(&self, kind: store::OperationKind, lane: Lane, offering: &str) {
        self.0.parts.metrics.operation_accepted(kind.as_str(), offering);
        match kind {
            // They may have taken the place of another.
            store::OperationKind::Deprovision | store::OperationKind::Unbind | store::OperationKind::Update => {
                self.0.parts.wake.overtaken(lane)
            }
            _ => self.0.parts.wake.work(lane),
        }
    }
}

impl Caller {
    /// For the operation's row.
    fn actor(&self) -> Option<serde_json::Value> {
        let identity = self.identity.as_ref()?;
        Some(serde_json::json!({ "platform": identity.platform, "user": identity.user() }))
    }
}

/// A failure behind a use case: logged here, once, and told to the platform without its details.
fn failed(error: store::Error) -> osb::Error {
    if error.is_transient() {
        tracing::warn!(error = &error as &dyn std::error::Error, "the database cannot be used");
        return osb::Error::unavailable("The broker's database cannot be reached at this moment.", Some(5));
    }
    tracing::error!(error = &error as &dyn std::error::Error, "a use case failed");
    osb::Error::Internal
}

/// A sealed value that does not open, or a revision that does not compile: a defect or a wrong key.
fn broken(what: &str, error: &dyn std::fmt::Display) -> osb::Error {
    tracing::error!(%error, "{what}");
    osb::Error::Internal
}

impl From<store::Error> for osb::Error {
    fn from(error: store::Error) -> Self {
        failed(error)
    }
}

/// The text that names an operation to platforms.
fn named(id: OperationId) -> Option<String> {
    Some(id.to_string())
}

/// An operation's name, read back: any text may come, so one that is none of ours is none.
fn read_named(text: Option<&str>) -> Option<OperationId> {
    text.and_then(|text| uuid::Uuid::parse_str(text).ok()).map(OperationId::from)
}
