//! What goes out: JSON, and the one way in which errors become answers.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::broker::{Outcome, Polled};
use crate::osb::{ApiVersion, Error, ForVersion};

/// An error on its way out. It travels as an extension of an empty response, so that the front alone writes bodies of
/// errors: for handlers, for extractors, and for itself.
#[derive(Debug)]
pub struct Failure(Error);

/// How handlers end.
pub type Answer = Result<Response, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// The error of a response that is not written yet.
#[derive(Clone)]
pub struct Unwritten(pub Error);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Unwritten(self.0));
        response
    }
}

/// A body and its content type.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => raw_json(status, bytes.into()),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            Failure(Error::Internal).into_response()
        }
    }
}

/// A body that is JSON already.
pub fn raw_json(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An outcome with its status, without the fields the platform's version does not know.
pub fn outcome<T: ForVersion + Serialize>(outcome: Outcome<T>, version: ApiVersion) -> Response {
    let (status, body) = match outcome {
        Outcome::Exists(body) | Outcome::Done(body) => (StatusCode::OK, body),
        Outcome::Created(body) => (StatusCode::CREATED, body),
        Outcome::Accepted(body) => (StatusCode::ACCEPTED, body),
    };
    json(status, &body.for_version(version))
}

/// The answer to a poll.
pub fn polled(polled: Polled, version: ApiVersion) -> Response {
    let mut response = json(StatusCode::OK, &polled.body.for_version(version));
    if let Some(seconds) = polled.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// An error with all its headers.
pub fn error(error: &Error, version: ApiVersion) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, &error.body().for_version(version));
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if matches!(error, Error::Unauthorized) {
        let basic = HeaderValue::from_static(r#"Basic realm="chandlery", charset="UTF-8""#);
        response.headers_mut().append(header::WWW_AUTHENTICATE, basic);
        let bearer = HeaderValue::from_static(r#"Bearer realm="chandlery""#);
        response.headers_mut().append(header::WWW_AUTHENTICATE, bearer);
    }
    response
}

/// 404 for a path that no route knows. The path is not repeated: it may be anything.
pub async fn no_such_path() -> Failure {
    Failure(Error::not_found("There is no such path."))
}

/// 405 for a method that the path does not know; the router adds `Allow`.
pub async fn no_such_method() -> Failure {
    Failure(Error::MethodNotAllowed)
}
