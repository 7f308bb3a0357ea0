//! The accept loop: plain or TLS, HTTP/1.1 and HTTP/2 on the same port, bounded, and stopped gracefully.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::refusal::Refusing;
use super::settings::Settings;
use super::tls::Tls;

/// Cancelled when the server is to stop.
pub type Stop = CancellationToken;

/// How an HTTP/2 connection begins (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A listener that is bound and not served yet.
pub struct Server {
    listener: TcpListener,
    settings: Settings,
    tls: Option<Tls>,
}

impl Server {
    /// Binds the address; connections wait from here on.
    pub async fn bind(address: SocketAddr, settings: Settings, tls: Option<Tls>) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, settings, tls })
    }

    /// The address, with the port that a port of 0 became.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then accepts nothing more, lets running requests finish within the grace, and cuts the rest.
    pub async fn run(self, router: Router, stop: Stop) {
        let Self { listener, settings, tls } = self;
        if let Some(tls) = tls.clone() {
            tokio::spawn(tls.reload_until(stop.clone()));
        }
        let (graceful, cut) = (GracefulShutdown::new(), CancellationToken::new());
        let places = Arc::new(Semaphore::new(settings.connections));
        let lane = Lane::new(router, &settings, tls, stop.clone());
        let accepting = async {
            loop {
                // The place is taken before the connection is: what has no place waits in the kernel's backlog.
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                let stream = accept(&listener).await;
                let (lane, watcher, cut) = (lane.clone(), graceful.watcher(), cut.clone());
                tokio::spawn(async move {
                    let _place = place;
                    tokio::select! {
                        () = lane.serve(stream, watcher) => {}
                        () = cut.cancelled() => {}
                    }
                });
            }
        };
        tokio::select! {
            () = accepting => {}
            () = stop.cancelled() => {}
        }
        drop(listener);
        if tokio::time::timeout(settings.grace, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests outlasted the grace and were cut");
        }
        cut.cancel();
    }
}

/// The next connection. Running out of descriptors, or a client that is gone already, is no reason to stop.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small and written at once; waiting to fill a packet only adds latency.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What every connection needs.
#[derive(Clone)]
struct Lane {
    service: TowerToHyperService<Router>,
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
    tls: Option<Tls>,
    head_time: Duration,
    stop: Stop,
}

impl Lane {
    fn new(router: Router, settings: &Settings, tls: Option<Tls>, stop: Stop) -> Self {
        let mut http1 = Builder::new(TokioExecutor::new()).http1_only();
        http1
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.head_time)
            .max_buf_size(settings.head_limit);
        let mut http2 = Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(settings.head_time)
            .keep_alive_timeout(settings.head_time)
            .max_concurrent_streams(256)
            .max_header_list_size(u32::try_from(settings.head_limit).unwrap_or(u32::MAX));
        let service = TowerToHyperService::new(router);
        Self { service, http1, http2, tls, head_time: settings.head_time, stop }
    }

    async fn serve(self, stream: TcpStream, watcher: Watcher) {
        match &self.tls {
            None => {
                let Some(is_http2) = self.begin(sniff(&stream)).await else { return };
                self.talk(stream, is_http2, watcher).await;
            }
            Some(tls) => {
                let Some(stream) = self.begin(tls.accept(stream)).await else { return };
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.talk(stream, is_http2, watcher).await;
            }
        }
    }

    /// A connection must begin in time, and not while the server stops.
    async fn begin<T>(&self, beginning: impl Future<Output = io::Result<T>>) -> Option<T> {
        tokio::select! {
            begun = tokio::time::timeout(self.head_time, beginning) => match begun {
                Ok(Ok(begun)) => Some(begun),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a connection did not begin");
                    None
                }
                Err(_) => None,
            },
            () = self.stop.cancelled() => None,
        }
    }

    async fn talk<S>(&self, stream: S, is_http2: bool, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let ended = if is_http2 {
            let connection = self.http2.serve_connection(TokioIo::new(stream), self.service.clone());
            watcher.watch(connection).await
        } else {
            let connection = self.http1.serve_connection(TokioIo::new(Refusing::new(stream)), self.service.clone());
            watcher.watch(connection).await
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke");
        }
    }
}

/// Whether the client begins with HTTP/2's preface. hyper-util's own detection has no time limit, so a client that sends
/// nothing would hold its place for ever.
async fn sniff(stream: &TcpStream) -> io::Result<bool> {
    let mut buffer = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut buffer).await?;
        if seen == 0 || buffer[..seen] != PREFACE[..seen] {
            return Ok(false);
        }
        if seen == PREFACE.len() {
            return Ok(true);
        }
        // Part of a preface: what was peeked at stays readable, so readiness cannot tell when more is there.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
