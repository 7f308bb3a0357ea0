//! `s3/bucket`.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{CompletedMultipartUpload, Delete, ObjectIdentifier};
use chandlery::driver::{Class, Context, Driver};
use chandlery::resource::s3::bucket::BucketDriver;
use serde_json::{Value, json};

use crate::support::aws::{Aws, again, gone, other_owner, ready};

async fn driver(aws: &Aws) -> (BucketDriver, aws_sdk_s3::Client) {
    let sessions = aws.sessions().await;
    let s3 = sessions.of(&aws.target()).await.unwrap().s3();
    (BucketDriver::new(sessions), s3)
}

async fn put(s3: &aws_sdk_s3::Client, cx: &Context, key: &str) {
    s3.put_object().bucket(&cx.name).key(key).body("x".as_bytes().to_vec().into()).send().await.unwrap();
}

#[tokio::test]
async fn a_bucket_is_private_encrypted_tls_only_and_tagged_after_few_calls() {
    let aws = Aws::fresh();
    let (driver, s3) = driver(&aws).await;
    let cx = aws.context("chandlery-#");
    aws.calls().await;
    let (handle, outputs) = ready(&driver, &cx, &json!({}), None).await.unwrap();
    let calls = aws.calls().await;
    assert_eq!(
        calls,
        ["s3:CreateBucket", "s3:PutPublicAccessBlock", "s3:PutBucketEncryption", "s3:PutBucketPolicy"],
        "no call more than needed"
    );
    assert_eq!(outputs.0["arn"], format!("arn:aws:s3:::{}", cx.name));
    assert_eq!(outputs.0["regional_domain_name"], format!("{}.s3.eu-central-1.amazonaws.com", cx.name));

    let ownership = s3.get_bucket_ownership_controls().bucket(&cx.name).send().await.unwrap();
    assert_eq!(ownership.ownership_controls.unwrap().rules[0].object_ownership.as_str(), "BucketOwnerEnforced");
    let block = s3.get_public_access_block().bucket(&cx.name).send().await.unwrap();
    assert_eq!(block.public_access_block_configuration.unwrap().restrict_public_buckets, Some(true));
    let policy = s3.get_bucket_policy().bucket(&cx.name).send().await.unwrap().policy.unwrap();
    assert!(policy.contains("aws:SecureTransport"), "{policy}");
    let tags = s3.get_bucket_tagging().bucket(&cx.name).send().await.unwrap().tag_set;
    assert!(tags.iter().any(|tag| tag.key == Context::OWNER_TAG && tag.value == cx.owner.to_string()), "{tags:?}");

    // Twice is once; and what is deleted twice is gone twice.
    ready(&driver, &again(&cx), &json!({}), Some(&handle)).await.unwrap();
    let found = driver.inventory(&cx, "chandlery-").await.unwrap();
    assert_eq!((found.len(), found[0].owner.clone()), (1, Some(cx.owner.to_string())));
    driver.may_delete(&cx, &json!({}), Some(&handle)).await.unwrap();
    gone(&driver, &again(&cx), &json!({}), Some(&handle)).await.unwrap();
    gone(&driver, &again(&cx), &json!({}), None).await.unwrap();
}

