//! How far a turn is, in words for people.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::store::ResourceState;
use crate::store::resource::Resource;

/// Counts what is ready and what is left. Actions run side by side, so each counts itself when it is done.
pub(super) struct Tally {
    ready: AtomicUsize,
    wanted: usize,
    left: AtomicUsize,
}

impl Tally {
    /// From the rows there are and how many of them (and of those to come) shall be ready; none, if all shall go.
    pub fn new(rows: &[Resource], wanted: usize) -> Self {
        let ready = rows.iter().filter(|row| row.state == ResourceState::Ready).count();
        let left = rows.iter().filter(|row| !matches!(row.state, ResourceState::Retained | ResourceState::Abandoned));
        Self { ready: AtomicUsize::new(ready), wanted, left: AtomicUsize::new(left.count()) }
    }

    /// Something begins to change.
    pub fn begin(&self, row: &Resource) {
        if row.state == ResourceState::Ready {
            self.ready.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// One more is ready; the words for it.
    pub fn ready(&self) -> String {
        let ready = self.ready.fetch_add(1, Ordering::Relaxed) + 1;
        if self.wanted > 1 { format!(" ({ready} of {})", self.wanted) } else { String::new() }
    }

    /// One more is gone; the words for it.
    pub fn gone(&self) -> String {
        let left = self.left.fetch_sub(1, Ordering::Relaxed).saturating_sub(1);
        if self.wanted == 0 && left > 0 { format!(" ({left} left)") } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(ready: usize, wanted: usize, left: usize) -> Tally {
        Tally { ready: AtomicUsize::new(ready), wanted, left: AtomicUsize::new(left) }
    }

    #[test]
    fn the_words_count_up_to_the_whole_and_down_to_nothing() {
        let making = tally(1, 3, 3);
        assert_eq!([making.ready(), making.ready()], [" (2 of 3)", " (3 of 3)"]);
        assert_eq!(tally(0, 1, 1).ready(), "");
        let leaving = tally(2, 0, 2);
        assert_eq!([leaving.gone(), leaving.gone(), leaving.gone()], [" (1 left)", "", ""]);
        assert_eq!(tally(2, 2, 3).gone(), "", "what an update takes away is not counted down");
    }
}
