//! Telling workers and waiting requests that something changed, in this process at once and in other replicas through
//! `NOTIFY`.
//!
//! A notification is a hint, never the truth: whoever waits looks at the rows, and looks again now and then. That is why it
//! may be sent after the commit and coalesced. It must be: PostgreSQL holds a lock over the whole commit of a transaction
//! that notifies, so a `NOTIFY` inside every accepting transaction would let one request commit at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{PgExecutor, PgPool};
use tokio::sync::{Notify, broadcast, watch};
use uuid::Uuid;

use super::{Lane, Result};
use crate::osb::OperationId;

const CHANNEL: &str = "chandlery";

/// What a notification tells, as bits of its payload: there may be work in a lane (see [`work_in`]), an operation ended,
/// somebody's turn was overtaken.
const FINISHED: u8 = 1 << 2;
const OVERTAKEN: u8 = 1 << 3;
const ANYTHING: u8 = u8::MAX;

fn work_in(lane: Lane) -> u8 {
    1 << lane as u8
}

/// Rings every bell of every replica: for a program that is none of them and may have overtaken a turn.
pub async fn ring(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(db).await?;
    Ok(())
}

/// The bell of this process. Clones ring the same one.
#[derive(Clone, Debug)]
pub struct Wake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Begins every payload of ours: what we tell the others we know ourselves, and looking twice would double the claims.
    name: Uuid,
    /// One bell per lane, which counts up: looking for work that is in another lane would cost as much as finding some.
    due: [watch::Sender<u64>; Lane::ALL.len()],
    overtaken: Notify,
    outgoing: Notify,
    /// What is to be told to the other replicas next.
    news: AtomicU8,
    finished: broadcast::Sender<Option<OperationId>>,
}

impl Default for Wake {
    fn default() -> Self {
        Self(Arc::new(Inner {
            name: Uuid::new_v4(),
            due: Lane::ALL.map(|_| watch::Sender::new(0)),
            overtaken: Notify::new(),
            outgoing: Notify::new(),
            news: AtomicU8::new(0),
            // 256 finished operations may pass unseen by a slow waiter; one that missed some is told so and reads its row.
            finished: broadcast::channel(256).0,
        }))
    }
}

impl Wake {
    /// Work was committed: wakes the lane's workers here and, soon, those elsewhere.
    pub fn work(&self, lane: Lane) {
        self.work_here(lane);
        self.tell_soon(work_in(lane));
    }

    /// Work was committed in a lane that the caller does not know.
    pub fn work_somewhere(&self) {
        Lane::ALL.into_iter().for_each(|lane| self.work(lane));
    }

    /// Work of this process fell due: wakes the workers here only.
    pub fn work_here(&self, lane: Lane) {
        self.0.due[lane as usize].send_modify(|count| *count = count.wrapping_add(1));
    }

    /// An operation took the place of another, which some worker, here or elsewhere, may be busy with: it is to look at once
    /// whether its lease still stands, so that the new one need not wait for it.
    pub fn overtaken(&self, lane: Lane) {
        let news = work_in(lane) | FINISHED | OVERTAKEN;
        self.look(news);
        self.tell_soon(news);
    }

    /// Changes when there may be work. Mark it as seen before looking at the rows, so that nothing is slept over.
    pub fn due(&self, lane: Lane) -> watch::Receiver<u64> {
        self.0.due[lane as usize].subscribe()
    }

    /// Resolves when some turn may have been overtaken. For one listener.
    pub async fn any_overtaken(&self) {
        self.0.overtaken.notified().await;
    }

    /// An operation ended: wakes the requests that wait for it.
    pub fn finished(&self, operation: OperationId) {
        // Nobody waiting is no error.
        let _ = self.0.finished.send(Some(operation));
        self.tell_soon(FINISHED);
    }

    fn tell_soon(&self, news: u8) {
        self.0.news.fetch_or(news, Ordering::Relaxed);
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

    /// Tells the other replicas at once that what was done here is theirs now.
    pub async fn leave(&self, pool: &PgPool) {
        self.tell(pool, ANYTHING).await;
    }

    async fn tell(&self, pool: &PgPool, news: u8) {
        let payload = format!("{} {news}", self.0.name);
        let sent = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(pool).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "could not notify the other replicas; they poll");
        }
    }

    async fn send(&self, pool: &PgPool) {
        loop {
            self.0.outgoing.notified().await;
            self.tell(pool, self.0.news.swap(0, Ordering::Relaxed)).await;
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

    /// Until the connection breaks. Nobody knows what was missed before it stood, so everybody looks first.
    async fn pass_on(&self, listener: &mut PgListener) {
        self.look(ANYTHING);
        let own = self.0.name.to_string();
        while let Ok(Some(notification)) = listener.try_recv().await {
            match notification.payload().split_once(' ') {
                Some((name, _)) if name == own => {}
                Some((_, news)) => self.look(news.parse().unwrap_or(ANYTHING)),
                // A program that is no replica (see `ring`) may have done anything.
                None => self.look(ANYTHING),
            }
        }
    }

    fn look(&self, news: u8) {
        if news & OVERTAKEN != 0 {
            self.0.overtaken.notify_one();
        }
        for lane in Lane::ALL.into_iter().filter(|lane| news & work_in(*lane) != 0) {
            self.work_here(lane);
        }
        if news & FINISHED != 0 {
            let _ = self.0.finished.send(None);
        }
    }
}
