//! What a user does, from the registration of a broker to its end, and what is true at each station whatever happens beneath.

use std::time::{Duration, Instant};

use chandlery::kubernetes::api::{
    BindingStatus, ConditionType, Conditions, InstanceStatus, ServiceBinding, ServiceBroker, ServiceInstance,
    ServicePlan,
};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

use super::broker::Strict;
use crate::kubernetes::bindings::data;
use crate::kubernetes::world::{World, gone, until};

/// What the controllers of these tests are set to. The lease is long: on a machine that is busy a short one is lost again and
/// again, and who is killed has theirs taken away.
pub const SETTINGS: [&str; 9] = [
    "--allow-local-brokers",
    "--retry-first",
    "50ms",
    "--retry-most",
    "400ms",
    "--broker-timeout",
    "3s",
    "--lease-duration",
    "30s",
];

/// How long a station may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// One user, one broker, one namespace.
pub struct Session<'a> {
    pub world: &'a World,
    pub broker: &'a Strict,
    /// The credentials are replaced once, too.
    pub rotates: bool,
    /// At which stations the user had to ask again, because it was `Failed` for good.
    pub rescued: Vec<&'static str>,
}

impl<'a> Session<'a> {
    pub fn new(world: &'a World, broker: &'a Strict) -> Self {
        Self { world, broker, rotates: false, rescued: Vec::new() }
    }

    /// All of it.
    pub async fn run(&mut self) {
        let (world, broker) = (self.world, self.broker);
        self.svcat(&["register", "b", "--url", &broker.url]);
        until(&world.here::<ServiceBroker>(), "b", |broker| {
            broker.status.as_ref().is_some_and(|status| status.holds(ConditionType::Ready))
        })
        .await;
        let market = self.svcat(&["marketplace"]);
        assert!([broker.class.as_str(), "small", "large"].iter().all(|word| market.contains(word)), "{market}");
        let size = r#"{"size": 1}"#;
        self.svcat(&["provision", "i", "--class", &broker.class, "--plan", "small", "--params-json", size]);
        self.instance("provision").await;
        self.svcat(&["bind", "i", "--name", "k"]);
        self.binding("bind").await;
        self.credentials().await;
        let shown = self.svcat(&["describe", "instance", "i"]);
        assert!(shown.contains("Ready") && shown.contains('k'), "{shown}");
        self.svcat(&["touch", "instance", "i"]);
        self.instance("touch").await;
        self.plan("large").await;
        self.instance("plan change").await;
        assert!(broker.plan().starts_with("db-large-"), "{}", broker.plan());
        self.credentials().await;
        if self.rotates {
            self.rotate().await;
        }
        self.svcat(&["unbind", "i"]);
        gone(&world.here::<ServiceBinding>(), "k").await;
        assert!(world.here::<Secret>().get_opt("k").await.unwrap().is_none(), "the Secret of a binding that is gone");
        assert_eq!(broker.there(), (1, 0));
        self.svcat(&["deprovision", "i", "-y"]);
        gone(&world.here::<ServiceInstance>(), "i").await;
        self.svcat(&["deregister", "b"]);
        gone(&world.here::<ServiceBroker>(), "b").await;
        assert!(world.here::<ServicePlan>().list(&ListParams::default()).await.unwrap().items.is_empty());
        assert_eq!(broker.there(), (0, 0), "something is left at the broker");
        assert_eq!(broker.wrongs(), Vec::<String>::new());
    }

    fn svcat(&self, arguments: &[&str]) -> String {
        let said = tokio::task::block_in_place(|| self.world.svcat(arguments));
        said.expect()
    }

    /// The instance is ready as its spec is now, and its status says nothing else.
    async fn instance(&mut self, station: &'static str) {
        let api = self.world.here::<ServiceInstance>();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let instance = api.get("i").await.unwrap();
            let status = instance.status.clone().unwrap_or_default();
            let seen = Some(status.observed_generation) == instance.metadata.generation;
            if seen && is_over(&status) {
                if status.holds(ConditionType::Ready) {
                    assert_eq!((status.conditions.len(), status.last_condition_state.as_str()), (1, "Ready"));
                    assert!(status.in_progress_properties.is_none() && status.operation_start_time.is_none());
                    return;
                }
                if status.holds(ConditionType::Failed) {
                    self.rescued.push(station);
                    self.svcat(&["touch", "instance", "i"]);
                }
            }
            assert!(Instant::now() < deadline, "{station}: {instance:#?}\n{:#?}", self.broker.heard());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    async fn binding(&mut self, station: &'static str) {
        let api = self.world.here::<ServiceBinding>();
        let mut asked = String::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let binding = api.get("k").await.unwrap();
            let status = binding.status.clone().unwrap_or_default();
            if status.holds(ConditionType::Ready) {
                assert_eq!((status.conditions.len(), status.last_condition_state.as_str()), (1, "Ready"));
                return;
            }
            if status.holds(ConditionType::Failed) && has_ended(&status) && status.retried == asked {
                self.rescued.push(station);
                asked = self.rescued.len().to_string();
                self.annotate("k", "chandlery.dev/retry", &asked).await;
            }
            assert!(Instant::now() < deadline, "{station}: {binding:#?}\n{:#?}", self.broker.heard());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// The Secret holds what the broker gave for the binding that it has.
    async fn credentials(&self) {
        let secret = self.world.here::<Secret>().get("k").await.unwrap();
        assert_eq!(self.broker.passwords(), [data(&secret)["password"].clone()]);
        let shown = self.svcat(&["describe", "binding", "k", "--show-secrets"]);
        assert!(shown.contains(&self.broker.passwords()[0]), "{shown}");
    }

    async fn plan(&self, name: &str) {
        let plans = self.world.here::<ServicePlan>().list(&ListParams::default()).await.unwrap().items;
        let plan = plans.iter().find(|plan| plan.spec.common.external_name == name).unwrap().name_any();
        let change = Patch::Merge(json!({"spec": {"servicePlanName": plan}}));
        self.world.here::<ServiceInstance>().patch("i", &PatchParams::default(), &change).await.unwrap();
    }

    async fn rotate(&self) {
        self.annotate("k", "chandlery.dev/rotation-overlap", "1s").await;
        self.annotate("k", "chandlery.dev/rotate-request", "now").await;
        until(&self.world.here::<ServiceBinding>(), "k", |binding: &ServiceBinding| {
            let rotation = binding.status.as_ref().and_then(|status| status.rotation.as_ref());
            rotation.is_some_and(|of| of.requested == "now" && of.retired.is_empty() && of.next.is_none())
        })
        .await;
        self.credentials().await;
    }

    async fn annotate(&self, binding: &str, name: &str, value: &str) {
        let annotation = Patch::Merge(json!({"metadata": {"annotations": {name: value}}}));
        self.world.here::<ServiceBinding>().patch(binding, &PatchParams::default(), &annotation).await.unwrap();
    }
}

/// Nothing is under way.
fn is_over(status: &InstanceStatus) -> bool {
    status.operation().is_none() && !status.orphan_mitigation_in_progress && status.retry.is_none()
}

fn has_ended(status: &BindingStatus) -> bool {
    !status.orphan_mitigation_in_progress && status.retry.is_none()
}
