//! The body of an error.

use serde::{Deserialize, Serialize};

use super::wire::{self, ForVersion};
use super::{ApiVersion, Error};

/// `{error?, description?}` and what a failed update or deprovision left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// One word in camel case for programs.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub error: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub description: Option<String>,
    /// Whether the instance can still be used; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_usable: Option<bool>,
    /// Whether the same update may work another time; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_repeatable: Option<bool>,
}

impl Error {
    /// The body on the wire.
    pub fn body(&self) -> ErrorBody {
        let aftermath = self.aftermath();
        ErrorBody {
            error: self.code().map(str::to_owned),
            description: Some(wire::stopped(&self.description())),
            instance_usable: aftermath.instance_usable(),
            update_repeatable: aftermath.update_repeatable(),
        }
    }
}

impl ForVersion for ErrorBody {
    fn for_version(mut self, version: ApiVersion) -> Self {
        if !version.has_usability() {
            (self.instance_usable, self.update_repeatable) = (None, None);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::osb::Aftermath;

    /// The texts are the specification's; clients compare them to the letter.
    #[test]
    fn the_table_of_errors_on_the_wire() {
        let left = Aftermath::Update { instance_usable: true, update_repeatable: false };
        let table: Vec<String> = [
            Error::bad_request("service_id is missing"),
            Error::Unauthorized,
            Error::not_found("no such instance"),
            Error::MethodNotAllowed,
            Error::RequestTimeout,
            Error::conflict("in use"),
            Error::Gone,
            Error::precondition("send 2.17"),
            Error::PayloadTooLarge { limit: 1024 },
            Error::AsyncRequired,
            Error::ConcurrencyError,
            Error::RequiresApp,
            Error::MaintenanceInfoConflict,
            Error::Unprocessable { code: Some("PlanChangeNotSupported"), sentence: "no".into(), aftermath: left },
            Error::unprocessable_with("not empty", Aftermath::Deprovision { instance_usable: true }),
            Error::TooManyRequests { retry_after: 1 },
            Error::Internal,
            Error::unavailable("stopping", Some(2)),
            Error::Timeout,
        ]
        .iter()
        .map(|error| format!("{} {}", error.status(), serde_json::to_string(&error.body()).unwrap()))
        .collect();
        insta::assert_snapshot!(table.join("\n"), @r#"
        400 {"description":"service_id is missing."}
        401 {"description":"The credentials are missing or wrong."}
        404 {"description":"no such instance."}
        405 {"description":"This path does not know the method; the header Allow lists those it knows."}
        408 {"description":"The request did not arrive in time; nothing was changed."}
        409 {"description":"in use."}
        410 {"description":"It does not exist (any more)."}
        412 {"description":"send 2.17."}
        413 {"description":"The body is larger than the 1024 bytes this broker takes."}
        422 {"error":"AsyncRequired","description":"This service plan requires client support for asynchronous service operations."}
        422 {"error":"ConcurrencyError","description":"The Service Broker does not support concurrent requests that mutate the same resource."}
        422 {"error":"RequiresApp","description":"This service supports generation of credentials through binding an application only."}
        422 {"error":"MaintenanceInfoConflict","description":"The `maintenance_info.version` field provided in the request does not match the `maintenance_info.version` field provided in the Service Broker's Catalog."}
        422 {"error":"PlanChangeNotSupported","description":"no.","instance_usable":true,"update_repeatable":false}
        422 {"description":"not empty.","instance_usable":true}
        429 {"description":"There are too many requests; come again later."}
        500 {"description":"The broker met a defect of its own; its operator finds the reason in the log."}
        503 {"description":"stopping."}
        503 {"description":"The broker could not answer in time; ask again."}
        "#);
    }

    #[test]
    fn a_sentence_that_is_empty_is_not_written() {
        assert_eq!(serde_json::to_string(&Error::bad_request("").body()).unwrap(), "{}");
    }
}
