//! Whom an operator means.

use std::fmt::Write as _;

use anyhow::bail;

use super::table::clean;
use crate::store::operator::{self, Match};
use crate::store::{PgPool, State};

/// The one owner that goes by this. Identities of ours come first, then the platforms' ids and AWS's names, the living before
/// the gone; where several are left, they are named and nothing is chosen.
pub async fn one(pool: &PgPool, id: &str) -> anyhow::Result<Match> {
    let mut found = operator::find(pool, id).await?;
    let Some(best) = found.first().cloned() else {
        bail!(
            "nothing goes by {}: it may be an operation, an instance's or binding's uid or its platform's id, or the name of \
             a resource in AWS; `chandlery admin operations --state all` lists what there is",
            clean(id)
        );
    };
    let gone = best.state == State::Deleted;
    // The order of the list puts the newest tombstone first: the living are chosen from, of the gone that one is.
    found.retain(|other| other.owner != best.owner && other.sure == best.sure && other.state != State::Deleted);
    if found.is_empty() || gone || best.sure {
        return Ok(best);
    }
    let mut message = format!("{} names more than one; say which by its uid:", clean(id));
    for candidate in std::iter::once(&best).chain(&found) {
        let _ =
            write!(message, "\n  {}  {} of platform {}", candidate.owner, candidate.kind.as_str(), candidate.platform);
        let _ = write!(message, ", instance {}", clean(&candidate.instance));
        if let Some(binding) = &candidate.binding {
            let _ = write!(message, ", binding {}", clean(binding));
        }
        let _ = write!(message, ", {}", candidate.state.as_str());
    }
    bail!(message)
}
