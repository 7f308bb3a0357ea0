//! How a call failed, in the words of a condition.

use std::time::Duration;

use crate::kubernetes::parameters::Given;
use crate::kubernetes::{clients, turn};
use crate::osb_client;

/// How a call failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// A sentence, without a secret.
    pub message: String,
    /// The status that the broker answered.
    pub status: Option<u16>,
    /// The broker's credentials are not there.
    pub credentials: bool,
    /// Something may have been made all the same.
    pub orphan: bool,
    /// Another operation is running.
    pub concurrency: bool,
    /// The broker's catalog is not what we believe.
    pub stale: bool,
    /// When to come again.
    pub retry_after: Option<Duration>,
    /// The instance can still be used.
    pub usable: bool,
    /// The same request may work another time.
    pub repeatable: bool,
}

impl Failure {
    /// Reads an error. What is no failure of the broker ends the turn.
    pub fn of(error: clients::Error) -> Result<Self, turn::Error> {
        match error {
            clients::Error::Api(error) => Err(error.into()),
            clients::Error::NotLeader => Err(turn::Error::NotLeader),
            clients::Error::Credentials(message) => {
                let message = format!("The broker's credentials are not there: {message}");
                Ok(Self { message, credentials: true, usable: true, repeatable: true, ..Self::default() })
            }
            clients::Error::Broker(error) => Ok(Self::of_broker(&error)),
        }
    }

    /// As [`Self::of`].
    pub fn of_broker(error: &osb_client::Error) -> Self {
        let refusal = error.refusal();
        let message = match refusal {
            Some(refusal) => format!("the broker answered {refusal}"),
            None => error.to_string(),
        };
        Self {
            message,
            status: refusal.map(|refusal| refusal.status),
            credentials: false,
            orphan: error.may_leave_an_orphan(),
            concurrency: refusal.is_some_and(osb_client::Refusal::is_concurrency),
            stale: refusal.is_some_and(osb_client::Refusal::is_maintenance_info_conflict),
            retry_after: refusal.and_then(|refusal| refusal.retry_after),
            usable: refusal.is_none_or(osb_client::Refusal::instance_usable),
            repeatable: refusal.is_none_or(osb_client::Refusal::update_repeatable),
        }
    }

    /// What a broker says may quote what it was sent.
    pub fn scrubbed(mut self, given: &Given) -> Self {
        self.message = given.scrub(&self.message);
        self
    }

    /// The reason: there was no answer, or it was not the one that was hoped for.
    pub fn reason(&self, refused: &'static str, no_answer: &'static str) -> &'static str {
        match self {
            Self { credentials: true, .. } => "ErrorGettingAuthCredentials",
            Self { status: Some(_), .. } => refused,
            _ => no_answer,
        }
    }

    /// The broker refuses what it was asked for, and will as long as it is the same.
    pub fn is_final(&self) -> bool {
        self.status == Some(400)
    }

    /// What the broker has now is not what it had before, or that is not known.
    pub fn unsettles(&self) -> bool {
        self.orphan || !self.usable
    }
}
