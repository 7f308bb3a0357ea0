//! `GET /v2/catalog`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::broker::Caller;
use crate::http::answer::{Answer, raw_json};
use crate::http::conditional::{http_date, is_fresh};
use crate::http::router::App;

/// The catalog, or 304 when the client's copy is still good. It differs by platform and by API version, so no shared
/// cache may keep it, and a private one asks every time.
pub async fn catalog(State(app): State<App>, caller: Caller, headers: HeaderMap) -> Answer {
    let page = app.broker.catalog(&caller)?;
    let mut response = if is_fresh(&headers, &page.etag, page.last_modified) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        raw_json(StatusCode::OK, page.body)
    };
    let answer = response.headers_mut();
    let mut set = |name: HeaderName, value: Option<HeaderValue>| value.map(|value| answer.insert(name, value));
    set(header::ETAG, HeaderValue::try_from(page.etag).ok());
    set(header::LAST_MODIFIED, http_date(page.last_modified).and_then(|date| HeaderValue::try_from(date).ok()));
    set(header::CACHE_CONTROL, Some(HeaderValue::from_static("private, no-cache")));
    set(header::VARY, Some(HeaderValue::from_static("authorization, x-broker-api-version")));
    Ok(response)
}
