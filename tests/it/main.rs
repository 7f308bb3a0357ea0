//! One binary for all integration tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::large_futures, missing_docs)]

mod admin;
mod architecture;
mod crash;
mod drivers;
mod kubernetes;
mod lifecycle;
mod master_key;
mod osb_bind;
mod osb_catalog;
mod osb_deprovision;
mod osb_doors;
mod osb_provision;
mod osb_update;
mod osb_upgrade;
mod reload;
mod secrecy;
mod support;
