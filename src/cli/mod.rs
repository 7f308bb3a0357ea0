//! The roles of the binary, one file per verb.

pub mod catalog;
