//! The test that matters most, generic over every offering file: whatever happens at whatever point of whatever operation,
//! there is one set of resources, exactly one live credential, no orphan and no stuck row; and when all is deleted, nothing.
//!
//! `CHANDLERY_TEST_FULL=1` takes every plan at every point; otherwise each offering's first plan at every point, and a
//! sample of the rest by `CHANDLERY_TEST_SEED`. `CHANDLERY_TEST_ONLY` runs the one job that a failure names.

mod catalog_changes;
mod database;
mod fairness;
mod faults;
mod handover;
pub mod jobs;
mod kill;
mod parameters;
mod pause;
mod points;
mod process;
mod proof;
mod secrets;
mod strangers;
mod supersede;
mod walk;
mod world;
