//! Bindings: bind, write the Secret, keep it, replace the credentials in time, unbind.
//!
//! What this module guarantees: what is about to be sent is in the status before it is sent, so that a restart goes on where
//! it was; the Secret is written before the status says Ready; credentials are nowhere but in the Secret and at the broker,
//! and whoever needs them again asks the broker; a Secret of somebody else is never changed, and no bind is sent as long as
//! one is in the way; what a failed bind may have left is deleted by the specification's table; an unbind is tried for ever,
//! and every wait names its reason.
//!
//! | file | what |
//! |---|---|
//! | `decide`, `state`, `answer`, `rotation` | pure: what is next, how the status changes, what an answer means, when credentials are replaced |
//! | `content`, `transforms`, `jsonpath`, `options` | pure: what the Secret shall hold |
//! | `place` | instance, class, plan and broker of a binding |
//! | `work` | one turn's binding and what is done with it |
//! | `bind`, `poll`, `keep`, `rotate`, `unbind` | the steps |
//! | `store` | the Secret |
//! | `watch` | what else wakes a binding |

mod answer;
mod bind;
mod content;
mod decide;
mod jsonpath;
mod keep;
mod options;
mod place;
mod poll;
mod rotate;
mod rotation;
mod state;
mod store;
mod transforms;
mod turn;
mod unbind;
mod watch;
mod work;

pub use turn::reconcile;
pub use watch::watching;
