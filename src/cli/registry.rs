//! The drivers of this build, on one screen.

use std::sync::Arc;

use crate::aws::Sessions;
use crate::driver::{Driver, Registry};
use crate::resource::{iam, s3, sqs};

/// Every driver there is.
pub fn registry(sessions: &Sessions) -> Registry {
    let drivers: [Arc<dyn Driver>; 3] = [
        Arc::new(iam::identity::IdentityDriver::new(sessions.clone())),
        Arc::new(s3::bucket::BucketDriver::new(sessions.clone())),
        Arc::new(sqs::queue::QueueDriver::new(sessions.clone())),
    ];
    Registry::new(drivers)
}
