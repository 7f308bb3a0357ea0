//! The door: HTTP in, [`crate::broker`] behind it. The only module that names axum.
//!
//! What this module guarantees to every request, a panicking one included: checks come in the order 401, 412, 404 and
//! 405, 400; an answer is a JSON object with its content type and the echoed request identity; size, time and number of
//! requests are bounded; neither bodies nor headers are logged.

mod answer;
mod conditional;
mod extract;
mod front;
mod gate;
mod plain;
mod probes;
mod refusal;
mod router;
mod server;
mod settings;
mod tls;
mod v2;

pub use axum::Router;
pub use front::Observer;
pub use plain::{Ready, Reviewer, health, webhook};
pub use router::{App, Metrics, probes, router};
pub use server::{Server, Stop};
pub use settings::Settings;
pub use tls::Tls;
