//! All SQL to our database. One file per table, functions not traits; the caller brings the connection, so what must happen
//! together happens in the caller's transaction.
//!
//! What this module guarantees: every write of the engine is one statement that takes effect only under the epoch it was
//! claimed with ([`Fence`]), and carries its event with it; times are the database's own; a secret reaches a row only as a
//! [`crate::vault::Sealed`] value.

pub mod binding;
pub mod event;
mod fence;
mod gather;
pub mod instance;
pub mod operation;
pub mod operator;
pub mod owner;
pub mod place;
pub mod poll;
pub mod reference;
pub mod replica;
pub mod reseal;
pub mod resource;
pub mod revision;
pub mod ring_key;
mod schema;
mod sealed;
mod singles;
mod state;
mod wake;

pub use fence::{Fence, Step};
pub use gather::Gather;
pub use schema::{Limits, connect, migrate, pending_migrations};
pub use singles::Singles;
pub use sqlx::{PgConnection, PgPool};
pub use state::{Lane, OperationKind, OperationState, OwnerKind, Phase, ResourceState, State};
pub use wake::{Wake, ring};

/// How a statement fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused it or is not there.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// Another worker has taken the owner over, or a newer request superseded this operation. Nothing was written.
    #[error("another turn owns this now")]
    Fenced,
}

impl Error {
    /// The name of the unique or check constraint that refused the write. Constraint names are API (see the migrations).
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }

    /// Whether trying the same again may succeed: the connection failed, or a serialisation conflict.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                // 40001 serialization_failure, 40P01 deadlock_detected, 57P01-3 shutting down or starting, 53300 too many
                // connections (https://www.postgresql.org/docs/current/errcodes-appendix.html).
                matches!(error.code().as_deref(), Some("40001" | "40P01" | "57P01" | "57P02" | "57P03" | "53300"))
            }
            Self::Database(
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Protocol(_),
            ) => true,
            _ => false,
        }
    }
}

/// Shorthand of this module.
pub type Result<T, E = Error> = std::result::Result<T, E>;
