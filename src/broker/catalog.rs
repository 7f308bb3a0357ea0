//! `GET /v2/catalog`: rendered once for each platform and version, then served as bytes.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::digest;
use bytes::Bytes;
use data_encoding::HEXLOWER;

use super::{Broker, Caller, CatalogPage};
use crate::catalog::Catalog;
use crate::osb::{self, ApiVersion, ForVersion, PlatformName};
use crate::store;
use crate::store::replica::Replica;
use crate::store::revision::NewRevision;

/// The rendered pages, until catalog or policy change.
#[derive(Default)]
pub(super) struct Pages(RwLock<Rendered>);

#[derive(Default)]
struct Rendered {
    /// How often catalog or policy changed: a page that was begun before the last change is not kept.
    changes: u64,
    pages: HashMap<(PlatformName, ApiVersion), CatalogPage>,
}

impl Pages {
    pub fn clear(&self) {
        let mut rendered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        rendered.changes += 1;
        rendered.pages.clear();
    }
}

/// Why a catalog could not be published. The one before goes on being served.
#[derive(Debug, thiserror::Error)]
#[error("the catalog's revisions could not be recorded")]
pub struct PublishError(#[from] store::Error);

impl Broker {
    /// The catalog as the caller's platform sees it.
    pub fn catalog(&self, caller: &Caller) -> Result<CatalogPage, osb::Error> {
        let key = (caller.platform.clone(), caller.version.effective());
        let pages = &self.0.pages.0;
        let changes = {
            let rendered = pages.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(page) = rendered.pages.get(&key) {
                return Ok(page.clone());
            }
            rendered.changes
        };
        let policy = self.policy();
        let catalog = self.shelf().current();
        let services = catalog.offerings().iter().filter(|offering| policy.visible(key.0.as_str(), offering.name()));
        let served = osb::Catalog { services: services.map(|offering| offering.served()).collect() }.for_version(key.1);
        let body =
            serde_json::to_vec(&served).map_err(|error| super::broken("the catalog cannot be written", &error))?;
        let etag = format!("\"{}\"", &HEXLOWER.encode(digest::digest(&digest::SHA256, &body).as_ref())[..32]);
        let page = CatalogPage { body: Bytes::from(body), etag, last_modified: jiff::Timestamp::now() };
        let mut rendered = pages.write().unwrap_or_else(PoisonError::into_inner);
        if rendered.changes == changes {
            rendered.pages.insert(key, page.clone());
        }
        drop(rendered);
        Ok(page)
    }

    /// What is served now, to whomever the administrator's file shows it.
    pub fn offered(&self) -> Catalog {
        self.shelf().current()
    }

    /// Serves another catalog from now on. Its revisions are recorded first, and that this replica serves them: whoever has
    /// read this catalog may order from any replica.
    pub async fn publish(&self, catalog: Catalog) -> Result<(), PublishError> {
        let mut digests = Vec::new();
        for revision in catalog.offerings() {
            let plan_ids: Vec<String> = revision.plans().iter().map(|plan| plan.id().to_string()).collect();
            let new = NewRevision {
                digest: &revision.digest,
                service_id: revision.service_id(),
                plan_ids: &plan_ids,
                name: revision.name(),
                source: &revision.source,
            };
            store::revision::accept(self.pool(), &new).await?;
            digests.push(revision.digest.clone());
        }
        let replica = Replica {
            id: self.0.parts.replica,
            host: &store::replica::host(),
            version: env!("CARGO_PKG_VERSION"),
            ring_keys: &self.vault().held(),
            seals_with: self.vault().active(),
            revisions: &digests,
        };
        store::replica::beat(self.pool(), &replica).await?;
        self.shelf().replace(catalog);
        self.0.pages.clear();
        Ok(())
    }
}
