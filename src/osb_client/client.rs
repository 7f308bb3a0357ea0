//! The one way in which calls go out and answers come in.

use std::fmt;

use http::{HeaderMap, HeaderValue, Method, header};
use reqwest::{Certificate, Identity, Url};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::answer::Raw;
use super::options::{Auth, Options};
use super::{error::Error, guard, redirect};
use crate::osb::header::{API_VERSION, ORIGINATING_IDENTITY, REQUEST_IDENTITY};
use crate::osb::{OriginatingIdentity, encode_component};

/// The optional headers of one call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// On whose behalf we call.
    pub identity: Option<&'a OriginatingIdentity>,
    /// A name for the request, for both sides' logs.
    pub request_id: Option<&'a str>,
}

/// A client of one broker; clones share its connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    auth: Auth,
    version: HeaderValue,
    body_limit: usize,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("auth", &self.auth).field("version", &self.version).finish_non_exhaustive()
    }
}

impl Client {
    /// A client for a broker. Nothing is sent yet.
    pub fn new(options: Options) -> Result<Self, Error> {
        let refused = |error: &dyn fmt::Display| Error::Options(format!("no client can be made: {error}"));
        let url = Url::parse(&options.url).map_err(|_| Error::Options("the broker's URL is not a URL".into()))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            return Err(Error::Options("the broker's URL is not one of http or https, without a query".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Options("the broker's URL holds credentials; they belong into the options".into()));
        }
        // The TLS library wants one provider per process; the first caller sets it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("chandlery/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(options.time.min(std::time::Duration::from_secs(10)))
            .timeout(options.time);
        let roots = Certificate::from_pem_bundle(&options.roots)
            .map_err(|_| Error::Options("the root certificates are not PEM".into()))?;
        builder = if options.roots_only { builder.tls_certs_only(roots) } else { builder.tls_certs_merge(roots) };
        if let Some(pem) = &options.identity {
            let identity = Identity::from_pem(pem.expose_secret().as_bytes())
                .map_err(|_| Error::Options("the client certificate and its key are not PEM".into()))?;
            builder = builder.identity(identity);
        }
        builder = guard::apply(options.guard, &url, builder)?;
        if options.insecure {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        Ok(Self {
            http: builder.build().map_err(|error| refused(&error.without_url()))?,
            base: url.as_str().trim_end_matches('/').to_owned(),
            auth: options.auth,
            version: HeaderValue::try_from(options.version.to_string()).map_err(|error| refused(&error))?,
            body_limit: options.body_limit,
        })
    }

    /// The URL of a path of ids and words, with a query; what has no value is left out.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, Option<&str>)]) -> Result<Url, Error> {
        let mut text = format!("{}/v2", self.base);
        for segment in segments {
            // No URL library sends them, escaped or not: the request would reach another route.
            if matches!(*segment, "." | "..") {
                return Err(Error::Id((*segment).to_owned()));
            }
            text.push('/');
            text.push_str(&encode_component(segment));
        }
        let mut separator = '?';
        for (name, value) in query {
            if let Some(value) = value {
                text.push(separator);
                text.push_str(name);
                text.push('=');
                text.push_str(&encode_component(value));
                separator = '&';
            }
        }
        Url::parse(&text).map_err(|_| Error::Options("the broker's URL is not a URL".into()))
    }

    /// Sends a call and reads its answer.
    pub(super) async fn send<B: Serialize>(
        &self,
        method: Method,
        mut url: Url,
        mut headers: HeaderMap,
        with: Headers<'_>,
        body: Option<&B>,
    ) -> Result<Raw, Error> {
        let mut put = |name: &'static str, what: &'static str, value: String| {
            HeaderValue::try_from(value).map(|value| headers.insert(name, value)).map_err(|_| Error::Header(what))
        };
        if let Some(identity) = with.identity {
            put(ORIGINATING_IDENTITY, "originating identity", identity.to_header())?;
        }
        if let Some(id) = with.request_id {
            put(REQUEST_IDENTITY, "request identity", id.to_owned())?;
        }
        headers.insert(API_VERSION, self.version.clone());
        let body = body
            .map(serde_json::to_vec)
            .transpose()
            .map_err(|_| Error::Options("the request cannot be written as JSON".into()))?;
        let mut hops = 0;
        loop {
            let mut request = self.http.request(method.clone(), url.clone()).headers(headers.clone());
            request = match &self.auth {
                Auth::None => request,
                Auth::Basic { username, password } => request.basic_auth(username, Some(password.expose_secret())),
                Auth::Bearer(token) => request.bearer_auth(token.expose_secret()),
            };
            if let Some(body) = &body {
                request = request.header(header::CONTENT_TYPE, "application/json").body(body.clone());
            }
            let response = request.send().await?;
            let status = response.status();
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            if !status.is_redirection() || location.is_none() {
                return self.read(response).await;
            }
            match location.and_then(|location| redirect::next(&method, status, &url, location)) {
                Some(next) if hops < redirect::MOST => url = next,
                _ => return Err(Error::Redirected { status: status.as_u16() }),
            }
            hops += 1;
        }
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Raw, Error> {
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > self.body_limit {
                return Err(Error::TooLarge { status, limit: self.body_limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Raw { status, headers, body })
    }
}
