//! The product: offering files, parsed, compiled and checked into immutable revisions.
//!
//! What this module guarantees: a file that is accepted has only names that resolve, schemas that compile, plans that can be
//! satisfied, and no secret where people would see one; a file that is not is refused with all its problems, each with line and
//! column. A revision is immutable, does no I/O, and evaluates the same way on every replica and for ever. User text is never
//! code: values enter expressions as data, and `literal` is required where AWS would read a pattern.
//!
//! The way in: [`Catalog::load`] or [`Revision::parse`]. `docs/CATALOG.md` is the reference of the format.

mod analysis;
mod build;
mod check;
mod compiled;
mod directory;
mod document;
mod evaluate;
mod expression;
mod format;
mod functions;
mod given;
pub mod identity;
mod ladder;
#[cfg(test)]
mod laws;
mod lock;
mod order;
mod parameters;
mod phrase;
mod plan;
mod resources;
mod revision;
mod schema;
mod scope;
mod secrecy;
mod served;
mod shelf;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod validator;
mod walk;
mod words;

pub use crate::yaml::{Problem, Problems};
pub use check::{NAME, is_name, is_word, sample};
pub use directory::{Catalog, examine};
pub use document::{DeletionWithBindings, Maintenance, MaintenanceStep, Offering, Parameter, PlanDocument};
pub use evaluate::EvalError;
pub use format::json_schema;
pub use functions::{FILTERS, FUNCTIONS, TESTS};
pub use given::{Given, Resolved};
pub use ladder::Ladder;
pub use lock::Lock;
pub use parameters::Refusal;
pub use phrase::{phrase, plain};
pub use plan::Plan;
pub use resources::Spec;
pub use revision::Revision;
pub use schema::Verb;
pub use scope::{Names, OutputMap, Scope};
pub use shelf::Shelf;
pub use tree::Evaluated;
