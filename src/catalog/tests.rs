//! The whole way of an offering, over pretended kinds.

use serde_json::{Map, Value, json};

use super::testing::{binding_names, names, queue};
use super::{Evaluated, OutputMap, Refusal, Revision, Scope, Verb};

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn accept(revision: &Revision, plan: &str, given: Value, forced: Value) -> Result<Value, Vec<Refusal>> {
    let plan = revision.plan_named(plan).unwrap();
    revision.accept(plan, Verb::Create, &map(given), &map(forced), &Value::Null)
}

fn messages(result: Result<Value, Vec<Refusal>>) -> Vec<String> {
    let mut messages: Vec<String> = result.unwrap_err().into_iter().map(|refusal| refusal.message).collect();
    messages.sort();
    messages
}

#[test]
fn parameters_are_completed_from_defaults_plan_and_administrator() {
    let revision = queue();
    let effective = accept(&revision, "fifo", json!({"groups": [{"name": "a"}]}), json!({"retention": 60, "other": 1}));
    let expected = json!({
        "retention": 60, "deduplicate": true, "dead_letters": true, "deletion": "delete",
        "groups": [{"name": "a", "size": 2}],
    });
    assert_eq!(effective, Ok(expected));
    let effective = accept(&revision, "large", json!({}), json!({})).unwrap();
    assert_eq!(effective["retention"], 1000);
}

#[test]
fn refusals_name_the_parameter_and_never_the_value() {
    let revision = queue();
    let refused = messages(accept(
        &revision,
        "large",
        json!({"retention": 70, "deletoin": "x", "groups": [{"name": "hunter2"}], "password": 12345, "deletion": "delete"}),
        json!({"deletion": "retain"}),
    ));
    assert_eq!(
        refused,
        [
            "deletion is set by the administrator and cannot be chosen.",
            "deletoin is not known here; did you mean `deletion`?",
            "groups[0].name must be a text matching ^[a-z]{1,8}$.",
            "password must be a text of at least 4 characters.",
            "retention is fixed by the plan large and cannot be set.",
        ]
    );
    let by_rule = accept(&revision, "standard", json!({"deduplicate": true}), json!({})).unwrap_err();
    let message = "Deduplication needs a FIFO queue.".to_owned();
    assert_eq!(by_rule, [Refusal { parameter: Some("deduplicate".into()), message }]);
    // The administrator's own value may be repeated, and is checked itself.
    assert!(accept(&revision, "standard", json!({"deletion": "retain"}), json!({"deletion": "retain"})).is_ok());
    let wrong = messages(accept(&revision, "standard", json!({}), json!({"retention": "x"})));
    assert_eq!(wrong, ["the administrator's value of retention must be an integer from 60 to 1209600."]);
}

#[test]
fn bind_parameters_choose_the_style_and_obey_their_rules() {
    let revision = queue();
    let plan = revision.plan_named("standard").unwrap();
    let bind = |given, instance| revision.accept(plan, Verb::Bind, &map(given), &Map::new(), &instance);
    assert_eq!(
        bind(json!({"credential_style": "old"}), json!({"dead_letters": true})),
        Ok(json!({"role": "consumer", "credential_style": "old"}))
    );
    assert_eq!(
        messages(bind(json!({"credential_style": "odd"}), json!({}))),
        ["credential_style must be one of canonical, old."]
    );
    assert_eq!(
        messages(bind(json!({"role": "producer"}), json!({"dead_letters": false}))),
        ["A producer needs a queue with dead letters."]
    );
}

#[test]
fn immutable_parameters_are_found_also_behind_a_plan() {
    let revision = queue();
    let [standard, large] = ["standard", "large"].map(|name| revision.plan_named(name).unwrap());
    let change = |old, new| revision.immutable_changes(standard, large, &old, &new);
    assert_eq!(change(json!({"retention": 70}), json!({"retention": 80})), []);
    let refused = change(json!({"dead_letters": true}), json!({}));
    assert_eq!(refused[0].message, "dead_letters cannot be changed after creation.");
}

#[test]
fn resources_are_expanded_in_order() {
    let revision = queue();
    let params =
        accept(&revision, "fifo", json!({"groups": [{"name": "b"}, {"name": "a"}], "deletion": "retain"}), json!({}));
    let specs = revision.resources(Scope::Instance, &names(&revision, "fifo", params.unwrap())).unwrap();
    let told: Vec<_> =
        specs.iter().map(|s| (s.key.as_str(), s.name.as_str(), s.depends_on.join(" "), s.retain)).collect();
    assert_eq!(
        told,
        [
            ("dead", "chn-0123456789abcdef-dead", String::new(), false),
            ("queue", "chn-0123456789abcdef.fifo", "dead".into(), true),
            ("groups[\"a\"]", "chn-0123456789abcdef-a", "dead queue".into(), false),
            ("groups[\"b\"]", "chn-0123456789abcdef-b", "dead queue".into(), false),
        ]
    );
    let params = accept(&revision, "fifo", json!({"dead_letters": false}), json!({})).unwrap();
    let specs = revision.resources(Scope::Instance, &names(&revision, "fifo", params)).unwrap();
    assert_eq!(specs.iter().map(|s| s.key.as_str()).collect::<Vec<_>>(), ["queue"]);
    assert_eq!(specs[0].depends_on, Vec::<String>::new());
}

