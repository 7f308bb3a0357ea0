//! A broker that is registered in a test's namespace, and what tests do with its instances.

use chandlery::kubernetes::api::{
    ConditionStatus, ConditionType, Conditions, InstanceStatus, ServiceBroker, ServiceInstance,
};
use http::Method;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::broker::{FakeBroker, Fault, Heard, service};
use super::world::{World, gone, until};

/// A broker `b` of the namespace with the offering `db-SUFFIX`.
pub struct Shop<'a> {
    pub world: &'a World,
    pub broker: FakeBroker,
    /// The class, by every name.
    pub class: String,
    suffix: String,
}

impl<'a> Shop<'a> {
    /// Opens it with the plans `small` and `large`. A controller must be running.
    pub async fn open(world: &'a World) -> Self {
        Self::with(world, |_| {}).await
    }

    /// As [`Self::open`]; the offering may be changed first.
    pub async fn with(world: &'a World, change: impl FnOnce(&mut Value)) -> Self {
        let suffix = World::unique();
        let mut offering = service("db", &suffix, &["small", "large"]);
        change(&mut offering);
        let broker = FakeBroker::start(json!({ "services": [offering] })).await;
        world.svcat(&["register", "b", "--url", &broker.url]).expect();
        let ready =
            |broker: &ServiceBroker| broker.status.as_ref().is_some_and(|status| status.holds(ConditionType::Ready));
        until(&world.here::<ServiceBroker>(), "b", ready).await;
        Self { world, broker, class: format!("db-{suffix}"), suffix }
    }

    /// From now on the broker's offering is changed so.
    pub fn offers(&self, change: impl FnOnce(&mut Value)) {
        let mut offering = service("db", &self.suffix, &["small", "large"]);
        change(&mut offering);
        self.broker.offers(json!({ "services": [offering] }), None);
    }

    /// The id and name of a plan.
    pub fn plan(&self, plan: &str) -> String {
        format!("db-{plan}-{}", self.suffix)
    }

    pub fn instances(&self) -> Api<ServiceInstance> {
        self.world.here()
    }

    /// Orders an instance of the plan `small`, with these fields of the spec besides.
    pub async fn order(&self, name: &str, more: Value) {
        let mut spec = json!({ "serviceClassExternalName": self.class, "servicePlanExternalName": "small" });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let object = json!({
            "apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceInstance",
            "metadata": { "name": name }, "spec": spec,
        });
        self.instances().create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }

    /// Changes the spec.
    pub async fn change(&self, name: &str, spec: Value) -> i64 {
        let patch = Patch::Merge(json!({ "spec": spec }));
        let changed = self.instances().patch(name, &PatchParams::default(), &patch).await.unwrap();
        changed.metadata.generation.unwrap()
    }

    pub async fn delete(&self, name: &str) {
        self.instances().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until the status is as it should be.
    pub async fn until(&self, name: &str, fits: impl Fn(&InstanceStatus) -> bool) -> ServiceInstance {
        until(&self.instances(), name, |instance| instance.status.as_ref().is_some_and(&fits)).await
    }

    /// Waits until it is ready, with the present spec.
    pub async fn ready(&self, name: &str) -> ServiceInstance {
        until(&self.instances(), name, |instance| {
            let seen = |status: &InstanceStatus| Some(status.observed_generation) == instance.metadata.generation;
            instance.status.as_ref().is_some_and(|status| seen(status) && status.holds(ConditionType::Ready))
        })
        .await
    }

    /// Waits for a reason of the condition Ready.
    pub async fn reason(&self, name: &str, reason: &str) -> InstanceStatus {
        let fits = |status: &InstanceStatus| {
            status.condition(ConditionType::Ready).is_some_and(|ready| ready.reason == reason)
        };
        self.until(name, fits).await.status.unwrap()
    }

    pub async fn gone(&self, name: &str) {
        gone(&self.instances(), name).await;
    }

    /// The next requests of the method to an instance are answered so.
    pub fn answers(&self, method: Method, times: usize, status: u16, body: Value) {
        let path = "/v2/service_instances/".into();
        self.broker.fault(Fault { method, path, times, status, body, ..Fault::default() });
    }

    /// The next polls are answered so.
    pub fn polls(&self, times: usize, status: u16, body: Value) {
        let path = "/last_operation".into();
        self.broker.fault(Fault { method: Method::GET, path, times, status, body, ..Fault::default() });
    }

    /// The requests of the method to instances, without polls.
    pub fn heard(&self, method: Method) -> Vec<Heard> {
        self.broker.heard(method, "/v2/service_instances/")
    }
}

/// What a condition says: its status and reason.
pub fn says(status: &InstanceStatus, type_: ConditionType) -> Option<(ConditionStatus, &str)> {
    status.condition(type_).map(|condition| (condition.status, condition.reason.as_str()))
}