/// Every setting at once, at creation; then all of them taken away again in place.
#[tokio::test]
async fn every_setting_can_be_made_and_unmade() {
    let aws = Aws::fresh();
    let (driver, s3) = driver(&aws).await;
    let logs = aws.context("chandlery-logs-#");
    ready(&driver, &logs, &json!({ "accept_access_logs": true }), None).await.unwrap();
    let cx = aws.context("chandlery-#");
    let key = format!("arn:aws:kms:{}:{}:key/11111111-2222-3333-4444-555555555555", aws.region, aws.account);
    let full = json!({
        "versioning": true, "kms_key": key, "event_bridge": true, "vpc": "vpc-0123456789abcdef0",
        "lifecycle": [{
            "expire_after_days": 400, "expire_old_versions_after_days": 30, "abort_uploads_after_days": 7,
            "transitions": [{ "after_days": 30, "storage_class": "STANDARD_IA" }, { "after_days": 90, "storage_class": "GLACIER" }]
        }],
        "cors": [{ "allowed_origins": ["https://a.example"], "allowed_methods": ["GET"], "max_age_seconds": 60 }],
        "log_bucket": logs.name, "log_prefix": "b/", "when_not_empty": "delete",
    });
    let (handle, _) = ready(&driver, &cx, &full, None).await.unwrap();
    let encryption = s3.get_bucket_encryption().bucket(&cx.name).send().await.unwrap();
    let rule = &encryption.server_side_encryption_configuration.unwrap().rules[0];
    assert_eq!(rule.apply_server_side_encryption_by_default.as_ref().unwrap().kms_master_key_id(), Some(key.as_str()));
    assert_eq!(rule.bucket_key_enabled, Some(true));
    let lifecycle = s3.get_bucket_lifecycle_configuration().bucket(&cx.name).send().await.unwrap();
    assert_eq!(lifecycle.rules()[0].transitions().len(), 2);
    let logging = s3.get_bucket_logging().bucket(&cx.name).send().await.unwrap().logging_enabled.unwrap();
    assert_eq!(logging.target_bucket, logs.name);
    assert_eq!(s3.get_bucket_cors().bucket(&cx.name).send().await.unwrap().cors_rules().len(), 1);

    // Again with the same, then with nothing: what was set is unset, versions stay but no new ones are made.
    ready(&driver, &again(&cx), &full, Some(&handle)).await.unwrap();
    let mut retagged = again(&cx);
    retagged.tags.insert("plan".to_owned(), "archive".to_owned());
    ready(&driver, &retagged, &json!({ "when_not_empty": "delete" }), Some(&handle)).await.unwrap();
    let versioning = s3.get_bucket_versioning().bucket(&cx.name).send().await.unwrap();
    assert_eq!(versioning.status.unwrap().as_str(), "Suspended");
    let error = s3.get_bucket_lifecycle_configuration().bucket(&cx.name).send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchLifecycleConfiguration"));
    assert!(s3.get_bucket_cors().bucket(&cx.name).send().await.is_err());
    assert!(s3.get_bucket_logging().bucket(&cx.name).send().await.unwrap().logging_enabled.is_none());
    let events = s3.get_bucket_notification_configuration().bucket(&cx.name).send().await.unwrap();
    assert!(events.event_bridge_configuration.is_none());
    let policy = s3.get_bucket_policy().bucket(&cx.name).send().await.unwrap().policy.unwrap();
    assert!(!policy.contains("vpc-"), "{policy}");
    let tags = s3.get_bucket_tagging().bucket(&cx.name).send().await.unwrap().tag_set;
    assert_eq!(tags.len(), 3);
    gone(&driver, &again(&cx), &json!({ "when_not_empty": "delete" }), None).await.unwrap();
}

#[tokio::test]
async fn after_a_crash_or_a_lost_reply_it_is_one_bucket_and_ours() {
    for region in ["eu-central-1", "us-east-1"] {
        let aws = Aws { region: region.to_owned(), ..Aws::fresh() };
        let (driver, s3) = driver(&aws).await;
        let desired = json!({ "versioning": true });
        for operation in ["CreateBucket", "PutPublicAccessBlock", "PutBucketVersioning", "PutBucketPolicy"] {
            // The SDK sends it again by itself.
            let cx = aws.context("chandlery-#");
            aws.faults(json!([{ "service": "s3", "operation": operation, "mode": "lose_reply" }])).await;
            ready(&driver, &cx, &desired, None).await.unwrap();
            // A crash right after it, and no handle.
            let cx = aws.context("chandlery-#");
            let rule = json!({ "service": "s3", "operation": operation, "times": 3, "mode": "lose_reply" });
            aws.faults(json!([rule])).await;
            let fault = driver.ensure(&cx, &desired, None).await.unwrap_err();
            assert_eq!(fault.class, Class::Transient, "{operation}: {fault:?}");
            aws.faults(json!([])).await;
            ready(&driver, &again(&cx), &desired, None).await.unwrap();
            let status = s3.get_bucket_versioning().bucket(&cx.name).send().await.unwrap().status;
            assert_eq!(status.unwrap().as_str(), "Enabled");
        }
        assert_eq!(driver.inventory(&aws.context("x"), "chandlery-").await.unwrap().len(), 8);
    }
}

#[tokio::test]
async fn a_foreign_bucket_is_never_touched() {
    let aws = Aws::fresh();
    let (driver, s3) = driver(&aws).await;
    // Another owner's in our account, also where S3 would answer "created".
    let mine = aws.context("chandlery-#");
    ready(&driver, &mine, &json!({}), None).await.unwrap();
    let other = other_owner(&mine);
    let fault = driver.ensure(&other, &json!({ "versioning": true }), None).await.unwrap_err();
    assert!(fault.name_taken, "{fault:?}");
    let first = Context { first: true, ..other.clone() };
    assert!(driver.ensure(&first, &json!({}), None).await.unwrap_err().name_taken);
    gone(&driver, &other, &json!({ "when_not_empty": "delete" }), None).await.unwrap();
    // Somebody else's in another account.
    let elsewhere = Aws::fresh();
    let (their_driver, _) = self::driver(&elsewhere).await;
    let theirs = Context { target: elsewhere.target(), ..mine.clone() };
    for first in [true, false] {
        let fault = their_driver.ensure(&Context { first, ..theirs.clone() }, &json!({}), None).await.unwrap_err();
        assert!(fault.name_taken, "{fault:?}");
    }
    gone(&their_driver, &again(&theirs), &json!({ "when_not_empty": "delete" }), None).await.unwrap();
    assert!(s3.get_bucket_versioning().bucket(&mine.name).send().await.unwrap().status.is_none());
    // One whose tags somebody deleted is still ours by its name.
    s3.delete_bucket_tagging().bucket(&mine.name).send().await.unwrap();
    ready(&driver, &again(&mine), &json!({}), None).await.unwrap();
    assert_eq!(s3.get_bucket_tagging().bucket(&mine.name).send().await.unwrap().tag_set.len(), 2);
}

