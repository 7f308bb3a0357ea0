//! What a request is about: the plan it names, and what the administrator says to it.

use std::sync::Arc;

use super::{Broker, Caller, broken};
use crate::catalog::{Plan, Revision};
use crate::osb::{Context, Error, PlanId, PlatformName, ServiceId};
use crate::policy::Placement;
use crate::store;
use crate::store::instance::Instance;

/// A plan together with the revision it belongs to.
#[derive(Clone)]
pub(super) struct Ordered {
    pub revision: Arc<Revision>,
    plan: PlanId,
}

impl Ordered {
    /// Of a revision that has this plan.
    pub fn new(revision: Arc<Revision>, plan: PlanId) -> Self {
        Self { revision, plan }
    }

    pub fn plan(&self) -> Result<&Plan, Error> {
        // Checked when it was made; a revision does not change.
        self.revision.plan(&self.plan).ok_or(Error::Internal)
    }
}

impl Broker {
    /// The plan a new order names: from the catalog this replica serves, or else one that another replica has already
    /// loaded.
    pub(super) async fn orderable(
        &self,
        caller: &Caller,
        service: &ServiceId,
        plan: &PlanId,
    ) -> Result<Ordered, Error> {
        let known = self.shelf().current().by_service(service).cloned();
        let knows_plan = known.as_ref().is_some_and(|revision| revision.plan(plan).is_some());
        let revision = match known.clone().filter(|_| knows_plan) {
            Some(revision) => Some(revision),
            None => match store::revision::with_plan(self.singles(), service, plan).await? {
                Some(digest) => Some(self.revision(&digest).await?),
                None => None,
            },
        };
        let visible = |revision: &Arc<Revision>| self.policy().visible(caller.platform.as_str(), revision.name());
        match revision.filter(visible) {
            Some(revision) => Ok(Ordered { revision, plan: plan.clone() }),
            None if known.as_ref().is_some_and(visible) => {
                Err(Error::bad_request("plan_id names no plan of this service; see the catalog."))
            }
            None => Err(Error::bad_request("service_id names no service of this broker; see the catalog.")),
        }
    }

    /// A revision that some row names.
    pub(super) async fn revision(&self, digest: &str) -> Result<Arc<Revision>, Error> {
        if let Some(revision) = self.shelf().get(digest) {
            return Ok(revision);
        }
        let (name, source) = store::revision::source(self.singles(), digest)
            .await?
            .ok_or_else(|| broken("a revision is not in the database", &digest))?;
        self.shelf().learn(&name, &source).map_err(|error| broken("a recorded revision does not compile", &error))
    }

    /// The plan an instance has.
    pub(super) async fn plan_of(&self, instance: &Instance) -> Result<Ordered, Error> {
        let revision = self.revision(&instance.revision).await?;
        Ok(Ordered { revision, plan: instance.plan_id.clone() })
    }
}

/// Where an instance is or shall be, for the policy's rules.
pub(super) fn placement<'a>(
    platform: &'a PlatformName,
    organization: &'a str,
    space: &'a str,
    context: &'a Context,
    ordered: &'a Ordered,
) -> Result<Placement<'a>, Error> {
    let plan = ordered.plan()?;
    Ok(Placement {
        platform: platform.as_str(),
        organization: Some(organization),
        space: Some(space),
        namespace: context.namespace(),
        offering: ordered.revision.name(),
        plan: plan.name(),
        plan_target: plan.document().target.as_deref(),
        chosen_target: None,
    })
}