#[test]
fn desired_state_knows_its_secrets_and_drops_what_is_none() {
    let revision = queue();
    let params = accept(&revision, "standard", json!({"password": "hunter2", "groups": [{"name": "a"}]}), json!({}));
    let names = names(&revision, "standard", params.unwrap());
    let mut outputs = OutputMap::new();
    outputs.insert("dead".into(), map(json!({"arn": "arn:dead", "url": "u"})));
    let desired = revision.desired(Scope::Instance, "queue", &names, &outputs).unwrap();
    let value = json!({
        "fifo": false, "retention": 345_600, "password": "hunter2", "redrive": {"arn": "arn:dead", "count": 5},
    });
    assert_eq!(desired, Evaluated { value, secrets: vec!["/password".into()] });
    let unready = revision.desired(Scope::Instance, "groups[\"a\"]", &names, &outputs).unwrap_err();
    assert_eq!(unready.to_string(), "resources.queue: its outputs are needed and it is not ready");
    outputs.insert("queue".into(), map(json!({"arn": "arn:queue"})));
    let group = revision.desired(Scope::Instance, "groups[\"a\"]", &names, &outputs).unwrap().value;
    assert_eq!(group, json!({"size": 2, "queue": "arn:queue"}));
    assert!(revision.desired(Scope::Instance, "groups[\"z\"]", &names, &outputs).is_err());
    assert!(revision.desired(Scope::Binding, "queue", &names, &outputs).is_err());
    let url = revision.dashboard_url(&names).unwrap();
    assert_eq!(url.as_deref(), Some("https://eu-central-1.example.com/chn-0123456789abcdef"));
    assert_eq!(revision.labels(&names), Ok(map(json!({"namespace": "team-a"}))));
    assert_eq!(revision.attributes(&names, &outputs), Ok(map(json!({"arn": "arn:queue"}))));
}

#[test]
fn credentials_come_in_styles() {
    let revision = queue();
    let instance = json!({"password": "hunter2", "dead_letters": false});
    let mut outputs = OutputMap::new();
    outputs.insert("queue".into(), map(json!({"arn": "arn:queue", "url": "https://q"})));
    outputs.insert("groups[\"a\"]".into(), map(json!({"arn": "a"})));
    outputs.insert("identity".into(), map(json!({"credentials": {"access_key_id": "AKIA", "secret_access_key": "s"}})));

    let names = binding_names(&revision, "standard", instance.clone(), json!({"prefix": "a*"}));
    let statements = revision.desired(Scope::Binding, "identity", &names, &outputs).unwrap().value;
    assert_eq!(
        statements["statements"][0]["resources"],
        json!(["arn:queue/a${*}*"]),
        "the skipped queue's ARN is dropped"
    );
    assert_eq!(revision.resources(Scope::Binding, &names).unwrap()[0].name, "chn-fedcba9876543210");

    let mut credentials = revision.credentials(&names, &outputs).unwrap();
    let value = json!({
        "type": "queue", "provider": "aws", "access_key_id": "AKIA", "secret_access_key": "s", "queue_url": "https://q",
        "groups": "1", "region": "eu-central-1", "password": "hunter2",
    });
    credentials.secrets.sort();
    let secrets = vec!["/access_key_id".into(), "/password".into(), "/secret_access_key".into()];
    assert_eq!(credentials, Evaluated { value, secrets });

    let names = binding_names(&revision, "standard", instance, json!({"credential_style": "old"}));
    // An own key that is none would let the merged one through, so whatever lies over a secret merge counts as secret.
    let value = json!({"QUEUE_URL": "https://q", "ACCESS_KEY": "AKIA"});
    assert_eq!(
        revision.credentials(&names, &outputs),
        Ok(Evaluated { value, secrets: vec!["/ACCESS_KEY".into(), "/QUEUE_URL".into()] })
    );
    let endpoints = revision.endpoints(&names, &outputs).unwrap();
    assert_eq!(endpoints[0].host, "queue.eu-central-1.example.com");
}

#[test]
fn the_catalog_entry_says_what_can_change() {
    let service = queue().served();
    assert!(service.bindable && service.plan_updateable && service.allow_context_updates);
    let plan = |name: &str| service.plans.iter().find(|plan| plan.name == name).unwrap();
    assert_eq!(plan("standard").plan_updateable, Some(true));
    assert_eq!(plan("large").plan_updateable, Some(false));
    assert_eq!(plan("large").maximum_polling_duration, Some(120));
    // A queue, its dead letters, then four groups one after the other: 4 times 1,210 seconds.
    assert_eq!(plan("standard").maximum_polling_duration, Some(4840));
    assert!(
        !plan("large").schemas.service_instance.create.parameters["properties"]
            .as_object()
            .unwrap()
            .contains_key("retention")
    );
    let bind = &plan("fifo").schemas.service_binding.create.parameters;
    assert_eq!(bind["properties"]["credential_style"]["enum"], json!(["canonical", "old"]));
}

#[test]
fn an_update_leaves_behind_what_is_no_longer_the_users_to_set() {
    let revision = queue();
    let large = revision.plan_named("large").unwrap();
    let current = map(json!({"retention": 70, "gone": 1, "deletion": "retain", "dead_letters": false}));
    let carried = revision.carried(large, &current, &map(json!({"deletion": "delete"})));
    assert_eq!(carried, map(json!({"dead_letters": false})));
}

#[test]
fn an_accepted_revision_is_restored_without_the_checks() {
    let registry = super::testing::registry();
    let source = super::testing::QUEUE
        .replace("tags: [queue]", "former_key: 1")
        .replace("kind: test/group", "kind: test/former");
    assert!(Revision::parse("q.yaml", &source, &registry).is_err());
    let revision = Revision::restore("q.yaml", &source, &registry).unwrap();
    assert_eq!(revision.name(), "test-queue");
    assert_ne!(revision.digest, queue().digest);
    let is_shared = |_: &(dyn Send + Sync)| ();
    is_shared(&revision);
}
