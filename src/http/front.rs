//! The one middleware: it admits, bounds, watches and finishes every request.

use std::any::Any;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use futures_util::FutureExt;
use http::{HeaderValue, Method, StatusCode, header};
use tokio::sync::Semaphore;
use tower::{Layer, Service};
use tracing::{Instrument, Span, field};

use super::answer::{self, Unwritten};
use super::gate::{self, Authenticate};
use super::probes;
use crate::osb::header::REQUEST_IDENTITY;
use crate::osb::{ApiVersion, Error};

/// Hears of every answer: the matched route (or `unmatched`), the method, the status and the time it took.
pub type Observer = Arc<dyn Fn(&str, &Method, StatusCode, Duration) + Send + Sync>;

/// What the front needs.
pub struct Desk {
    pub authenticate: Authenticate,
    pub observer: Observer,
    pub request_time: Duration,
    /// One place per request that is worked on.
    pub places: Arc<Semaphore>,
}

/// Puts a [`Front`] before a service.
#[derive(Clone)]
pub struct FrontLayer(Arc<Desk>);

impl FrontLayer {
    pub fn new(desk: Desk) -> Self {
        Self(Arc::new(desk))
    }
}

impl<S> Layer<S> for FrontLayer {
    type Service = Front<S>;

    fn layer(&self, inner: S) -> Front<S> {
        Front { inner, desk: Arc::clone(&self.0) }
    }
}

/// A service behind the front.
#[derive(Clone)]
pub struct Front<S> {
    inner: S,
    desk: Arc<Desk>,
}

impl<S> Service<Request> for Front<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let visit = Visit::new(&request, &self.desk);
        if probes::is_open(request.uri().path()) {
            let work = bounded(self.inner.call(request), visit.desk.request_time);
            return Box::pin(async move { Ok(visit.finish(work.await, ApiVersion::CURRENT)) });
        }
        let span = visit.span();
        let caller = match span.in_scope(|| gate::admit(request.headers(), &self.desk.authenticate)) {
            Ok(caller) => caller,
            Err(error) => {
                let response = span.in_scope(|| visit.finish(Err(error), ApiVersion::CURRENT));
                return Box::pin(ready(Ok(response)));
            }
        };
        span.record("platform", caller.platform.as_str());
        let version = caller.version;
        let Ok(place) = Arc::clone(&self.desk.places).try_acquire_owned() else {
            // 429 and not 503: nothing has happened, so the platform has no orphan to mitigate.
            let error = Error::TooManyRequests { retry_after: 1 };
            let response = span.in_scope(|| visit.finish(Err(error), version));
            return Box::pin(ready(Ok(response)));
        };
        request.extensions_mut().insert(Arc::new(caller));
        let work = bounded(self.inner.call(request), visit.desk.request_time);
        let whole = async move {
            let _place = place;
            Ok(visit.finish(work.await, version))
        };
        Box::pin(whole.instrument(span))
    }
}

/// Runs a handler to its end, its panic or the end of its time.
async fn bounded<F>(handler: F, time: Duration) -> Result<Response, Error>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    let mut response = match tokio::time::timeout(time, AssertUnwindSafe(handler).catch_unwind()).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(panic)) => {
            tracing::error!(panic = panic_text(&*panic), "a request handler panicked");
            return Err(Error::Internal);
        }
        Err(_) => return Err(Error::Timeout),
    };
    match response.extensions_mut().remove::<Unwritten>() {
        Some(Unwritten(error)) => Err(error),
        None => Ok(response),
    }
}

/// A panic's text is written in the source; one that was formatted may hold anything and is not shown.
fn panic_text(panic: &(dyn Any + Send)) -> &'static str {
    panic.downcast_ref::<&'static str>().copied().unwrap_or("(formatted)")
}

/// One request, from its arrival to its answer.
struct Visit {
    desk: Arc<Desk>,
    began: Instant,
    method: Method,
    route: Option<MatchedPath>,
    echo: Option<HeaderValue>,
}

