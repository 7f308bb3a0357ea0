//! How a call fails, and what that means for a platform.

use std::fmt;
use std::time::Duration;

use super::guard;
use crate::osb;

/// How a call fails. None of them shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options make no client; the text says which.
    #[error("{0}")]
    Options(String),
    /// `.` and `..` are legal ids that no URL can carry.
    #[error("the id {0:?} cannot be sent in a URL")]
    Id(String),
    /// A header of the call cannot be sent.
    #[error("the {0} cannot be sent in a header")]
    Header(&'static str),
    /// The broker is where it may not be.
    #[error(
        "the broker's address is a loopback, link-local or metadata address, which brokers of namespaces may not have"
    )]
    Forbidden,
    /// The broker was not reached, or the connection broke.
    #[error("the broker cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The broker did not answer in time. It may have begun the work.
    #[error("the broker did not answer in time")]
    TimedOut,
    /// The broker sent us elsewhere, or round and round, and we did not go.
    #[error("the broker redirects to where we do not follow (status {status})")]
    Redirected {
        /// The status of the answer.
        status: u16,
    },
    /// The answer is larger than we read.
    #[error("the broker's answer is larger than {limit} bytes (status {status})")]
    TooLarge {
        /// The status of the answer.
        status: u16,
        /// What we read.
        limit: usize,
    },
    /// The answer is not what the protocol says.
    #[error("the broker's answer is not an answer of the protocol (status {status}): {reason}")]
    Malformed {
        /// The status of the answer.
        status: u16,
        /// What is wrong with it, without what it holds.
        reason: String,
    },
    /// The broker says no.
    #[error("{0}")]
    Refused(Refusal),
}

/// An error that the broker answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// What it says; empty if it was not JSON.
    pub body: osb::ErrorBody,
    /// When to come again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// The code, for programs.
    pub fn code(&self) -> Option<&str> {
        self.body.error.as_deref()
    }

    /// What is asked for is not there: success for a delete.
    pub fn is_gone(&self) -> bool {
        self.status == 410
    }

    /// The broker works asynchronously only.
    pub fn is_async_required(&self) -> bool {
        self.has_code("AsyncRequired")
    }

    /// Another operation is running: come again, and mitigate nothing.
    pub fn is_concurrency(&self) -> bool {
        self.has_code("ConcurrencyError")
    }

    /// The binding needs an app.
    pub fn is_app_required(&self) -> bool {
        self.has_code("RequiresApp")
    }

    /// Our catalog is out of date.
    pub fn is_maintenance_info_conflict(&self) -> bool {
        self.has_code("MaintenanceInfoConflict")
    }

    /// Whether the instance can still be used; true unless it was said.
    pub fn instance_usable(&self) -> bool {
        self.body.instance_usable.unwrap_or(true)
    }

    /// Whether the same update may work another time; true unless it was said.
    pub fn update_repeatable(&self) -> bool {
        self.body.update_repeatable.unwrap_or(true)
    }

    fn has_code(&self, code: &str) -> bool {
        self.status == 422 && self.code() == Some(code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        for part in [&self.body.error, &self.body.description].into_iter().flatten() {
            write!(f, ": {part}")?;
        }
        Ok(())
    }
}

impl Error {
    /// The refusal, if the broker answered one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// What people should read: of a broker that is not reached also why (refused, an unknown certificate).
    pub fn sentence(&self) -> String {
        let Self::Unreachable(error) = self else { return self.to_string() };
        let mut cause = std::error::Error::source(error);
        while let Some(deeper) = cause.and_then(std::error::Error::source) {
            cause = Some(deeper);
        }
        cause.map_or_else(|| self.to_string(), |cause| format!("{self}: {cause}"))
    }

    /// Whether a provision or a bind that failed like this may have left something that must be deleted: the table of
    /// the specification's "Orphan mitigation". A refusal with 4xx, and 200 whatever its body, never does.
    pub fn may_leave_an_orphan(&self) -> bool {
        match self {
            Self::TimedOut => true,
            // The request may have arrived although its answer did not.
            Self::Unreachable(error) => !error.is_connect(),
            Self::Refused(refusal) => refusal.status >= 500,
            Self::TooLarge { status, .. } | Self::Malformed { status, .. } => {
                (201..300).contains(status) || *status >= 500
            }
            Self::Options(_) | Self::Id(_) | Self::Header(_) | Self::Forbidden | Self::Redirected { .. } => false,
        }
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        if guard::refused(&error) {
            return Self::Forbidden;
        }
        // A URL holds ids and operations, which are not ours to repeat.
        if error.is_timeout() && !error.is_connect() { Self::TimedOut } else { Self::Unreachable(error.without_url()) }
    }
}
