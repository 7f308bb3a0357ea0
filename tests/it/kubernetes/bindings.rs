//! Bindings: the way of a user with svcat, and what is in the way of one.

use std::collections::BTreeMap;

use chandlery::kubernetes::api::{
    ConditionType, Conditions, ServiceBinding, ServiceClass, ServiceInstance, ServicePlan, UnbindStatus,
};
use http::Method;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::binder::Binder;
use super::world::{Running, World, gone, until};

/// Settings with short pauses.
pub const QUICK: [&str; 7] =
    ["--allow-local-brokers", "--retry-first", "100ms", "--retry-most", "1s", "--broker-timeout", "700ms"];

/// A namespace with a controller, the broker registered, and an instance `i` that is ready.
pub async fn ready(binder: &Binder) -> Option<(World, Running)> {
    let world = World::own().await?;
    let running = world.start(&QUICK).await;
    order(&world, binder).await;
    Some((world, running))
}

/// Registers the broker, and an instance `i` is ready.
pub async fn order(world: &World, binder: &Binder) {
    world.svcat(&["register", "b", "--url", &binder.url]).expect();
    until(&world.here::<ServiceClass>(), "class", |_| true).await;
    until(&world.here::<ServicePlan>(), "plan", |_| true).await;
    instance(world, "i").await;
}

/// An instance as it is when its broker has made it.
pub async fn instance(world: &World, name: &str) {
    let api = world.here::<ServiceInstance>();
    let new: ServiceInstance = serde_json::from_value(json!({
        "apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceInstance", "metadata": {"name": name},
        "spec": {
            "serviceClassName": "class", "servicePlanName": "plan", "externalID": format!("id-of-{name}"),
            "serviceClassRef": {"name": "class"}, "servicePlanRef": {"name": "plan"},
        },
    }))
    .unwrap();
    api.create(&PostParams::default(), &new).await.unwrap();
    is_ready(world, name, true).await;
    // What has a status and no finalizer its controller leaves alone; it may have put one before it saw the status, and would
    // make the instance ready whenever a test says that it is not.
    let alone = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch(name, &PatchParams::default(), &alone).await.unwrap();
}

