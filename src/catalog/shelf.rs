//! The revisions this process knows: the current catalog, and every older one that some instance still runs by.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Catalog, Problems, Revision};
use crate::driver::Registry;

/// The revisions this process knows. Clones share them. Reads take an uncontended lock for nanoseconds.
#[derive(Clone, Debug)]
pub struct Shelf(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    current: RwLock<Catalog>,
    known: RwLock<HashMap<String, Arc<Revision>>>,
}

impl Shelf {
    /// With a catalog to serve.
    pub fn new(registry: Registry, catalog: Catalog) -> Self {
        let shelf = Self(Arc::new(Inner {
            registry,
            current: RwLock::new(Catalog::new(Vec::new())),
            known: RwLock::new(HashMap::new()),
        }));
        shelf.replace(catalog);
        shelf
    }

    /// The catalog that is served.
    pub fn current(&self) -> Catalog {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves another catalog from now on.
    pub fn replace(&self, catalog: Catalog) {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        for revision in catalog.offerings() {
            known.insert(revision.digest.clone(), Arc::clone(revision));
        }
        drop(known);
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = catalog;
    }

    /// A revision by its digest, if this process has met it.
    pub fn get(&self, digest: &str) -> Option<Arc<Revision>> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Compiles a revision that came from the database and remembers it. It was checked when it was accepted.
    pub fn learn(&self, name: &str, source: &str) -> Result<Arc<Revision>, Problems> {
        let revision = Arc::new(Revision::restore(&format!("{name}.yaml"), source, &self.0.registry)?);
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(revision.digest.clone()).or_insert(revision)))
    }
}
