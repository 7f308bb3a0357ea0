//! Durable operations: drives rows from `in progress` to an end.
//!
//! What this module guarantees (DESIGN's list; `docs/ARCHITECTURE.md` tells it at length):
//!
//! 1. The row with a thing's name is committed before the first call that makes it ([`act`]).
//! 2. Waits are `run_at` columns; a turn that has nothing to do hands its lease back ([`turn`]).
//! 3. One worker acts for an owner at a time, every write is conditional on its epoch, and no call outlives its lease
//!    ([`lease`], [`crate::store::Fence`], [`crate::driver::Guard`]).
//! 4. What to do next follows from rows alone ([`plan`]), what a fault leads to from its class alone ([`retry`]).
//! 5. A failed provision or bind unmakes what it made; a failed update goes back; what cannot be undone goes on as an
//!    operation of its own that never ends ([`ends`]).

mod act;
mod bindings;
mod ends;
mod housekeeping;
mod lanes;
mod lease;
mod observer;
mod plan;
mod retry;
mod subject;
mod tally;
mod turn;

use std::sync::Arc;
use std::time::Duration;

pub use observer::{Listener, Observer, Silent};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::catalog::{EvalError, Revision, Shelf};
use crate::driver::Registry;
use crate::store::{self, PgPool, Singles, Wake};
use crate::vault::{MasterKey, Vault};

/// The engine's settings; [`crate::config`] documents them for operators.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a claim lasts unless renewed.
    pub lease: Duration,
    /// How often leases are renewed.
    pub renew: Duration,
    /// The longest an AWS call may take, retries included; a successor of a dead worker waits that long.
    pub call_timeout: Duration,
    /// The unit of back-off after a fault: the first retry comes after about so long, later ones after multiples of it. A
    /// second in production; tests make it short.
    pub backoff: Duration,
    /// How often to look for due work without being told.
    pub poll: Duration,
    /// Turns at the same time.
    pub workers: usize,
    /// Turns at the same time for requests that wait.
    pub sync_workers: usize,
    /// Turns at the same time for one account and region.
    pub per_target: usize,
    /// The stem of every name in AWS.
    pub name_prefix: String,
    /// How long tombstones are kept.
    pub tombstones: Duration,
}

/// What the engine works with.
pub struct Parts {
    /// This replica's identity, which its broker shares.
    pub replica: Uuid,
    /// Our database.
    pub pool: PgPool,
    /// Seals and unseals.
    pub vault: Vault,
    /// Unwraps ring keys that other replicas made.
    pub master: Arc<dyn MasterKey>,
    /// The drivers.
    pub registry: Registry,
    /// The offerings.
    pub shelf: Shelf,
    /// The bell.
    pub wake: Wake,
    /// Who listens.
    pub listener: Listener,
    /// See [`Settings`].
    pub settings: Settings,
}

/// The engine. Clones share everything.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    parts: Parts,
    singles: Singles,
    leases: lease::Leases,
    targets: lanes::Targets,
    stopping: CancellationToken,
}

impl Engine {
    /// An engine that does not run yet.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            singles: Singles::beside(&parts.pool),
            parts,
            leases: lease::Leases::default(),
            targets: lanes::Targets::default(),
            stopping: CancellationToken::new(),
        }))
    }

    /// Works until `stop`; then starts nothing new, hands every lease back and returns. If the future is dropped, every turn
    /// is dropped where it stands, as in a process that dies; leases then run out by themselves.
    pub async fn run(&self, stop: CancellationToken) {
        let parts = &self.0.parts;
        let background = async {
            tokio::join!(
                self.0.leases.clone().keep(self),
                parts.wake.clone().relay(parts.pool.clone()),
                housekeeping::keep(self),
            );
        };
        let lanes = async {
            tokio::join!(lanes::run(self, store::Lane::Async), lanes::run(self, store::Lane::Sync));
        };
        let stopping = async {
            stop.cancelled().await;
            self.0.stopping.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = lanes => {}
            () = background => {}
            () = stopping => {}
        }
        // What was handed back is for the other replicas now.
        parts.wake.leave(&parts.pool).await;
        housekeeping::leave(self).await;
    }

    /// How many connections for single statements are open, and how many of them unused.
    pub fn connections(&self) -> (usize, usize) {
        (self.db().size(), self.db().idle())
    }

    /// For what needs a transaction.
    fn pool(&self) -> &PgPool {
        &self.0.parts.pool
    }

    /// For everything else, which is most: every fenced write is one statement.
    fn db(&self) -> &Singles {
        &self.0.singles
    }

    fn vault(&self) -> &Vault {
        &self.0.parts.vault
    }

    fn prefix(&self) -> &str {
        &self.0.parts.settings.name_prefix
    }

    fn listener(&self) -> &dyn Observer {
        self.0.parts.listener.as_ref()
    }

    fn is_stopping(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// A revision by its digest, from memory or else from the database.
    async fn revision(&self, digest: &str) -> Result<Arc<Revision>, Broken> {
        if let Some(revision) = self.0.parts.shelf.get(digest) {
            return Ok(revision);
        }
        let (name, source) = store::revision::source(self.db(), digest)
            .await?
            .ok_or_else(|| Broken::new(format!("the revision {digest} is not in the database")))?;
        self.0
            .parts
            .shelf
            .learn(&name, &source)
            .map_err(|problems| Broken::new(format!("the revision {digest} of {name} no longer compiles: {problems}")))
    }

    /// Makes a write, with the observer before and after it.
    async fn write<T>(&self, what: &'static str, write: impl Future<Output = store::Result<T>>) -> Result<T, Broken> {
        self.listener().before_write(what).await;
        let result = write.await;
        match &result {
            Ok(_) => self.listener().after_write(what).await,
            Err(store::Error::Fenced) => self.listener().fenced(),
            Err(_) => {}
        }
        Ok(result?)
    }
}

/// Why a turn cannot go on. Nothing is lost: the rows say where the next turn begins.
#[derive(Debug, thiserror::Error)]
enum Broken {
    /// Someone else acts for the owner now, or the database is not there.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The lease ran out or was taken away while a call was made: what came of the call is for the next turn to see.
    #[error("the lease is lost")]
    LeaseLost,
    /// A defect: a row, a revision or an expression is not what it must be.
    #[error("{0}")]
    Defect(String),
}

impl Broken {
    fn new(message: impl Into<String>) -> Self {
        Self::Defect(message.into())
    }
}

impl From<EvalError> for Broken {
    fn from(error: EvalError) -> Self {
        Self::Defect(error.to_string())
    }
}

impl From<crate::vault::Error> for Broken {
    fn from(error: crate::vault::Error) -> Self {
        Self::Defect(error.to_string())
    }
}