impl Visit {
    fn new(request: &Request, desk: &Arc<Desk>) -> Self {
        Self {
            desk: Arc::clone(desk),
            began: Instant::now(),
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            echo: request.headers().get(REQUEST_IDENTITY).cloned(),
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("unmatched", MatchedPath::as_str)
    }

    /// The platform is recorded once it is known, ids once they are decoded.
    fn span(&self) -> Span {
        tracing::info_span!(
            "request",
            http.method = self.method.as_str(),
            http.route = self.route(),
            request.id = self.echo.as_ref().and_then(|echo| echo.to_str().ok()),
            platform = field::Empty,
            instance.id = field::Empty,
            binding.id = field::Empty,
        )
    }

    /// Writes an error's answer, adds what every answer has, and tells who listens.
    fn finish(&self, result: Result<Response, Error>, version: ApiVersion) -> Response {
        let mut response = result.unwrap_or_else(|error| answer::error(&error, version));
        let headers = response.headers_mut();
        if let Some(echo) = &self.echo {
            headers.insert(REQUEST_IDENTITY, echo.clone());
        }
        // Answers hold credentials; the catalog says otherwise for itself.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        let status = response.status();
        let took = self.began.elapsed();
        (self.desk.observer)(self.route(), &self.method, status, took);
        self.log(status, took);
        response
    }

    /// One line per answer. Polls and reads that end well are many and say little: they are for debugging.
    fn log(&self, status: StatusCode, took: Duration) {
        let status = status.as_u16();
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match status {
            500.. => tracing::warn!(http.status = status, milliseconds, "answered"),
            ..400 if self.method.is_safe() => tracing::debug!(http.status = status, milliseconds, "answered"),
            _ => tracing::info!(http.status = status, milliseconds, "answered"),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::osb::PlatformName;
    use crate::osb::header::API_VERSION;

    type Seen = Arc<std::sync::Mutex<Vec<(String, u16)>>>;

    fn router(places: usize, seen: &Seen) -> Router {
        let seen = Arc::clone(seen);
        let desk = Desk {
            authenticate: Box::new(|_| Some(PlatformName::from("p"))),
            observer: Arc::new(move |route, _, status, _| {
                seen.lock().unwrap().push((route.to_owned(), status.as_u16()))
            }),
            request_time: Duration::from_millis(20),
            places: Arc::new(Semaphore::new(places)),
        };
        async fn panics() -> &'static str {
            panic!("as it should")
        }
        Router::new()
            .route("/v2/{id}", get(async || answer::json(StatusCode::OK, &[0; 0])))
            .route("/v2/panic", get(panics))
            .route("/v2/slow", get(std::future::pending::<&'static str>))
            .route("/livez", get(async || "alive"))
            .fallback(answer::no_such_path)
            .method_not_allowed_fallback(answer::no_such_method)
            .layer(FrontLayer::new(desk))
    }

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request {
        let builder = http::Request::builder().method(method).uri(path).header(REQUEST_IDENTITY, "r-1");
        headers
            .iter()
            .fold(builder, |builder, (name, value)| builder.header(*name, *value))
            .body(Body::empty())
            .unwrap()
    }

    const AUTH: (&str, &str) = ("authorization", "Bearer t");
    const VERSION: (&str, &str) = (API_VERSION, "2.17");

    #[tokio::test]
    async fn every_way_to_end_has_its_order_its_body_and_the_echo() {
        let seen = Seen::default();
        let router = router(1, &seen);
        for (method, path, headers, status) in [
            ("GET", "/v2/x", &[AUTH, VERSION][..], 200),
            ("GET", "/v2/x", &[VERSION], 401),
            ("GET", "/nowhere", &[], 401),
            ("POST", "/v2/x", &[VERSION], 401),
            ("GET", "/v2/x", &[AUTH], 412),
            ("GET", "/nowhere", &[AUTH], 412),
            ("GET", "/nowhere", &[AUTH, VERSION], 404),
            ("GET", "/v2/x/", &[AUTH, VERSION], 404),
            ("GET", "/v2/", &[AUTH, VERSION], 404),
            ("POST", "/v2/x", &[AUTH, VERSION], 405),
            ("GET", "/v2/panic", &[AUTH, VERSION], 500),
            ("GET", "/v2/slow", &[AUTH, VERSION], 503),
            ("POST", "/livez", &[], 405),
            ("GET", "/livez", &[], 200),
        ] {
            let response = router.clone().oneshot(request(method, path, headers)).await.unwrap();
            assert_eq!(response.status(), status, "{method} {path} {headers:?}");
            assert_eq!(response.headers()[REQUEST_IDENTITY], "r-1", "{method} {path}");
            let (parts, body) = response.into_parts();
            if status >= 400 {
                assert_eq!(parts.headers["content-type"], "application/json", "{method} {path}");
                assert_eq!(parts.headers.get_all("www-authenticate").iter().count(), if status == 401 { 2 } else { 0 });
                let body: crate::osb::ErrorBody =
                    serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
                assert!(body.description.is_some(), "{method} {path}");
            }
            if status == 405 {
                assert_eq!(parts.headers["allow"], "GET,HEAD");
            }
        }
        let seen = seen.lock().unwrap();
        assert_eq!(seen[0], ("/v2/{id}".to_owned(), 200));
        assert_eq!(seen[2], ("unmatched".to_owned(), 401));
        assert_eq!(seen.len(), 14);
    }

    #[tokio::test]
    async fn a_request_too_many_is_sent_away_and_the_probes_still_answer() {
        let router = router(0, &Seen::default());
        let response = router.clone().oneshot(request("GET", "/v2/x", &[AUTH, VERSION])).await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &HeaderValue::from(1)));
        assert_eq!(router.oneshot(request("GET", "/livez", &[])).await.unwrap().status(), 200);
    }
}