#[tokio::test]
async fn a_refusal_names_what_to_do_and_changes_nothing() {
    let aws = Aws::fresh();
    let (driver, s3) = driver(&aws).await;
    let cx = aws.context("chandlery-#");
    let desired = json!({ "versioning": true, "when_not_empty": "refuse" });
    let (handle, _) = ready(&driver, &cx, &desired, None).await.unwrap();
    put(&s3, &cx, "a").await;
    for refused in [
        driver.may_delete(&again(&cx), &desired, Some(&handle)).await.unwrap_err(),
        driver.delete(&again(&cx), &desired, Some(&handle)).await.unwrap_err(),
    ] {
        assert_eq!(refused.class, Class::Rejected);
        assert!(refused.message.contains("not empty"), "{refused}");
    }
    assert!(s3.get_object().bucket(&cx.name).key("a").send().await.is_ok());
    // Deleted objects of a versioned bucket are still data; a lone delete marker is not.
    s3.delete_object().bucket(&cx.name).key("a").send().await.unwrap();
    assert!(driver.may_delete(&again(&cx), &desired, None).await.is_err());
    let versions = s3.list_object_versions().bucket(&cx.name).send().await.unwrap();
    let id = versions.versions()[0].version_id().unwrap();
    s3.delete_object().bucket(&cx.name).key("a").version_id(id).send().await.unwrap();
    driver.may_delete(&again(&cx), &desired, None).await.unwrap();
    gone(&driver, &again(&cx), &desired, Some(&handle)).await.unwrap();

    // Versions are spoken of where there are some, not where there shall be some.
    let cx = aws.context("chandlery-#");
    let plain = json!({});
    ready(&driver, &cx, &plain, None).await.unwrap();
    put(&s3, &cx, "a").await;
    for (desired, versions) in [(&plain, false), (&desired, false), (&plain, true)] {
        if versions {
            put(&s3, &cx, "a").await;
        }
        ready(&driver, &again(&cx), desired, None).await.unwrap();
        let refused = driver.may_delete(&again(&cx), desired, None).await.unwrap_err();
        assert_eq!(refused.message.contains("old versions"), versions, "{refused}");
        assert!(refused.message.contains("`deletion: delete`"), "{refused}");
    }
}

/// More than a page of versions, delete markers and an unfinished upload; interrupted once.
#[tokio::test]
async fn emptying_takes_everything_and_survives_interruption() {
    let aws = Aws::fresh();
    let (driver, s3) = driver(&aws).await;
    let cx = aws.context("chandlery-#");
    let desired = json!({ "versioning": true, "when_not_empty": "delete" });
    let (handle, _) = ready(&driver, &cx, &desired, None).await.unwrap();
    let keys: Vec<String> = (0..600).map(|number| format!("k{number:04}")).collect();
    for chunk in keys.chunks(50) {
        futures_util::future::join_all(chunk.iter().map(|key| put(&s3, &cx, key))).await;
    }
    for _ in 0..2 {
        let objects = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build().unwrap()).collect();
        let delete = Delete::builder().set_objects(Some(objects)).build().unwrap();
        s3.delete_objects().bucket(&cx.name).delete(delete).send().await.unwrap();
    }
    let upload = s3.create_multipart_upload().bucket(&cx.name).key("big").send().await.unwrap();
    s3.upload_part()
        .bucket(&cx.name)
        .key("big")
        .upload_id(upload.upload_id().unwrap())
        .part_number(1)
        .body(vec![0; 16].into())
        .send()
        .await
        .unwrap();
    driver.may_delete(&again(&cx), &desired, Some(&handle)).await.unwrap();
    // 600 versions and 1,200 delete markers: two pages. The second one's answer is lost for good.
    aws.faults(json!([{ "service": "s3", "operation": "DeleteObjects", "skip": 1, "times": 3, "mode": "lose_reply" }]))
        .await;
    let fault = driver.delete(&again(&cx), &desired, Some(&handle)).await.unwrap_err();
    assert_eq!(fault.class, Class::Transient, "{fault:?}");
    aws.faults(json!([])).await;
    gone(&driver, &again(&cx), &desired, Some(&handle)).await.unwrap();
    let error = s3
        .complete_multipart_upload()
        .bucket(&cx.name)
        .key("big")
        .upload_id(upload.upload_id().unwrap())
        .multipart_upload(CompletedMultipartUpload::builder().build())
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("NoSuchBucket"));
}

