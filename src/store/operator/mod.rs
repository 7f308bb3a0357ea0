//! What an operator sees and may do, beside the engine and without it: `chandlery admin`.
//!
//! Nothing here opens a sealed value or even reads one. What an operator changes is written as requests write it: in one
//! transaction with its event, with the rows locked in the order in which requests lock them, and under a raised epoch where a
//! turn could have other plans.

mod act;
mod find;
mod list;
mod look;
mod things;

pub use act::{Abandoned, Refused, Retried, abandon, retry};
pub use find::{Match, find, resources};
pub use list::{Filter, Listed, list};
pub use look::{Bound, OperationSeen, OwnerSeen, ResourceSeen, bindings, now, operations, owner, rows};
pub use things::{Thing, things};
