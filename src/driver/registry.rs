//! The drivers of this build, by kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Driver, Kind};

/// The drivers of this build, by kind. Built once, in `cli`.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn Driver>>);

impl Registry {
    /// From the list of drivers.
    pub fn new(drivers: impl IntoIterator<Item = Arc<dyn Driver>>) -> Self {
        Self(drivers.into_iter().map(|driver| (driver.kind().name, driver)).collect())
    }

    /// The driver behind a kind.
    pub fn get(&self, kind: &str) -> Option<&Arc<dyn Driver>> {
        self.0.get(kind)
    }

    /// The facts of a kind.
    pub fn kind(&self, kind: &str) -> Option<&Kind> {
        self.get(kind).map(|driver| driver.kind())
    }

    /// The facts of all kinds, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.0.values().map(|driver| driver.kind())
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
