//! The settings of a bucket, put one after the other.
//!
//! One at a time, because S3 answers `OperationAborted` when two settings of one bucket change together (policy with public
//! access block, ownership or versioning: <https://github.com/hashicorp/terraform-provider-aws/issues/7628>, `/33552`).
//!
//! A new bucket gets what it needs and nothing else; public access block and encryption are said although S3 has had them
//! as defaults since 2023, because the promise to the user is ours and not a default's. A bucket that was there gets every setting again, absent ones
//! removed: reading each to compare would cost as many calls and would leave a change by somebody else half noticed.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLoggingStatus, BucketVersioningStatus,
    CorsConfiguration, CorsRule, DefaultRetention, EventBridgeConfiguration, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, LoggingEnabled, NoncurrentVersionExpiration, NoncurrentVersionTransition,
    NotificationConfiguration, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule,
    ObjectOwnership, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
    Transition, TransitionStorageClass, VersioningConfiguration,
};

use super::{Bucket, built, desired, policy};
use crate::aws::OrFault;
use crate::driver::{Class, Fault};

impl Bucket<'_> {
    /// The settings of a bucket that was just made: ownership, tags and Object Lock were given to `CreateBucket`.
    pub(super) async fn set_up(&self) -> Result<(), Fault> {
        self.put_public_access_block().await?;
        self.put_encryption().await?;
        if self.desired.versioning && !self.desired.object_lock {
            self.put_versioning(BucketVersioningStatus::Enabled).await?;
        }
        if self.desired.retention.is_some() {
            self.put_retention().await?;
        }
        if self.desired.lifecycle.iter().any(desired::LifecycleRule::does_something) {
            self.put_lifecycle().await?;
        }
        if !self.desired.cors.is_empty() {
            self.put_cors().await?;
        }
        if self.desired.log_bucket.is_some() {
            self.put_logging().await?;
        }
        if self.desired.event_bridge {
            self.put_events(NotificationConfiguration::builder().build()).await?;
        }
        self.put_policy().await
    }

    /// The settings of a bucket that was there, which carries these tags.
    pub(super) async fn converge(&self, tags: &BTreeMap<String, String>) -> Result<(), Fault> {
        self.put_ownership().await?;
        self.put_public_access_block().await?;
        self.put_encryption().await?;
        if self.desired.versioning || self.desired.object_lock {
            self.put_versioning(BucketVersioningStatus::Enabled).await?;
        } else if self.is_versioned().await? {
            self.put_versioning(BucketVersioningStatus::Suspended).await?;
        }
        if self.desired.object_lock {
            self.put_retention().await?;
        }
        self.put_lifecycle().await?;
        self.put_cors().await?;
        self.put_logging().await?;
        self.put_event_bridge_only().await?;
        self.put_policy().await?;
        self.put_tags(tags).await
    }

    async fn put_ownership(&self) -> Result<(), Fault> {
        let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerEnforced).build();
        let controls = OwnershipControls::builder().rules(built(rule)?).build();
        let call = self.s3.put_bucket_ownership_controls().bucket(self.name()).expected_bucket_owner(self.account());
        call.ownership_controls(built(controls)?).send().await.or_fault("s3:PutBucketOwnershipControls").map(drop)
    }

    async fn put_public_access_block(&self) -> Result<(), Fault> {
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let call = self.s3.put_public_access_block().bucket(self.name()).expected_bucket_owner(self.account());
        call.public_access_block_configuration(all).send().await.or_fault("s3:PutBucketPublicAccessBlock").map(drop)
    }

    async fn put_encryption(&self) -> Result<(), Fault> {
        let by = match &self.desired.kms_key {
            None => ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256),
            Some(key) => ServerSideEncryptionByDefault::builder()
                .sse_algorithm(ServerSideEncryption::AwsKms)
                .kms_master_key_id(key),
        };
        // A Bucket Key makes one call to KMS do for many objects
        // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html).
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(built(by.build())?)
            .set_bucket_key_enabled(self.desired.kms_key.as_ref().map(|_| true))
            .build();
        let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build();
        let call = self.s3.put_bucket_encryption().bucket(self.name()).expected_bucket_owner(self.account());
        call.server_side_encryption_configuration(built(configuration)?)
            .send()
            .await
            .or_fault("s3:PutEncryptionConfiguration")
            .map(drop)
    }

    async fn is_versioned(&self) -> Result<bool, Fault> {
        let call = self.s3.get_bucket_versioning().bucket(self.name()).expected_bucket_owner(self.account());
        let answer = call.send().await.or_fault("s3:GetBucketVersioning")?;
        Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
    }

    async fn put_versioning(&self, status: BucketVersioningStatus) -> Result<(), Fault> {
        let configuration = VersioningConfiguration::builder().status(status).build();
        let call = self.s3.put_bucket_versioning().bucket(self.name()).expected_bucket_owner(self.account());
        call.versioning_configuration(configuration).send().await.or_fault("s3:PutBucketVersioning").map(drop)
    }

    /// Without a default retention the configuration says only that locking is on. A bucket has versioning from the moment it is
    /// made with Object Lock, so where S3 misses that, it has not heard of it yet.
    async fn put_retention(&self) -> Result<(), Fault> {
        let rule = self.desired.retention.as_ref().map(|retention| {
            let mode = ObjectLockRetentionMode::from(retention.mode.as_str());
            let retention = DefaultRetention::builder().mode(mode).days(retention.days).build();
            ObjectLockRule::builder().default_retention(retention).build()
        });
        let configuration =
            ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).set_rule(rule).build();
        let call = self.s3.put_object_lock_configuration().bucket(self.name()).expected_bucket_owner(self.account());
        call.object_lock_configuration(configuration)
            .send()
            .await
            .or_fault("s3:PutBucketObjectLockConfiguration")
            .map(drop)
            .map_err(|fault| match fault.detail.as_deref() {
                Some(detail) if detail.contains(": InvalidBucketState:") => {
                    Fault { class: Class::Transient, message: "the new bucket is not ready yet".to_owned(), ..fault }
                }
                _ => fault,
            })
    }

    async fn put_lifecycle(&self) -> Result<(), Fault> {
        let rules = self.desired.lifecycle.iter().filter(|rule| rule.does_something()).enumerate();
        let rules = rules.map(|(index, rule)| lifecycle_rule(index, rule)).collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            let call = self.s3.delete_bucket_lifecycle().bucket(self.name()).expected_bucket_owner(self.account());
            return call.send().await.or_fault("s3:PutLifecycleConfiguration").map(drop);
        }
        let configuration = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
        let call =
            self.s3.put_bucket_lifecycle_configuration().bucket(self.name()).expected_bucket_owner(self.account());
        call.lifecycle_configuration(built(configuration)?)
            .send()
            .await
            .or_fault("s3:PutLifecycleConfiguration")
            .map(drop)
    }

    async fn put_cors(&self) -> Result<(), Fault> {
        let texts = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
        let rules = self.desired.cors.iter().map(|rule| {
            let rule = CorsRule::builder()
                .set_allowed_origins(Some(rule.allowed_origins.clone()))
                .set_allowed_methods(Some(rule.allowed_methods.clone()))
                .set_allowed_headers(texts(&rule.allowed_headers))
                .set_expose_headers(texts(&rule.expose_headers))
                .set_max_age_seconds(rule.max_age_seconds);
            built(rule.build())
        });
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() {
            let call = self.s3.delete_bucket_cors().bucket(self.name()).expected_bucket_owner(self.account());
            return call.send().await.or_fault("s3:PutBucketCORS").map(drop);
        }
        let configuration = CorsConfiguration::builder().set_cors_rules(Some(rules)).build();
        let call = self.s3.put_bucket_cors().bucket(self.name()).expected_bucket_owner(self.account());
        call.cors_configuration(built(configuration)?).send().await.or_fault("s3:PutBucketCORS").map(drop)
    }

    async fn put_logging(&self) -> Result<(), Fault> {
        let to = self.desired.log_bucket.as_ref().map(|bucket| {
            let prefix = &self.desired.log_prefix;
            built(LoggingEnabled::builder().target_bucket(bucket).target_prefix(prefix).build())
        });
        let status = BucketLoggingStatus::builder().set_logging_enabled(to.transpose()?).build();
        let call = self.s3.put_bucket_logging().bucket(self.name()).expected_bucket_owner(self.account());
        call.bucket_logging_status(status).send().await.or_fault("s3:PutBucketLogging").map(drop)
    }

    /// EventBridge on or off; notifications that somebody added beside the broker stay.
    async fn put_event_bridge_only(&self) -> Result<(), Fault> {
        let call = self.s3.get_bucket_notification_configuration();
        let held = call.bucket(self.name()).expected_bucket_owner(self.account()).send().await;
        let held = held.or_fault("s3:GetBucketNotification")?;
        if held.event_bridge_configuration().is_some() == self.desired.event_bridge {
            return Ok(());
        }
        self.put_events(
            NotificationConfiguration::builder()
                .set_topic_configurations(held.topic_configurations)
                .set_queue_configurations(held.queue_configurations)
                .set_lambda_function_configurations(held.lambda_function_configurations)
                .build(),
        )
        .await
    }

    async fn put_events(&self, mut configuration: NotificationConfiguration) -> Result<(), Fault> {
        configuration.event_bridge_configuration =
            self.desired.event_bridge.then(|| EventBridgeConfiguration::builder().build());
        let call = self.s3.put_bucket_notification_configuration();
        let call = call.bucket(self.name()).expected_bucket_owner(self.account());
        call.notification_configuration(configuration).send().await.or_fault("s3:PutBucketNotification").map(drop)
    }

    /// Also put again before a bucket that is restricted to a VPC is emptied: the broker's role may have been made anew
    /// since, and its unique id with it.
    pub(super) async fn put_policy(&self) -> Result<(), Fault> {
        let broker = match &self.desired.vpc {
            Some(_) => Some(self.session.caller().await?),
            None => None,
        };
        let document = policy::document(&self.arn(), self.account(), &self.desired, broker);
        let call = self.s3.put_bucket_policy().bucket(self.name()).expected_bucket_owner(self.account());
        call.policy(document.to_string()).send().await.or_fault("s3:PutBucketPolicy").map(drop)
    }

    /// `PutBucketTagging` replaces all tags, so those that somebody added beside the broker are put again.
    async fn put_tags(&self, held: &BTreeMap<String, String>) -> Result<(), Fault> {
        let mut wanted = held.clone();
        wanted.extend(self.cx.tags.clone());
        if wanted == *held {
            return Ok(());
        }
        let tagging = Tagging::builder().set_tag_set(Some(tags(&wanted)?)).build();
        let call = self.s3.put_bucket_tagging().bucket(self.name()).expected_bucket_owner(self.account());
        call.tagging(built(tagging)?).send().await.or_fault("s3:PutBucketTagging").map(drop)
    }
}

