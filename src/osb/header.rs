//! The names of the protocol's own headers, in the form HTTP libraries compare.

/// Which version the platform speaks; see [`ApiVersion`](super::ApiVersion).
pub const API_VERSION: &str = "x-broker-api-version";
/// Who is behind the request; see [`OriginatingIdentity`](super::OriginatingIdentity).
pub const ORIGINATING_IDENTITY: &str = "x-broker-api-originating-identity";
/// A name for the request, chosen by the platform, echoed as it came.
pub const REQUEST_IDENTITY: &str = "x-broker-api-request-identity";
