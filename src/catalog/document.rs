//! The offering file as it is written: one type per section, one field per key. `docs/CATALOG.md` is its reference, and
//! `chandlery catalog schema` prints the JSON Schema that is made from these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An offering: one file of the catalog.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offering {
    /// The OSB service id, a GUID. It never changes once released.
    pub id: String,
    /// What people type: letters, digits, `.`, `-`. It never changes once released.
    pub name: String,
    /// One line on what it is.
    pub description: String,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What platforms show: displayName, imageUrl, longDescription, providerDisplayName, documentationUrl, supportUrl, …
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// Whether instances can be bound. Default: there is a `binding` section.
    #[serde(default)]
    pub bindable: Option<bool>,
    /// What a DELETE of an instance does with bindings that are still there.
    #[serde(default)]
    pub deletion_with_bindings: DeletionWithBindings,
    /// At least one.
    #[schemars(length(min = 1))]
    pub plans: Vec<PlanDocument>,
    /// What a user may set on an instance: a draft-04 property schema each. Together they are closed.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// What a user may set on a binding.
    #[serde(default)]
    pub bind_parameters: BTreeMap<String, Parameter>,
    /// What a schema cannot say about the instance's parameters.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What a schema cannot say about the binding's parameters; the instance's are `instance.params`.
    #[serde(default)]
    pub bind_rules: Vec<Rule>,
    /// What an instance is made of, by name.
    #[serde(default)]
    pub resources: BTreeMap<String, Resource>,
    /// What platforms are told about an instance.
    #[serde(default)]
    pub instance: InstanceSection,
    /// What a binding makes and hands out. Without it the offering is not bindable.
    #[serde(default)]
    #[schemars(with = "BindingSection")]
    pub binding: Option<BindingSection>,
}

/// What a DELETE of an instance does with bindings that are still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeletionWithBindings {
    /// They are unbound first.
    #[default]
    Unbind,
    /// The DELETE is refused with a sentence that names them.
    Refuse,
}

/// One plan.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanDocument {
    /// The OSB plan id, a GUID. It never changes once released.
    pub id: String,
    /// What people type. It never changes once released.
    pub name: String,
    /// One line on what sets it apart.
    pub description: String,
    /// Whether it costs nothing. OSB's own default is true, so it is best said.
    #[serde(default = "yes")]
    pub free: bool,
    /// What platforms show: displayName, bullets, costs.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// Values that a user cannot set: of parameters, or names of the plan's own. All are `plan.NAME` in expressions.
    #[serde(default)]
    pub fixed: Map<String, Value>,
    /// The plan's own defaults of parameters.
    #[serde(default)]
    pub defaults: Map<String, Value>,
    /// The names of the plans that an instance may change to.
    #[serde(default)]
    pub change_to: Vec<String>,
    /// The version of what the plan makes (OSB `maintenance_info`).
    #[serde(default)]
    #[schemars(with = "Maintenance")]
    pub maintenance: Option<Maintenance>,
    /// Whether a binding can be followed by a successor (OSB 2.17).
    #[serde(default)]
    pub binding_rotatable: bool,
    /// The administrator's target that instances of this plan live in.
    #[serde(default)]
    pub target: Option<String>,
    /// Seconds that an operation may take. Default: from the usual times of the kinds.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub maximum_polling_duration: Option<u32>,
}

fn yes() -> bool {
    true
}

/// The version of what a plan makes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// A semantic version: the newest, which upgrades lead to.
    pub version: String,
    /// What an upgrade to it means for users.
    #[serde(default)]
    pub description: Option<String>,
    /// The parameter that says which version an instance is at. With it come `steps`.
    #[serde(default)]
    pub parameter: Option<String>,
    /// Every version that an instance may be at, oldest first: an upgrade walks them one by one.
    #[serde(default)]
    pub steps: Vec<MaintenanceStep>,
}

/// One version on the way of an upgrade.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceStep {
    /// The semantic version that platforms are told.
    pub version: String,
    /// The parameter's value at that version.
    pub value: Value,
}

/// One parameter: ours keys, and the keywords of its draft-04 schema beside them.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
pub struct Parameter {
    /// May be changed by an update. Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub updatable: bool,
    /// Is sealed at rest and never shown; allowed in properties and credentials only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
    /// Names an existing thing of this sort (`kms-key`, `role`, …), which the administrator must have allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Must be given. Default: no.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// The draft-04 schema: type, description, default, enum, minimum, …
    #[serde(flatten)]
    pub schema: Map<String, Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A rule across parameters, checked in the request.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// An expression that must be true, over `params` and `plan` (and `instance.params` in bind rules).
    pub assert: String,
    /// The parameter that the refusal names.
    #[serde(default)]
    pub parameter: Option<String>,
    /// The sentence that the user reads.
    pub message: String,
    /// When it is checked. Default: always.
    #[serde(default)]
    pub on: Vec<RuleVerb>,
}

/// When a rule is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleVerb {
    /// When an instance or a binding is made.
    Create,
    /// When an instance is changed.
    Update,
}

/// One resource. Besides these keys it holds the properties of its kind.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Resource {
    /// `s3/bucket`, `iam/identity`, …
    pub kind: String,
    /// Its name in AWS; carries `instance.slug` (in a binding `binding.slug`). Default: the slug.
    #[serde(default)]
    pub name: Option<String>,
    /// One row for each entry of a map, or of a list of objects with a unique `name`.
    #[serde(default)]
    pub for_each: Option<Value>,
    /// Whether it is made at all. Default: yes.
    #[serde(default)]
    pub when: Option<Value>,
    /// Resources that must be ready first although nothing of theirs is used.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// One at a time among the resources with the same word.
    #[serde(default)]
    pub serial: Option<String>,
    /// On deprovision it stays in AWS and is forgotten. Default: no.
    #[serde(default)]
    pub retain: Option<Value>,
    /// Its kind's properties.
    #[serde(flatten)]
    pub properties: Map<String, Value>,
}

/// What platforms are told about an instance.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceSection {
    /// Where people see it. Sent in the first answer, so static names only, and `RESOURCE.name`.
    #[serde(default)]
    pub dashboard_url: Option<String>,
    /// Labels of the instance: static names only.
    #[serde(default)]
    pub labels: Map<String, Value>,
    /// Attributes of the instance: may use outputs.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// What other instances of the same owner may refer to, by sort of `reference`: may use outputs.
    #[serde(default)]
    pub provides: Map<String, Value>,
}

/// What a binding makes and hands out.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BindingSection {
    /// What a binding is made of, by name; may use the outputs of the instance's resources.
    #[serde(default)]
    pub resources: BTreeMap<String, Resource>,
    /// The canonical credentials: flat, texts, with `type` and `provider`.
    pub credentials: Map<String, Value>,
    /// Other forms of them, by name; may use `credentials.NAME` of the canonical form.
    #[serde(default)]
    pub styles: BTreeMap<String, Map<String, Value>>,
    /// The bind parameter that chooses the form. Default: `credential_style`.
    #[serde(default)]
    pub style_parameter: Option<String>,
    /// Where the thing is reached (OSB endpoints).
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

/// One network endpoint.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// A host name or address.
    pub host: String,
    /// Ports, or ranges of them (`8000-9000`).
    pub ports: Vec<String>,
    /// `tcp`, `udp` or `all`. Default: `tcp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}
