//! Telling workers and waiting requests that something changed, in this process at once and in other replicas through
//! `NOTIFY`.
//!
//! A notification is a hint, never the truth: whoever waits looks at the rows, and looks again now and then. That is why it
//! may be sent after the commit and coalesced. It must be: PostgreSQL holds a lock over the whole commit of a transaction
//! that notifies, so a `NOTIFY` inside every accepting transaction would let one request commit at a time.

use std::sync::Arc;

use sqlx::postgres::PgListener;
use sqlx::{PgExecutor, PgPool};
use tokio::sync::{Notify, broadcast};

use super::Result;
use crate::osb::OperationId;

const CHANNEL: &str = "chandlery";

/// Rings the bell of every replica: for a program that is none of them.
pub async fn ring(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(db).await?;
    Ok(())
}

/// The bell of this process. Clones ring the same one.
#[derive(Clone, Debug)]
pub struct Wake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    due: Notify,
    outgoing: Notify,
    finished: broadcast::Sender<Option<OperationId>>,
}

impl Default for Wake {
    fn default() -> Self {
        // 256 finished operations may pass unseen by a slow waiter; one that missed some is told so and reads its row.
        Self(Arc::new(Inner { due: Notify::new(), outgoing: Notify::new(), finished: broadcast::channel(256).0 }))
    }
}

impl Wake {
    /// Work was committed: wakes a worker here and, soon, one elsewhere.
    pub fn work(&self) {
        self.0.due.notify_one();
        self.0.outgoing.notify_one();
    }

    /// Work of this process fell due: wakes a worker here only.
    pub fn work_here(&self) {
        self.0.due.notify_one();
    }

    /// Resolves when there may be work. Register before looking at the rows.
    pub fn due(&self) -> impl Future<Output = ()> {
        self.0.due.notified()
    }

    /// An operation ended: wakes the requests that wait for it.
    pub fn finished(&self, operation: OperationId) {
        // Nobody waiting is no error.
        let _ = self.0.finished.send(Some(operation));
        self.0.outgoing.notify_one();
    }

    /// Every operation that ends from now on; `None`: one in another replica, look for yourself.
    pub fn subscribe(&self) -> broadcast::Receiver<Option<OperationId>> {
        self.0.finished.subscribe()
    }

    /// Passes notifications on between replicas until dropped. Errors are retried: replicas poll anyway.
    pub async fn relay(self, pool: PgPool) {
        tokio::join!(self.send(&pool), self.receive(&pool));
    }

    async fn send(&self, pool: &PgPool) {
        loop {
            self.0.outgoing.notified().await;
            let sent = sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(pool).await;
            if let Err(error) = sent {
                tracing::debug!(%error, "could not notify the other replicas; they poll");
            }
            // One notification a tick is enough for any number of rows.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn receive(&self, pool: &PgPool) {
        loop {
            match PgListener::connect_with(pool).await {
                Ok(mut listener) => match listener.listen(CHANNEL).await {
                    Ok(()) => {
                        while listener.recv().await.is_ok() {
                            self.0.due.notify_one();
                            let _ = self.0.finished.send(None);
                        }
                    }
                    Err(error) => tracing::warn!(%error, "could not listen for other replicas; polling"),
                },
                Err(error) => tracing::warn!(%error, "could not listen for other replicas; polling"),
            }
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        }
    }
}
