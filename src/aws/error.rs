//! What AWS answers, as a [`Fault`]. Read from the modelled error or its code, never from the bare HTTP status: a proxy's
//! 404 must not pass for "not found", nor an emulator's.

use std::error::Error;
use std::fmt::Write as _;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::driver::{Class, Fault, Target};

/// Turns the result of a call into ours; `action` is the IAM action, `s3:CreateBucket`.
pub trait OrFault<T> {
    /// See the trait.
    fn or_fault(self, action: &str) -> Result<T, Fault>;
}

impl<T, E> OrFault<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    fn or_fault(self, action: &str) -> Result<T, Fault> {
        self.map_err(|error| fault(action, &error))
    }
}

/// The code of an error that AWS modelled or named.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// The fault that a failed call is.
pub fn fault<E>(action: &str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    // Our own interceptor (the guard) and our own credentials provider fail with a fault; it comes back as it was.
    if let Some(ours) = source_of::<Fault>(error) {
        return ours.clone();
    }
    let detail = detail(action, error);
    let plain = match error {
        SdkError::TimeoutError(_) => Fault::transient("AWS did not answer in time"),
        SdkError::DispatchFailure(_) if source_of::<CredentialsError>(error).is_some() => {
            Fault::new(Class::Denied, "the broker has no credentials for AWS; its operator has to set them up")
        }
        SdkError::DispatchFailure(_) => Fault::transient("AWS could not be reached"),
        SdkError::ResponseError(_) => Fault::transient("the answer of AWS was cut short"),
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let retry_after = context.raw().headers().get("retry-after").and_then(|after| after.parse().ok());
            let mut fault = of_code(context.err().code(), context.err().message().unwrap_or_default(), status);
            fault.retry_after = retry_after.map(std::time::Duration::from_secs);
            fault
        }
        _ => Fault::bug("a call to AWS could not be built"),
    };
    plain.with_detail(detail)
}

/// The credentials of a target cannot be had: the operator's to fix.
pub(super) fn credentials_fault(target: &Target) -> Fault {
    Fault::new(
        Class::Denied,
        format!("the broker cannot enter the AWS account of the target {}; its operator has to fix that", target.name),
    )
}

fn of_code(code: Option<&str>, message: &str, status: u16) -> Fault {
    let Some(code) = code else {
        return match status {
            500 | 502..=504 => Fault::transient("AWS has a problem at the moment"),
            429 => Fault::new(Class::Throttled, "AWS asks the broker to slow down"),
            _ => Fault::bug("AWS gave an answer that the broker does not understand"),
        };
    };
    match class_of(code) {
        Some(Class::Throttled) => Fault::new(Class::Throttled, "AWS asks the broker to slow down"),
        Some(Class::Transient) => Fault::transient("AWS has a problem at the moment"),
        Some(Class::Denied) if LIMITS.contains(&code) => {
            Fault::new(Class::Denied, "a limit of the AWS account is reached; the broker's operator has to raise it")
        }
        Some(Class::Denied) => {
            Fault::new(Class::Denied, "AWS does not let the broker do this; the broker's operator has to allow it")
        }
        Some(Class::Gone) => Fault::new(Class::Gone, "the resource is not there any more"),
        Some(Class::Rejected) => Fault::rejected(format!("AWS refused it: {}", scrub(message))),
        _ if status >= 500 && status != 501 => Fault::transient("AWS has a problem at the moment"),
        _ => Fault::bug("AWS gave an answer that the broker does not understand"),
    }
}