/// Whether the instance is ready, written as its own controller would.
pub async fn is_ready(world: &World, name: &str, ready: bool) {
    let status = json!({"status": {
        "provisionStatus": "Provisioned", "deprovisionStatus": "Required", "reconciledGeneration": 1, "observedGeneration": 1,
        "currentOperation": null, "inProgressProperties": null, "asyncOpInProgress": false, "retry": null,
        "externalProperties": {"clusterServicePlanExternalName": "", "clusterServicePlanExternalID": "",
                               "servicePlanExternalName": "plan", "servicePlanExternalID": "plan"},
        "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }, "reason": "Set",
                        "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }});
    let api = world.here::<ServiceInstance>();
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

/// Makes a binding of the instance `i`.
pub async fn make(world: &World, name: &str, annotations: Value, spec: Value) -> ServiceBinding {
    let mut whole = json!({
        "apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceBinding",
        "metadata": {"name": name, "annotations": annotations}, "spec": {"instanceRef": {"name": "i"}},
    });
    whole["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let new = serde_json::from_value(whole).unwrap();
    world.here::<ServiceBinding>().create(&PostParams::default(), &new).await.unwrap()
}

pub fn holds(binding: &ServiceBinding, type_: ConditionType) -> bool {
    binding.status.as_ref().is_some_and(|status| status.holds(type_))
}

/// The reason of `Ready`.
pub fn reason(binding: &ServiceBinding) -> &str {
    let condition = binding.status.as_ref().and_then(|status| status.condition(ConditionType::Ready));
    condition.map_or("", |condition| &condition.reason)
}

pub async fn bound(world: &World, name: &str) -> ServiceBinding {
    until(&world.here::<ServiceBinding>(), name, |binding| holds(binding, ConditionType::Ready)).await
}

pub async fn with_reason(world: &World, name: &str, wanted: &str) -> ServiceBinding {
    until(&world.here::<ServiceBinding>(), name, |binding| reason(binding) == wanted).await
}

/// What a Secret holds.
pub fn data(secret: &Secret) -> BTreeMap<String, String> {
    let entries = secret.data.clone().unwrap_or_default().into_iter();
    entries.map(|(key, value)| (key, String::from_utf8(value.0).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn svcat_binds_shows_the_secret_and_unbinds() {
    let binder = Binder::start().await;
    binder.credentials(json!({"tls": {"ca": "PEM", "on": true}}));
    let Some((world, _running)) = ready(&binder).await else { return };
    world.secret("more", &[("json", r#"{"token":"sesame"}"#)]).await;
    let bind =
        ["bind", "i", "--name", "b", "--params-json", r#"{"role":"reader"}"#, "--secret", "more[json]", "--wait"];
    let said = world.svcat(&[bind.as_slice(), &["--interval", "100ms"]].concat()).expect();
    assert!(said.contains("Ready"), "{said}");
    let said = world.svcat(&["describe", "binding", "b", "--show-secrets"]).expect();
    for shown in ["hunter1", "5432", r#"{"ca":"PEM","on":true}"#, "Ready - The credentials are in the Secret"] {
        assert!(said.contains(shown), "{said}");
    }

    let sent = &binder.asked(Method::PUT);
    assert_eq!(sent.len(), 1, "one bind: {sent:?}");
    let uid = world.everywhere::<Namespace>().get(&world.namespace).await.unwrap().uid().unwrap();
    let body = &sent[0].body;
    assert_eq!(body["bind_resource"], json!({"app_guid": uid}));
    assert_eq!(body["context"]["namespace"], json!(world.namespace));
    assert_eq!(body["context"]["instance_name"], json!("i"));
    assert_eq!(body["parameters"], json!({"role": "reader", "token": "sesame"}));
    assert!(!sent[0].path.contains("accepts_incomplete"));

    let binding = world.here::<ServiceBinding>().get("b").await.unwrap();
    let status = serde_json::to_string(&binding.status).unwrap();
    assert!(!status.contains("hunter1") && !status.contains("sesame") && status.contains("<redacted>"), "{status}");
    assert_eq!(binding.status.as_ref().unwrap().binding.as_ref().unwrap().name, "b");
    let secret = world.here::<Secret>().get("b").await.unwrap();
    let owner = &secret.owner_references()[0];
    assert_eq!((owner.uid.as_str(), owner.controller), (binding.uid().unwrap().as_str(), Some(true)));
    assert_eq!(secret.type_.as_deref(), Some("Opaque"));

    let said = world.svcat(&["unbind", "--name", "b", "--wait", "--interval", "50ms"]).expect();
    assert!(said.contains("deleted"), "{said}");
    gone(&world.here::<ServiceBinding>(), "b").await;
    gone(&world.here::<Secret>(), "b").await;
    assert_eq!((binder.there(), binder.asked(Method::DELETE).len()), (vec![], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_bind_is_polled_and_fetched_once() {
    let binder = Binder::start().await;
    binder.retrievable(3);
    let Some((world, _running)) = ready(&binder).await else { return };
    make(&world, "b", json!({}), json!({})).await;
    let binding = bound(&world, "b").await;
    assert!(!binding.status.unwrap().async_op_in_progress);
    assert_eq!(data(&world.here::<Secret>().get("b").await.unwrap())["password"], "hunter1");
    let puts = binder.asked(Method::PUT);
    assert_eq!(puts.len(), 1, "D7: an asynchronous bind is sent once");
    assert!(puts[0].path.contains("accepts_incomplete=true"));
    let gets = binder.asked(Method::GET);
    assert_eq!(gets.iter().filter(|asked| asked.path.contains("last_operation")).count(), 3);
    assert_eq!(gets.iter().filter(|asked| !asked.path.contains("last_operation")).count(), 1);
    world.here::<ServiceBinding>().delete("b", &DeleteParams::default()).await.unwrap();
    gone(&world.here::<ServiceBinding>(), "b").await;
    assert!(binder.asked(Method::GET).len() > gets.len(), "an asynchronous unbind is polled");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_said_and_goes_on_when_it_is_gone() {
    let binder = Binder::start().await;
    let Some((world, _running)) = ready(&binder).await else { return };
    make(&world, "b", json!({}), json!({"instanceRef": {"name": "j"}})).await;
    let waiting = with_reason(&world, "b", "ReferencesNonexistentInstance").await;
    assert_eq!((waiting.spec.secret_name.as_str(), waiting.spec.external_id.len()), ("b", 36));
    assert!(waiting.finalizers().is_empty(), "nothing was sent, so that nothing holds it");
    instance(&world, "j").await;
    bound(&world, "b").await;

    is_ready(&world, "i", false).await;
    make(&world, "late", json!({}), json!({"parametersFrom": [{"secretKeyRef": {"name": "p", "key": "k"}}]})).await;
    with_reason(&world, "late", "ErrorInstanceNotReady").await;
    is_ready(&world, "i", true).await;
    let wrong = with_reason(&world, "late", "ErrorWithParameters").await;
    let message = &wrong.status.unwrap().conditions[0].message;
    assert!(message.contains(r#"The Secret "p" of spec.parametersFrom does not exist"#), "{message}");
    world.secret("p", &[("k", r#"{"a":1}"#)]).await;
    bound(&world, "late").await;

    let unbindable = Patch::Merge(json!({"spec": {"bindable": false}}));
    let plans = world.here::<ServicePlan>();
    plans.patch("plan", &PatchParams::default(), &unbindable).await.unwrap();
    let plan_seen = async {
        make(&world, "never", json!({}), json!({})).await;
        with_reason(&world, "never", "ErrorNonbindableServiceClass").await
    };
    let never = plan_seen.await;
    assert!(holds(&never, ConditionType::Failed), "the plan's word goes before the class's");
    assert_eq!(binder.there().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_binding_is_left_to_the_broker() {
    let binder = Binder::start().await;
    let Some((world, _running)) = ready(&binder).await else { return };
    make(&world, "b", json!({}), json!({})).await;
    bound(&world, "b").await;
    world.svcat(&["unbind", "--name", "b", "--abandon", "--yes"]).expect();
    gone(&world.here::<ServiceBinding>(), "b").await;
    assert_eq!((binder.there().len(), binder.asked(Method::DELETE).len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unbind_waits_with_a_reason_and_never_for_ever() {
    use super::binder::Fault;
    let binder = Binder::start().await;
    binder.fault(Method::DELETE, "service_bindings", 3, Fault::Answer(400, json!({"description": "Not now."})));
    let Some((world, _running)) = ready(&binder).await else { return };
    make(&world, "b", json!({}), json!({})).await;
    bound(&world, "b").await;
    let instances = world.here::<ServiceInstance>();
    let busy = |busy: bool| Patch::Merge(json!({"status": {"asyncOpInProgress": busy}}));
    instances.patch_status("i", &PatchParams::default(), &busy(true)).await.unwrap();
    world.here::<ServiceBinding>().delete("b", &DeleteParams::default()).await.unwrap();
    let waiting = with_reason(&world, "b", "ErrorAsyncOperationInProgress").await;
    assert_eq!(waiting.status.unwrap().unbind_status, UnbindStatus::Required);
    gone(&world.here::<Secret>(), "b").await;
    assert!(binder.asked(Method::DELETE).is_empty());
    instances.patch_status("i", &PatchParams::default(), &busy(false)).await.unwrap();
    let failing = with_reason(&world, "b", "UnbindCallFailed").await;
    assert!(failing.status.unwrap().conditions[0].message.contains("Not now."));
    // The instance goes first: what the binding has kept is enough.
    instances.delete("i", &DeleteParams::default()).await.unwrap();
    gone(&world.here::<ServiceBinding>(), "b").await;
    assert!(binder.there().is_empty());
}
