//! The form of every write of the engine: one statement that takes effect only under the epoch it was claimed with, and
//! that appends its event and renews the operation's description in the same breath.
//!
//! The share lock on the owner's row makes it exact: whoever raises the epoch waits for writes that began under the old
//! one, and writes that begin later see the new one and do nothing.

use std::time::Duration;

use crate::osb::{OperationId, Uid};

/// What a turn of the engine may write under.
#[derive(Clone, Copy, Debug)]
pub struct Fence {
    /// The owner that was claimed.
    pub owner: Uid,
    /// The epoch of that claim.
    pub epoch: i64,
    /// The operation this turn works on.
    pub operation: OperationId,
}

/// What happened, for the event log and, in words, for the platform.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// A word or two for machines: `resource ready`.
    pub what: &'static str,
    /// The resource's key, where it concerns one.
    pub resource: Option<String>,
    /// A sentence; it becomes the operation's description.
    pub message: String,
    /// For operators only.
    pub detail: Option<String>,
    /// How long the step took.
    pub took: Option<Duration>,
    /// When the platform should ask again.
    pub retry_after: Option<Duration>,
}

impl Step {
    /// A step of that kind with its sentence.
    pub fn new(what: &'static str, message: impl Into<String>) -> Self {
        Self { what, message: message.into(), ..Self::default() }
    }

    /// About that resource.
    #[must_use]
    pub fn of(mut self, key: &str) -> Self {
        self.resource = Some(key.to_owned());
        self
    }

    pub(super) fn took_ms(&self) -> Option<i64> {
        self.took.map(|took| i64::try_from(took.as_millis()).unwrap_or(i64::MAX))
    }

    pub(super) fn retry_after_s(&self) -> Option<i32> {
        // Rounded up, and never 0: a platform would take that as "at once, for ever".
        self.retry_after.map(|after| i32::try_from(after.as_millis().div_ceil(1000)).unwrap_or(3600).max(1))
    }
}

/// Runs `$sql` under the fence: `$1` to `$9` are the fence's and the step's, `$10` and on are the arguments. `$sql` reads
/// `fence` (one row, or none if the epoch has moved on) and must touch exactly the rows that prove success; no row: fenced.
macro_rules! fenced {
    ($connection:expr, $fence:expr, $step:expr, $sql:literal, $($argument:expr),* $(,)?) => {{
        let (fence, step): (&$crate::store::Fence, &$crate::store::Step) = ($fence, $step);
        let done = sqlx::query!(
            "WITH fence AS (SELECT uid FROM owner WHERE uid = $1 AND epoch = $2 FOR SHARE),
             told AS (UPDATE operation SET description = $3, retry_after = COALESCE($4, retry_after)
                      FROM fence WHERE operation.id = $5 AND operation.state = 'in progress'),
             logged AS (INSERT INTO event (owner, operation, actor, what, resource, message, detail, took_ms)
                        SELECT fence.uid, $5, 'engine', $6, $7, $3, $8, $9 FROM fence) " + $sql,
            fence.owner.uuid(),
            fence.epoch,
            step.message,
            step.retry_after_s(),
            fence.operation.uuid(),
            step.what,
            step.resource,
            step.detail,
            step.took_ms(),
            $($argument),*
        )
        .execute($connection)
        .await?;
        if done.rows_affected() == 0 { Err($crate::store::Error::Fenced) } else { Ok(()) }
    }};
}
pub(super) use fenced;
