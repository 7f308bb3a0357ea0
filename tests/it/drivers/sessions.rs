//! `aws::Sessions`: roles of targets, the lease's guard, the observer's points.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chandlery::aws::{CallObserver, KmsMasterKey, OrFault, Outcome};
use chandlery::driver::{Class, Driver, Fault, Guard, Target};
use chandlery::resource::s3::bucket::BucketDriver;
use chandlery::vault::{KeyBytes, MasterKey};
use serde_json::json;
use tokio::sync::Notify;

use crate::support::aws::{Aws, again, ready};

const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// The target's role trusts the broker's account with one ExternalId.
async fn role(aws: &Aws, broker: &Aws) -> Target {
    let iam = aws.sessions().await.of(&aws.target()).await.unwrap().iam();
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "AWS": format!("arn:aws:iam::{}:root", broker.account) },
        "Condition": { "StringEquals": { "sts:ExternalId": "agreed" } },
    }]});
    let call = iam.create_role().role_name("chandlery").assume_role_policy_document(trust.to_string());
    let arn = call.send().await.unwrap().role.unwrap().arn;
    iam.put_role_policy().role_name("chandlery").policy_name("p").policy_document(ALLOW).send().await.unwrap();
    Target { role_arn: Some(arn), external_id: Some("agreed".to_owned()), ..aws.target() }
}

#[tokio::test]
async fn a_target_is_entered_through_its_role_or_not_at_all() {
    let (broker, aws) = (Aws::fresh(), Aws::fresh());
    let target = role(&aws, &broker).await;
    let sessions = broker.sessions().await;
    let driver = BucketDriver::new(sessions.clone());
    let mut cx = aws.context("chandlery-#");
    cx.target = target.clone();
    ready(&driver, &cx, &json!({}), None).await.unwrap();
    ready(&driver, &again(&cx), &json!({ "vpc": "vpc-0123456789abcdef0" }), None).await.unwrap();
    assert_eq!(aws.inventory().await["buckets"].as_array().unwrap().len(), 1);
    let assumed = broker.calls().await.into_iter().chain(aws.calls().await).filter(|c| c == "sts:AssumeRole").count();
    assert_eq!(assumed, 1, "credentials are kept");

    let refused = |fault: Fault| {
        assert_eq!(fault.class, Class::Denied, "{fault:?}");
        assert!(fault.message.contains("main") && !fault.message.contains("arn:"), "{fault}");
    };
    for external_id in [None, Some("wrong".to_owned())] {
        let mut cx = aws.context("chandlery-#");
        cx.target = Target { external_id, ..target.clone() };
        refused(driver.ensure(&cx, &json!({}), None).await.unwrap_err());
    }
    let elsewhere = Aws::fresh();
    for target in [
        // The broker's own credentials are another account's; a role is not in the account it is said to be in.
        elsewhere.target(),
        Target { account: elsewhere.account.clone(), ..target },
    ] {
        refused(sessions.of(&target).await.map(drop).unwrap_err());
    }
    assert_eq!(broker.inventory().await["buckets"], json!([]), "nothing was made with the broker's own credentials");
}

#[tokio::test]
async fn no_attempt_starts_that_the_lease_does_not_cover() {
    let aws = Aws::fresh();
    let sessions = aws.sessions().await;
    let driver = BucketDriver::new(sessions.clone());
    sessions.of(&aws.target()).await.unwrap();
    aws.calls().await;
    // Too short for a whole call.
    let guard = Guard::until(Instant::now() + sessions.call_timeout() - Duration::from_secs(1));
    let fault = guard.scope(driver.ensure(&aws.context("chandlery-#"), &json!({}), None)).await.unwrap_err();
    assert_eq!(fault.class, Class::Transient);
    assert!(fault.message.contains("lease"), "{fault}");
    assert_eq!(aws.calls().await, [] as [String; 0]);
    // Long enough, but revoked while the SDK waits between two attempts.
    let guard = Guard::until(Instant::now() + Duration::from_secs(60));
    let sessions = aws.sessions_seen_by(Some(Arc::new(Revoke(guard.clone())))).await;
    let s3 = sessions.of(&aws.target()).await.unwrap().s3();
    aws.calls().await;
    aws.faults(json!([{ "service": "s3", "mode": "throttle", "times": null }])).await;
    let answer = guard.scope(s3.list_buckets().send()).await;
    assert!(answer.or_fault("s3:ListAllMyBuckets").unwrap_err().message.contains("lease"));
    assert_eq!(aws.calls().await, ["s3:ListBuckets"], "the second attempt was not sent");
}

/// Takes the lease away once a first attempt at S3 has been answered.
struct Revoke(Guard);

#[async_trait]
impl CallObserver for Revoke {
    async fn after(&self, service: &str, _: &str, _: Outcome, _: Duration) {
        if service == "s3" {
            self.0.revoke();
        }
    }
}

struct Stop {
    operation: &'static str,
    before: bool,
    reached: Notify,
}

impl Stop {
    async fn here(&self, operation: &str, before: bool) {
        if (operation, before) == (self.operation, self.before) {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl CallObserver for Stop {
    async fn before(&self, _: &str, operation: &str) {
        self.here(operation, true).await;
    }

    async fn after(&self, service: &str, operation: &str, outcome: Outcome, _: Duration) {
        assert!(service == "s3" || service == "sts", "{service}");
        assert_eq!(outcome, Outcome::Answered(200));
        self.here(operation, false).await;
    }
}

#[tokio::test]
async fn a_test_can_kill_a_worker_just_before_and_just_after_a_call() {
    for (before, buckets) in [(true, 0), (false, 1)] {
        let aws = Aws::fresh();
        let stop = Arc::new(Stop { operation: "CreateBucket", before, reached: Notify::new() });
        let driver = BucketDriver::new(aws.sessions_seen_by(Some(stop.clone())).await);
        let cx = aws.context("chandlery-#");
        let worker = {
            let cx = cx.clone();
            tokio::spawn(async move { driver.ensure(&cx, &json!({}), None).await.map(drop) })
        };
        stop.reached.notified().await;
        worker.abort();
        assert!(worker.await.unwrap_err().is_cancelled());
        assert_eq!(aws.inventory().await["buckets"].as_array().unwrap().len(), buckets);
        ready(&BucketDriver::new(aws.sessions().await), &again(&cx), &json!({}), None).await.unwrap();
        assert_eq!(aws.inventory().await["buckets"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_kms_key_wraps_ring_keys_and_binds_them() {
    let aws = Aws::fresh();
    let sessions = aws.sessions().await;
    let kms = sessions.of(&aws.target()).await.unwrap().kms();
    let arn = kms.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    let master = KmsMasterKey::new(&sessions, &arn).unwrap();
    let key = KeyBytes::random().unwrap();
    let wrapped = master.wrap(&key, b"ring key 1").await.unwrap();
    assert!(master.unwrap(&wrapped, b"ring key 1").await.unwrap() == key);
    assert!(master.unwrap(&wrapped, b"ring key 2").await.is_err());
    assert!(KmsMasterKey::new(&sessions, "alias/broker").is_err());
}
