//! One binary for all integration tests.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod architecture;
mod drivers;
mod lifecycle;
mod secrecy;
mod support;
