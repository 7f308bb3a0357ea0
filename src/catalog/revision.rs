//! One accepted version of an offering file: immutable, with every expression and schema compiled.

use std::collections::BTreeMap;

use crate::driver::Registry;
use crate::osb::{PlanId, Service, ServiceId};

use super::build;
use super::compiled::{Compiled, CompiledBinding, CompiledRule};
use super::document::Offering;
use super::parameters::ParameterSet;
use super::plan::Plan;
use super::schema::Verb;
use super::served;
use super::tree::Tree;
use super::validator::Validator;
use crate::yaml::Problems;

/// One accepted version of an offering file.
#[derive(Debug)]
pub struct Revision {
    /// SHA-256 of `source`, in hexadecimal digits: the revision's identity.
    pub digest: String,
    /// The file's text.
    pub source: String,
    pub(super) service_id: ServiceId,
    pub(super) offering: Offering,
    pub(super) plans: Vec<Plan>,
    pub(super) parameters: ParameterSet,
    pub(super) bind_parameters: ParameterSet,
    pub(super) bind_validator: Validator,
    pub(super) rules: Vec<CompiledRule>,
    pub(super) bind_rules: Vec<CompiledRule>,
    /// Of both scopes: their names differ.
    pub(super) resources: BTreeMap<String, Compiled>,
    /// The names of both scopes, each after what it needs.
    pub(super) order: Vec<String>,
    pub(super) dashboard_url: Option<Tree>,
    pub(super) labels: Tree,
    pub(super) attributes: Tree,
    pub(super) provides: Tree,
    pub(super) binding: Option<CompiledBinding>,
}

impl Revision {
    /// Parses, compiles and checks a file. `file` is only what problems are reported with.
    pub fn parse(file: &str, source: &str, registry: &Registry) -> Result<Self, Problems> {
        build::parse(file, source, registry).map(|(revision, _)| revision)
    }

    /// Compiles a revision that was accepted before. It is not checked again: a later version of this program may ask more of new
    /// files than it asked then, and instances of the old one must stay manageable.
    pub fn restore(file: &str, source: &str, registry: &Registry) -> Result<Self, Problems> {
        build::restore(file, source, registry)
    }

    /// The OSB service id.
    pub fn service_id(&self) -> &ServiceId {
        &self.service_id
    }

    /// The offering's name.
    pub fn name(&self) -> &str {
        &self.offering.name
    }

    /// The file's data. Its bind parameters include the one that chooses the credentials' style.
    pub fn offering(&self) -> &Offering {
        &self.offering
    }

    /// The plans, in the file's order.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// The plan of that id.
    pub fn plan(&self, id: &PlanId) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.id() == id)
    }

    /// The plan of that name.
    pub fn plan_named(&self, name: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.name() == name)
    }

    /// Whether instances can be bound.
    pub fn bindable(&self) -> bool {
        self.offering.bindable.unwrap_or(self.offering.binding.is_some())
    }

    /// The catalog entry, schemas included.
    pub fn served(&self) -> Service {
        served::service(self)
    }

    /// How long an operation on an instance or a binding of that plan may take.
    pub fn maximum_polling_duration(&self, plan: &Plan) -> std::time::Duration {
        served::polling_duration(self, plan)
    }

    /// The parameters that name existing things, with the sort of thing.
    pub fn references(&self, verb: Verb) -> impl Iterator<Item = (&str, &str)> {
        let declared = &self.parameter_set(verb).declared;
        declared.iter().filter_map(|(name, p)| p.reference.as_deref().map(|reference| (name.as_str(), reference)))
    }

    /// The names of the parameters that are sealed at rest.
    pub fn secret_parameters(&self, verb: Verb) -> impl Iterator<Item = &str> {
        let declared = &self.parameter_set(verb).declared;
        declared.iter().filter(|(_, parameter)| parameter.secret).map(|(name, _)| name.as_str())
    }

    pub(super) fn parameter_set(&self, verb: Verb) -> &ParameterSet {
        match verb {
            Verb::Bind => &self.bind_parameters,
            Verb::Create | Verb::Update => &self.parameters,
        }
    }

    pub(super) fn bind_validator(&self) -> &Validator {
        &self.bind_validator
    }

    pub(super) fn rules(&self) -> &[CompiledRule] {
        &self.rules
    }

    pub(super) fn bind_rules(&self) -> &[CompiledRule] {
        &self.bind_rules
    }
}
