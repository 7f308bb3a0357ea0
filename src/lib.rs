//! Chandlery: an Open Service Broker for AWS.
//!
//! This file is the map, one line per module; `docs/ARCHITECTURE.md` draws it. Who may import whom is fixed (left may
//! import right) and `tests/it/architecture.rs` reads the sources and holds it:
//!
//! | module | may import |
//! |---|---|
//! | `osb`, `config`, `metrics`, `telemetry`, `yaml` | nothing of ours |
//! | `osb_client` | `osb` |
//! | `vault` | `osb` |
//! | `driver` | `osb`, `vault` |
//! | `catalog` | `osb`, `driver`, `yaml` |
//! | `policy` | `osb`, `yaml` |
//! | `store` | `osb`, `vault` |
//! | `aws` | `driver`, `vault` |
//! | `resource` | `driver`, `aws`, `vault`; a driver never another driver |
//! | `engine` | `osb`, `catalog`, `store`, `vault`, `driver` |
//! | `broker` | `osb`, `catalog`, `policy`, `store`, `vault` |
//! | `http` | `broker`, `osb` |
//! | `kubernetes` | `osb`, `osb_client`: it serves any broker |
//! | `cli` | everything: the one place where roles are wired |
//!
//! `config` and `metrics` may be used by all.

pub mod aws;
pub mod broker;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod driver;
pub mod engine;
pub mod http;
pub mod kubernetes;
pub mod metrics;
pub mod osb;
pub mod osb_client;
pub mod policy;
pub mod resource;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod yaml;
