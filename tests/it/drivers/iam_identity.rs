//! `iam/identity`.

use chandlery::driver::{Class, Context, Driver, Outputs, Progress};
use chandlery::resource::iam::identity::IdentityDriver;
use serde_json::{Value, json};

use crate::support::aws::{Aws, again, gone, other_owner, ready};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

async fn driver(aws: &Aws) -> (IdentityDriver, aws_sdk_iam::Client) {
    let sessions = aws.sessions().await;
    let iam = sessions.of(&aws.target()).await.unwrap().iam();
    (IdentityDriver::new(sessions), iam)
}

fn may(action: &str) -> Value {
    json!({ "statements": [{ "actions": [action], "resources": ["*"] }] })
}

fn key(outputs: &Outputs) -> (String, String) {
    let credentials = outputs.0.get("credentials").unwrap_or_else(|| panic!("no credentials"));
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    (text("access_key_id"), text("secret_access_key"))
}

async fn keys(iam: &aws_sdk_iam::Client, cx: &Context) -> Vec<String> {
    let answer = iam.list_access_keys().user_name(&cx.name).send().await.unwrap();
    answer.access_key_metadata.into_iter().filter_map(|key| key.access_key_id).collect()
}

#[tokio::test]
async fn a_key_is_shown_once_usable_at_once_and_kept_by_every_later_change() {
    let aws = Aws::fresh();
    let (driver, iam) = driver(&aws).await;
    let cx = aws.context("chandlery-#");
    aws.calls().await;
    let (handle, outputs) = ready(&driver, &cx, &may("s3:ListAllMyBuckets"), None).await.unwrap();
    let calls = aws.calls().await;
    assert_eq!(calls, ["iam:CreateUser", "iam:PutUserPolicy", "iam:CreateAccessKey", "sts:GetCallerIdentity"]);
    let (id, secret) = key(&outputs);
    assert!(!format!("{handle:?}{outputs:?}").contains(&secret));
    assert_eq!(outputs.0["arn"], format!("arn:aws:iam::{}:user/chandlery/{}", aws.account, cx.name));

    let mine = aws.sessions_as(&id, &secret, None).await.of(&aws.target()).await.unwrap();
    mine.s3().list_buckets().send().await.unwrap();
    assert!(mine.sqs().list_queues().send().await.is_err(), "only what the policy says");

    let (kept, outputs) = ready(&driver, &again(&cx), &may("sqs:ListQueues"), Some(&handle)).await.unwrap();
    assert_eq!(kept, handle);
    assert!(!outputs.0.contains_key("credentials"), "as sealed");
    assert_eq!(keys(&iam, &cx).await, [id]);
    mine.sqs().list_queues().send().await.unwrap();
    assert!(mine.s3().list_buckets().send().await.is_err());

    let found = driver.inventory(&cx, "chandlery-").await.unwrap();
    assert_eq!((found[0].name.as_str(), found[0].owner.clone()), (cx.name.as_str(), Some(cx.owner.to_string())));
    aws.calls().await;
    gone(&driver, &again(&cx), &may("sqs:ListQueues"), Some(&handle)).await.unwrap();
    assert_eq!(aws.calls().await, ["iam:DeleteAccessKey", "iam:DeleteUserPolicy", "iam:DeleteUser"]);
    gone(&driver, &again(&cx), &may("sqs:ListQueues"), Some(&handle)).await.unwrap();
    gone(&driver, &again(&cx), &may("sqs:ListQueues"), None).await.unwrap();
}

