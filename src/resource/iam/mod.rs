//! AWS Identity and Access Management.

pub mod identity;
