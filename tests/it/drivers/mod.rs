//! Drivers through their trait, against the AWS stand-in: twice, after a lost reply, against a foreign thing, and by
//! using what they made.

mod iam_identity;
mod offerings;
mod s3_bucket;
mod sessions;
mod sqs_queue;
