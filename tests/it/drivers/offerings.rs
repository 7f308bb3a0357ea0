//! The offerings' files through the real catalog and drivers, proved by using the credentials that a binding gives.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use chandlery::aws::{Scope as Within, Session, least_privilege};
use chandlery::catalog::{Catalog, Names, OutputMap, Revision, Scope, Verb};
use chandlery::driver::{Context, Driver, Handle, Registry};
use chandlery::osb::Uid;
use chandlery::resource::iam::identity::IdentityDriver;
use chandlery::resource::s3::bucket::BucketDriver;
use chandlery::resource::sqs::queue::QueueDriver;
use serde_json::{Map, Value, json};

use crate::support::aws::{Aws, again, gone, ready};

/// A broker in miniature: one instance, its resources made in order.
struct Instance {
    aws: Aws,
    registry: Registry,
    revision: Arc<Revision>,
    names: Names,
    outputs: OutputMap,
    made: Vec<Made>,
}

struct Made {
    scope: Scope,
    names: Names,
    cx: Context,
    kind: String,
    key: String,
    handle: Handle,
}

impl Instance {
    async fn provision(offering: &str, plan: &str, params: Value) -> Self {
        let aws = Aws::fresh();
        let sessions = aws.sessions().await;
        let registry = Registry::new([
            Arc::new(BucketDriver::new(sessions.clone())) as Arc<dyn Driver>,
            Arc::new(QueueDriver::new(sessions.clone())),
            Arc::new(IdentityDriver::new(sessions)),
        ]);
        let catalog = Catalog::load(Path::new("catalog"), &registry).unwrap_or_else(|problems| panic!("{problems}"));
        let revision = catalog.offerings().iter().find(|revision| revision.name() == offering).unwrap().clone();
        let chosen = revision.plan_named(plan).unwrap();
        let params =
            revision.accept(chosen, Verb::Create, params.as_object().unwrap(), &Map::new(), &Value::Null).unwrap();
        let slug = format!("chandlery-{}", &Uid::random().uuid().simple().to_string()[..16]);
        let names = Names {
            params: params.clone(),
            plan: chosen.names().clone(),
            instance: json!({ "slug": slug, "uid": slug, "id": "i", "params": params }),
            binding: None,
            target: json!({ "name": "main", "account": aws.account, "region": aws.region, "partition": "aws" }),
        };
        let mut instance = Self { aws, registry, revision, names, outputs: OutputMap::new(), made: Vec::new() };
        let names = instance.names.clone();
        instance.make(Scope::Instance, names).await;
        instance
    }

    /// The credentials of a new binding.
    async fn bind(&mut self, params: Value) -> BTreeMap<String, String> {
        let plan = self.names.plan["name"].as_str().unwrap().to_owned();
        let plan = self.revision.plan_named(&plan).unwrap();
        let instance = &self.names.instance["params"];
        let params =
            self.revision.accept(plan, Verb::Bind, params.as_object().unwrap(), &Map::new(), instance).unwrap();
        let slug = format!("chandlery-b-{}", &Uid::random().uuid().simple().to_string()[..16]);
        let names =
            Names { params, binding: Some(json!({ "slug": slug, "uid": slug, "id": "b" })), ..self.names.clone() };
        self.make(Scope::Binding, names.clone()).await;
        let credentials = self.revision.credentials(&names, &self.outputs).unwrap().value;
        serde_json::from_value(credentials).unwrap()
    }

    async fn make(&mut self, scope: Scope, names: Names) {
        for spec in self.revision.resources(scope, &names).unwrap() {
            let desired = self.revision.desired(scope, &spec.key, &names, &self.outputs).unwrap().value;
            let cx = Context { name: spec.name.clone(), ..self.aws.context("") };
            let driver = self.registry.get(&spec.kind).unwrap().clone();
            let (handle, outputs) = ready(driver.as_ref(), &cx, &desired, None).await.unwrap();
            self.outputs.insert(spec.key.clone(), outputs.0);
            self.made.push(Made { scope, names: names.clone(), cx, kind: spec.kind, key: spec.key, handle });
        }
    }

