//! Telling workers and waiting requests that something changed, in this process at once and in other replicas through
//! `NOTIFY`.
//!
//! A notification is a hint, never the truth: whoever waits looks at the rows, and looks again now and then. That is why it
//! may be sent after the commit and coalesced. It must be: PostgreSQL holds a lock over the whole commit of a transaction
//! that notifies, so a `NOTIFY` inside every accepting transaction would let one request commit at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{PgExecutor, PgPool};
use tokio::sync::{Notify, broadcast, watch};

use super::Result;
use crate::osb::OperationId;

const CHANNEL: &str = "chandlery";

/// The payload that says: somebody's turn was overtaken.
const OVERTAKEN: &str = "overtaken";

/// Rings every bell of every replica: for a program that is none of them and may have overtaken a turn.
pub async fn ring(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(OVERTAKEN).execute(db).await?;
    Ok(())
}

/// The bell of this process. Clones ring the same one.
#[derive(Clone, Debug)]
pub struct Wake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Counts up; every lane watches it, so that one bell wakes them all.
    due: watch::Sender<u64>,
    overtaken: Notify,
    outgoing: Notify,
    tell_overtaken: AtomicBool,
    finished: broadcast::Sender<Option<OperationId>>,
}

impl Default for Wake {
    fn default() -> Self {
        Self(Arc::new(Inner {
            due: watch::Sender::new(0),
            overtaken: Notify::new(),
            outgoing: Notify::new(),
            tell_overtaken: AtomicBool::new(false),
            // 256 finished operations may pass unseen by a slow waiter; one that missed some is told so and reads its row.
            finished: broadcast::channel(256).0,
        }))
    }
}

impl Wake {
    /// Work was committed: wakes the workers here and, soon, those elsewhere.
    pub fn work(&self) {
        self.work_here();
        self.0.outgoing.notify_one();
    }

    /// Work of this process fell due: wakes the workers here only.
    pub fn work_here(&self) {
        self.0.due.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// An operation took the place of another, which some worker, here or elsewhere, may be busy with: it is to look at once
    /// whether its lease still stands, so that the new one need not wait for it.
    pub fn overtaken(&self) {
        self.0.overtaken.notify_one();
        self.0.tell_overtaken.store(true, Ordering::Relaxed);
        self.work();
    }

    /// Changes when there may be work. Mark it as seen before looking at the rows, so that nothing is slept over.
    pub fn due(&self) -> watch::Receiver<u64> {
        self.0.due.subscribe()
    }

    /// Resolves when some turn may have been overtaken. For one listener.
    pub async fn any_overtaken(&self) {
        self.0.overtaken.notified().await;
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

    /// Tells the other replicas at once that there is something for them to look at.
    pub async fn tell(&self, pool: &PgPool) {
        let payload = if self.0.tell_overtaken.swap(false, Ordering::Relaxed) { OVERTAKEN } else { "" };
        let sent = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(pool).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "could not notify the other replicas; they poll");
        }
    }

    async fn send(&self, pool: &PgPool) {
        loop {
            self.0.outgoing.notified().await;
            self.tell(pool).await;
            // One notification a tick is enough for any number of rows.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn receive(&self, pool: &PgPool) {
        loop {
            match PgListener::connect_with(pool).await {
                Ok(mut listener) => match listener.listen(CHANNEL).await {
                    Ok(()) => self.pass_on(&mut listener).await,
                    Err(error) => tracing::warn!(%error, "could not listen for other replicas; polling"),
                },
                Err(error) => tracing::warn!(%error, "could not listen for other replicas; polling"),
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// Until the connection breaks; then nobody knows what was missed, so everybody looks.
    async fn pass_on(&self, listener: &mut PgListener) {
        while let Ok(Some(notification)) = listener.try_recv().await {
            if notification.payload() == OVERTAKEN {
                self.0.overtaken.notify_one();
            }
            self.look();
        }
        self.0.overtaken.notify_one();
        self.look();
    }

    fn look(&self) {
        self.work_here();
        let _ = self.0.finished.send(None);
    }
}
