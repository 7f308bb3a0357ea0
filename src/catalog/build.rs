//! From text to revision: parse, structure, types, compilation, checks. Each stage reports all it finds, and the next one runs
//! as long as there is something sound to run on.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use jsonschema::Draft;
use serde_json::{Map, Value, json};

use crate::driver::Registry;
use crate::osb::ServiceId;

use super::check;
use super::compiled::{CANONICAL, Compiled, CompiledBinding, CompiledRule, style_parameter};
use super::document::{Offering, Parameter};
use super::format;
use super::order::order;
use super::parameters::ParameterSet;
use super::plan::Plan;
use super::revision::Revision;
use super::schema::{self, Verb};
use super::scope::Scope;
use super::secrecy;
use super::tree::{Failure, Tree};
use super::validator::Validator;
use crate::yaml::Problems;
use crate::yaml::{Located, dotted};

/// Parses, compiles and checks a file. The positions come with it, for checks across files.
pub(super) fn parse(file: &str, source: &str, registry: &Registry) -> Result<(Revision, Located), Problems> {
    let (located, problems) = Located::parse(file, source);
    let mut problems = Problems(problems);
    let Some(located) = located else { return Err(problems) };
    let (value, unsound) = format::check(&located, &mut problems.0);
    let offering: Option<Offering> = if unsound { None } else { typed(&located, value, &mut problems) };
    let Some(offering) = offering else {
        // The structure is broken; what can still be told apart is whether the expressions are sound.
        let mut errors = Vec::new();
        Tree::compile(&located.value, "", &mut errors);
        problems.0.extend(errors.into_iter().map(|(pointer, message)| located.problem(&pointer, message)));
        return problems.or_ok(()).and(Err(Problems::default()));
    };

    let mut errors = Vec::new();
    let revision = compile(offering, source, registry, &mut errors);
    check::facts(&revision, registry, &located, &mut problems.0);
    // That a whole schema does not compile is news only where no check said why.
    errors.retain(|(pointer, _)| {
        let section = dotted(pointer);
        !matches!(section.as_str(), "parameters" | "bind_parameters")
            || !problems.0.iter().any(|problem| problem.path.starts_with(&section))
    });
    problems.0.extend(errors.into_iter().map(|(pointer, message)| located.problem(&pointer, message)));
    if problems.0.is_empty() {
        check::plans(&revision, registry, &located, &mut problems.0);
    }
    problems.or_ok((revision, located))
}

/// Compiles what was accepted before, without the checks. Keys that are not known any more are passed over.
pub(super) fn restore(file: &str, source: &str, registry: &Registry) -> Result<Revision, Problems> {
    let (located, problems) = Located::parse(file, source);
    let mut problems = Problems(problems);
    let Some(located) = located else { return Err(problems) };
    let (value, _) = format::check(&located, &mut Vec::new());
    let Some(offering) = typed(&located, value, &mut problems) else { return Err(problems) };
    let mut errors = Vec::new();
    let revision = compile(offering, source, registry, &mut errors);
    problems.0.extend(errors.into_iter().map(|(pointer, message)| located.problem(&pointer, message)));
    problems.or_ok(revision)
}

fn typed(located: &Located, value: Value, problems: &mut Problems) -> Option<Offering> {
    match serde_path_to_error::deserialize(value) {
        Ok(offering) => Some(offering),
        Err(error) => {
            let mut pointer = String::new();
            for segment in error.path() {
                match segment {
                    serde_path_to_error::Segment::Unknown => {}
                    segment => pointer = crate::yaml::join(&pointer, segment.to_string().trim_matches(['[', ']'])),
                }
            }
            problems.0.push(located.problem(&pointer, error.inner().to_string()));
            None
        }
    }
}

