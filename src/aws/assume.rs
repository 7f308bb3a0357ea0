//! Credentials of a target's role. Refused means refused: there is nothing to fall back to.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};

use super::error::{OrFault, credentials_fault};
use crate::driver::{Class, Fault, Target};

/// Assumes one role. The SDK's identity cache keeps what it gives and asks again before it expires.
#[derive(Debug)]
pub(super) struct AssumedRole {
    sts: aws_sdk_sts::Client,
    target: Target,
    role_arn: String,
}

impl AssumedRole {
    pub(super) fn new(sts: aws_sdk_sts::Client, target: &Target, role_arn: &str) -> Self {
        Self { sts, target: target.clone(), role_arn: role_arn.to_owned() }
    }

    async fn assume(&self) -> Result<Credentials, Fault> {
        // https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
        let answer = self
            .sts
            .assume_role()
            .role_arn(&self.role_arn)
            .set_external_id(self.target.external_id.clone())
            .role_session_name("chandlery")
            .send()
            .await
            .or_fault("sts:AssumeRole")
            .map_err(|fault| match fault.class {
                Class::Denied | Class::Rejected | Class::Gone => {
                    Fault { detail: fault.detail, ..credentials_fault(&self.target) }
                }
                _ => fault,
            })?;
        let given = answer.credentials().ok_or_else(|| Fault::bug("STS answered without credentials"))?;
        let expires = SystemTime::try_from(*given.expiration()).ok();
        let token = Some(given.session_token().to_owned());
        Ok(Credentials::new(given.access_key_id(), given.secret_access_key(), token, expires, "AssumedRole"))
    }
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            provider::Result::from(self.assume().await.map_err(CredentialsError::provider_error))
        })
    }
}
