//! Several replicas: one works, and another takes over.

use std::time::{Duration, Instant};

use chandlery::kubernetes::api::{ConditionType, Conditions, ServiceBroker};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::broker::{FakeBroker, service};
use super::world::{Running, World, until};

fn leads(running: &Running) -> bool {
    running.metrics.render().contains("chandlery_controller_leader 1")
}

async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_works_and_another_takes_over_at_once_or_after_the_lease() {
    let Some(world) = World::own().await else { return };
    let broker = FakeBroker::start(json!({"services": [service("db", &World::unique(), &["small"])]})).await;
    let first = world.start(&["--allow-local-brokers", "--lease-duration", "2s"]).await;
    wait_until("the first leads", || leads(&first)).await;
    let second = world.start(&["--allow-local-brokers", "--lease-duration", "2s"]).await;
    let third = world.start(&["--allow-local-brokers", "--lease-duration", "2s"]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(leads(&first) && !leads(&second) && !leads(&third));

    let begun = Instant::now();
    first.stop().await;
    wait_until("another leads", || leads(&second) || leads(&third)).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "a lease that was handed back need not run out");
    let (leader, other) = if leads(&second) { (second, third) } else { (third, second) };
    let begun = Instant::now();
    leader.kill().await;
    wait_until("the last leads", || leads(&other)).await;
    assert!(begun.elapsed() > Duration::from_millis(1500), "a killed leader is waited for: {:?}", begun.elapsed());

    world.svcat(&["register", "b", "--url", &broker.url]).expect();
    until(&world.here::<ServiceBroker>(), "b", |broker| {
        broker.status.as_ref().is_some_and(|status| status.holds(ConditionType::Ready))
    })
    .await;
    // Somebody takes the lease away: work ends, and begins again when it can be had.
    let stolen = Patch::Merge(json!({"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 2}}));
    world.here::<Lease>().patch("chandlery-controller", &PatchParams::default(), &stolen).await.unwrap();
    wait_until("it notices", || !leads(&other)).await;
    wait_until("it leads again", || leads(&other)).await;
    other.stop().await;
    let lease = world.here::<Lease>().get("chandlery-controller").await.unwrap().spec.unwrap();
    assert_eq!(lease.holder_identity, None);
}
