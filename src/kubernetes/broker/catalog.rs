//! From a broker's catalog to the specs of classes and plans: what is offered after the restrictions, and what cannot be.

use std::collections::BTreeSet;

use crate::kubernetes::api::{CatalogRestrictions, ClassSpec, Object, PlanSpec};
use crate::kubernetes::names::escaped;
use crate::kubernetes::scope::Scope;
use crate::kubernetes::selector::{self, Properties, Selector};
use crate::osb::{Catalog, Plan, Service};

/// An offering, as it shall be here.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    /// The class.
    pub class: ClassSpec,
    /// Its plans, at least one.
    pub plans: Vec<PlanSpec>,
}

/// Something of a catalog that is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What: `service x` or `plan x/y`.
    pub what: String,
    /// A sentence.
    pub why: String,
}

/// What a catalog offers under these restrictions. The problems say what was left out although it was wanted.
pub fn offered<S: Scope>(
    catalog: Catalog,
    restrictions: Option<&CatalogRestrictions>,
) -> Result<(Vec<Offered>, Vec<Problem>), selector::Error> {
    const CLASS: [&str; 3] = ["name", "spec.externalName", "spec.externalID"];
    let none = CatalogRestrictions::default();
    let restrictions = restrictions.unwrap_or(&none);
    let classes = Selector::parse(&restrictions.service_class, &CLASS)?;
    let of_plans = [CLASS.as_slice(), &["spec.free", S::CLASS_PROPERTY]].concat();
    let plans = Selector::parse(&restrictions.service_plan, &of_plans)?;
    let (mut offered, mut problems, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
    for service in catalog.services {
        let name = escaped(service.id.as_str());
        let properties = named(&name, &service.name, service.id.as_str());
        if !classes.matches(&properties) {
            continue;
        }
        let what = format!("service {}", service.name);
        let wrong = wrong(&service.name, service.id.as_str(), &service.description).or_else(|| {
            (!ids.insert(service.id.to_string())).then(|| "its id is used twice in the catalog".to_owned())
        });
        if let Some(why) = wrong {
            problems.push(Problem { what, why });
            continue;
        }
        let (wanted, left_out) = plans_of::<S>(&service, &name, &plans, &mut ids);
        // A class whose plans are all restricted away is not meant to be there; one whose plans are all bad is.
        if wanted.is_empty() && left_out.is_empty() && service.plans.is_empty() {
            problems.push(Problem { what, why: "it has no plan".to_owned() });
        }
        problems.extend(left_out);
        if !wanted.is_empty() {
            offered.push(Offered { class: class(service), plans: wanted });
        }
    }
    Ok((offered, problems))
}

fn plans_of<S: Scope>(
    service: &Service,
    class: &str,
    selector: &Selector,
    ids: &mut BTreeSet<String>,
) -> (Vec<PlanSpec>, Vec<Problem>) {
    let (mut wanted, mut problems, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    for one in &service.plans {
        let name = escaped(one.id.as_str());
        let mut properties = named(&name, &one.name, one.id.as_str());
        properties.insert("spec.free", if one.free { "true" } else { "false" });
        properties.insert(S::CLASS_PROPERTY, class);
        if !selector.matches(&properties) {
            continue;
        }
        let twice = |what: &str| Some(format!("its {what} is used twice in the catalog"));
        let wrong = wrong(&one.name, one.id.as_str(), &one.description)
            .or_else(|| if names.insert(one.name.clone()) { None } else { twice("name") })
            .or_else(|| if ids.insert(one.id.to_string()) { None } else { twice("id") });
        match wrong {
            Some(why) => problems.push(Problem { what: format!("plan {}/{}", service.name, one.name), why }),
            None => wanted.push(plan(one)),
        }
    }
    (wanted, problems)
}

fn named<'a>(name: &'a str, external_name: &'a str, external_id: &'a str) -> Properties<'a> {
    Properties::from([("name", name), ("spec.externalName", external_name), ("spec.externalID", external_id)])
}

/// What the API server would refuse, said before it does.
fn wrong(name: &str, id: &str, description: &str) -> Option<String> {
    for (what, text) in [("name", name), ("id", id)] {
        match text.chars().count() {
            0 => return Some(format!("its {what} is empty")),
            64.. => return Some(format!("its {what} is longer than 63 characters")),
            _ => {}
        }
    }
    description.is_empty().then(|| "its description is empty".to_owned())
}

