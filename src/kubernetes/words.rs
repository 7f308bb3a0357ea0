//! What a broker says, as far as it may be shown. It may quote what it was sent, and what it was sent may have come from a
//! Secret: that is taken out. Where it is not known any more what was sent, because the Secret has changed or is gone, its
//! words are not shown at all.

use kube::Client;

use super::api::ParametersFrom;
use super::clients;
use super::parameters::{self, Given};
use crate::osb::{LastOperation, Parameters};
use crate::osb_client;

/// Stands for words that are not shown.
const WITHHELD: &str = "(Its words are not shown: the Secrets that parameters came from have changed since, so that their \
                        values could not be taken out.)";

/// What of a broker's words may be shown.
pub enum Words {
    /// All: nothing that it was sent came from a Secret.
    All,
    /// All but these values.
    Without(Box<Given>),
    /// None.
    None,
}

/// Parameters that a broker was sent: where they come from, and the checksums of what was sent.
pub struct Sent<'a> {
    /// The namespace of the Secrets.
    pub namespace: &'a str,
    /// Of class and plan.
    pub defaults: Option<&'a Parameters>,
    /// Of the spec.
    pub own: Option<&'a Parameters>,
    /// From Secrets.
    pub from: &'a [ParametersFrom],
    /// Of all of them, as they were sent. Any of these was.
    pub checksums: Vec<String>,
}

impl Words {
    /// Reads the Secrets again, if there are any.
    pub async fn of(client: &Client, sent: Sent<'_>) -> Result<Self, kube::Error> {
        if sent.from.is_empty() {
            return Ok(Self::All);
        }
        let given = parameters::gather(client, sent.namespace, sent.defaults, sent.own, sent.from).await?;
        Ok(match given {
            Ok(given) if sent.checksums.contains(&given.checksum) => Self::Without(Box::new(given)),
            _ => Self::None,
        })
    }

    /// A sentence of the broker's.
    pub fn text(&self, said: &str) -> String {
        match self {
            Self::All => said.to_owned(),
            Self::Without(given) => given.scrub(said),
            Self::None => WITHHELD.to_owned(),
        }
    }

    /// What it says of an operation.
    pub fn operation(&self, told: LastOperation) -> LastOperation {
        told.saying(|said| self.text(said))
    }

    /// What it says when it says no.
    pub fn error(&self, error: clients::Error) -> clients::Error {
        let clients::Error::Broker(osb_client::Error::Refused(mut refusal)) = error else { return error };
        refusal.body.description = refusal.body.description.map(|said| self.text(&said));
        clients::Error::Broker(osb_client::Error::Refused(refusal))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;

    use super::*;
    use crate::kubernetes::api::SecretKeyRef;

    #[test]
    fn what_came_from_a_secret_is_taken_out_and_what_is_unknown_is_not_shown() {
        let from = ParametersFrom { secret_key_ref: Some(SecretKeyRef { name: "s".into(), key: "k".into() }) };
        let data = BTreeMap::from([("k".to_owned(), ByteString(br#"{"password":"hunter2"}"#.to_vec()))]);
        let secrets = BTreeMap::from([("s".to_owned(), Some(Secret { data: Some(data), ..Secret::default() }))]);
        let given = parameters::merge(None, None, &[from], &secrets).unwrap();
        let told = || -> LastOperation {
            let body = serde_json::json!({"state": "failed", "description": "hunter2 is too short"});
            serde_json::from_value(body).unwrap()
        };
        let said = |words: Words| words.operation(told()).description().unwrap().to_owned();
        assert_eq!(said(Words::All), "hunter2 is too short");
        assert_eq!(said(Words::Without(Box::new(given))), "<redacted> is too short");
        assert!(!said(Words::None).contains("hunter2"));
    }
}
