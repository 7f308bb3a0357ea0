//! Single reads of one sort, gathered into statements that answer many.
//!
//! Whoever asks while nothing is under way is answered by a statement of their own, at once. Whoever asks while a statement is
//! under way waits for its end and shares the next with everybody else who asked meanwhile: under load a statement's fixed
//! cost (a round trip, two wake-ups on each side) is divided by their number. No read is older than its question: a statement
//! begins after everybody asked whom it answers. One that fails, or hangs on a connection that is dead, takes nobody with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::Result;

/// The most questions of one statement.
const MOST: usize = 64;

/// How long everybody waits for a statement that takes a millisecond. The server ends slow ones by itself, but not one on a
/// connection that nobody hears of any more.
const LIMIT: Duration = Duration::from_secs(15);

/// Answers each key, in order.
type Read<K, V> = dyn Fn(Vec<K>) -> BoxFuture<'static, Result<Vec<Option<V>>>> + Send + Sync;

/// Reads of one sort. Clones share everything.
pub struct Gather<K, V>(Arc<Inner<K, V>>);

struct Inner<K, V> {
    read: Box<Read<K, V>>,
    limit: Duration,
    queue: Mutex<Queue<K, V>>,
}

struct Queue<K, V> {
    asked: Vec<(K, oneshot::Sender<Option<V>>)>,
    is_read: bool,
}

impl<K, V> Clone for Gather<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Clone + Send + 'static, V: Send + 'static> Gather<K, V> {
    /// `read` answers each key, in order.
    pub fn new(read: impl Fn(Vec<K>) -> BoxFuture<'static, Result<Vec<Option<V>>>> + Send + Sync + 'static) -> Self {
        Self::within(LIMIT, read)
    }

    fn within(
        limit: Duration,
        read: impl Fn(Vec<K>) -> BoxFuture<'static, Result<Vec<Option<V>>>> + Send + Sync + 'static,
    ) -> Self {
        let queue = Queue { asked: Vec::new(), is_read: false };
        Self(Arc::new(Inner { read: Box::new(read), limit, queue: Mutex::new(queue) }))
    }

    /// What is there under that key.
    pub async fn get(&self, key: K) -> Result<Option<V>> {
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut queue = self.queue();
            queue.asked.push((key.clone(), answer));
            !std::mem::replace(&mut queue.is_read, true)
        };
        if begins {
            // Not in line: whoever asked may be gone before the others have their answers.
            tokio::spawn(self.clone().answer());
        }
        match answered.await {
            Ok(found) => Ok(found),
            // The statement failed; one's own does better, or says why not.
            Err(_) => Ok((self.0.read)(vec![key]).await?.pop().flatten()),
        }
    }

    /// Answers until nobody asks.
    async fn answer(self) {
        loop {
            // Whoever is about to ask, because a request of theirs has arrived, does so first.
            tokio::task::yield_now().await;
            let (keys, answers): (Vec<K>, Vec<_>) = {
                let mut queue = self.queue();
                let most = queue.asked.len().min(MOST);
                if most == 0 {
                    queue.is_read = false;
                    return;
                }
                queue.asked.drain(..most).unzip()
            };
            if let Ok(Ok(found)) = tokio::time::timeout(self.0.limit, (self.0.read)(keys)).await {
                for (answer, found) in answers.into_iter().zip(found) {
                    // Whoever does not listen any more has gone.
                    let _ = answer.send(found);
                }
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<K, V>> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows by their place among the questions (`WITH ORDINALITY`: from 1), as answers.
pub(super) fn in_place<V>(asked: usize, rows: impl Iterator<Item = (i64, V)>) -> Vec<Option<V>> {
    let mut answers: Vec<Option<V>> = std::iter::repeat_with(|| None).take(asked).collect();
    for (place, row) in rows {
        if let Some(answer) = usize::try_from(place - 1).ok().and_then(|place| answers.get_mut(place)) {
            *answer = Some(row);
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;
    use crate::store::Error;

    /// Even keys are there; a statement with a key of 13 fails.
    fn gather(statements: &Arc<AtomicUsize>) -> Gather<u32, u32> {
        let statements = Arc::clone(statements);
        Gather::new(move |keys| {
            statements.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                if keys.contains(&13) {
                    return Err(Error::Fenced);
                }
                Ok(keys.into_iter().map(|key| (key % 2 == 0).then_some(key)).collect())
            }
            .boxed()
        })
    }

    #[tokio::test]
    async fn everybody_hears_what_they_asked_for_in_few_statements() {
        let statements = Arc::default();
        let gather = gather(&statements);
        let keys = || (0..200).filter(|key| *key != 13);
        let found = join_all(keys().map(|key| gather.get(key))).await;
        for (key, found) in keys().zip(found) {
            assert_eq!(found.unwrap(), (key % 2 == 0).then_some(key));
        }
        assert!(statements.load(Ordering::Relaxed) <= 6, "{statements:?}");
        assert_eq!(gather.get(4).await.unwrap(), Some(4), "nobody is left waiting for a reader that has gone");
    }

    #[tokio::test]
    async fn one_that_hangs_is_left_behind() {
        let statements = AtomicUsize::new(0);
        let gather = Gather::within(Duration::from_millis(20), move |keys: Vec<u32>| {
            let first = statements.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                if first {
                    std::future::pending::<()>().await;
                }
                Ok(keys.into_iter().map(Some).collect())
            }
            .boxed()
        });
        let found = join_all([1, 2].map(|key| gather.get(key))).await;
        assert!(matches!(found.as_slice(), [Ok(Some(1)), Ok(Some(2))]), "{found:?}");
        assert_eq!(gather.get(3).await.unwrap(), Some(3));
    }

    #[tokio::test]
    async fn one_that_fails_takes_no_other_with_it() {
        let gather = gather(&Arc::default());
        let found = join_all([12, 13, 14].map(|key| gather.get(key))).await;
        assert!(matches!(found.as_slice(), [Ok(Some(12)), Err(Error::Fenced), Ok(Some(14))]), "{found:?}");
    }
}
