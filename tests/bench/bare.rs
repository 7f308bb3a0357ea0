//! The AWS calls of a provision and a bind of a bucket with nothing around them, one after another.

use std::io::BufRead;
use std::time::Instant;

use anyhow::{Context, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_iam::types::Tag as IamTag;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint, CreateBucketConfiguration,
    ExpirationStatus, LifecycleRule, LifecycleRuleFilter, ObjectOwnership, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    Tag,
};
use serde::Deserialize;
use serde_json::json;

/// Which calls, on what.
#[derive(Deserialize)]
struct Job {
    endpoint: String,
    account: String,
    region: String,
    /// `s3:CreateBucket`, as the stand-in recorded them from the broker.
    calls: Vec<String>,
    /// For a new bucket and a new user.
    name: String,
}

/// Answers jobs. The configuration, and with it the HTTP client and its connections, is kept between them, as the broker
/// keeps its own.
#[tokio::main]
pub async fn serve() -> anyhow::Result<()> {
    let mut kept = None;
    for line in std::io::stdin().lock().lines() {
        let job: Job = serde_json::from_str(&line?).context("a job is one line of JSON")?;
        if kept.is_none() {
            kept = Some(configuration(&job).await);
        }
        let began = Instant::now();
        sequence(&job, kept.as_ref().context("no configuration")?).await?;
        super::tell(&json!({ "ms": began.elapsed().as_secs_f64() * 1e3 }))?;
    }
    Ok(())
}

async fn configuration(job: &Job) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(&job.endpoint)
        .region(Region::new(job.region.clone()))
        .credentials_provider(Credentials::new(format!("AKIA{}ROOT", job.account), "bare", None, None, "bench"))
        .load()
        .await
}

async fn sequence(job: &Job, config: &SdkConfig) -> anyhow::Result<()> {
    let s3_config = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    let (s3, iam) = (aws_sdk_s3::Client::from_conf(s3_config), aws_sdk_iam::Client::new(config));
    let (name, account) = (job.name.as_str(), job.account.as_str());
    let tags = [
        ("chandlery:owner", name),
        ("chandlery:instance", name),
        ("chandlery:platform", "bench"),
        ("chandlery:offering", "s3-bucket"),
        ("chandlery:plan", "standard"),
    ];
    let arn = format!("arn:aws:s3:::{name}");
    let mut key = None;
    for call in &job.calls {
        match call.as_str() {
            "s3:CreateBucket" => {
                let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
                let configuration = CreateBucketConfiguration::builder()
                    .location_constraint(BucketLocationConstraint::from(job.region.as_str()))
                    .set_tags(Some(tags.into_iter().collect::<Result<_, _>>()?))
                    .build();
                let call = s3.create_bucket().bucket(name).create_bucket_configuration(configuration);
                call.object_ownership(ObjectOwnership::BucketOwnerEnforced).send().await?;
            }
            "s3:PutPublicAccessBlock" => {
                let all = PublicAccessBlockConfiguration::builder()
                    .block_public_acls(true)
                    .ignore_public_acls(true)
                    .block_public_policy(true)
                    .restrict_public_buckets(true)
                    .build();
                let call = s3.put_public_access_block().bucket(name).expected_bucket_owner(account);
                call.public_access_block_configuration(all).send().await?;
            }
            "s3:PutBucketEncryption" => {
                let by =
                    ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build()?;
                let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by).build();
                let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build()?;
                let call = s3.put_bucket_encryption().bucket(name).expected_bucket_owner(account);
                call.server_side_encryption_configuration(configuration).send().await?;
            }
            "s3:PutBucketLifecycleConfiguration" => {
                let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(7).build();
                let rule = LifecycleRule::builder()
                    .id("abort")
                    .status(ExpirationStatus::Enabled)
                    .filter(LifecycleRuleFilter::builder().prefix("").build())
                    .abort_incomplete_multipart_upload(abort)
                    .build()?;
                let configuration = BucketLifecycleConfiguration::builder().rules(rule).build()?;
                let call = s3.put_bucket_lifecycle_configuration().bucket(name).expected_bucket_owner(account);
                call.lifecycle_configuration(configuration).send().await?;
            }
            "s3:PutBucketPolicy" => {
                let policy = json!({ "Version": "2012-10-17", "Statement": [{
                    "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, format!("{arn}/*")],
                    "Condition": { "Bool": { "aws:SecureTransport": "false" } },
                }]});
                let call = s3.put_bucket_policy().bucket(name).expected_bucket_owner(account);
                call.policy(policy.to_string()).send().await?;
            }
            "iam:CreateUser" => {
                let tags = tags.map(|(key, value)| IamTag::builder().key(key).value(value).build());
                let tags = tags.into_iter().collect::<Result<_, _>>()?;
                iam.create_user().user_name(name).path("/chandlery/").set_tags(Some(tags)).send().await?;
            }
            "iam:PutUserPolicy" => {
                let policy = json!({ "Version": "2012-10-17", "Statement": [
                    { "Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": [arn] },
                    { "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "Resource": [format!("{arn}/*")] },
                ]});
                let call = iam.put_user_policy().user_name(name).policy_name(name);
                call.policy_document(policy.to_string()).send().await?;
            }
            "iam:CreateAccessKey" => {
                key = iam.create_access_key().user_name(name).send().await?.access_key;
            }
            "sts:GetCallerIdentity" => {
                let key = key.as_ref().context("the key is asked for before it is made")?;
                let own = Credentials::new(&key.access_key_id, &key.secret_access_key, None, None, "bench");
                let own = aws_sdk_sts::config::Builder::from(config).credentials_provider(own).build();
                aws_sdk_sts::Client::from_conf(own).get_caller_identity().send().await?;
            }
            unknown => bail!("the broker calls {unknown}; teach tests/bench/bare.rs that call"),
        }
    }
    Ok(())
}
