//! The seam: what a driver is, what it says about its kind as data, and how a call ends. No I/O.
//!
//! A driver makes and unmakes one *kind* of external thing (`s3/bucket`, `iam/identity`). The engine guarantees to it:
//! the row with the thing's name and token is committed before the first call; one worker at a time acts for an owner; a
//! call that the lease does not cover is never started ([`Guard`]). The driver guarantees to the engine that any method may
//! be called again at any time, after a crash or a lost reply, with the same arguments.

mod context;
mod fault;
mod guard;
mod kind;
mod registry;

pub use context::{Context, Target};
pub use fault::{Class, Fault};
pub use guard::Guard;
pub use kind::{Kind, Naming, Output, REFERENCE};
pub use registry::Registry;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a driver needs to find its thing again (an ARN, a URL, a generated id). Opaque to everyone else; holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handle(pub Value);

/// How far `ensure` has come.
#[derive(Debug)]
pub enum Progress {
    /// The thing is as desired and usable.
    Ready {
        /// How to find it again.
        handle: Handle,
        /// What other resources and credentials may refer to; the kind says which of them are secret.
        outputs: Outputs,
    },
    /// AWS is working on it; ask again.
    Waiting {
        /// How to find it again.
        handle: Handle,
        /// When to ask again, at the earliest.
        after: Duration,
        /// A sentence for the user, in the present tense: "the bucket is being emptied, 1200 objects so far".
        note: String,
    },
}

/// How far `delete` has come.
#[derive(Debug)]
pub enum Deletion {
    /// The thing is not there (any more).
    Gone,
    /// AWS is working on it; ask again.
    Waiting {
        /// When to ask again, at the earliest.
        after: Duration,
        /// A sentence for the user, in the present tense.
        note: String,
    },
}

/// A resource's outputs by name. Some may be secret, so `Debug` shows names only.
#[derive(Clone, Default, PartialEq)]
pub struct Outputs(pub serde_json::Map<String, Value>);

impl std::fmt::Debug for Outputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A thing in AWS that carries our name or tags, found by [`Driver::inventory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name, as a resource row holds it.
    pub name: String,
    /// The uid of the owner that made it, from its `chandlery:owner` tag, where it has one.
    pub owner: Option<String>,
}

/// One kind of external thing. Any method may be called again after a crash with the same arguments.
///
/// `desired` satisfies [`Kind::schema`]; it may hold secrets, so it is never logged.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// What this kind is, as data.
    fn kind(&self) -> &Kind;

    /// Creates or converges the thing and reports how far it is. A thing of that name that this owner did not make is
    /// never touched: where the kind's names are global that is [`Fault::name_taken`].
    async fn ensure(&self, cx: &Context, desired: &Value, known: Option<&Handle>) -> Result<Progress, Fault>;

    /// Whether the thing could be deleted now; a fault with a sentence if not. Changes nothing.
    async fn may_delete(&self, cx: &Context, desired: &Value, known: Option<&Handle>) -> Result<(), Fault>;

    /// Makes the thing gone, also when a crash left no handle. A thing that is not there is gone; one of that name that
    /// this owner did not make counts as not there.
    async fn delete(&self, cx: &Context, desired: &Value, known: Option<&Handle>) -> Result<Deletion, Fault>;

    /// Everything of this kind in the context's target whose name begins with `prefix`: the input of
    /// `chandlery admin orphans`.
    async fn inventory(&self, cx: &Context, prefix: &str) -> Result<Vec<Found>, Fault>;

    /// Whether [`Driver::inventory`] can find the thing with this handle. One that leaves nothing of its own in AWS that
    /// could be listed (a policy on somebody else's role) is not missed there.
    fn is_listed(&self, _known: Option<&Handle>) -> bool {
        true
    }
}
