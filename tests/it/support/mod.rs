//! What the tests share.

pub mod app;
pub mod aws;
pub mod process;
pub mod reply;
