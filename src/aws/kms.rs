//! The master key in KMS. It wraps the keys of the ring only, so it is asked at start and at rotation.

use async_trait::async_trait;
use aws_sdk_kms::primitives::Blob;
use zeroize::Zeroizing;

use super::Sessions;
use super::error::OrFault;
use crate::driver::Fault;
use crate::vault::{Error, KeyBytes, MasterKey};

/// The name under which what a ring key is bound to stands in the encryption context. KMS authenticates the context and
/// writes it to CloudTrail (<https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>).
const CONTEXT: &str = "chandlery";

/// A symmetric KMS key, used with the broker's own credentials (a key in another account works if its policy says so).
#[derive(Clone, Debug)]
pub struct KmsMasterKey {
    client: aws_sdk_kms::Client,
    arn: String,
}

impl KmsMasterKey {
    /// The key of that ARN. An alias would do for KMS, too, but could be pointed at another key while values are sealed
    /// under the first.
    pub fn new(sessions: &Sessions, arn: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = arn.split(':').collect();
        match parts.as_slice() {
            ["arn", _, "kms", region, _, key] if key.starts_with("key/") => {
                Ok(Self { client: sessions.own(region).kms(), arn: arn.to_owned() })
            }
            _ => Err(Error::master(arn, "it must be the ARN of a KMS key: arn:aws:kms:REGION:ACCOUNT:key/ID")),
        }
    }

    fn failed(&self, fault: &Fault) -> Error {
        // Read by operators alone, so AWS's own words are welcome.
        let detail = fault.detail.as_deref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        Error::master(&self.arn, format!("{fault}{detail}"))
    }
}

#[async_trait]
impl MasterKey for KmsMasterKey {
    fn id(&self) -> String {
        self.arn.clone()
    }

    async fn wrap(&self, plain: &KeyBytes, aad: &[u8]) -> Result<Vec<u8>, Error> {
        let call = self.client.encrypt().key_id(&self.arn).plaintext(Blob::new(plain.expose().to_vec()));
        let answer = call.encryption_context(CONTEXT, String::from_utf8_lossy(aad)).send().await;
        let answer = answer.or_fault("kms:Encrypt").map_err(|fault| self.failed(&fault))?;
        let wrapped = answer.ciphertext_blob.ok_or_else(|| Error::master(&self.arn, "KMS answered with nothing"))?;
        Ok(wrapped.into_inner())
    }

    async fn unwrap(&self, wrapped: &[u8], aad: &[u8]) -> Result<KeyBytes, Error> {
        let call = self.client.decrypt().key_id(&self.arn).ciphertext_blob(Blob::new(wrapped));
        let answer = call.encryption_context(CONTEXT, String::from_utf8_lossy(aad)).send().await;
        let answer = answer.or_fault("kms:Decrypt").map_err(|fault| self.failed(&fault))?;
        let plain = Zeroizing::new(answer.plaintext.map(Blob::into_inner).unwrap_or_default());
        KeyBytes::from_slice(&plain).ok_or_else(|| Error::master(&self.arn, "what KMS unwrapped is not a ring key"))
    }
}
