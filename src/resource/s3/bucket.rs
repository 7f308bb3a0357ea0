//! `s3/bucket`: a private, encrypted bucket that answers over TLS only.
//!
//! Whose a bucket is, is read from its owner tag. Bucket names are global and ours carry 80 random bits of the owner's uid,
//! so an untagged bucket of that exact name *in our own account* is ours, too: one whose tags were lost or not yet written.
//! Every call names the expected account (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>),
//! so a bucket that somebody else made under the same name is never touched.

mod desired;
mod emptying;
mod policy;
mod settings;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::operation::create_bucket::CreateBucketError;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership};
use aws_smithy_types::error::operation::BuildError;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use self::desired::{Desired, WhenNotEmpty};
use self::emptying::What;
use crate::aws::{OrFault, Session, Sessions, check_key_region, code, fault};
use crate::driver::{Context, Deletion, Driver, Fault, Found, Handle, Kind, Naming, Output, Outputs, Progress};

/// The driver.
pub struct BucketDriver {
    sessions: Sessions,
    kind: Kind,
    /// Objects removed so far, by bucket: only for the progress sentence, so it may start again after a restart.
    removed: Mutex<HashMap<String, u64>>,
}

impl BucketDriver {
    /// Over these sessions.
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions, kind: kind(), removed: Mutex::default() }
    }

    async fn bucket<'a>(&self, cx: &'a Context, desired: &Value) -> Result<Bucket<'a>, Fault> {
        let session = self.sessions.of(&cx.target).await?;
        Ok(Bucket { s3: session.s3(), session, cx, desired: Desired::read(desired)? })
    }

    fn note(&self, name: &str, removed: u64) -> String {
        let mut held = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        let total = held.entry(name.to_owned()).or_default();
        *total += removed;
        format!("the bucket is being emptied, at least {total} objects so far")
    }

    fn forget(&self, name: &str) {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

#[async_trait]
impl Driver for BucketDriver {
    fn kind(&self) -> &Kind {
        &self.kind
    }

    async fn ensure(&self, cx: &Context, desired: &Value, _known: Option<&Handle>) -> Result<Progress, Fault> {
        let bucket = self.bucket(cx, desired).await?;
        check_key_region(&cx.target, bucket.desired.kms_key.as_deref())?;
        let held = if cx.first { Look::Missing } else { bucket.look().await? };
        match held {
            Look::Ours(tags) => bucket.converge(&tags).await?,
            Look::Foreign => return Err(Fault::name_taken(&cx.name)),
            Look::Missing | Look::Refused(_) => match bucket.create().await? {
                Created::New => bucket.set_up().await?,
                // Our own earlier attempt (its reply was lost), or somebody else's bucket in this account.
                Created::WasThere => match bucket.look().await? {
                    Look::Ours(tags) => bucket.converge(&tags).await?,
                    Look::Foreign => return Err(Fault::name_taken(&cx.name)),
                    Look::Refused(fault) => return Err(fault),
                    Look::Missing => return Err(Fault::transient("the new bucket is not visible yet")),
                },
            },
        }
        Ok(Progress::Ready { handle: Handle(json!({ "bucket": cx.name })), outputs: bucket.outputs() })
    }

    async fn may_delete(&self, cx: &Context, desired: &Value, _known: Option<&Handle>) -> Result<(), Fault> {
        let bucket = self.bucket(cx, desired).await?;
        if bucket.desired.when_not_empty == WhenNotEmpty::Delete && !bucket.desired.object_lock {
            return Ok(());
        }
        if bucket.look_again().await? {
            bucket.refuse_data().await?;
        }
        Ok(())
    }

    async fn delete(&self, cx: &Context, desired: &Value, _known: Option<&Handle>) -> Result<Deletion, Fault> {
        let bucket = self.bucket(cx, desired).await?;
        if !bucket.look_again().await? {
            return Ok(Deletion::Gone);
        }
        if bucket.delete().await? {
            self.forget(&cx.name);
            return Ok(Deletion::Gone);
        }
        if bucket.desired.vpc.is_some() {
            bucket.put_policy().await?;
        }
        let what = match bucket.desired.when_not_empty {
            WhenNotEmpty::Delete => What::All,
            WhenNotEmpty::Refuse => What::MarkersOnly,
        };
        let turn = bucket.empty(what).await?;
        if turn.done && bucket.delete().await? {
            self.forget(&cx.name);
            return Ok(Deletion::Gone);
        }
        // Not done, or written to while it was emptied.
        let after = if turn.done { Duration::from_secs(2) } else { Duration::ZERO };
        Ok(Deletion::Waiting { after, note: self.note(&cx.name, turn.removed) })
    }

    async fn inventory(&self, cx: &Context, prefix: &str) -> Result<Vec<Found>, Fault> {
        let session = self.sessions.of(&cx.target).await?;
        let s3 = session.s3();
        let mut names = Vec::new();
        let mut pages = s3.list_buckets().prefix(prefix).into_paginator().page_size(1000).send();
        while let Some(page) = pages.next().await {
            let buckets = page.or_fault("s3:ListAllMyBuckets")?.buckets.unwrap_or_default();
            names.extend(
                buckets
                    .into_iter()
                    .filter(|bucket| bucket.bucket_region().is_none_or(|region| region == cx.target.region))
                    .filter_map(|bucket| bucket.name),
            );
        }
        let found = stream::iter(names).map(|name| {
            let (s3, account) = (s3.clone(), cx.target.account.clone());
            async move {
                let owner = match s3.get_bucket_tagging().bucket(&name).expected_bucket_owner(account).send().await {
                    Ok(answer) => {
                        answer.tag_set.into_iter().find(|tag| tag.key == Context::OWNER_TAG).map(|tag| tag.value)
                    }
                    Err(error) if code(&error) == Some("NoSuchTagSet") => None,
                    Err(error) if code(&error) == Some("NoSuchBucket") => return Ok(None),
                    Err(error) => return Err(fault("s3:GetBucketTagging", &error)),
                };
                Ok(Some(Found { name, owner }))
            }
        });
        found.buffered(8).try_filter_map(|found| async move { Ok(found) }).try_collect().await
    }
}

/// One bucket and what is wanted of it.
struct Bucket<'a> {
    session: Arc<Session>,
    s3: aws_sdk_s3::Client,
    cx: &'a Context,
    desired: Desired,
}

