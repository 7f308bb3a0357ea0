//! Stands between a controller and the API server. Writes are marks at the gate; the Lease and the events are none.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{Method, StatusCode, header};
use kube::Client;
use tokio::net::TcpListener;

use super::gate::Gate;

/// Starts one; it ends with the test's runtime. Gives its URL.
pub async fn start(client: Client, gate: Gate) -> String {
    let router = Router::new().fallback(pass).with_state((client, gate));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn pass(State((client, gate)): State<(Client, Gate)>, request: Request) -> Response {
    gate.enter().await;
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path().to_owned();
    parts.headers.remove(header::HOST);
    let leaves_a_mark = parts.method != Method::GET && !path.contains("/leases") && !path.ends_with("/events");
    let mark = format!("{} {}", parts.method, short(&path));
    let forwarded = http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    let Ok(answer) = client.send(forwarded).await else {
        return Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::empty()).unwrap();
    };
    if leaves_a_mark && !gate.passed(mark).await {
        let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("the reply is lost"))]);
        return answer.map(|_| Body::from_stream(broken));
    }
    answer.map(Body::new)
}

/// A path without what is the same in all of them.
fn short(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.iter().position(|part| *part == "namespaces") {
        Some(at) => parts[at + 2..].join("/"),
        None => path.to_owned(),
    }
}
