//! Who calls, and in which version: 401 before 412, both before anything else is looked at.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header};
use secrecy::SecretString;

use crate::broker::{Caller, Credentials};
use crate::osb::header::{API_VERSION, ORIGINATING_IDENTITY, REQUEST_IDENTITY};
use crate::osb::{ApiVersion, Error, OriginatingIdentity, PlatformName};

/// Whose credentials they are.
pub type Authenticate = Box<dyn Fn(&Credentials) -> Option<PlatformName> + Send + Sync>;

/// The caller, or why there is none.
pub fn admit(headers: &HeaderMap, authenticate: &Authenticate) -> Result<Caller, Error> {
    let platform = credentials(headers).and_then(|given| authenticate(&given)).ok_or(Error::Unauthorized)?;
    let version = match headers.get(API_VERSION) {
        None => ApiVersion::parse(None)?,
        // What is not text is no version either.
        Some(value) => ApiVersion::parse(Some(value.to_str().unwrap_or("?")))?,
    };
    let identity = headers.get(ORIGINATING_IDENTITY).and_then(|value| {
        let parsed = value.to_str().map_err(|_| "it is not text").and_then(OriginatingIdentity::parse);
        parsed
            .inspect_err(|reason| tracing::warn!(%platform, reason, "a malformed originating identity is ignored"))
            .ok()
    });
    let request_id = headers.get(REQUEST_IDENTITY).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Caller { platform, version, identity, request_id })
}

/// The credentials of `Authorization`, in either scheme. What cannot be read counts as none.
fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let (scheme, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok()?;
        let (username, password) = decoded.split_once(':')?;
        Some(Credentials::Basic { username: username.to_owned(), password: SecretString::from(password) })
    } else if scheme.eq_ignore_ascii_case("bearer") {
        Some(Credentials::Bearer(SecretString::from(value)))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use secrecy::ExposeSecret;

    use super::*;

    fn headers(entries: &[(&'static str, &str)]) -> HeaderMap {
        let entry = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        entries.iter().map(entry).collect()
    }

    fn admit_at(entries: &[(&'static str, &str)]) -> Result<Caller, u16> {
        let authenticate: Authenticate = Box::new(|given| {
            let known = match given {
                Credentials::Basic { username, password } => username == "user" && password.expose_secret() == "a:b",
                Credentials::Bearer(token) => token.expose_secret() == "token",
            };
            known.then(|| PlatformName::from("p"))
        });
        admit(&headers(entries), &authenticate).map_err(|error| error.status())
    }

    const VERSION: (&str, &str) = (API_VERSION, "2.17");
    // user:a:b
    const BASIC: (&str, &str) = ("authorization", "Basic dXNlcjphOmI=");

    #[test]
    fn both_schemes_are_read_whatever_their_case() {
        for value in ["Basic dXNlcjphOmI=", "bAsIc  dXNlcjphOmI=", "Bearer token", "BEARER token"] {
            assert!(admit_at(&[("authorization", value), VERSION]).is_ok(), "{value}");
        }
    }

    #[test]
    fn anything_else_is_nobody_even_without_a_version() {
        for value in ["", "Basic", "Basic !", "Basic dXNlcg==", "Basic /w==", "Digest token", "Bearer", "Bearer other"]
        {
            assert_eq!(admit_at(&[("authorization", value)]).err(), Some(401), "{value}");
        }
        assert_eq!(admit_at(&[]).err(), Some(401));
    }

    #[test]
    fn a_known_caller_needs_a_version() {
        assert_eq!(admit_at(&[BASIC]).err(), Some(412));
        assert_eq!(admit_at(&[BASIC, (API_VERSION, "3.0")]).err(), Some(412));
    }

    #[test]
    fn identities_are_taken_over_and_a_malformed_one_is_no_error() {
        let caller =
            admit_at(&[BASIC, VERSION, (ORIGINATING_IDENTITY, "x !"), (REQUEST_IDENTITY, "any text")]).unwrap();
        assert!(caller.identity.is_none());
        assert_eq!(caller.request_id.as_deref(), Some("any text"));
    }
}