/// As the SDK wants them.
pub(super) fn tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, Fault> {
    tags.iter().map(|(key, value)| built(Tag::builder().key(key).value(value).build())).collect()
}

fn lifecycle_rule(index: usize, rule: &desired::LifecycleRule) -> Result<LifecycleRule, Fault> {
    let transitions = rule.transitions.iter().map(|transition| {
        let class = TransitionStorageClass::from(transition.storage_class.as_str());
        Transition::builder().days(transition.after_days).storage_class(class).build()
    });
    let old = rule.old_version_transitions.iter().map(|transition| {
        let class = TransitionStorageClass::from(transition.storage_class.as_str());
        NoncurrentVersionTransition::builder().noncurrent_days(transition.after_days).storage_class(class).build()
    });
    let some = |list: &[desired::Transition]| !list.is_empty();
    let days = |days: i32| LifecycleExpiration::builder().days(days).build();
    built(
        LifecycleRule::builder()
            .id(format!("chandlery-{index}"))
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(&rule.prefix).build())
            .set_expiration(rule.expire_after_days.map(days))
            .set_noncurrent_version_expiration(
                rule.expire_old_versions_after_days
                    .map(|days| NoncurrentVersionExpiration::builder().noncurrent_days(days).build()),
            )
            .set_transitions(some(&rule.transitions).then(|| transitions.collect()))
            .set_noncurrent_version_transitions(some(&rule.old_version_transitions).then(|| old.collect()))
            .set_abort_incomplete_multipart_upload(
                rule.abort_uploads_after_days
                    .map(|days| AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build()),
            )
            .build(),
    )
}
