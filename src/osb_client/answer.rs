//! What a call gives, and how it is read from what a broker answered.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{Error, Refusal};
use crate::osb::{Catalog, Service};

/// How a call ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 200: it was there already, or it is done.
    Ok,
    /// 201: this call made it.
    Created,
    /// 202: it is going on.
    Accepted,
}

/// A body and what came with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// How it ended.
    pub status: Status,
    /// What the broker said.
    pub body: T,
    /// When to ask again.
    pub retry_after: Option<Duration>,
}

/// The answer to a question for the catalog.
#[derive(Clone, Debug, PartialEq)]
pub enum CatalogAnswer {
    /// It is the one whose entity tag was sent along.
    Unchanged,
    /// It is this one.
    Fresh {
        /// All that can be ordered.
        catalog: Catalog,
        /// What cannot, since it is no service of the protocol. One bad entry does not take the others with it.
        skipped: Vec<Skipped>,
        /// Send it along the next time.
        etag: Option<String>,
    },
}

/// A service of a catalog that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name, or where it stands.
    pub service: String,
    /// What is wrong with it.
    pub reason: String,
}

/// An answer whose body was read to its end.
pub(super) struct Raw {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

#[derive(serde::Deserialize)]
struct Services {
    #[serde(default)]
    services: Vec<Value>,
}

impl Raw {
    /// The body, if one of these statuses says that all is well.
    pub(super) fn expect<T: DeserializeOwned>(self, statuses: &[u16]) -> Result<Answer<T>, Error> {
        let status = self.accepted(statuses)?;
        let body = self.parse()?;
        Ok(Answer { status, body, retry_after: retry_after(&self.headers) })
    }

    /// As [`Self::expect`], but a 200 is enough by itself: nobody reads the body of a finished delete.
    pub(super) fn expect_done<T: DeserializeOwned + Default>(self) -> Result<Answer<T>, Error> {
        let status = self.accepted(&[200, 202])?;
        let body = match self.parse() {
            Err(_) if status == Status::Ok => T::default(),
            parsed => parsed?,
        };
        Ok(Answer { status, body, retry_after: retry_after(&self.headers) })
    }

    /// A catalog, each of its services read by itself.
    pub(super) fn catalog(self) -> Result<(Catalog, Vec<Skipped>), Error> {
        self.accepted(&[200])?;
        let Services { services } = self.parse()?;
        let (mut catalog, mut skipped) = (Catalog::default(), Vec::new());
        for (place, service) in services.into_iter().enumerate() {
            let name = service.get("name").and_then(Value::as_str).map(|name| name.chars().take(63).collect());
            match serde_path_to_error::deserialize::<_, Service>(service) {
                Ok(service) => catalog.services.push(service),
                Err(error) => skipped.push(Skipped {
                    service: name.unwrap_or_else(|| format!("services[{place}]")),
                    reason: format!("{} is not as it should be", error.path()),
                }),
            }
        }
        Ok((catalog, skipped))
    }

    fn accepted(&self, statuses: &[u16]) -> Result<Status, Error> {
        match self.status {
            200 if statuses.contains(&200) => Ok(Status::Ok),
            201 if statuses.contains(&201) => Ok(Status::Created),
            202 if statuses.contains(&202) => Ok(Status::Accepted),
            status @ 400.. => Err(Error::Refused(Refusal {
                status,
                body: serde_json::from_slice(&self.body).unwrap_or_default(),
                retry_after: retry_after(&self.headers),
            })),
            status => Err(Error::Malformed { status, reason: "no such status is foreseen for this call".into() }),
        }
    }

    /// What serde says about a body may quote it, and it may hold credentials: only the place is told.
    fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let malformed = |reason: String| Error::Malformed { status: self.status, reason };
        if self.body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(malformed("the body is not a JSON object".into()));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let (line, column) = (error.inner().line(), error.inner().column());
            malformed(format!("{} is not as it should be (line {line}, column {column})", error.path()))
        })
    }
}

/// Seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(at.duration_since(Timestamp::now()).try_into().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;
    use crate::osb::{BindingResponse, ProvisionResponse, UnbindResponse};

    fn raw(status: u16, body: &str) -> Raw {
        Raw { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn only_the_statuses_of_a_call_end_it_well() {
        let statuses = &[200, 201, 202];
        assert_eq!(raw(202, "{}").expect::<ProvisionResponse>(statuses).unwrap().status, Status::Accepted);
        for (status, body, orphan) in [
            (200, "", false),
            (201, "", true),
            (202, "[]", true),
            (204, "{}", true),
            (400, "{}", false),
            (408, "", false),
            (422, r#"{"error":"ConcurrencyError"}"#, false),
            (500, "<html>", true),
        ] {
            let error = raw(status, body).expect::<ProvisionResponse>(statuses).unwrap_err();
            assert_eq!(error.may_leave_an_orphan(), orphan, "{status} {body}: {error}");
        }
    }

    #[test]
    fn a_finished_delete_needs_no_body_and_a_running_one_does() {
        assert!(raw(200, "").expect_done::<UnbindResponse>().is_ok());
        assert!(raw(202, "").expect_done::<UnbindResponse>().is_err());
        assert!(raw(410, "").expect_done::<UnbindResponse>().unwrap_err().refusal().unwrap().is_gone());
    }

    #[test]
    fn a_malformed_answer_is_located_and_not_shown() {
        let body = json!({"credentials": "hunter2"}).to_string();
        let error = raw(201, &body).expect::<BindingResponse>(&[201]).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("credentials is not as it should be") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn one_bad_service_does_not_spoil_a_catalog() {
        let body = json!({"services": [
            {"name": "good", "id": "1", "description": "d", "bindable": true, "plans": []},
            {"name": "bad", "id": 7, "description": "d", "bindable": true, "plans": []},
            {"id": "3", "plans": [{"id": "4"}]},
            null,
        ]});
        let (catalog, skipped) = raw(200, &body.to_string()).catalog().unwrap();
        assert_eq!(catalog.services.iter().map(|service| &service.name).collect::<Vec<_>>(), ["good"]);
        let skipped: Vec<_> = skipped.iter().map(|one| format!("{}: {}", one.service, one.reason)).collect();
        assert_eq!(skipped[0], "bad: id is not as it should be");
        assert!(skipped[1].starts_with("services[2]: ") && skipped[2].starts_with("services[3]: "), "{skipped:?}");
        assert!(raw(200, r#"{"services":{}}"#).catalog().is_err());
    }

    #[test]
    fn retry_after_comes_in_two_forms() {
        let of = |value: &str| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
            retry_after(&headers)
        };
        assert_eq!(of("120"), Some(Duration::from_secs(120)));
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
    }
}
