//! `sqs/queue`.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use chandlery::driver::{Class, Driver};
use chandlery::resource::sqs::queue::QueueDriver;
use serde_json::json;

use crate::support::aws::{Aws, again, gone, other_owner, ready};

async fn driver(aws: &Aws) -> (QueueDriver, aws_sdk_sqs::Client) {
    let sessions = aws.sessions().await;
    let sqs = sessions.of(&aws.target()).await.unwrap().sqs();
    (QueueDriver::new(sessions), sqs)
}

async fn attributes(sqs: &aws_sdk_sqs::Client, url: &str) -> HashMap<Name, String> {
    let call = sqs.get_queue_attributes().queue_url(url).attribute_names(Name::All);
    call.send().await.unwrap().attributes.unwrap_or_default()
}

#[tokio::test]
async fn a_queue_is_one_call_and_changes_in_place() {
    let aws = Aws::fresh();
    let (driver, sqs) = driver(&aws).await;
    let dead = aws.context("chandlery-#-dlq.fifo");
    let cx = aws.context("chandlery-#.fifo");
    let arn = format!("arn:aws:sqs:{}:{}:{}", aws.region, aws.account, cx.name);
    let (_, outputs) =
        ready(&driver, &dead, &json!({ "fifo": true, "redrive_allowed_from": [arn] }), None).await.unwrap();
    let dead_arn = outputs.0["arn"].as_str().unwrap().to_owned();
    aws.calls().await;
    let desired = json!({
        "fifo": true, "content_based_deduplication": true, "deduplication_scope": "messageGroup",
        "fifo_throughput_limit": "perMessageGroupId", "delay_seconds": 3, "max_message_bytes": 2048,
        "retention_seconds": 600, "receive_wait_seconds": 20, "visibility_timeout_seconds": 0,
        "dead_letter_queue": dead_arn, "max_receive_count": 4,
    });
    let (handle, outputs) = ready(&driver, &cx, &desired, None).await.unwrap();
    assert_eq!(aws.calls().await, ["sqs:CreateQueue", "sqs:GetQueueAttributes"]);
    assert_eq!(outputs.0["arn"], arn);
    let url = outputs.0["url"].as_str().unwrap();
    let held = attributes(&sqs, url).await;
    assert_eq!(held[&Name::QueueArn], arn);
    assert!(held[&Name::RedrivePolicy].contains(&dead_arn));
    assert!(held[&Name::Policy].contains("aws:SecureTransport"));
    assert_eq!(
        (held[&Name::FifoThroughputLimit].as_str(), held[&Name::VisibilityTimeout].as_str()),
        ("perMessageGroupId", "0")
    );
    let tags = sqs.list_queue_tags().queue_url(url).send().await.unwrap().tags.unwrap();
    assert_eq!(tags["team"], "blue");

    // To a KMS key and back, without the dead-letter queue, with another tag; each twice.
    let kms = aws.sessions().await.of(&aws.target()).await.unwrap().kms();
    let key = kms.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    let with_key = json!({ "fifo": true, "kms_key": key, "kms_data_key_reuse_seconds": 60 });
    let mut retagged = again(&cx);
    retagged.tags.insert("plan".to_owned(), "fifo".to_owned());
    for _ in 0..2 {
        ready(&driver, &retagged, &with_key, Some(&handle)).await.unwrap();
        let held = attributes(&sqs, url).await;
        assert_eq!(held[&Name::KmsMasterKeyId], key);
        assert!(!held.contains_key(&Name::RedrivePolicy), "{held:?}");
        assert_eq!((held[&Name::DelaySeconds].as_str(), held[&Name::MessageRetentionPeriod].as_str()), ("0", "345600"));
    }
    for _ in 0..2 {
        ready(&driver, &retagged, &json!({ "fifo": true }), None).await.unwrap();
        let held = attributes(&sqs, url).await;
        assert!(!held.contains_key(&Name::KmsMasterKeyId), "{held:?}");
        assert_eq!(held[&Name::SqsManagedSseEnabled], "true");
    }
    assert_eq!(sqs.list_queue_tags().queue_url(url).send().await.unwrap().tags.unwrap().len(), 3);
    let found = driver.inventory(&cx, "chandlery-").await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().any(|found| found.name == cx.name && found.owner == Some(cx.owner.to_string())));

    let far =
        json!({ "kms_key": format!("arn:aws:kms:us-west-2:{}:key/11111111-2222-3333-4444-555555555555", aws.account) });
    let fault = driver.ensure(&retagged, &far, Some(&handle)).await.unwrap_err();
    assert!(fault.class == Class::Rejected && fault.message.contains("us-west-2"), "{fault:?}");

    aws.calls().await;
    gone(&driver, &again(&cx), &desired, Some(&handle)).await.unwrap();
    assert_eq!(aws.calls().await, ["sqs:DeleteQueue"]);
    gone(&driver, &again(&cx), &desired, Some(&handle)).await.unwrap();
    gone(&driver, &again(&cx), &desired, None).await.unwrap();
}

