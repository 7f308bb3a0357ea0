//! A typed client of the protocol, for any broker: our controller, tests and tools use it.
//!
//! What this module guarantees: every call ends within its time and reads a bounded answer; credentials go to the host
//! they were given for and nowhere else, redirects included; what may not be reached ([`Guard`]) is not; what a broker says is never trusted to be well-formed; no
//! secret is in `Debug` or in an error.

mod answer;
mod client;
mod error;
mod guard;
mod options;
mod redirect;
mod routes;

pub use answer::{Answer, CatalogAnswer, Skipped, Status};
pub use client::{Client, Headers};
pub use error::{Error, Refusal};
pub use guard::Guard;
pub use options::{Auth, Options};