/// What a look at the name gave.
enum Look {
    Missing,
    /// With the tags it carries.
    Ours(BTreeMap<String, String>),
    /// In this account, another owner's.
    Foreign,
    /// In another account or region, or we may not look.
    Refused(Fault),
}

enum Created {
    New,
    WasThere,
}

impl Bucket<'_> {
    fn name(&self) -> &str {
        &self.cx.name
    }

    fn account(&self) -> &str {
        &self.cx.target.account
    }

    fn arn(&self) -> String {
        format!("arn:{}:s3:::{}", self.cx.target.partition, self.name())
    }

    fn outputs(&self) -> Outputs {
        let (name, region) = (self.name(), &self.cx.target.region);
        let suffix = if self.cx.target.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        let outputs = json!({
            "name": name,
            "arn": self.arn(),
            "region": region,
            "domain_name": format!("{name}.s3.{suffix}"),
            "regional_domain_name": format!("{name}.s3.{region}.{suffix}"),
        });
        Outputs(outputs.as_object().cloned().unwrap_or_default())
    }

    /// Tags and ownership go with the creation, so that a crash right after it leaves nothing that is not plainly ours and
    /// nothing whose objects another account could own. In us-east-1 S3 answers "created" for a bucket that the account
    /// already has; its name holds our random bits, so it is the one of a lost reply.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
    async fn create(&self) -> Result<Created, Fault> {
        let region = self.cx.target.region.as_str();
        let place = (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
        let configuration = CreateBucketConfiguration::builder()
            .set_location_constraint(place)
            .set_tags(Some(settings::tags(&self.cx.tags)?))
            .build();
        let call = self.s3.create_bucket().bucket(self.name()).create_bucket_configuration(configuration);
        let call = call.object_ownership(ObjectOwnership::BucketOwnerEnforced);
        let call = call.set_object_lock_enabled_for_bucket(self.desired.object_lock.then_some(true));
        match call.send().await {
            Ok(_) => Ok(Created::New),
            Err(error) => match error.as_service_error() {
                Some(CreateBucketError::BucketAlreadyOwnedByYou(_)) => Ok(Created::WasThere),
                Some(CreateBucketError::BucketAlreadyExists(_)) => Err(Fault::name_taken(self.name())),
                _ => Err(fault("s3:CreateBucket", &error)),
            },
        }
    }

    async fn look(&self) -> Result<Look, Fault> {
        let call = self.s3.get_bucket_tagging().bucket(self.name()).expected_bucket_owner(self.account());
        let tags: BTreeMap<String, String> = match call.send().await {
            Ok(answer) => answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            Err(error) => match code(&error) {
                Some("NoSuchTagSet") => BTreeMap::new(),
                Some("NoSuchBucket") => return Ok(Look::Missing),
                Some("AccessDenied" | "PermanentRedirect" | "AuthorizationHeaderMalformed") => {
                    return Ok(Look::Refused(fault("s3:GetBucketTagging", &error)));
                }
                _ => return Err(fault("s3:GetBucketTagging", &error)),
            },
        };
        match tags.get(Context::OWNER_TAG) {
            Some(owner) if *owner != self.cx.owner.to_string() => Ok(Look::Foreign),
            _ => Ok(Look::Ours(tags)),
        }
    }

    /// Whether a bucket of ours is there. "Refused" alone would not do: a permission that the broker has lost must not
    /// make an orphan of a bucket. Only what the account's own list does not name is somebody else's.
    async fn look_again(&self) -> Result<bool, Fault> {
        match self.look().await? {
            Look::Ours(_) => Ok(true),
            Look::Missing | Look::Foreign => Ok(false),
            Look::Refused(fault) => {
                let answer = self.s3.list_buckets().prefix(self.name()).send().await.or_fault("s3:ListAllMyBuckets")?;
                match answer.buckets().iter().any(|bucket| bucket.name() == Some(self.name())) {
                    true => Err(fault),
                    false => Ok(false),
                }
            }
        }
    }

    /// True when it is gone, false when it is not empty.
    async fn delete(&self) -> Result<bool, Fault> {
        match self.s3.delete_bucket().bucket(self.name()).expected_bucket_owner(self.account()).send().await {
            Ok(_) => Ok(true),
            Err(error) => match code(&error) {
                Some("NoSuchBucket") => Ok(true),
                Some("BucketNotEmpty") => Ok(false),
                _ => Err(fault("s3:DeleteBucket", &error)),
            },
        }
    }
}