#[tokio::test]
async fn lost_replies_foreign_queues_and_resting_names() {
    let aws = Aws::fresh();
    let (driver, sqs) = driver(&aws).await;
    let cx = aws.context("chandlery-#");
    aws.faults(json!([{ "service": "sqs", "operation": "CreateQueue", "times": 3, "mode": "lose_reply" }])).await;
    assert_eq!(driver.ensure(&cx, &json!({}), None).await.unwrap_err().class, Class::Transient);
    aws.faults(json!([])).await;
    // Also when what is wanted has changed since.
    let desired = json!({ "delay_seconds": 9 });
    let (handle, outputs) = ready(&driver, &again(&cx), &desired, None).await.unwrap();
    assert_eq!(attributes(&sqs, outputs.0["url"].as_str().unwrap()).await[&Name::DelaySeconds], "9");
    assert_eq!(driver.inventory(&cx, "chandlery-").await.unwrap().len(), 1);

    let other = other_owner(&cx);
    assert_eq!(driver.ensure(&other, &json!({}), None).await.unwrap_err().class, Class::Conflict);
    gone(&driver, &other, &json!({}), None).await.unwrap();
    assert_eq!(attributes(&sqs, outputs.0["url"].as_str().unwrap()).await[&Name::DelaySeconds], "9");

    let error = json!({ "service": "sqs", "operation": "CreateQueue", "mode": "error",
        "code": "AWS.SimpleQueueService.QueueDeletedRecently", "status": 400, "times": null });
    aws.faults(json!([error])).await;
    let fault = driver.ensure(&aws.context("chandlery-#"), &json!({}), None).await.unwrap_err();
    assert_eq!((fault.class, fault.retry_after), (Class::Transient, Some(Duration::from_secs(60))), "{fault:?}");
    aws.faults(json!([])).await;
    gone(&driver, &again(&cx), &desired, Some(&handle)).await.unwrap();
}

#[tokio::test]
async fn a_queue_with_messages_can_refuse_and_a_late_one_is_waited_for() {
    let aws = Aws::fresh();
    let (driver, sqs) = driver(&aws).await;
    let cx = aws.context("chandlery-#");
    aws.visibility(1.5).await;
    let desired = json!({ "when_not_empty": "refuse" });
    let (handle, outputs) = ready(&driver, &cx, &desired, None).await.unwrap();
    aws.visibility(0.0).await;
    let url = outputs.0["url"].as_str().unwrap();
    driver.may_delete(&again(&cx), &desired, Some(&handle)).await.unwrap();
    sqs.send_message().queue_url(url).message_body("x").send().await.unwrap();
    let fault = driver.may_delete(&again(&cx), &desired, Some(&handle)).await.unwrap_err();
    assert_eq!(fault.class, Class::Rejected);
    driver.may_delete(&again(&cx), &json!({ "when_not_empty": "delete" }), Some(&handle)).await.unwrap();
    // Also when nobody asked before.
    let fault = driver.delete(&again(&cx), &desired, Some(&handle)).await.unwrap_err();
    assert_eq!(fault.class, Class::Rejected);
    sqs.purge_queue().queue_url(url).send().await.unwrap();
    gone(&driver, &again(&cx), &desired, Some(&handle)).await.unwrap();
}
