//! One binary for all integration tests.

mod drivers;
mod support;
