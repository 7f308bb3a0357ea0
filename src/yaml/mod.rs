//! YAML files that people write: offerings, their lock, the administrator's file.
//!
//! A document becomes a JSON value and the place of every node, so that every later check can say where; what is wrong is a
//! [`Problem`] with file, line and column, and all [`Problems`] of a file are told at once. No problem quotes the file's text,
//! which may hold a digest or an ExternalId.

mod located;
mod node;
mod pointer;
mod problem;

pub use located::{Located, Places, yaml_problem};
pub use pointer::{below, dotted, join};
pub use problem::{Problem, Problems};