    /// The instance's resources with these parameters, and those of its bindings after them.
    async fn update(&mut self, params: Value) {
        let plan = self.revision.plan_named(self.names.plan["name"].as_str().unwrap()).unwrap();
        let params = params.as_object().unwrap();
        let params = self.revision.accept(plan, Verb::Create, params, &Map::new(), &Value::Null).unwrap();
        self.names.params = params.clone();
        self.names.instance["params"] = params.clone();
        for made in &mut self.made {
            made.names.instance["params"] = params.clone();
            if made.scope == Scope::Instance {
                made.names.params = params.clone();
            }
            let desired = self.revision.desired(made.scope, &made.key, &made.names, &self.outputs).unwrap().value;
            let driver = self.registry.get(&made.kind).unwrap();
            ready(driver.as_ref(), &again(&made.cx), &desired, Some(&made.handle)).await.unwrap();
        }
    }

    async fn deprovision(mut self) {
        while let Some(Made { scope, names, cx, kind, key, .. }) = self.made.pop() {
            let desired = self.revision.desired(scope, &key, &names, &self.outputs).unwrap().value;
            gone(self.registry.get(&kind).unwrap().as_ref(), &again(&cx), &desired, None).await.unwrap();
        }
        let left = self.aws.inventory().await;
        assert!(["buckets", "queues", "users"].iter().all(|what| left[*what] == json!([])), "{left}");
    }

    async fn using(&self, credentials: &BTreeMap<String, String>) -> Arc<Session> {
        let (id, secret) = (&credentials["access_key_id"], &credentials["secret_access_key"]);
        self.aws.sessions_as(id, secret, None).await.of(&self.aws.target()).await.unwrap()
    }
}

/// What a binding of that bucket may do with the object of that key: `p`ut, `g`et, `d`elete, `l`ist below it.
async fn powers(session: &Session, bucket: &str, key: &str) -> String {
    let s3 = session.s3();
    let mut may = String::new();
    let denied = |code: Option<&str>| assert_eq!(code, Some("AccessDenied"), "refused for the right reason");
    match s3.put_object().bucket(bucket).key(key).body(b"x".to_vec().into()).send().await {
        Ok(_) => may.push('p'),
        Err(error) => denied(error.code()),
    }
    match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(_) => may.push('g'),
        Err(error) => denied(error.code()),
    }
    match s3.list_objects_v2().bucket(bucket).prefix(key).send().await {
        Ok(_) => may.push('l'),
        Err(error) => denied(error.code()),
    }
    match s3.delete_object().bucket(bucket).key(key).send().await {
        Ok(_) => may.push('d'),
        Err(error) => denied(error.code()),
    }
    may
}

#[tokio::test]
async fn a_bucket_binding_can_do_what_it_asked_for_and_no_more() {
    let mut instance = Instance::provision("s3-bucket", "standard", json!({ "deletion": "delete" })).await;
    let root = instance.aws.sessions().await.of(&instance.aws.target()).await.unwrap().s3();
    let keys = ["a/1", "a*1", "b/1", "${aws:username}/1", "?/1", "aa"];
    for (params, expected) in [
        (json!({}), ["pgld"; 6]),
        (json!({ "role": "read-only" }), ["gl"; 6]),
        (json!({ "role": "write-only" }), ["p"; 6]),
        (json!({ "prefix": "a/" }), ["pgld", "", "", "", "", ""]),
        (json!({ "prefix": "*" }), [""; 6]),
        (json!({ "prefix": "a*" }), ["", "pgld", "", "", "", ""]),
        (json!({ "prefix": "?/", "role": "read-only" }), ["", "", "", "", "gl", ""]),
        (json!({ "prefix": "${aws:username}" }), ["", "", "", "pgld", "", ""]),
    ] {
        let credentials = instance.bind(params.clone()).await;
        let session = instance.using(&credentials).await;
        let bucket = credentials["bucket"].as_str();
        for (key, expected) in keys.iter().zip(expected) {
            root.put_object().bucket(bucket).key(*key).send().await.unwrap();
            assert_eq!(powers(&session, bucket, key).await, expected, "{params} on {key}");
        }
        // Listing without a prefix shows everything, so a binding with one may not.
        let lists = session.s3().list_objects_v2().bucket(bucket).send().await.is_ok();
        assert_eq!(lists, params.get("prefix").is_none() && params["role"] != "write-only", "{params}");
        assert!(session.s3().delete_bucket_policy().bucket(bucket).send().await.is_err());
        // Nor is the user's own name, or another bucket, of any use.
        let user = instance.outputs["identity"]["user_name"].as_str().unwrap().to_owned();
        if params.get("prefix").is_some() {
            assert_eq!(powers(&session, bucket, &format!("{user}/1")).await, "");
        }
    }
    instance.deprovision().await;
}

