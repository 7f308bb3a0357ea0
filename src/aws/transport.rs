//! One HTTP client for every call to AWS, the lease's guard before every attempt, and an observer around it.
//!
//! Retries are the SDK's, so the guard is asked for each attempt and for what is left of the whole call: an operation
//! that was started under a lease cannot send its second attempt after the lease is gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use crate::driver::Guard;

/// Sees every attempt of every call: metrics in production, kills and pauses in tests.
///
/// Both methods are awaited in the task that makes the call. One that never returns is a worker that stopped at exactly
/// that point: in `before` the request has not left yet, in `after` AWS has answered and nobody has learned of it. One that
/// returns late is a worker that was frozen there: the lease is looked at once more before the request leaves.
#[async_trait]
pub trait CallObserver: Send + Sync + 'static {
    /// The attempt is about to be sent; the guard has already let it pass. `service` is in lower case (`s3`, `iam`).
    async fn before(&self, _service: &str, _operation: &str) {}
    /// The attempt ended; its answer has not been read yet.
    async fn after(&self, _service: &str, _operation: &str, _outcome: Outcome, _took: Duration) {}
}

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// AWS answered with this HTTP status.
    Answered(u16),
    /// No answer came: refused, cut or timed out.
    Lost,
}

impl Outcome {
    /// The word for it in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered(200..=399) => "answered",
            Self::Answered(400..=499) => "refused",
            Self::Answered(_) => "failed",
            Self::Lost => "lost",
        }
    }
}

/// The client that all SDK clients share: one pool of connections, TLS by the process's one provider.
pub(super) fn http_client(observer: Option<Arc<dyn CallObserver>>, ca_bundle: Option<Vec<u8>>) -> SharedHttpClient {
    let mut builder = Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc));
    if let Some(pem) = ca_bundle {
        let store = tls::TrustStore::default().with_pem_certificate(pem);
        if let Ok(context) = tls::TlsContext::builder().with_trust_store(store).build() {
            builder = builder.tls_context(context);
        }
    }
    SharedHttpClient::new(Client { inner: builder.build_https(), observer })
}

/// The SDK's client, plus the observer. It leaves out the SDK's check at construction, which would read the machine's
/// certificates once more for every client that is built.
struct Client {
    inner: SharedHttpClient,
    observer: Option<Arc<dyn CallObserver>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("observed", &self.observer.is_some()).finish_non_exhaustive()
    }
}

impl HttpClient for Client {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Observed { inner, observer: self.observer.clone() })
    }
}

struct Observed {
    inner: SharedHttpConnector,
    observer: Option<Arc<dyn CallObserver>>,
}

impl std::fmt::Debug for Observed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observed")
    }
}

impl HttpConnector for Observed {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // Requests without our label are not calls to an AWS API (credentials from a metadata service).
        let Some(label) = request.extension::<Label>().cloned() else { return self.inner.call(request) };
        let (inner, observer) = (self.inner.clone(), self.observer.clone());
        HttpConnectorFuture::new(async move {
            if let Some(observer) = &observer {
                observer.before(&label.service, &label.operation).await;
            }
            let left = label.deadline.saturating_duration_since(Instant::now());
            Guard::permit(left).map_err(|fault| ConnectorError::user(fault.into()))?;
            let start = Instant::now();
            let result = inner.call(request).await;
            let Some(observer) = observer else { return result };
            let outcome =
                result.as_ref().map_or(Outcome::Lost, |response| Outcome::Answered(response.status().as_u16()));
            observer.after(&label.service, &label.operation, outcome, start.elapsed()).await;
            result
        })
    }
}

/// Carries the call's name from the interceptor to the connector.
#[derive(Clone)]
struct Label {
    service: Arc<str>,
    operation: Arc<str>,
    deadline: Instant,
}

/// When the whole call, retries included, must have ended.
#[derive(Debug)]
struct Deadline(Instant);

impl Storable for Deadline {
    type Storer = StoreReplace<Self>;
}

/// The interceptor on every client.
#[derive(Debug)]
pub(super) struct Leased {
    pub(super) call_timeout: Duration,
}

#[dyn_dispatch_hint]
impl Intercept for Leased {
    fn name(&self) -> &'static str {
        "Leased"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.interceptor_state().store_put(Deadline(Instant::now() + self.call_timeout));
        Ok(())
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let now = Instant::now();
        let deadline = cfg.load::<Deadline>().map_or(now + self.call_timeout, |deadline| deadline.0);
        Guard::permit(deadline.saturating_duration_since(now))?;
        if let Some(call) = cfg.load::<Metadata>() {
            let service = call.service().to_ascii_lowercase().into();
            let label = Label { service, operation: call.name().into(), deadline };
            context.request_mut().add_extension(label);
        }
        Ok(())
    }
}
