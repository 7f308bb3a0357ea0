//! The platform side: the kinds of `servicecatalog.k8s.io` and the controller that serves them over [`crate::osb_client`],
//! for any broker of the protocol. The only module that names kube.
//!
//! What this module guarantees: one replica works at a time, the one that holds the lease ([`leader`]); what an attempt
//! left and when the next one begins is in the object's status, so that a restart goes on where it was; an object is
//! changed only if it is still what was decided on ([`write`]); what goes wrong is a condition that names its reason, and
//! no secret is in it; nothing is stuck for ever.
//!
//! | file | what |
//! |---|---|
//! | `api/` | the eight kinds, field by field |
//! | `crds/` | their CustomResourceDefinitions |
//! | `run`, `leader`, `health`, `context`, `turn` | the controller as a whole; what every turn can use |
//! | `broker/`, `catalog/`, `instance/`, `binding/` | one turn over an object of the kind |
//! | `scope` | what the two scopes have in common |
//! | `admission` | who orders, for clusters that do not write it down |
//! | `parameters` | what is sent as parameters, Secrets included |
//! | `words` | what of a broker's words may be shown |
//! | `clients`, `events`, `write`, `finalizer`, `names`, `selector` | tools |

pub mod admission;
pub mod api;
mod binding;
mod broker;
mod catalog;
mod clients;
mod context;
pub mod crds;
mod events;
mod finalizer;
mod health;
mod instance;
mod leader;
mod names;
mod parameters;
mod run;
mod scope;
mod selector;
mod turn;
mod words;
mod write;

pub use health::Health;
pub use run::{Controllers, Error};
