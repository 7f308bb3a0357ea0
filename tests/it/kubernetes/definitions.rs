//! What the definitions let through, and what they refuse.

use serde_json::{Value, json};

use super::world::World;

fn applied(world: &World, kind: &str, name: &str, spec: Value) -> Result<String, String> {
    let object = json!({
        "apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": kind, "spec": spec,
        "metadata": {"name": name, "namespace": world.namespace, "creationTimestamp": null},
        "status": {"conditions": null, "lastConditionState": ""},
    });
    let file = std::env::temp_dir().join(format!("{}-{name}.json", world.namespace));
    std::fs::write(&file, object.to_string()).unwrap();
    let said = world.kubectl(&["create", "-f", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    if said.ok { Ok(said.out) } else { Err(said.err) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_names_one_class_for_ever() {
    let Some(world) = World::own().await else { return };
    let zero = json!({"serviceClassExternalName": "c", "servicePlanExternalName": "p", "externalID": "", "updateRequests": 0,
                      "parameters": {"deep": {"none": null}}, "userInfo": null});
    applied(&world, "ServiceInstance", "i", zero).unwrap();
    for (spec, why) in [
        (json!({}), "exactly one field"),
        (json!({"serviceClassName": "a", "clusterServiceClassName": "b"}), "exactly one field"),
        (json!({"serviceClassName": "a", "servicePlanExternalName": "b"}), "same sort of name"),
        (json!({"serviceClassName": "a", "updateRequests": -1}), "greater than or equal to 0"),
    ] {
        let error = applied(&world, "ServiceInstance", "bad", spec.clone()).unwrap_err();
        assert!(error.contains(why), "{spec}: {error}");
    }
    let patch =
        |patch: Value| world.kubectl(&["patch", "serviceinstance", "i", "--type=merge", "-p", &patch.to_string()]);
    for (allowed, spec) in [
        (true, json!({"servicePlanExternalName": "q"})),
        (true, json!({"externalID": "x"})),
        (false, json!({"externalID": "y"})),
        (false, json!({"externalID": null})),
        (false, json!({"serviceClassExternalName": "d"})),
        (true, json!({"updateRequests": 3})),
        (false, json!({"updateRequests": 2})),
    ] {
        let said = patch(json!({ "spec": spec }));
        assert_eq!(said.ok, allowed, "{spec}: {}", said.err);
    }
    let kept = world.kubectl(&["get", "serviceinstance", "i", "-o", "jsonpath={.spec.parameters}"]).expect();
    assert_eq!(kept, r#"{"deep":{"none":null}}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_is_frozen_once_it_is_made() {
    let Some(world) = World::own().await else { return };
    let spec = json!({"instanceRef": {"name": "i"}, "parameters": {"a": {"b": [1, null]}}, "secretName": "",
                      "parametersFrom": [{"secretKeyRef": {"name": "s", "key": "k"}}],
                      "secretTransforms": [{"addKey": {"key": "k", "stringValue": "v", "value": null, "jsonPathExpression": null}}]});
    applied(&world, "ServiceBinding", "b", spec).unwrap();
    let patch =
        |patch: Value| world.kubectl(&["patch", "servicebinding", "b", "--type=merge", "-p", &patch.to_string()]);
    for (allowed, spec) in [
        (true, json!({"secretName": "b", "externalID": "x", "userInfo": {"username": "alice"}})),
        (false, json!({"secretName": "c"})),
        (false, json!({"instanceRef": {"name": "j"}})),
        (false, json!({"parameters": {"a": {"b": [2]}}})),
        (false, json!({"parametersFrom": []})),
        (false, json!({"secretTransforms": null})),
    ] {
        let said = patch(json!({ "spec": spec }));
        assert_eq!(said.ok, allowed, "{spec}: {}", said.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_takes_what_svcat_sends_and_no_nonsense() {
    let Some(world) = World::own().await else { return };
    let spec = |more: Value| {
        let mut spec = json!({"url": "http://x", "relistBehavior": "", "relistRequests": 0, "catalogRestrictions": {}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    applied(&world, "ServiceBroker", "b", spec(json!({"relistDuration": "15m0s"}))).unwrap();
    for (more, why) in [
        (json!({"url": ""}), "at least 1 char"),
        (json!({"relistBehavior": "Sometimes"}), "supported values"),
        (json!({"relistDuration": "0s"}), "duration above zero"),
        (json!({"relistDuration": "soon"}), "duration above zero"),
        (json!({"insecureSkipTLSVerify": true, "caBundle": "YQ=="}), "cannot be used together"),
    ] {
        let error = applied(&world, "ServiceBroker", "bad", spec(more.clone())).unwrap_err();
        assert!(error.contains(why), "{more}: {error}");
    }
    let said = world.kubectl(&["get", "svcat"]).expect();
    assert!(said.contains("servicebroker.servicecatalog.k8s.io/b"), "{said}");
}
