//! One binary for all integration tests.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod architecture;
mod drivers;
mod lifecycle;
mod osb_bind;
mod osb_catalog;
mod osb_deprovision;
mod osb_doors;
mod osb_provision;
mod osb_update;
mod support;
