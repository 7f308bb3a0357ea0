//! One turn over a binding.

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use uuid::Uuid;

use super::decide::{Step, next};
use super::work::Work;
use super::{bind, keep, options, place, poll, state, unbind};
use crate::kubernetes::api::ServiceBinding;
use crate::kubernetes::context::Context;
use crate::kubernetes::turn::Turn;
use crate::kubernetes::write;

/// One turn over a binding.
pub async fn reconcile(binding: Arc<ServiceBinding>, cx: Arc<Context>) -> Turn {
    let placed = binding.status.as_ref().and_then(|status| status.place.as_ref());
    let instance = place::instance(&cx.seen, &binding);
    let is_of_cluster = placed.is_some_and(|place| place.cluster) && cx.settings.cluster.namespaced_only;
    if is_of_cluster || instance.is_some_and(|instance| cx.leaves(&instance)) {
        return Ok(Action::await_change());
    }
    let mut work = Work::new(&cx, &binding);
    let mut step = next(&work.binding);
    if matches!(step, Step::Nothing) {
        return Ok(Action::await_change());
    }
    if let Step::Wait(wait) = step {
        return Ok(Action::requeue(wait));
    }
    // What the watch has shown may be older than what this very process wrote. A step that begins with a write is refused
    // then; one that begins with a call would make it twice.
    let calls_first = matches!(step, Step::Poll | Step::Mitigate | Step::Unbind)
        || matches!(step, Step::Bind) && work.binding.status.as_ref().is_some_and(super::decide::in_flight);
    if calls_first {
        if !work.refresh().await? {
            return Ok(Action::await_change());
        }
        step = next(&work.binding);
    }
    match step {
        Step::Nothing => Ok(Action::await_change()),
        Step::Wait(wait) => Ok(Action::requeue(wait)),
        Step::Defaults => {
            default(&mut work).await?;
            Ok(Action::await_change())
        }
        Step::Revive => {
            let asked = options::retry(&work.binding).to_owned();
            work.save(|status| state::revive(status, &asked)).await?;
            Ok(Action::await_change())
        }
        Step::Bind => bind::turn(&mut work).await,
        Step::Poll => poll::turn(&mut work).await,
        Step::Mitigate => unbind::mitigate(&mut work).await,
        Step::Keep => keep::turn(&mut work).await,
        Step::Unbind => unbind::turn(&mut work).await,
    }
}

/// What Service Catalog's webhook set.
async fn default(work: &mut Work<'_>) -> Result<(), write::Error> {
    let mut wanted = work.binding.clone();
    if wanted.spec.external_id.is_empty() {
        wanted.spec.external_id = Uuid::new_v4().to_string();
    }
    if wanted.spec.secret_name.is_empty() {
        wanted.spec.secret_name = wanted.name_any();
    }
    work.binding = write::object(&work.api, &work.binding, &wanted).await?;
    Ok(())
}
