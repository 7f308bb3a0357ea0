//! The format of the administrator's file. The comments here are the descriptions that an editor shows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::glob::{Glob, Globs};

/// Chandlery's administrator's file: who may order, into which AWS accounts, and on what terms.
// Only the schema reads this struct; the checks read the document element by element, to find every one's problems.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is a description")]
struct File {
    /// The OSB clients that may log in.
    platforms: Vec<Platform>,
    /// The AWS accounts, regions and roles in which instances may live.
    targets: Vec<TargetEntry>,
    /// The target where nothing else chooses one. May be left out if there is only one target.
    default_target: Option<String>,
    /// Tags on everything that is made in AWS.
    tags: Option<BTreeMap<String, String>>,
    /// Terms for some orders, first to last; the later of two rules wins.
    rules: Option<Vec<Rule>>,
}

/// An OSB client. What one platform made, no other platform can see.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Platform {
    /// Its name in rules, logs, metrics and tags: letters, digits, `.`, `_` and `-`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"))]
    pub(super) name: String,
    /// How it logs in; several at once, so that one can be exchanged without an interruption.
    pub(super) credentials: Vec<Credential>,
    /// The names of the offerings that it sees, as patterns. Default: all.
    pub(super) offerings: Option<Vec<Glob>>,
    /// Limits over the whole platform.
    pub(super) limits: Option<Limits>,
}

/// Either `username` and `password_sha256` (basic), or `token_sha256` (bearer). `chandlery policy hash` makes the digests.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Credential {
    /// The user name of basic authentication.
    pub(super) username: Option<String>,
    /// The SHA-256 of the password in hexadecimal. The password must be random, 128 bits or more.
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub(super) password_sha256: Option<String>,
    /// The SHA-256 of the bearer token in hexadecimal. The token must be random, 128 bits or more.
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub(super) token_sha256: Option<String>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Limits that must not be passed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// How many instances there may be. In a rule: of those that share with the order every value that `match` names.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub(super) instances: Option<u32>,
    /// How many bindings each instance may have. The smallest of all that apply holds.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub(super) bindings_per_instance: Option<u32>,
}

/// An AWS account, region and role in which instances live.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetEntry {
    /// Its name in rules, plans and expressions: letters, digits, `.`, `_` and `-`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"))]
    pub(super) name: String,
    /// The 12 digits of the account, in quotes.
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub(super) account: String,
    /// The region: `eu-central-1`.
    pub(super) region: String,
    /// `aws`, `aws-cn`, `aws-us-gov`, …; default: the region's.
    pub(super) partition: Option<String>,
    /// The role to assume in that account. Default: the broker's own credentials, which must then belong to it.
    pub(super) role_arn: Option<String>,
    /// The ExternalId to assume the role with. Semi-secret: it is never shown.
    pub(super) external_id: Option<String>,
    /// The permissions boundary on every IAM user and role made there.
    pub(super) permissions_boundary: Option<String>,
    /// Tags on everything made there; they win over the tags of the file.
    pub(super) tags: Option<BTreeMap<String, String>>,
    /// Values of any form that offerings may read (`target.settings.NAME`): subnets, a log bucket.
    pub(super) settings: Option<Map<String, Value>>,
}

/// Terms for the orders that `match` fits.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// Which orders. Every key that is given must fit; `{}` fits every order.
    #[serde(rename = "match")]
    pub(super) matching: Match,
    /// The target of these orders.
    pub(super) target: Option<String>,
    /// The targets among which the user may choose with the parameter `target`. `[]` takes the choice away again.
    pub(super) user_may_choose_target: Option<Vec<String>>,
    /// Parameters that get this value, whatever the user says; one who sets another value is refused.
    pub(super) forced: Option<Map<String, Value>>,
    /// What parameters that name an existing AWS thing may name: patterns by kind of thing. Rules add to each other.
    pub(super) allow: Option<BTreeMap<String, Vec<Glob>>>,
    /// Limits; the smallest of all that apply holds.
    pub(super) limits: Option<Limits>,
    /// Tags; they win over those of the target and the file.
    pub(super) tags: Option<BTreeMap<String, String>>,
    /// These orders are refused with this sentence. No later rule takes it back.
    pub(super) deny: Option<String>,
}

/// Which orders a rule is for. A key fits only an order that has such a value.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Match {
    /// The platform's name.
    pub(super) platform: Option<Globs>,
    /// The organization's GUID (Cloud Foundry).
    pub(super) organization: Option<Globs>,
    /// The space's GUID (Cloud Foundry).
    pub(super) space: Option<Globs>,
    /// The namespace (Kubernetes).
    pub(super) namespace: Option<Globs>,
    /// The offering's name.
    pub(super) offering: Option<Globs>,
    /// The plan's name.
    pub(super) plan: Option<Globs>,
    /// The name of the target that was chosen. Such a rule cannot choose one itself.
    pub(super) target: Option<Globs>,
}

/// The JSON Schema of the file, for editors.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(File).to_value();
    schema["title"] = "Chandlery policy".into();
    forbid_blanks(&mut schema);
    schema
}

/// Optional keys may be left out but not be `null`: a blank `namespace:` would silently widen a rule.
fn forbid_blanks(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(forbid_blanks),
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|name| name != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    map.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(options)) = map.get_mut("anyOf") {
                options.retain(|option| option["type"] != "null");
                if let [Value::Object(only)] = options.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    map.extend(only);
                }
            }
            map.values_mut().for_each(forbid_blanks);
        }
        _ => {}
    }
}
