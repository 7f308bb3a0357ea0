//! The drivers, one folder per service and one file per kind. A driver knows AWS and the seam, never another driver.

pub mod iam;
pub mod s3;
pub mod sqs;
