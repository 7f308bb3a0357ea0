//! The bounds of the HTTP side.

use std::time::Duration;

/// What one process takes. Every default is good for production.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// The time for a body to arrive; then 408.
    pub body_time: Duration,
    /// The time for a whole request; then 503. Above the 50 s of a synchronous bind and below the 60 s after which
    /// platforms give up (spec: "Orphan mitigation").
    pub request_time: Duration,
    /// The time for a request's head to arrive. HTTP/1.1 counts from the end of the answer before, so it also ends idle
    /// connections.
    pub head_time: Duration,
    /// The largest head of a request, in bytes. An operation of 10,000 characters, percent-encoded, fits.
    pub head_limit: usize,
    /// How many requests are worked on at once; a further one gets 429 and comes again.
    pub requests: usize,
    /// How many connections are open at once; a further one waits to be accepted.
    pub connections: usize,
    /// How long a stopping server waits for the requests that run.
    pub grace: Duration,
    /// `/metrics` is served by a listener of its own and not beside the API.
    pub metrics_apart: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_limit: 1024 * 1024,
            body_time: Duration::from_secs(20),
            request_time: Duration::from_secs(55),
            head_time: Duration::from_secs(30),
            head_limit: 64 * 1024,
            requests: 2048,
            connections: 8192,
            grace: Duration::from_secs(25),
            metrics_apart: false,
        }
    }
}
