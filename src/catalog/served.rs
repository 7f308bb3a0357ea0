//! A revision as platforms see it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::osb;

use super::plan::Plan;
use super::revision::Revision;
use super::schema::{Verb, closed};
use super::scope::Scope;

/// Nothing is given up on before this.
const SHORTEST: Duration = Duration::from_secs(600);
/// Usual times are usual; this is what we allow for the unusual.
const GENEROSITY: u32 = 4;
/// How many rows of a resource that is made one at a time are reckoned with.
const SERIAL_ROWS: u32 = 4;

/// The catalog entry.
pub(super) fn service(revision: &Revision) -> osb::Service {
    let offering = revision.offering();
    osb::Service {
        name: offering.name.clone(),
        id: revision.service_id().clone(),
        description: offering.description.clone(),
        tags: offering.tags.clone(),
        requires: Vec::new(),
        bindable: revision.bindable(),
        instances_retrievable: true,
        bindings_retrievable: true,
        allow_context_updates: true,
        metadata: offering.metadata.clone(),
        dashboard_client: None,
        plan_updateable: offering.plans.iter().any(|plan| !plan.change_to.is_empty()),
        plans: revision.plans().iter().map(|plan| self::plan(revision, plan)).collect(),
    }
}

fn plan(revision: &Revision, plan: &Plan) -> osb::Plan {
    let document = plan.document();
    let parameters = &revision.offering().parameters;
    let schema = |verb, declared| osb::InputParameters { parameters: object(closed(declared, document, verb)) };
    osb::Plan {
        metadata: document.metadata.clone(),
        free: document.free,
        binding_rotatable: document.binding_rotatable && revision.bindable(),
        plan_updateable: Some(!document.change_to.is_empty()),
        schemas: osb::Schemas {
            service_instance: osb::InstanceSchemas {
                create: schema(Verb::Create, parameters),
                update: schema(Verb::Update, parameters),
            },
            service_binding: match revision.bindable() {
                true => osb::BindingSchemas { create: schema(Verb::Bind, &revision.offering().bind_parameters) },
                false => osb::BindingSchemas::default(),
            },
        },
        maximum_polling_duration: Some(polling_duration(revision, plan).as_secs()),
        maintenance_info: document.maintenance.as_ref().map(|maintenance| osb::MaintenanceInfo {
            version: maintenance.version.clone(),
            description: maintenance.description.clone(),
        }),
        ..osb::Plan::new(plan.id().clone(), plan.name(), document.description.as_str())
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The plan's own figure, or a generous multiple of the longest way through its resources.
pub(super) fn polling_duration(revision: &Revision, plan: &Plan) -> Duration {
    match plan.document().maximum_polling_duration {
        Some(seconds) => Duration::from_secs(seconds.into()),
        None => {
            let longest = [Scope::Instance, Scope::Binding].map(|scope| critical_path(revision, scope));
            // An upgrade may walk the whole ladder in one operation.
            let walks = plan.document().maintenance.as_ref().map_or(0, |maintenance| maintenance.steps.len());
            let walks = u32::try_from(walks.saturating_sub(1)).unwrap_or(1).max(1);
            SHORTEST.max(longest.into_iter().max().unwrap_or_default() * GENEROSITY * walks)
        }
    }
}

fn critical_path(revision: &Revision, scope: Scope) -> Duration {
    // When each is ready, and how long deleting takes from the first of those that need it.
    let mut ready: BTreeMap<&str, (Duration, Duration)> = BTreeMap::new();
    for name in &revision.order {
        let Some(resource) = revision.resources.get(name).filter(|resource| resource.scope == scope) else { continue };
        let rows = if resource.for_each.is_some() && resource.serial.is_some() { SERIAL_ROWS } else { 1 };
        let (mut create, mut delete) = (Duration::ZERO, Duration::ZERO);
        for (needed_create, needed_delete) in resource.needs.iter().filter_map(|need| ready.get(need.as_str())) {
            create = create.max(*needed_create);
            delete = delete.max(*needed_delete);
        }
        ready.insert(name, (create + resource.usual_create * rows, delete + resource.usual_delete * rows));
    }
    ready.values().map(|(create, delete)| *create.max(delete)).max().unwrap_or_default()
}