/// What an SDK builder made. It only fails for a missing member, which is our defect.
fn built<T>(result: Result<T, BuildError>) -> Result<T, Fault> {
    result.map_err(|error| Fault::bug("a request to S3 could not be built").with_detail(error.to_string()))
}

fn kind() -> Kind {
    Kind {
        name: "s3/bucket",
        summary: "An S3 bucket: private, encrypted, TLS only, owner of all its objects",
        schema: desired::schema(),
        mutable: desired::MUTABLE,
        outputs: OUTPUTS,
        naming: Naming { max_length: 63, extra: "-", global: true },
        usual_create: Duration::from_secs(3),
        usual_delete: Duration::from_secs(5),
        actions: ACTIONS,
    }
}

const OUTPUTS: &[Output] = &[
    Output { name: "name", secret: false, description: "The bucket's name." },
    Output { name: "arn", secret: false, description: "Its ARN." },
    Output { name: "region", secret: false, description: "Its region." },
    Output { name: "domain_name", secret: false, description: "Its global host name." },
    Output { name: "regional_domain_name", secret: false, description: "Its host name in its region." },
];

const ACTIONS: &[&str] = &[
    "s3:AbortMultipartUpload",
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetBucketNotification",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:ListAllMyBuckets",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
    "s3:PutBucketCORS",
    "s3:PutBucketLogging",
    "s3:PutBucketNotification",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:TagResource",
];
