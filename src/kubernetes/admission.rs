//! Who orders, for clusters whose API server cannot write it down by itself (before Kubernetes 1.36): an admission webhook
//! that does what the chart's MutatingAdmissionPolicy does. Pure; what serves it is elsewhere.
//!
//! `spec.userInfo` is whoever made the object or last changed its spec. What the controller itself writes is no order, and an
//! update that leaves the spec as it was keeps the user it had, whatever the client sent there.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

/// Answers an `AdmissionReview` (v1). `own`: the controller's user. `None`: that is no review.
pub fn review(body: &[u8], own: &str) -> Option<Value> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let request = body.get("request")?;
    let mut response = json!({ "uid": request.get("uid")?, "allowed": true });
    if let Some(change) = change(request, own) {
        response["patchType"] = "JSONPatch".into();
        response["patch"] = BASE64_STANDARD.encode(json!([change]).to_string()).into();
    }
    Some(json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response }))
}

/// What is to be changed of the object.
fn change(request: &Value, own: &str) -> Option<Value> {
    const PATH: &str = "/spec/userInfo";
    let who = request.get("userInfo")?;
    if who.get("username").and_then(Value::as_str) == Some(own) {
        return None;
    }
    let now = request.pointer("/object/spec")?.as_object()?;
    let before = request.pointer("/oldObject/spec").and_then(Value::as_object);
    let update = request.get("operation").and_then(Value::as_str) == Some("UPDATE");
    // A binding is ordered once; its spec does not change.
    let binding = request.pointer("/resource/resource").and_then(Value::as_str) == Some("servicebindings");
    let same = before.is_some_and(|before| rest(before).eq(rest(now)));
    if !(update && (same || binding)) {
        return Some(json!({ "op": "add", "path": PATH, "value": user(who) }));
    }
    match before.and_then(|before| before.get("userInfo")) {
        Some(user) => Some(json!({ "op": "add", "path": PATH, "value": user })),
        None if now.contains_key("userInfo") => Some(json!({ "op": "remove", "path": PATH })),
        None => None,
    }
}

/// A spec but for the user.
fn rest(spec: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    spec.iter().filter(|(field, _)| *field != "userInfo")
}

fn user(who: &Value) -> Value {
    let or = |field: &str, none: Value| who.get(field).cloned().filter(|value| !value.is_null()).unwrap_or(none);
    json!({
        "username": or("username", "".into()), "uid": or("uid", "".into()), "groups": or("groups", json!([])),
        "extra": or("extra", json!({})),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(operation: &str, resource: &str, user: &str, before: Value, now: Value) -> Value {
        let old = if before.is_null() { Value::Null } else { json!({ "spec": before }) };
        let request = json!({
            "uid": "1", "operation": operation, "resource": { "resource": resource },
            "userInfo": { "username": user, "groups": ["g"] }, "object": { "spec": now }, "oldObject": old,
        });
        let body = json!({ "kind": "AdmissionReview", "request": request }).to_string();
        let answer = review(body.as_bytes(), "system:serviceaccount:n:controller").unwrap();
        assert_eq!((&answer["response"]["uid"], &answer["response"]["allowed"]), (&json!("1"), &json!(true)));
        match answer["response"]["patch"].as_str() {
            None => Value::Null,
            Some(patch) => serde_json::from_slice(&BASE64_STANDARD.decode(patch).unwrap()).unwrap(),
        }
    }

    #[test]
    fn who_changes_the_spec_is_written_down_and_nobody_else() {
        let (instances, bindings) = ("serviceinstances", "servicebindings");
        let alice = json!({"username": "alice", "uid": "", "groups": ["g"], "extra": {}});
        let of = |user: &Value, size: i64| json!({"size": size, "userInfo": user});
        let set = |user: &Value| json!([{"op": "add", "path": "/spec/userInfo", "value": user}]);
        let bob = json!({"username": "bob"});
        let own = "system:serviceaccount:n:controller";
        for (operation, resource, user, before, now, patch) in [
            ("CREATE", instances, "alice", Value::Null, json!({"size": 1}), set(&alice)),
            ("CREATE", instances, "alice", Value::Null, of(&bob, 1), set(&alice)),
            ("UPDATE", instances, "alice", of(&bob, 1), of(&bob, 2), set(&alice)),
            // Nothing is ordered.
            ("UPDATE", instances, "alice", of(&bob, 1), json!({"size": 1}), set(&bob)),
            ("UPDATE", instances, "alice", of(&bob, 1), of(&alice, 1), set(&bob)),
            (
                "UPDATE",
                instances,
                "alice",
                json!({"size": 1}),
                of(&alice, 1),
                json!([{"op": "remove", "path": "/spec/userInfo"}]),
            ),
            ("UPDATE", instances, "alice", json!({"size": 1}), json!({"size": 1}), Value::Null),
            ("UPDATE", bindings, "alice", of(&bob, 1), of(&bob, 2), set(&bob)),
            // The controller fills in.
            ("UPDATE", instances, own, of(&bob, 1), of(&bob, 2), Value::Null),
        ] {
            let told = format!("{operation} {resource} {user} {before} {now}");
            assert_eq!(asked(operation, resource, user, before, now), patch, "{told}");
        }
        assert_eq!(review(b"{}", own), None);
    }
}
