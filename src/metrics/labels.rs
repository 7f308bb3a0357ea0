//! The label sets. Every value is a word of a bounded set.

use prometheus_client::encoding::EncodeLabelSet;

/// A request: the route's pattern, never the path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    /// `/v2/service_instances/{instance_id}`; `unmatched` where the router knows none.
    pub route: String,
    /// The method; `other` for one that HTTP does not define.
    pub method: &'static str,
    /// The status.
    pub status: u16,
}

/// An operation that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Operation {
    /// `provision`, `update`, `deprovision`, `bind`, `unbind`.
    pub verb: &'static str,
    /// The offering's name.
    pub offering: String,
}

/// An operation that ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationEnd {
    /// As in [`Operation`].
    pub verb: &'static str,
    /// The offering's name.
    pub offering: String,
    /// `succeeded`, `failed`, `superseded`.
    pub outcome: &'static str,
}

/// A turn of the engine: one claim of one owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Turn {
    /// `async` or `sync`.
    pub lane: &'static str,
    /// `waits`, `ended`, `fenced`, `broken`.
    pub outcome: &'static str,
}

/// A lane of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Lane {
    /// `async` or `sync`.
    pub lane: &'static str,
}

/// A fault that a driver returned.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DriverFault {
    /// `transient`, `throttled`, `rejected`, `conflict`, `denied`, `gone`, `bug`.
    pub class: &'static str,
    /// The kind: `s3/bucket`.
    pub kind: String,
}

/// A call to AWS, the SDK's retries included.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AwsCall {
    /// `s3`, `sqs`, `iam`.
    pub service: String,
    /// `CreateBucket`.
    pub operation: String,
    /// `ok`, or the class of the fault.
    pub outcome: &'static str,
}

/// Something that is read again while the broker runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Source {
    /// `catalog` or `policy`.
    pub source: &'static str,
}

/// An attempt to read it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reload {
    /// As in [`Source`].
    pub source: &'static str,
    /// `loaded` or `refused`.
    pub outcome: &'static str,
}

/// The labels of a request's duration: without the outcome, which would multiply the buckets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestRoute {
    /// As in [`Request`].
    pub route: String,
    /// As in [`Request`].
    pub method: &'static str,
}

/// The labels of a call's duration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AwsOperation {
    /// As in [`AwsCall`].
    pub service: String,
    /// As in [`AwsCall`].
    pub operation: String,
}
