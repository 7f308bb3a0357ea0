//! What the tests share.

pub mod aws;
