//! Whether this replica does what it should: leads and works, or stands by.

use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Starting,
    Waiting,
    Reading,
    Working,
}

/// What readiness is read from; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Phase>>);

impl Health {
    /// It stands by for the lease.
    pub(super) fn waiting(&self) {
        self.enter(Phase::Waiting);
    }

    /// It leads, and has not seen all objects yet.
    pub(super) fn reading(&self) {
        self.enter(Phase::Reading);
    }

    /// It has seen them all, and works.
    pub(super) fn working(&self) {
        self.enter(Phase::Working);
    }

    fn enter(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Why it is not ready: what it has not seen it takes for missing. A replica that stands by is: a roll-out must not wait for the lease.
    pub fn ready(&self) -> Result<(), Vec<String>> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Phase::Starting => Err(vec!["the API server has not been reached yet".to_owned()]),
            Phase::Reading => Err(vec!["the objects of the API server have not all been seen yet".to_owned()]),
            Phase::Waiting | Phase::Working => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_by_is_ready_and_who_leads_when_all_has_been_seen() {
        let health = Health::default();
        assert!(health.ready().is_err());
        health.waiting();
        assert_eq!(health.ready(), Ok(()));
        health.reading();
        assert!(health.ready().unwrap_err()[0].contains("not all been seen"));
        health.working();
        assert_eq!(health.ready(), Ok(()));
    }
}