fn compile(mut offering: Offering, source: &str, registry: &Registry, errors: &mut Vec<Failure>) -> Revision {
    declare_style_parameter(&mut offering);
    let plans = offering
        .plans
        .iter()
        .map(|plan| {
            let schema = schema::closed(&offering.parameters, plan, Verb::Create);
            Plan::new(plan.clone(), validator(schema, "/parameters", errors))
        })
        .collect::<Vec<_>>();
    let bind_validator = match offering.plans.first() {
        Some(plan) => {
            validator(schema::closed(&offering.bind_parameters, plan, Verb::Bind), "/bind_parameters", errors)
        }
        None => Validator::anything(),
    };
    let mut set = |declared: &BTreeMap<String, Parameter>, pointer: &str| {
        ParameterSet::new(declared.clone(), validator(schema::open(declared), pointer, errors))
    };
    let parameters = set(&offering.parameters, "/parameters");
    let bind_parameters = set(&offering.bind_parameters, "/bind_parameters");

    let mut resources = BTreeMap::new();
    let scopes = [
        (Scope::Instance, "/resources", Some(&offering.resources)),
        (Scope::Binding, "/binding/resources", offering.binding.as_ref().map(|binding| &binding.resources)),
    ];
    for (scope, pointer, section) in scopes {
        for (name, resource) in section.into_iter().flatten() {
            let pointer = crate::yaml::join(pointer, name);
            if resources.contains_key(name) {
                errors.push((pointer, "a resource of the instance has this name already".to_owned()));
                continue;
            }
            let compiled = Compiled::compile(scope, resource, pointer, registry, errors);
            resources.insert(name.clone(), compiled);
        }
    }
    connect(&mut resources);

    let map = |map: &Map<String, Value>, pointer: &str, errors: &mut Vec<Failure>| {
        Tree::compile(&Value::Object(map.clone()), pointer, errors)
    };
    let mut revision = Revision {
        digest: HEXLOWER.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, source.as_bytes()).as_ref()),
        source: source.to_owned(),
        service_id: ServiceId::from(offering.id.as_str()),
        plans,
        parameters,
        bind_parameters,
        bind_validator,
        rules: CompiledRule::compile_all(&offering.rules, "/rules", errors),
        bind_rules: CompiledRule::compile_all(&offering.bind_rules, "/bind_rules", errors),
        order: sort(&resources, errors),
        resources,
        dashboard_url: (offering.instance.dashboard_url.as_ref())
            .map(|url| Tree::compile(&Value::from(url.as_str()), "/instance/dashboard_url", errors)),
        labels: map(&offering.instance.labels, "/instance/labels", errors),
        attributes: map(&offering.instance.attributes, "/instance/attributes", errors),
        provides: map(&offering.instance.provides, "/instance/provides", errors),
        binding: offering.binding.as_ref().map(|section| CompiledBinding::compile(section, errors)),
        offering,
    };
    secrecy::mark(&mut revision);
    revision
}

/// A schema that does not compile; the checks say more about it.
fn validator(schema: Value, pointer: &str, errors: &mut Vec<Failure>) -> Validator {
    Validator::compile(schema, Draft::Draft4).unwrap_or_else(|message| {
        errors.push((pointer.to_owned(), format!("a schema does not compile: {message}")));
        Validator::anything()
    })
}

fn declare_style_parameter(offering: &mut Offering) {
    let Some(binding) = offering.binding.as_ref().filter(|binding| !binding.styles.is_empty()) else { return };
    let name = style_parameter(binding).to_owned();
    let styles: Vec<&str> = std::iter::once(CANONICAL).chain(binding.styles.keys().map(String::as_str)).collect();
    let schema = json!({
        "type": "string",
        "enum": styles,
        "default": CANONICAL,
        "description": "The form of the credentials.",
    });
    if let Value::Object(schema) = schema {
        offering.bind_parameters.entry(name).or_insert_with(|| Parameter { schema, ..Parameter::default() });
    }
}

/// Whose outputs each resource mentions, and which resources of its scope it needs first.
fn connect(resources: &mut BTreeMap<String, Compiled>) {
    let scopes: BTreeMap<String, Scope> = resources.iter().map(|(name, r)| (name.clone(), r.scope)).collect();
    for resource in resources.values_mut() {
        let names = resource.properties.names();
        let mentioned = names.iter().map(|path| path.root()).filter(|root| scopes.contains_key(*root));
        resource.uses = mentioned.map(str::to_owned).collect();
        let same = |name: &&String| scopes.get(*name) == Some(&resource.scope);
        resource.needs.extend(resource.uses.iter().filter(same).cloned());
    }
}

fn sort(resources: &BTreeMap<String, Compiled>, errors: &mut Vec<Failure>) -> Vec<String> {
    let needs: BTreeMap<&str, BTreeSet<&str>> = resources
        .iter()
        .map(|(name, resource)| (name.as_str(), resource.needs.iter().map(String::as_str).collect()))
        .collect();
    order(&needs).unwrap_or_else(|cycle| {
        let pointer = cycle.first().and_then(|name| resources.get(name)).map(|r| r.pointer.clone()).unwrap_or_default();
        errors.push((pointer, format!("the resources wait for each other in a circle: {}", cycle.join(" needs "))));
        resources.keys().cloned().collect()
    })
}
