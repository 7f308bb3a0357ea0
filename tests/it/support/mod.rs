//! What the tests share.

pub mod app;
pub mod aws;
pub mod parcels;
pub mod process;
pub mod reply;
pub mod wire;