fn class(service: Service) -> ClassSpec {
    ClassSpec {
        external_name: service.name,
        external_id: service.id.to_string(),
        description: service.description,
        bindable: service.bindable,
        binding_retrievable: service.bindings_retrievable,
        plan_updatable: service.plan_updateable,
        external_metadata: some(service.metadata),
        tags: service.tags,
        requires: service.requires,
        default_provision_parameters: None,
    }
}

fn plan(plan: &Plan) -> PlanSpec {
    let schemas = plan.schemas.clone();
    PlanSpec {
        external_name: plan.name.clone(),
        external_id: plan.id.to_string(),
        description: plan.description.clone(),
        bindable: plan.bindable,
        free: plan.free,
        external_metadata: some(plan.metadata.clone()),
        instance_create_parameter_schema: some(schemas.service_instance.create.parameters),
        instance_update_parameter_schema: some(schemas.service_instance.update.parameters),
        service_binding_create_parameter_schema: some(schemas.service_binding.create.parameters),
        default_provision_parameters: None,
        binding_rotatable: plan.binding_rotatable.then_some(true),
        maximum_polling_duration: plan.maximum_polling_duration.and_then(|seconds| i64::try_from(seconds).ok()),
        plan_updatable: plan.plan_updateable,
        maintenance_version: plan.maintenance_info.as_ref().map(|info| info.version.clone()),
    }
}

/// Nothing is not an empty object: `svcat describe plan` would show one.
fn some(object: Object) -> Option<Object> {
    (!object.is_empty()).then_some(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::scope::{Cluster, Namespaced};

    fn catalog() -> Catalog {
        serde_json::from_value(json!({"services": [
            {"name": "db", "id": "db-id", "description": "d", "bindable": true, "plans": [
                {"id": "small", "name": "small", "description": "d", "free": true},
                {"id": "large", "name": "large", "description": "d", "free": false},
                {"id": "x".repeat(64), "name": "long", "description": "d"},
            ]},
            {"name": "mute", "id": "mute-id", "description": "", "bindable": true, "plans": [
                {"id": "m", "name": "m", "description": "d"}]},
            {"name": "bare", "id": "bare-id", "description": "d", "bindable": true, "plans": []},
            {"name": "twin", "id": "db-id", "description": "d", "bindable": true, "plans": []},
        ]}))
        .unwrap()
    }

    fn restricted<S: Scope>(class: &str, plan: &str) -> (Vec<String>, Vec<Problem>) {
        let list = |text: &str| text.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect();
        let restrictions = CatalogRestrictions { service_class: list(class), service_plan: list(plan) };
        let (offered, problems) = offered::<S>(catalog(), Some(&restrictions)).unwrap();
        let name = |one: &Offered| {
            let plans: Vec<_> = one.plans.iter().map(|plan| plan.external_name.as_str()).collect();
            format!("{}: {}", one.class.external_name, plans.join(" "))
        };
        (offered.iter().map(name).collect(), problems)
    }

    #[test]
    fn what_is_bad_is_left_out_and_named_and_the_rest_is_there() {
        let (offered, problems) = restricted::<Cluster>("", "");
        assert_eq!(offered, ["db: small large"]);
        let told: Vec<_> = problems.iter().map(|problem| format!("{}: {}", problem.what, problem.why)).collect();
        assert_eq!(
            told,
            [
                "plan db/long: its id is longer than 63 characters",
                "service mute: its description is empty",
                "service bare: it has no plan",
                "service twin: its id is used twice in the catalog",
            ]
        );
    }

    #[test]
    fn restrictions_choose_and_what_they_leave_out_is_no_problem() {
        assert_eq!(restricted::<Cluster>("spec.externalName in (db, x)", "spec.free=true").0, ["db: small"]);
        assert_eq!(restricted::<Cluster>("spec.externalName=db", "spec.externalName=none"), (vec![], vec![]));
        let (offered, _) = restricted::<Namespaced>("spec.externalID=db-id", "spec.serviceClass.name=db-id,name=large");
        assert_eq!(offered, ["db: large"]);
        let wrong = CatalogRestrictions { service_plan: vec!["spec.serviceClass.name=x".into()], ..Default::default() };
        assert!(super::offered::<Cluster>(catalog(), Some(&wrong)).is_err());
    }
}