#[tokio::test]
async fn a_queue_binding_can_do_what_it_asked_for_and_no_more() {
    let mut instance = Instance::provision("sqs-queue", "standard", json!({ "receive_wait_seconds": 0 })).await;
    for (params, queue, dead) in [
        (json!({ "role": "producer" }), "s", ""),
        (json!({ "role": "consumer" }), "r", ""),
        (json!({}), "sr", ""),
        (json!({ "dead_letters": true, "role": "consumer" }), "r", "r"),
        (json!({ "dead_letters": true }), "sr", "sr"),
    ] {
        let credentials = instance.bind(params.clone()).await;
        let sqs = instance.using(&credentials).await.sqs();
        for (url, expected) in [(&credentials["queue_url"], queue), (&credentials["dead_letter_queue_url"], dead)] {
            let mut may = String::new();
            if sqs.send_message().queue_url(url).message_body("x").send().await.is_ok() {
                may.push('s');
            }
            if sqs.receive_message().queue_url(url).send().await.is_ok() {
                may.push('r');
            }
            assert_eq!(may, expected, "{params} on {url}");
            assert!(sqs.delete_queue().queue_url(url).send().await.is_err());
        }
    }
    instance.deprovision().await;
}

/// What was written under a former key stays readable, to those who were bound before and to those who are bound now.
#[tokio::test]
async fn a_change_of_the_key_leaves_what_is_there_readable() {
    let key = async |instance: &Instance| {
        let kms = instance.aws.sessions().await.of(&instance.aws.target()).await.unwrap().kms();
        kms.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap()
    };

    let with = |key: &str| json!({ "deletion": "delete", "kms_key": key });
    let mut instance = Instance::provision("s3-bucket", "standard", json!({ "deletion": "delete" })).await;
    let (first, second) = (key(&instance).await, key(&instance).await);
    let before = instance.bind(json!({})).await;
    instance.update(with(&first)).await;
    let bucket = before["bucket"].as_str();
    let s3 = instance.using(&before).await.s3();
    s3.put_object().bucket(bucket).key("old").send().await.unwrap();
    for params in [with(&second), json!({ "deletion": "delete" })] {
        instance.update(params).await;
        // The longest prefix that may be, for the 2,048 characters of a user's policy.
        instance.bind(json!({ "prefix": "p".repeat(256) })).await;
        let after = instance.bind(json!({ "role": "read-only" })).await;
        for credentials in [&before, &after] {
            let s3 = instance.using(credentials).await.s3();
            s3.get_object().bucket(bucket).key("old").send().await.unwrap();
        }
        s3.put_object().bucket(bucket).key("new").send().await.unwrap();
    }
    instance.deprovision().await;

    let with = |key: &str| json!({ "kms_key": key, "receive_wait_seconds": 0, "visibility_timeout_seconds": 0 });
    let mut instance = Instance::provision("sqs-queue", "standard", json!({})).await;
    let (first, second) = (key(&instance).await, key(&instance).await);
    let before = instance.bind(json!({})).await;
    instance.update(with(&first)).await;
    let sqs = instance.using(&before).await.sqs();
    sqs.send_message().queue_url(&before["queue_url"]).message_body("old").send().await.unwrap();
    instance.update(with(&second)).await;
    let after = instance.bind(json!({ "role": "consumer" })).await;
    for credentials in [&before, &after] {
        let sqs = instance.using(credentials).await.sqs();
        let answer = sqs.receive_message().queue_url(&before["queue_url"]).send().await.unwrap();
        assert_eq!(answer.messages().len(), 1);
    }
    instance.deprovision().await;
}

