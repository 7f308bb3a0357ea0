//! What Service Catalog's webhooks enforced, as rules in the definitions (CEL): each with the sentence that helps.
//!
//! They look at one object. Whether a plan may be changed at all is a matter of its class, and told in a condition.

/// The fields that name a class, and the plan of the same sort.
const CHOICES: [(&str, &str); 6] = [
    ("clusterServiceClassExternalName", "clusterServicePlanExternalName"),
    ("clusterServiceClassExternalID", "clusterServicePlanExternalID"),
    ("clusterServiceClassName", "clusterServicePlanName"),
    ("serviceClassExternalName", "servicePlanExternalName"),
    ("serviceClassExternalID", "servicePlanExternalID"),
    ("serviceClassName", "servicePlanName"),
];

type Rule = (String, String);

/// The rules of a kind's spec.
pub fn rules(kind: &str) -> Vec<Rule> {
    match kind {
        "ClusterServiceBroker" | "ServiceBroker" => broker(),
        "ClusterServiceClass" => vec![stays("externalID"), stays("clusterServiceBrokerName")],
        "ServiceClass" => vec![stays("externalID"), stays("serviceBrokerName")],
        "ClusterServicePlan" => {
            vec![stays("externalID"), stays("clusterServiceBrokerName"), stays("clusterServiceClassRef.name")]
        }
        "ServicePlan" => vec![stays("externalID"), stays("serviceBrokerName"), stays("serviceClassRef.name")],
        "ServiceInstance" => instance(),
        "ServiceBinding" => binding(),
        _ => Vec::new(),
    }
}

fn broker() -> Vec<Rule> {
    vec![
        rule(
            "!(has(self.insecureSkipTLSVerify) && self.insecureSkipTLSVerify && has(self.caBundle) && size(self.caBundle) > 0)",
            "caBundle cannot be used together with insecureSkipTLSVerify",
        ),
        rule(
            "!has(self.relistDuration) || self.relistDuration.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') \
             && duration(self.relistDuration) > duration('0s')",
            "relistDuration must be a duration above zero, such as 15m or 1h30m",
        ),
        grows("relistRequests"),
    ]
}

fn instance() -> Vec<Rule> {
    let classes = CHOICES.map(|(class, _)| given(class)).join(", ");
    let sorts = CHOICES.map(|(class, plan)| format!("(!{} || {})", given(plan), given(class))).join(" && ");
    let same = CHOICES.map(|(class, _)| format!("{} == {}", text("self", class), text("oldSelf", class))).join(" && ");
    vec![
        rule(
            &format!("[{classes}].filter(one, one).size() == 1"),
            "exactly one field must name the class: clusterServiceClassExternalName, clusterServiceClassExternalID, \
             clusterServiceClassName, or the same without cluster",
        ),
        rule(&sorts, "the plan must be named by the same sort of name, and in the same scope, as the class"),
        rule(&same, "the class of an instance cannot be changed"),
        settles("externalID"),
        grows("updateRequests"),
    ]
}

fn binding() -> Vec<Rule> {
    let list = |field: &str| {
        rule(
            &format!(
                "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
            ),
            &format!("{field} cannot be changed: delete the binding and make another"),
        )
    };
    vec![
        rule("size(self.instanceRef.name) > 0", "instanceRef must name the instance"),
        stays("instanceRef.name"),
        settles("secretName"),
        settles("externalID"),
        list("parameters"),
        list("parametersFrom"),
        list("secretTransforms"),
    ]
}

/// A field that never changes.
fn stays(field: &str) -> Rule {
    rule(&format!("self.{field} == oldSelf.{field}"), &format!("{field} cannot be changed"))
}

/// A text that does not change once it is set: the controller sets it if the user did not.
fn settles(field: &str) -> Rule {
    let (new, old) = (text("self", field), text("oldSelf", field));
    rule(&format!("{old} == '' || {new} == {old}"), &format!("{field} cannot be changed"))
}

/// A counter. Zero is what a client sends that does not know it: it resets, which asks for nothing.
fn grows(field: &str) -> Rule {
    let count = |of: &str| format!("(has({of}.{field}) ? {of}.{field} : 0)");
    rule(
        &format!("{new} == 0 || {new} >= {old}", new = count("self"), old = count("oldSelf")),
        &format!("{field} cannot decrease"),
    )
}

fn given(field: &str) -> String {
    format!("(has(self.{field}) && self.{field} != '')")
}

fn text(of: &str, field: &str) -> String {
    format!("(has({of}.{field}) ? {of}.{field} : '')")
}

fn rule(rule: &str, message: &str) -> Rule {
    (rule.to_owned(), message.to_owned())
}
