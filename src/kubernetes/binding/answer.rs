//! What an answer of a broker means for a binding. Pure: the table of the specification's "Orphan mitigation", and what
//! users may be told.

use std::time::Duration;

use crate::kubernetes::clients;
use crate::osb_client;

/// A call that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// For a condition.
    pub message: String,
    /// When the broker wants to be asked again.
    pub after: Option<Duration>,
    /// What it means.
    pub kind: Kind,
}

/// What a failed call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 400: what was asked for is wrong, and will be wrong the next time.
    Wrong,
    /// 410: what is asked about is not there any more.
    Gone,
    /// 404: the broker does not know what is asked about.
    Missing,
    /// 409: it is there, and otherwise.
    Clash,
    /// It may work another time, and this time it did nothing.
    Again,
    /// It may work another time, and it may have done something.
    Orphan,
}

/// What a failed call means. `doing` completes "The broker could not be asked to …".
pub fn fault(error: &osb_client::Error, doing: &str) -> Fault {
    let kind = match error.refusal() {
        Some(refusal) if refusal.status == 400 => Kind::Wrong,
        Some(refusal) if refusal.is_gone() => Kind::Gone,
        Some(refusal) if refusal.status == 404 => Kind::Missing,
        Some(refusal) if refusal.status == 409 => Kind::Clash,
        _ if error.may_leave_an_orphan() => Kind::Orphan,
        _ => Kind::Again,
    };
    let message = match error.refusal() {
        Some(refusal) => format!("The broker refused to {doing}: {refusal}."),
        None => format!("Trying to {doing}: {error}."),
    };
    Fault { message: shortened(message), after: error.refusal().and_then(|refusal| refusal.retry_after), kind }
}

/// A broker that could not be called at all.
pub fn not_called(error: &clients::Error) -> Option<Fault> {
    match error {
        clients::Error::Credentials(text) => Some(Fault {
            message: format!("The broker's credentials cannot be used: {text}."),
            after: None,
            kind: Kind::Again,
        }),
        clients::Error::Broker(error) => Some(Fault { kind: Kind::Again, ..fault(error, "call the broker") }),
        clients::Error::Api(_) | clients::Error::NotLeader => None,
    }
}

/// A broker may say more than a status should hold.
pub fn shortened(mut text: String) -> String {
    const LONGEST: usize = 2000;
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    // A description is a sentence already.
    text.replace("..", ".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::osb;
    use crate::osb_client::{Error, Refusal};

    fn refused(status: u16, code: &str, after: Option<u64>) -> Error {
        let body = osb::ErrorBody {
            error: Some(code.to_owned()).filter(|code| !code.is_empty()),
            description: Some("Not so.".to_owned()),
            ..osb::ErrorBody::default()
        };
        Error::Refused(Refusal { status, body, retry_after: after.map(Duration::from_secs) })
    }

    #[test]
    fn the_table_of_orphan_mitigation() {
        for (error, kind) in [
            (refused(400, "", None), Kind::Wrong),
            (refused(401, "", None), Kind::Again),
            (refused(404, "", None), Kind::Missing),
            (refused(408, "", None), Kind::Again),
            (refused(409, "", None), Kind::Clash),
            (refused(410, "", None), Kind::Gone),
            (refused(422, "ConcurrencyError", None), Kind::Again),
            (refused(422, "RequiresApp", None), Kind::Again),
            (refused(429, "", None), Kind::Again),
            (refused(500, "", None), Kind::Orphan),
            (refused(503, "", None), Kind::Orphan),
            (Error::TimedOut, Kind::Orphan),
            (Error::Malformed { status: 200, reason: String::new() }, Kind::Again),
            (Error::Malformed { status: 201, reason: String::new() }, Kind::Orphan),
            (Error::Malformed { status: 204, reason: String::new() }, Kind::Orphan),
            (Error::Forbidden, Kind::Again),
        ] {
            assert_eq!(fault(&error, "bind").kind, kind, "{error}");
        }
    }

    #[test]
    fn a_user_reads_what_the_broker_describes_and_when_it_wants_to_be_asked() {
        let fault = fault(&refused(422, "ConcurrencyError", Some(7)), "bind");
        assert_eq!(fault.message, "The broker refused to bind: status 422: ConcurrencyError: Not so.");
        assert_eq!(fault.after, Some(Duration::from_secs(7)));
        assert!(shortened("ü".repeat(5000)).len() < 2010);
    }
}