#[tokio::test]
async fn the_dashboard_is_the_partitions_own() {
    let instance = Instance::provision("s3-bucket", "standard", json!({ "deletion": "delete" })).await;
    for (partition, host) in [
        ("aws", "console.aws.amazon.com"),
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
    ] {
        let mut names = instance.names.clone();
        names.target["partition"] = json!(partition);
        let bucket = names.instance["slug"].as_str().unwrap();
        let expected = format!("https://{host}/s3/buckets/{bucket}?region=eu-central-1");
        assert_eq!(instance.revision.dashboard_url(&names).unwrap(), Some(expected));
    }
    instance.deprovision().await;
}

#[tokio::test]
async fn every_plan_and_style_comes_out_flat_and_whole() {
    for (offering, plan, params) in [
        ("s3-bucket", "versioned", json!({ "deletion": "delete" })),
        ("s3-bucket", "archive", json!({ "object_lock": true, "retention_days": 1, "retention_mode": "GOVERNANCE" })),
        (
            "sqs-queue",
            "fifo",
            json!({ "deduplicate": true, "deduplication_scope": "messageGroup", "fifo_throughput_limit": "perMessageGroupId" }),
        ),
        ("sqs-queue", "standard", json!({ "dead_letter_queue": false })),
    ] {
        let mut instance = Instance::provision(offering, plan, params).await;
        let canonical = instance.bind(json!({})).await;
        assert_eq!(canonical["provider"], "aws");
        let old = instance.bind(json!({ "credential_style": "aws-servicebroker" })).await;
        assert!(old.keys().any(|key| key.ends_with("_AWS_SECRET_ACCESS_KEY")), "{:?}", old.keys());
        let cf = instance.bind(json!({ "credential_style": "cloudfoundry" })).await;
        assert!(cf.contains_key("arn") && cf.contains_key("secret_access_key"), "{:?}", cf.keys());
        instance.deprovision().await;
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_is_made() {
    let bucket = Instance::provision("s3-bucket", "standard", json!({ "deletion": "delete" })).await;
    let queue = Instance::provision("sqs-queue", "standard", json!({ "dead_letter_queue": false })).await;
    let refused = |instance: &Instance, plan: &str, verb: Verb, given: Value| {
        let plan = instance.revision.plan_named(plan).unwrap();
        let held = &instance.names.instance["params"];
        let refusals = instance.revision.accept(plan, verb, given.as_object().unwrap(), &Map::new(), held).unwrap_err();
        assert!(refusals.iter().all(|refusal| refusal.parameter == refusals[0].parameter), "{refusals:?}");
        refusals[0].parameter.clone().unwrap()
    };
    let transitions = |steps: &[(u32, &str)]| {
        let step = |(days, class): &(u32, &str)| json!({ "after_days": days, "storage_class": class });
        json!({ "transitions": steps.iter().map(step).collect::<Vec<_>>() })
    };
    let cors = |member: &str, text: &str| {
        let mut rule = json!({ "allowed_origins": ["https://*.example.org"], "allowed_methods": ["GET"] });
        rule[member] = json!([text]);
        json!({ "cors": [rule] })
    };
    let key = "arn:aws:kms:eu-central-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef";
    for (plan, given, parameter) in [
        ("standard", json!({ "object_lock": true, "deletion": "delete" }), "deletion"),
        ("standard", json!({ "retention_days": 1 }), "retention_days"),
        ("standard", json!({ "object_lock": true, "versioning": false }), "versioning"),
        ("standard", transitions(&[(29, "ONEZONE_IA")]), "transitions"),
        ("standard", transitions(&[(30, "STANDARD_IA"), (59, "GLACIER")]), "transitions"),
        ("standard", transitions(&[(30, "ONEZONE_IA"), (59, "DEEP_ARCHIVE")]), "transitions"),
        ("standard", transitions(&[(90, "STANDARD_IA"), (30, "GLACIER")]), "transitions"),
        ("standard", transitions(&[(10, "DEEP_ARCHIVE"), (100, "GLACIER")]), "transitions"),
        ("standard", transitions(&[(10, "GLACIER"), (10, "DEEP_ARCHIVE")]), "transitions"),
        ("standard", transitions(&[(10, "GLACIER"), (100, "GLACIER")]), "transitions"),
        ("standard", transitions(&[(30, "ONEZONE_IA"), (90, "GLACIER_IR")]), "transitions"),
        ("standard", cors("allowed_origins", "https://*.*.x"), "cors"),
        ("standard", cors("allowed_headers", "x-*-*"), "cors"),
        ("standard", cors("expose_headers", "*"), "cors"),
        ("standard", json!({ "kms_key": "arn:aws:kms:eu-central-1:123456789012:alias/mine" }), "kms_key"),
        ("standard", json!({ "kms_key": key, "accept_access_logs": true }), "accept_access_logs"),
        ("archive", json!({ "expire_after_days": 180 }), "expire_after_days"),
        ("standard", json!({ "log_prefix": "x" }), "log_prefix"),
        ("versioned", json!({ "versioning": false }), "versioning"),
    ] {
        assert_eq!(refused(&bucket, plan, Verb::Create, given), parameter);
    }
    for given in [
        transitions(&[(90, "GLACIER"), (60, "ONEZONE_IA"), (30, "STANDARD_IA")]),
        transitions(&[(0, "INTELLIGENT_TIERING"), (1, "GLACIER_IR"), (2, "GLACIER"), (3, "DEEP_ARCHIVE")]),
        cors("allowed_headers", "*"),
        // From the time when it had versioning, a bucket may have old versions.
        json!({ "expire_old_versions_after_days": 1, "kms_key": key }),
        json!({ "object_lock": true, "versioning": true }),
    ] {
        let plan = bucket.revision.plan_named("standard").unwrap();
        let given = given.as_object().unwrap();
        bucket.revision.accept(plan, Verb::Create, given, &Map::new(), &Value::Null).unwrap();
    }
    assert_eq!(refused(&queue, "standard", Verb::Create, json!({ "deduplicate": true })), "deduplicate");
    let high = json!({ "fifo_throughput_limit": "perMessageGroupId" });
    assert_eq!(refused(&queue, "fifo", Verb::Create, high), "fifo_throughput_limit");
    let short = json!({ "dead_letter_retention_seconds": 60 });
    assert_eq!(refused(&queue, "standard", Verb::Create, short), "dead_letter_retention_seconds");
    assert_eq!(refused(&queue, "standard", Verb::Bind, json!({ "dead_letters": true })), "dead_letters");
    for instance in [&bucket, &queue] {
        assert_eq!(refused(instance, "standard", Verb::Bind, json!({ "identity": "role" })), "role_arn");
        let styled = json!({ "identity": "role", "role_arn": "arn:aws:iam::123456789012:role/r", "credential_style": "cloudfoundry" });
        assert_eq!(refused(instance, "standard", Verb::Bind, styled), "credential_style");
    }
    bucket.deprovision().await;
    queue.deprovision().await;
}

/// The policy that is generated for the broker is enough for all it does, and with a boundary for nothing beyond that.
#[tokio::test]
async fn the_brokers_own_policy_suffices() {
    let instance = Instance::provision("s3-bucket", "standard", json!({ "deletion": "delete" })).await;
    let aws = instance.aws.clone();
    let root = aws.sessions().await.of(&aws.target()).await.unwrap();
    let iam = root.iam();
    let anything = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let edge = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
    let edge = iam.create_policy().policy_name("edge").policy_document(edge).send().await.unwrap();
    let edge = edge.policy.unwrap().arn.unwrap();
    iam.create_group().group_name("g").send().await.unwrap();
    for boundary in [None, Some(edge)] {
        let within = Within {
            partition: "aws".to_owned(),
            account: aws.account.clone(),
            name_prefix: "chandlery".to_owned(),
            permissions_boundary: boundary.clone(),
        };
        let policy = least_privilege(&instance.registry, &within);
        iam.create_user().user_name("broker").send().await.unwrap();
        // Not inline: with its 2,048 characters that is for roles only.
        let policy =
            iam.create_policy().policy_name("broker").policy_document(policy.to_string()).send().await.unwrap();
        let policy = policy.policy.unwrap().arn.unwrap();
        iam.attach_user_policy().user_name("broker").policy_arn(&policy).send().await.unwrap();
        let key = iam.create_access_key().user_name("broker").send().await.unwrap().access_key.unwrap();
        let sessions = aws.sessions_as(&key.access_key_id, &key.secret_access_key, None).await;
        let full = json!({ "versioning": true, "event_bridge": true, "when_not_empty": "delete", "vpc": "vpc-0123456789abcdef0",
            "lifecycle": [{ "expire_after_days": 1 }], "cors": [{ "allowed_origins": ["*"], "allowed_methods": ["GET"] }] });
        let identity = json!({ "statements": [{ "actions": ["s3:GetObject"], "resources": ["*"] }] });
        let cases: [(Box<dyn Driver>, Value); 3] = [
            (Box::new(BucketDriver::new(sessions.clone())), full),
            (Box::new(QueueDriver::new(sessions.clone())), json!({ "when_not_empty": "refuse" })),
            (Box::new(IdentityDriver::new(sessions.clone())), identity),
        ];
        for (driver, desired) in cases {
            let mut cx = aws.context("chandlery-#");
            cx.target.permissions_boundary = boundary.clone();
            let (handle, outputs) = ready(driver.as_ref(), &cx, &desired, None).await.unwrap();
            if driver.kind().name == "s3/bucket" {
                // The broker is not in the VPC, and yet has to see and delete what is in the bucket.
                let put = root.s3().put_object().bucket(outputs.0["name"].as_str().unwrap()).key("a").send().await;
                assert_eq!(put.unwrap_err().code(), Some("AccessDenied"), "root is not in the VPC either");
            }
            if driver.kind().name == "iam/identity" {
                // What a person added to the user goes with it.
                iam.add_user_to_group().group_name("g").user_name(&cx.name).send().await.unwrap();
            }
            ready(driver.as_ref(), &again(&cx), &desired, Some(&handle)).await.unwrap();
            driver.inventory(&cx, "chandlery-").await.unwrap();
            driver.may_delete(&again(&cx), &desired, Some(&handle)).await.unwrap();
            gone(driver.as_ref(), &again(&cx), &desired, None).await.unwrap();
        }
        if let Some(edge) = boundary {
            // A user without its boundary would be whatever the broker writes into its policy.
            let mine = sessions.of(&aws.target()).await.unwrap().iam();
            let name = "chandlery-aaaaaaaaaaaaaaaa";
            let create = || mine.create_user().user_name(name).path("/chandlery/");
            assert_eq!(create().send().await.unwrap_err().code(), Some("AccessDenied"));
            create().permissions_boundary(edge).send().await.unwrap();
            let put = mine.put_user_policy().user_name(name).policy_name("p").policy_document(anything);
            put.send().await.unwrap();
            let off = mine.delete_user_permissions_boundary().user_name(name).send().await;
            assert_eq!(off.unwrap_err().code(), Some("AccessDenied"));
            mine.delete_user_policy().user_name(name).policy_name("p").send().await.unwrap();
            mine.delete_user().user_name(name).send().await.unwrap();
        }
        // A broker whose prefix only begins like this one's keeps what is its own.
        let theirs = iam.create_user().user_name("chandleryman").path("/chandlery/").send().await.unwrap();
        let mine = sessions.of(&aws.target()).await.unwrap().iam();
        let theirs = theirs.user.unwrap().user_name;
        assert_eq!(mine.delete_user().user_name(&theirs).send().await.unwrap_err().code(), Some("AccessDenied"));
        iam.delete_user().user_name(theirs).send().await.unwrap();
        iam.delete_access_key().user_name("broker").access_key_id(key.access_key_id).send().await.unwrap();
        iam.detach_user_policy().user_name("broker").policy_arn(&policy).send().await.unwrap();
        iam.delete_policy().policy_arn(&policy).send().await.unwrap();
        iam.delete_user().user_name("broker").send().await.unwrap();
    }
    instance.deprovision().await;
}
