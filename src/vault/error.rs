//! What can go wrong, without a value or a key in any text.

use super::Place;
use crate::osb::Uid;

/// Why a value could not be sealed or unsealed, or a ring not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Bytes that [`super::Vault::seal`] never wrote.
    #[error("{place}: not a sealed value ({reason})")]
    Malformed {
        /// Where it was read.
        place: Place,
        /// What is wrong with its form.
        reason: &'static str,
    },
    /// The ring has no such key.
    #[error("ring key {0} is not held by this broker")]
    UnknownKey(Uid),
    /// It was changed, or it was sealed for another place or by another ring.
    #[error("{place}: the sealed value does not open: it was changed, or it was sealed for another row or column")]
    Unopened {
        /// Where it was read.
        place: Place,
    },
    /// It opened but holds something else than the reader expects.
    #[error("{place}: the unsealed value has not the form expected here")]
    Form {
        /// Where it was read.
        place: Place,
    },
    /// A ring must have exactly one key that seals.
    #[error("the key ring has {0} active keys, it must have exactly one")]
    ActiveKeys(usize),
    /// The active key cannot be forgotten.
    #[error("ring key {0} is active: activate another one before it is forgotten")]
    StillActive(Uid),
    /// The ring was wrapped by a master key other than the configured one.
    #[error("ring key {key} is wrapped by master key {wrapped_by}, but this broker was given {given}")]
    OtherMaster {
        /// The ring key.
        key: Uid,
        /// The master key that its row names.
        wrapped_by: String,
        /// The configured one.
        given: String,
    },
    /// The master key could not be read or refused.
    #[error("master key {master}: {message}")]
    Master {
        /// Its id, or the file.
        master: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The library failed where it never should (no randomness).
    #[error("the cryptographic library failed to {0}")]
    Library(&'static str),
}

impl Error {
    /// A master key that refuses, or cannot be read.
    pub fn master(master: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Master { master: master.into(), message: message.into() }
    }
}
