//! The protocol's table of errors: every way in which a request can end badly, with its status, code and sentence.

use std::borrow::Cow;

use super::Aftermath;

/// How a request ends badly. Every sentence is for the platform's user and holds no value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.description())]
pub enum Error {
    /// 400: malformed, or something mandatory is missing or invalid.
    BadRequest(String),
    /// 401: no credentials, or wrong ones.
    Unauthorized,
    /// 404: no such route, instance or binding.
    NotFound(String),
    /// 405: the path exists, the method does not.
    MethodNotAllowed,
    /// 408: the request did not arrive in time. Nothing has happened.
    RequestTimeout,
    /// 409: the id is in use for something with other attributes.
    Conflict(String),
    /// 410: what is to be deleted, or polled for a delete, is not there.
    Gone,
    /// 412: a version of the API that is not served.
    PreconditionFailed(Cow<'static, str>),
    /// 413: the body is larger than the broker takes.
    PayloadTooLarge {
        /// What it takes, in bytes.
        limit: usize,
    },
    /// 422: the work takes longer than a request may, and the platform did not say that it can wait.
    AsyncRequired,
    /// 422: another operation holds the instance or the binding.
    ConcurrencyError,
    /// 422: the binding needs an app.
    RequiresApp,
    /// 422: the platform's catalog is out of date.
    MaintenanceInfoConflict,
    /// 422: understood, and not possible now or ever.
    Unprocessable {
        /// A code of the broker's own: one word in camel case.
        code: Option<&'static str>,
        /// What is wrong and what to change.
        sentence: String,
        /// What is left; only an update or a deprovision may say something.
        aftermath: Aftermath,
    },
    /// 429: this platform asks for too much.
    TooManyRequests {
        /// In how many seconds to come again.
        retry_after: u32,
    },
    /// 500: a defect of ours; the log says which.
    Internal,
    /// 503: not now.
    ServiceUnavailable {
        /// Why.
        sentence: String,
        /// In how many seconds to come again.
        retry_after: Option<u32>,
    },
    /// 503: the work took longer than a request may. What it began goes on or is undone.
    Timeout,
}

impl Error {
    /// See [`Error::BadRequest`].
    pub fn bad_request(sentence: impl Into<String>) -> Self {
        Self::BadRequest(sentence.into())
    }

    /// See [`Error::NotFound`].
    pub fn not_found(sentence: impl Into<String>) -> Self {
        Self::NotFound(sentence.into())
    }

    /// See [`Error::Conflict`].
    pub fn conflict(sentence: impl Into<String>) -> Self {
        Self::Conflict(sentence.into())
    }

    /// See [`Error::PreconditionFailed`].
    pub fn precondition(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::PreconditionFailed(sentence.into())
    }

    /// [`Error::Unprocessable`] without a code and with nothing to say of what is left.
    pub fn unprocessable(sentence: impl Into<String>) -> Self {
        Self::Unprocessable { code: None, sentence: sentence.into(), aftermath: Aftermath::Unsaid }
    }

    /// [`Error::Unprocessable`] of an update or a deprovision.
    pub fn unprocessable_with(sentence: impl Into<String>, aftermath: Aftermath) -> Self {
        Self::Unprocessable { code: None, sentence: sentence.into(), aftermath }
    }

    /// See [`Error::ServiceUnavailable`].
    pub fn unavailable(sentence: impl Into<String>, retry_after: Option<u32>) -> Self {
        Self::ServiceUnavailable { sentence: sentence.into(), retry_after }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Unauthorized => 401,
            Self::NotFound(_) => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::Conflict(_) => 409,
            Self::Gone => 410,
            Self::PreconditionFailed(_) => 412,
            Self::PayloadTooLarge { .. } => 413,
            Self::AsyncRequired
            | Self::ConcurrencyError
            | Self::RequiresApp
            | Self::MaintenanceInfoConflict
            | Self::Unprocessable { .. } => 422,
            Self::TooManyRequests { .. } => 429,
            Self::Internal => 500,
            Self::ServiceUnavailable { .. } | Self::Timeout => 503,
        }
    }

    /// `error` in the body: the specification's four codes, and a broker's own.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::AsyncRequired => Some("AsyncRequired"),
            Self::ConcurrencyError => Some("ConcurrencyError"),
            Self::RequiresApp => Some("RequiresApp"),
            Self::MaintenanceInfoConflict => Some("MaintenanceInfoConflict"),
            Self::Unprocessable { code, .. } => *code,
            _ => None,
        }
    }

    /// `description` in the body. The texts of the specification's codes are its own, to the letter: clients compare them
    /// (go-open-service-broker-client, `errors.go`).
    pub fn description(&self) -> Cow<'_, str> {
        let fixed = match self {
            Self::BadRequest(sentence)
            | Self::NotFound(sentence)
            | Self::Conflict(sentence)
            | Self::Unprocessable { sentence, .. }
            | Self::ServiceUnavailable { sentence, .. } => sentence,
            Self::PreconditionFailed(sentence) => sentence.as_ref(),
            Self::Unauthorized => "The credentials are missing or wrong.",
            Self::MethodNotAllowed => "This path does not know the method; the header Allow lists those it knows.",
            Self::RequestTimeout => "The request did not arrive in time; nothing was changed.",
            Self::Gone => "It does not exist (any more).",
            Self::PayloadTooLarge { limit } => {
                return Cow::Owned(format!("The body is larger than the {limit} bytes this broker takes."));
            }
            Self::AsyncRequired => "This service plan requires client support for asynchronous service operations.",
            Self::ConcurrencyError => {
                "The Service Broker does not support concurrent requests that mutate the same resource."
            }
            Self::RequiresApp => "This service supports generation of credentials through binding an application only.",
            Self::MaintenanceInfoConflict => {
                "The `maintenance_info.version` field provided in the request does not match the \
                 `maintenance_info.version` field provided in the Service Broker's Catalog."
            }
            Self::TooManyRequests { .. } => "There are too many requests; come again later.",
            Self::Internal => "The broker met a defect of its own; its operator finds the reason in the log.",
            Self::Timeout => "The broker could not answer in time; ask again.",
        };
        Cow::Borrowed(fixed)
    }

    /// The seconds of a `Retry-After` header.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooManyRequests { retry_after } => Some(*retry_after),
            Self::ServiceUnavailable { retry_after, .. } => *retry_after,
            Self::Timeout => Some(5),
            _ => None,
        }
    }

    /// What is left; only an update or a deprovision says something.
    pub fn aftermath(&self) -> Aftermath {
        match self {
            Self::Unprocessable { aftermath, .. } => *aftermath,
            _ => Aftermath::Unsaid,
        }
    }
}
