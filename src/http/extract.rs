//! What handlers take: each argument reads one part of the request and refuses it with the protocol's words.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::answer::Failure;
use super::router::App;
use crate::broker::Caller;
use crate::osb::{
    self, BindingId, DeleteQuery, Error, FetchQuery, InstanceId, LastOperationQuery, accepts_incomplete, decode_segment,
};

/// Whether the platform said `accepts_incomplete=true`.
pub struct CanWait(pub bool);

/// A body that passed its checks.
pub struct Body<T>(pub T);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    /// The front put it there; a route without the front is a defect.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.remove::<Arc<Self>>().and_then(Arc::into_inner).ok_or_else(|| Error::Internal.into())
    }
}

impl<S: Sync> FromRequestParts<S> for InstanceId {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let id = Self::new(segment(parts.uri.path(), 3, "instance id")?);
        tracing::Span::current().record("instance.id", id.as_str());
        Ok(id)
    }
}

impl<S: Sync> FromRequestParts<S> for BindingId {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let id = Self::new(segment(parts.uri.path(), 5, "binding id")?);
        tracing::Span::current().record("binding.id", id.as_str());
        Ok(id)
    }
}

macro_rules! from_query {
    ($($name:ty: $parse:expr;)*) => {$(
        impl<S: Sync> FromRequestParts<S> for $name {
            type Rejection = std::convert::Infallible;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
                Ok($parse(parts.uri.query()))
            }
        }
    )*};
}

from_query! {
    CanWait: |query| CanWait(accepts_incomplete(query));
    DeleteQuery: DeleteQuery::parse;
    FetchQuery: FetchQuery::parse;
    LastOperationQuery: LastOperationQuery::parse;
}

impl<T: osb::Request> FromRequest<App> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let limit = app.settings.body_limit;
        let mut body = request.into_body();
        let read = async {
            if body.size_hint().lower() > limit as u64 {
                return Err(None);
            }
            Limited::new(&mut body, limit).collect().await.map_err(Some)
        };
        match tokio::time::timeout(app.settings.body_time, read).await {
            Err(_) => Err(Error::RequestTimeout.into()),
            Ok(Ok(body)) => Ok(Self(osb::decode(&body.to_bytes())?)),
            Ok(Err(Some(error))) if !error.is::<LengthLimitError>() => {
                Err(Error::bad_request("The body broke off.").into())
            }
            Ok(Err(_)) => {
                let _ = tokio::time::timeout(app.settings.body_time, discard(body, limit.saturating_mul(8))).await;
                Err(Error::PayloadTooLarge { limit }.into())
            }
        }
    }
}

/// Reads on without keeping anything: a client that is still sending when the connection closes may lose the answer. What is
/// beyond all measure is not read.
async fn discard(mut body: axum::body::Body, most: usize) {
    let mut seen = 0;
    if body.size_hint().lower() > most as u64 {
        return;
    }
    while let Some(Ok(frame)) = body.frame().await {
        seen += frame.data_ref().map_or(0, bytes::Bytes::len);
        if seen > most {
            return;
        }
    }
}

/// A segment of the path, decoded. Any text may be an id; what is no text, or cannot be stored, is none.
fn segment<'a>(path: &'a str, index: usize, what: &str) -> Result<Cow<'a, str>, Error> {
    let raw = path.split('/').nth(index).unwrap_or_default();
    match decode_segment(raw) {
        None => Err(Error::bad_request(format!("The {what} in the path is not percent-encoded UTF-8."))),
        Some(id) if id.is_empty() => Err(Error::not_found("There is no such path.")),
        Some(id) => osb::storable_id(&format!("The {what} in the path"), &id).map(|()| id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_may_hold_anything_that_can_be_kept() {
        let path = "/v2/service_instances/a%2Fb~._-%C3%A9/service_bindings/%20x/last_operation";
        assert_eq!(segment(path, 3, "instance id").unwrap(), "a/b~._-é");
        assert_eq!(segment(path, 5, "binding id").unwrap(), " x");
        let refused = |path: &str| segment(path, 3, "instance id").unwrap_err().status();
        assert_eq!(refused("/v2/service_instances/%FF"), 400);
        assert_eq!(refused("/v2/service_instances/%"), 400);
        assert_eq!(refused("/v2/service_instances/a%00"), 400);
        assert_eq!(refused(&format!("/v2/service_instances/{}", "a".repeat(1025))), 400);
        assert_eq!(refused("/v2/service_instances/"), 404);
    }
}
