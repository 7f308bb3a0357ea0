//! Classes and plans: their labels, and their end.
//!
//! What this module guarantees: every class and plan, one that a user made too, has the labels by which svcat looks it up;
//! one that its broker no longer offers goes as soon as no instance uses it, and not before.

mod labels;
mod turn;
mod usage;

pub use labels::{class_labels, plan_labels};
pub use turn::{reconcile_class, reconcile_plan};
pub use usage::users;
