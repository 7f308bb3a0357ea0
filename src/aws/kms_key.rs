//! KMS keys that encrypt the data of an instance.

use crate::driver::{Fault, Target};

/// Refuses the ARN of a key in another region: S3 and SQS take it without a word and fail with the first object or message.
/// A bare id or alias is one of the region anyway.
pub fn check_key_region(target: &Target, key: Option<&str>) -> Result<(), Fault> {
    let (Some(region), wanted) = (key.and_then(|arn| arn.split(':').nth(3)), &target.region) else { return Ok(()) };
    if region == wanted {
        return Ok(());
    }
    Err(Fault::rejected(format!("the KMS key is in {region} and the instance in {wanted}; name a key of {wanted}")))
}