/// The codes come from the SDKs' models and from
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>,
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>,
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>,
/// <https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html>.
fn class_of(code: &str) -> Option<Class> {
    let name = code.rsplit('#').next().unwrap_or(code);
    Some(match name {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "BandwidthLimitExceeded"
        | "PriorRequestNotComplete"
        | "KMS.ThrottlingException"
        | "KmsThrottled" => Class::Throttled,
        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceFailure"
        | "ServiceFailureException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "KMSInternalException"
        | "DependencyTimeoutException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "OperationAborted"
        | "ConcurrentModification"
        | "EntityTemporarilyUnmodifiable"
        | "TransactionInProgressException"
        | "KeyUnavailableException"
        | "IDPCommunicationError" => Class::Transient,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "UnauthorizedAccess"
        | "AuthorizationError"
        | "AuthFailure"
        | "AllAccessDisabled"
        | "AccountProblem"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "InvalidSecurity"
        | "InvalidToken"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingSecurityHeader"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "NotSignedUp"
        | "OptInRequired"
        | "RegionDisabledException"
        | "KMS.AccessDeniedException"
        | "KmsAccessDenied" => Class::Denied,
        limit if LIMITS.contains(&limit) => Class::Denied,
        "NoSuchBucket"
        | "NoSuchEntity"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "AWS.SimpleQueueService.NonExistentQueueException" => Class::Gone,
        "ValidationError"
        | "ValidationException"
        | "InvalidParameterValue"
        | "InvalidParameterCombination"
        | "InvalidParameterException"
        | "InvalidAttributeName"
        | "InvalidAttributeValue"
        | "InvalidRequest"
        | "InvalidArgument"
        | "InvalidInput"
        | "InvalidTag"
        | "InvalidTagError"
        | "InvalidBucketName"
        | "InvalidBucketState"
        | "InvalidStorageClass"
        | "InvalidTargetBucketForLogging"
        // With AWS's own spelling, in case that is mended one day.
        | "CrossLocationLoggingProhibitted"
        | "CrossLocationLoggingProhibited"
        | "InvalidEncryptionAlgorithmError"
        | "IllegalLocationConstraintException"
        | "InvalidLocationConstraint"
        | "MalformedXML"
        | "MalformedPolicy"
        | "MalformedPolicyDocument"
        | "PolicyNotAttachable"
        | "UnmodifiableEntity"
        | "UnsupportedOperation"
        | "AWS.SimpleQueueService.UnsupportedOperation"
        | "ObjectLockConfigurationNotFoundError"
        | "InvalidSecurityException"
        | "KMS.NotFoundException"
        | "KmsNotFound"
        | "KMS.DisabledException"
        | "KmsDisabled"
        | "KMS.InvalidStateException"
        | "KmsInvalidState"
        | "KMS.InvalidKeyUsage"
        | "KmsInvalidKeyUsage"
        | "KMS.OptInRequired"
        | "NotFoundException"
        | "DisabledException"
        | "InvalidKeyUsageException"
        | "KMSInvalidStateException" => Class::Rejected,
        _ => return None,
    })
}

/// Limits of an account, for its operator to raise.
const LIMITS: &[&str] =
    &["LimitExceeded", "LimitExceededException", "TooManyBuckets", "ReportGenerationLimitExceeded", "OverLimit"];

/// Whether AWS means a principal or key that it has not heard of yet. IAM takes seconds to spread what changed
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>), so a
/// driver that made or changed that principal within the last two minutes takes this for transient.
pub fn is_new_principal_unknown(fault: &Fault) -> bool {
    let Some(detail) = &fault.detail else { return false };
    [
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "NoSuchEntity",
    ]
    .iter()
    .any(|code| detail.contains(&format!(": {code}:")))
        || (detail.contains("Policy") && detail.contains("nvalid principal"))
}

/// AWS's words without the ARNs of principals, which tell a user nothing and an attacker something.
pub fn scrub(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for (index, word) in message.split_whitespace().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        match word.find("arn:") {
            Some(at) if word.contains(":iam::") || word.contains(":sts::") => {
                out.push_str(&word[..at]);
                out.push_str("(a principal)");
            }
            _ => out.push_str(word),
        }
    }
    out.chars().filter(|c| !c.is_control()).take(500).collect()
}

/// For operators: action, code, text, request id.
fn detail<E>(action: &str, error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let mut text = action.to_owned();
    match error.as_service_error() {
        Some(modelled) if modelled.code().is_some() => {
            let _ = write!(text, ": {}: {}", modelled.code().unwrap_or("-"), modelled.message().unwrap_or("-"));
        }
        // What came was no error of AWS's, or not readable as one: the causes say why.
        _ => {
            let mut cause: Option<&(dyn Error + 'static)> = Some(error);
            while let Some(one) = cause {
                let _ = write!(text, ": {one}");
                cause = one.source();
            }
        }
    }
    if let Some(raw) = error.raw_response() {
        let headers = raw.headers();
        let id = headers.get("x-amzn-requestid").or_else(|| headers.get("x-amz-request-id")).unwrap_or("-");
        let _ = write!(text, " (HTTP {}, request {id})", raw.status().as_u16());
    }
    text
}

fn source_of<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut cause = Some(error);
    while let Some(one) = cause {
        if let Some(found) = one.downcast_ref::<T>() {
            return Some(found);
        }
        cause = one.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_scrubbed_from_what_users_read() {
        let message = "User: arn:aws:sts::123456789012:assumed-role/broker/x is not authorized to use arn:aws:s3:::b";
        assert_eq!(scrub(message), "User: (a principal) is not authorized to use arn:aws:s3:::b");
    }

    #[test]
    fn a_status_alone_says_little() {
        assert_eq!(of_code(None, "", 404).class, Class::Bug);
        assert_eq!(of_code(Some("Whatever"), "", 404).class, Class::Bug);
        assert_eq!(of_code(Some("StandInNotImplemented"), "", 501).class, Class::Bug);
        assert_eq!(of_code(Some("Whatever"), "", 503).class, Class::Transient);
        assert_eq!(of_code(Some("com.amazonaws.sqs#QueueDoesNotExist"), "", 400).class, Class::Gone);
    }
}
