//! Waiting in a request for an operation to end: the synchronous bind and unbind.

use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;

use super::Broker;
use crate::osb::{Error, OperationId};
use crate::store::operation::Operation;
use crate::store::{self, OperationState};

/// How often to look without being told: a notification from another replica may be lost.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl Broker {
    /// Waits for an operation to end. Subscribe before it is committed. After the configured time the answer is 503 while
    /// the work goes on: an identical request joins it, a DELETE supersedes it.
    pub(super) async fn ended(
        &self,
        id: OperationId,
        mut ended: Receiver<Option<OperationId>>,
    ) -> Result<Operation, Error> {
        let deadline = Instant::now() + self.0.parts.sync_wait;
        loop {
            let operation = store::operation::by_id(self.singles(), id).await?.ok_or(Error::Gone)?;
            if operation.state != OperationState::InProgress {
                return Ok(operation);
            }
            let look = Instant::now() + LOOK_AGAIN;
            loop {
                tokio::select! {
                    told = ended.recv() => match told {
                        Ok(Some(other)) if other != id => {}
                        _ => break,
                    },
                    () = tokio::time::sleep_until(look) => break,
                    () = tokio::time::sleep_until(deadline) => {
                        return Err(Error::unavailable(
                            "This takes longer than a request may. The work goes on: send the same request again to wait for it.",
                            Some(5),
                        ));
                    }
                }
            }
        }
    }
}

/// How a request ends whose operation failed while it waited.
pub(super) fn failed_operation(operation: Operation) -> Error {
    match (operation.state, operation.class.as_deref()) {
        (OperationState::Superseded, _) => Error::ConcurrencyError,
        (_, Some("rejected")) => Error::bad_request(operation.description),
        _ => Error::unavailable(operation.description, None),
    }
}