/// Whatever was lost on the way: one live key, the one handed out last.
#[tokio::test]
async fn after_a_crash_or_a_lost_reply_one_key_lives() {
    let aws = Aws::fresh();
    let (driver, iam) = driver(&aws).await;
    let desired = may("s3:ListAllMyBuckets");
    for (service, operation) in
        [("iam", "CreateUser"), ("iam", "PutUserPolicy"), ("iam", "CreateAccessKey"), ("sts", "GetCallerIdentity")]
    {
        let cx = aws.context("chandlery-#");
        let rule = json!({ "service": service, "operation": operation, "times": 3, "mode": "lose_reply" });
        aws.faults(json!([rule])).await;
        let fault = driver.ensure(&cx, &desired, None).await.unwrap_err();
        assert_eq!(fault.class, Class::Transient, "{operation}: {fault:?}");
        aws.faults(json!([])).await;
        let (_, outputs) = ready(&driver, &again(&cx), &desired, None).await.unwrap();
        assert_eq!(keys(&iam, &cx).await, [key(&outputs).0], "{operation}");
        // A crash after the last call, before the engine wrote anything.
        let (handle, outputs) = ready(&driver, &again(&cx), &desired, None).await.unwrap();
        assert_eq!(keys(&iam, &cx).await, [key(&outputs).0], "{operation}");
        gone(&driver, &again(&cx), &desired, Some(&handle)).await.unwrap();
    }
    assert!(aws.inventory().await["users"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_key_that_spreads_slowly_is_waited_for_and_not_replaced() {
    let aws = Aws::fresh();
    let (driver, iam) = driver(&aws).await;
    let cx = aws.context("chandlery-#");
    aws.visibility(6.0).await;
    let first = driver.ensure(&cx, &may("s3:ListAllMyBuckets"), None).await;
    let (mut handle, mut waited) = (None, 0);
    let mut progress = first;
    let outputs = loop {
        match progress {
            Ok(Progress::Ready { outputs, .. }) => break outputs,
            Ok(Progress::Waiting { handle: held, note, .. }) => {
                assert!(note.contains("access key"), "{note}");
                waited += 1;
                handle = Some(held);
            }
            // The user itself is not visible yet.
            Err(fault) => assert_eq!(fault.class, Class::Transient, "{fault:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        progress = driver.ensure(&again(&cx), &may("s3:ListAllMyBuckets"), handle.as_ref()).await;
    };
    assert!(waited > 0);
    aws.visibility(0.0).await;
    assert_eq!(keys(&iam, &cx).await, [key(&outputs).0]);
}

#[tokio::test]
async fn a_boundary_is_set_with_the_user_changed_and_removed() {
    let aws = Aws::fresh();
    let (driver, iam) = driver(&aws).await;
    let mut arns = Vec::new();
    for name in ["one", "two"] {
        let answer = iam.create_policy().policy_name(name).policy_document(ALLOW).send().await.unwrap();
        arns.push(answer.policy.unwrap().arn.unwrap());
    }
    let cx = aws.context("chandlery-#");
    let bounded = |arn: Option<&String>| {
        let mut desired = may("s3:ListAllMyBuckets");
        if let Some(arn) = arn {
            desired["permissions_boundary"] = json!(arn);
        }
        desired
    };
    let boundary = || async {
        let user = iam.get_user().user_name(&cx.name).send().await.unwrap().user.unwrap();
        user.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn)
    };
    let (handle, _) = ready(&driver, &cx, &bounded(arns.first()), None).await.unwrap();
    assert_eq!(boundary().await.as_ref(), arns.first());
    ready(&driver, &again(&cx), &bounded(arns.get(1)), Some(&handle)).await.unwrap();
    assert_eq!(boundary().await.as_ref(), arns.get(1));
    ready(&driver, &again(&cx), &bounded(None), Some(&handle)).await.unwrap();
    assert_eq!(boundary().await, None);

    // What an offering leaves out, the target says.
    let mut there = again(&cx);
    there.target.permissions_boundary = arns.first().cloned();
    ready(&driver, &there, &bounded(None), Some(&handle)).await.unwrap();
    assert_eq!(boundary().await.as_ref(), arns.first());
    ready(&driver, &there, &bounded(arns.get(1)), Some(&handle)).await.unwrap();
    assert_eq!(boundary().await.as_ref(), arns.get(1));
}

#[tokio::test]
async fn a_role_gets_a_policy_and_loses_only_that() {
    let aws = Aws::fresh();
    let (driver, iam) = driver(&aws).await;
    let role =
        iam.create_role().role_name("app").path("/team/").assume_role_policy_document(TRUST).send().await.unwrap();
    let arn = role.role.unwrap().arn;
    iam.put_role_policy().role_name("app").policy_name("its-own").policy_document(ALLOW).send().await.unwrap();
    let cx = aws.context("chandlery-#");
    let on = |arn: &str| {
        let mut desired = may("s3:ListAllMyBuckets");
        desired["mode"] = json!("role");
        desired["role_arn"] = json!(arn);
        desired
    };
    let (handle, outputs) = ready(&driver, &cx, &on(&arn), None).await.unwrap();
    assert_eq!(outputs.0["credentials"], json!({ "role_arn": arn }));
    ready(&driver, &again(&cx), &on(&arn), Some(&handle)).await.unwrap();
    assert_eq!(iam.list_role_policies().role_name("app").send().await.unwrap().policy_names.len(), 2);
    gone(&driver, &again(&cx), &on(&arn), Some(&handle)).await.unwrap();
    gone(&driver, &again(&cx), &on(&arn), None).await.unwrap();
    assert_eq!(iam.list_role_policies().role_name("app").send().await.unwrap().policy_names, ["its-own"]);

    let missing = format!("arn:aws:iam::{}:role/nobody", aws.account);
    for (arn, word) in [(missing.as_str(), "does not exist"), ("arn:aws:iam::000000000000:role/app", "another")] {
        let fault = driver.ensure(&aws.context("chandlery-#"), &on(arn), None).await.unwrap_err();
        assert_eq!(fault.class, Class::Rejected);
        assert!(fault.message.contains(word), "{fault}");
    }
    gone(&driver, &cx, &on(&missing), None).await.unwrap();
}

#[tokio::test]
async fn a_foreign_user_is_never_touched_and_what_people_attached_does_not_keep_ours() {
    let aws = Aws::fresh();
    let (driver, iam) = driver(&aws).await;
    let desired = may("s3:ListAllMyBuckets");
    let cx = aws.context("chandlery-#");
    let (handle, outputs) = ready(&driver, &cx, &desired, None).await.unwrap();
    let other = other_owner(&cx);
    assert_eq!(driver.ensure(&other, &desired, None).await.unwrap_err().class, Class::Conflict);
    gone(&driver, &other, &desired, None).await.unwrap();
    assert_eq!(keys(&iam, &cx).await, [key(&outputs).0]);

    iam.create_access_key().user_name(&cx.name).send().await.unwrap();
    let policy = iam.create_policy().policy_name("theirs").policy_document(ALLOW).send().await.unwrap();
    let arn = policy.policy.unwrap().arn.unwrap();
    iam.attach_user_policy().user_name(&cx.name).policy_arn(arn).send().await.unwrap();
    iam.put_user_policy().user_name(&cx.name).policy_name("x").policy_document(ALLOW).send().await.unwrap();
    gone(&driver, &again(&cx), &desired, Some(&handle)).await.unwrap();
    assert!(aws.inventory().await["users"].as_array().unwrap().is_empty());

    // A key that somebody deleted behind our back cannot be had again.
    let cx = aws.context("chandlery-#");
    let (handle, outputs) = ready(&driver, &cx, &desired, None).await.unwrap();
    iam.delete_access_key().user_name(&cx.name).access_key_id(key(&outputs).0).send().await.unwrap();
    assert_eq!(driver.ensure(&again(&cx), &desired, Some(&handle)).await.unwrap_err().class, Class::Gone);
}
