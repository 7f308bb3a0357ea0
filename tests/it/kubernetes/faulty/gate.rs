//! Counts what leaves a mark, and stops everything at one of them: the mark is made, and nobody hears of it.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::kubernetes::world::locked;

#[derive(Default)]
struct Count {
    passed: Vec<String>,
    stop_at: Option<usize>,
    lose_at: Option<usize>,
    is_shut: bool,
}

/// Clones share it.
#[derive(Clone, Default)]
pub struct Gate {
    count: Arc<Mutex<Count>>,
    shut: Arc<Notify>,
}

impl Gate {
    /// One that shuts after this many marks.
    pub fn stopping_at(point: usize) -> Self {
        let gate = Self::default();
        locked(&gate.count).stop_at = Some(point);
        gate
    }

    /// One that has nobody hear of this mark, and goes on.
    pub fn losing(point: usize) -> Self {
        let gate = Self::default();
        locked(&gate.count).lose_at = Some(point);
        gate
    }

    /// Before anything is done: where all has stopped, nothing is.
    pub async fn enter(&self) {
        if locked(&self.count).is_shut {
            std::future::pending::<()>().await;
        }
    }

    /// After something was done, and before it is answered. Whether it may be answered.
    pub async fn passed(&self, mark: String) -> bool {
        let is_heard = {
            let mut count = locked(&self.count);
            let point = Some(count.passed.len());
            count.passed.push(mark);
            if count.stop_at == point {
                count.is_shut = true;
                self.shut.notify_one();
            }
            count.lose_at != point
        };
        self.enter().await;
        is_heard
    }

    /// Ends when all has stopped.
    pub async fn wait(&self) {
        self.shut.notified().await;
    }

    /// It goes on.
    pub fn open(&self) {
        locked(&self.count).is_shut = false;
    }

    /// The marks so far.
    pub fn marks(&self) -> Vec<String> {
        locked(&self.count).passed.clone()
    }
}
