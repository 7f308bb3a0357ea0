//! How a call to the outside fails: a class, a sentence for the user and a detail for the operator.

use std::fmt;
use std::time::Duration;

use super::Handle;

/// What a fault means for the operation. The class decides retry, back-off and what the platform is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It may work the next time: a time-out, a 5xx, a dependency that is not visible yet.
    Transient,
    /// AWS asks us to slow down.
    Throttled,
    /// The user's to fix: a value AWS refuses, a bucket that is not empty. Ends the operation.
    Rejected,
    /// Something else holds the name or changes the thing at this moment.
    Conflict,
    /// The operator's to fix: a missing permission, a refused role, a disabled region. Retried slowly.
    Denied,
    /// The thing was there and is not any more: somebody deleted it behind our back. It is made again.
    Gone,
    /// A defect of ours or an answer that nobody foresaw. Retried slowly, and loud.
    Bug,
}

impl Class {
    /// The word for it in rows, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::Gone => "gone",
            Self::Bug => "bug",
        }
    }
}

/// A failed call. Neither `message` nor `detail` ever holds a secret.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Fault {
    /// What it means.
    pub class: Class,
    /// A sentence for the user: what is wrong and what to change. It names no principal and no request id of AWS.
    pub message: String,
    /// What AWS said, for events and logs that only operators read: operation, error code, text, request id.
    pub detail: Option<String>,
    /// What is known of the thing although the call failed.
    pub handle: Option<Handle>,
    /// The earliest time to try again, where the other side named one.
    pub retry_after: Option<Duration>,
    /// Somebody else holds this global name: the engine commits a new one and calls again.
    pub name_taken: bool,
}

impl Fault {
    /// A fault of that class with a sentence for the user.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), detail: None, handle: None, retry_after: None, name_taken: false }
    }

    /// See [`Class::Transient`].
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(Class::Transient, message)
    }

    /// See [`Class::Rejected`].
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::new(Class::Rejected, message)
    }

    /// See [`Class::Bug`].
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Class::Bug, message)
    }

    /// A global name that somebody else holds ([`Class::Conflict`]).
    pub fn name_taken(name: &str) -> Self {
        Self { name_taken: true, ..Self::new(Class::Conflict, format!("the name {name} is taken by somebody else")) }
    }

    /// Adds what AWS said, for operators.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what is known of the thing.
    #[must_use]
    pub fn with_handle(mut self, handle: Handle) -> Self {
        self.handle = Some(handle);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)
    }
}
