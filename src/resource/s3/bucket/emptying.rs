//! Emptying a bucket: versions, delete markers and unfinished uploads, a bounded amount per turn.

use aws_sdk_s3::types::{Delete, ObjectIdentifier, ObjectVersion};

use super::{Bucket, built};
use crate::aws::OrFault;
use crate::driver::{Class, Fault};

/// Pages of one turn: 10,000 objects in some twenty calls, well inside a lease.
const PAGES: usize = 10;
/// The most that one `ListObjectVersions` or `DeleteObjects` takes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>).
const PAGE: i32 = 1000;

/// What to take out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Everything.
    All,
    /// Delete markers alone, which hold no data: what is left of a bucket whose user has emptied it.
    MarkersOnly,
}

/// How far a turn came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) removed: u64,
    pub(super) done: bool,
}

impl Bucket<'_> {
    /// Refuses if anything is in it that holds data. Looks at no more than a few pages of delete markers; a bucket with
    /// still more of them counts as not empty.
    pub(super) async fn refuse_data(&self) -> Result<(), Fault> {
        let (mut key, mut version) = (None, None);
        for _ in 0..5 {
            let call = self.s3.list_object_versions().bucket(self.name()).expected_bucket_owner(self.account());
            let page = call.max_keys(PAGE).set_key_marker(key).set_version_id_marker(version).send().await;
            let page = page.or_fault("s3:ListBucketVersions")?;
            if !page.versions().is_empty() {
                return Err(self.not_empty(keeps_versions(page.versions())));
            }
            if !page.is_truncated().unwrap_or_default() {
                return Ok(());
            }
            (key, version) = (page.next_key_marker, page.next_version_id_marker);
        }
        Err(self.not_empty(true))
    }

    /// One turn. Each page is listed from the beginning, since what was listed before is gone: nothing needs to be
    /// remembered between turns, or after a crash.
    pub(super) async fn empty(&self, what: What) -> Result<Turn, Fault> {
        let mut removed = 0;
        for _ in 0..PAGES {
            let call = self.s3.list_object_versions().bucket(self.name()).expected_bucket_owner(self.account());
            let page = call.max_keys(PAGE).send().await.or_fault("s3:ListBucketVersions")?;
            if what == What::MarkersOnly && !page.versions().is_empty() {
                return Err(self.not_empty(keeps_versions(page.versions())));
            }
            let mut objects = Vec::new();
            for marker in page.delete_markers() {
                objects.push(identifier(marker.key(), marker.version_id())?);
            }
            for version in page.versions() {
                objects.push(identifier(version.key(), version.version_id())?);
            }
            if objects.is_empty() {
                self.abort_uploads().await?;
                return Ok(Turn { removed, done: true });
            }
            removed += objects.len() as u64;
            self.delete_page(objects).await?;
            if !page.is_truncated().unwrap_or_default() {
                self.abort_uploads().await?;
                return Ok(Turn { removed, done: true });
            }
        }
        Ok(Turn { removed, done: false })
    }

    async fn delete_page(&self, objects: Vec<ObjectIdentifier>) -> Result<(), Fault> {
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let call = self.s3.delete_objects().bucket(self.name()).expected_bucket_owner(self.account());
        let answer = call.delete(built(delete)?).send().await.or_fault("s3:DeleteObjectVersion")?;
        // With `quiet` the answer names only what could not be deleted.
        let Some(error) = answer.errors().first() else { return Ok(()) };
        let code = error.code().unwrap_or("-");
        let detail = format!(
            "s3:DeleteObjects: {} of a page stayed, the first: {code}: {}",
            answer.errors().len(),
            error.message().unwrap_or("-")
        );
        Err(match code {
            "AccessDenied" if self.desired.object_lock => Fault::rejected(
                "objects in the bucket are locked and cannot be deleted by anybody before their retention ends",
            ),
            "AccessDenied" => Fault::new(Class::Denied, "AWS does not let the broker delete the objects in the bucket"),
            "SlowDown" => Fault::new(Class::Throttled, "AWS asks the broker to slow down"),
            _ => Fault::transient("some objects in the bucket could not be deleted yet"),
        }
        .with_detail(detail))
    }

    async fn abort_uploads(&self) -> Result<(), Fault> {
        let call = self.s3.list_multipart_uploads().bucket(self.name()).expected_bucket_owner(self.account());
        let page = call.send().await.or_fault("s3:ListBucketMultipartUploads")?;
        for upload in page.uploads() {
            let call = self.s3.abort_multipart_upload().bucket(self.name()).expected_bucket_owner(self.account());
            let call = call.set_key(upload.key.clone()).set_upload_id(upload.upload_id.clone());
            match call.send().await {
                Err(error) if crate::aws::code(&error) == Some("NoSuchUpload") => {}
                answer => answer.or_fault("s3:AbortMultipartUpload").map(drop)?,
            }
        }
        Ok(())
    }

    /// The refusal that a user can act on.
    fn not_empty(&self, versions: bool) -> Fault {
        // What is locked nobody can delete, so `deletion: delete` is no way out.
        let way_out = match (self.desired.object_lock, versions) {
            (true, _) => {
                "let the locks of its objects end and have an administrator delete them, old versions included, or change the \
                 instance to `deletion: retain` first"
            }
            (false, true) => {
                "delete its objects, old versions and deleted objects included, or change the instance to `deletion: delete` first"
            }
            (false, false) => "delete its objects or change the instance to `deletion: delete` first",
        };
        Fault::rejected(format!("the bucket {} is not empty; {way_out}", self.name()))
    }
}

/// Whether the bucket has kept versions at some time: what was put at any other time has the version `null`.
fn keeps_versions(versions: &[ObjectVersion]) -> bool {
    versions.iter().any(|version| version.version_id() != Some("null"))
}

fn identifier(key: Option<&str>, version: Option<&str>) -> Result<ObjectIdentifier, Fault> {
    built(ObjectIdentifier::builder().key(key.unwrap_or_default()).set_version_id(version.map(str::to_owned)).build())
}
