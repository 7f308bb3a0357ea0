//! The controller against a real API server, with the real kubectl and svcat.
//!
//! They need a cluster: `python3 tests/world test --kubernetes -- cargo test --test it -- kubernetes` brings one up. Without
//! one they say so and pass.

mod bind_faults;
mod bind_secrets;
mod binder;
mod bindings;
mod broker;
mod brokers;
mod catalogs;
mod definitions;
mod election;
mod faulty;
mod instance_faults;
mod instances;
mod migration;
mod shop;
mod upkeep;
mod world;