#[tokio::test]
async fn a_locked_bucket_refuses_and_keeps_its_lock() {
    let aws = Aws::fresh();
    let (driver, s3) = driver(&aws).await;
    let cx = aws.context("chandlery-#");
    let desired = json!({ "object_lock": true, "retention": { "mode": "COMPLIANCE", "days": 1 } });
    // S3 has not heard everywhere that the new bucket has versioning.
    let early = json!({ "service": "s3", "operation": "PutObjectLockConfiguration", "mode": "error", "code": "InvalidBucketState", "status": 409 });
    aws.faults(json!([early])).await;
    assert_eq!(driver.ensure(&cx, &desired, None).await.unwrap_err().class, Class::Transient);
    ready(&driver, &again(&cx), &desired, None).await.unwrap();
    ready(&driver, &again(&cx), &desired, None).await.unwrap();
    let lock = s3.get_object_lock_configuration().bucket(&cx.name).send().await.unwrap();
    let rule = lock.object_lock_configuration.unwrap().rule.unwrap().default_retention.unwrap();
    assert_eq!((rule.mode.unwrap().as_str(), rule.days), ("COMPLIANCE", Some(1)));
    put(&s3, &cx, "a").await;
    let refused = driver.may_delete(&again(&cx), &desired, None).await.unwrap_err();
    assert_eq!(refused.class, Class::Rejected);
    assert!(
        refused.message.contains("`deletion: retain`") && !refused.message.contains("`deletion: delete`"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_log_bucket_or_a_key_of_another_region_is_refused() {
    let aws = Aws::fresh();
    let (driver, s3) = driver(&aws).await;
    let far = Aws { region: "us-west-2".to_owned(), ..aws.clone() };
    let logs = far.context("chandlery-logs-#");
    ready(&self::driver(&far).await.0, &logs, &json!({ "accept_access_logs": true }), None).await.unwrap();
    let cx = aws.context("chandlery-#");
    let fault = driver.ensure(&cx, &json!({ "log_bucket": logs.name }), None).await.unwrap_err();
    assert_eq!(fault.class, Class::Rejected, "{fault:?}");
    let cx = aws.context("chandlery-#");
    let key = format!("arn:aws:kms:us-west-2:{}:key/11111111-2222-3333-4444-555555555555", aws.account);
    let fault = driver.ensure(&cx, &json!({ "kms_key": key }), None).await.unwrap_err();
    assert_eq!(fault.class, Class::Rejected, "{fault:?}");
    assert_eq!(
        fault.message,
        "the KMS key is in us-west-2 and the instance in eu-central-1; name a key of eu-central-1"
    );
    assert!(s3.get_bucket_versioning().bucket(&cx.name).send().await.is_err(), "nothing was made");
}

#[tokio::test]
async fn what_aws_refuses_is_told_by_class() {
    let aws = Aws::fresh();
    let (driver, _) = driver(&aws).await;
    let at = |code: &str, status: u16, times: Value| json!([{ "service": "s3", "operation": "PutBucketPolicy", "mode": "error", "code": code, "status": status, "times": times }]);
    for (code, status, class) in [
        ("AccessDenied", 403, Class::Denied),
        ("SlowDown", 503, Class::Throttled),
        ("InternalError", 500, Class::Transient),
        ("OperationAborted", 409, Class::Transient),
        ("MalformedPolicy", 400, Class::Rejected),
        ("StandInNotImplemented", 501, Class::Bug),
        ("NeverHeardOf", 404, Class::Bug),
    ] {
        let cx = aws.context("chandlery-#");
        aws.faults(at(code, status, Value::Null)).await;
        let fault = driver.ensure(&cx, &json!({}), None).await.unwrap_err();
        assert_eq!(fault.class, class, "{code}: {fault:?}");
        let detail = fault.detail.unwrap();
        assert!(detail.starts_with(&format!("s3:PutBucketPolicy: {code}: ")), "{detail}");
        assert!(!fault.message.contains("arn:") && !fault.message.contains("request"), "{}", fault.message);
    }
    aws.faults(json!([])).await;
}
