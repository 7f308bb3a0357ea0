//! Clients per target.
//!
//! Guarantees: a target with a role is reached through that role or not at all (a refused assume-role is a fault, never a
//! fall-back to the broker's own credentials); a target without one is reached only if the broker's credentials belong to
//! the account the administrator named, so that a wrong number in a file cannot make things in a wrong account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;
use tokio::sync::OnceCell;

use super::assume::AssumedRole;
use super::error::{OrFault, credentials_fault};
use super::transport::{CallObserver, Leased, http_client};
use crate::driver::{Class, Fault, Target};

/// What a broker may tune about its calls.
#[derive(Clone)]
pub struct Settings {
    /// The longest a call may take, its retries included. The engine's leases are measured by it.
    pub call_timeout: Duration,
    /// The longest one attempt may take.
    pub attempt_timeout: Duration,
    /// The unit of back-off between the attempts of one call.
    pub backoff: Duration,
    /// Where AWS is, in place of `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
    /// Sees every attempt; none in production unless metrics are on.
    pub observer: Option<Arc<dyn CallObserver>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(15),
            attempt_timeout: Duration::from_secs(6),
            backoff: Duration::from_secs(1),
            endpoint_url: None,
            observer: None,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("call_timeout", &self.call_timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("backoff", &self.backoff)
            .field("endpoint_url", &self.endpoint_url)
            .field("observed", &self.observer.is_some())
            .finish()
    }
}

/// All sessions of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The broker's own credentials, the shared HTTP client, time-outs and retries.
    base: SdkConfig,
    settings: Settings,
    by_target: Mutex<HashMap<Target, Arc<Session>>>,
}

impl Sessions {
    /// Reads the standard AWS environment (`AWS_*`, profile files, web identity, container and instance roles) for the
    /// broker's own credentials. `AWS_ENDPOINT_URL` names a stand-in, `AWS_CA_BUNDLE` a file of certificates to trust
    /// besides the machine's. No call is made.
    pub async fn load(settings: Settings) -> Result<Self, Fault> {
        let ca_bundle = match std::env::var_os("AWS_CA_BUNDLE") {
            None => None,
            Some(path) => Some(tokio::fs::read(&path).await.map_err(|error| {
                Fault::new(Class::Denied, "the file that AWS_CA_BUNDLE names cannot be read")
                    .with_detail(error.to_string())
            })?),
        };
        let http: SharedHttpClient = http_client(settings.observer.clone(), ca_bundle);
        // Every target has its own region; this one only matters for fetching the broker's own credentials. The default
        // chain would end at the instance metadata service, which costs seconds where there is none.
        let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else("us-east-1");
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
        let loader = match &settings.endpoint_url {
            Some(url) => loader.endpoint_url(url),
            None => loader,
        };
        let base = loader
            .region(region)
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(settings.backoff))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(3))
                    .operation_attempt_timeout(settings.attempt_timeout)
                    .operation_timeout(settings.call_timeout)
                    .build(),
            )
            .load()
            .await;
        Ok(Self::from_config(base, settings))
    }

    /// From a configuration made elsewhere: tests that need other credentials than the environment's.
    pub fn from_config(base: SdkConfig, settings: Settings) -> Self {
        Self(Arc::new(Inner { base, settings, by_target: Mutex::default() }))
    }

    /// The same, with static credentials in place of the environment's.
    #[must_use]
    pub fn with_credentials(&self, access_key_id: &str, secret_access_key: &str) -> Self {
        let credentials = aws_credential_types::Credentials::new(
            access_key_id,
            secret_access_key,
            None,
            None,
            "given to the process",
        );
        let base = self.0.base.clone().into_builder().credentials_provider(SharedCredentialsProvider::new(credentials));
        Self::from_config(base.identity_cache(identity_cache()).build(), self.0.settings.clone())
    }

    /// The longest a call may take, its retries included.
    pub fn call_timeout(&self) -> Duration {
        self.0.settings.call_timeout
    }

    /// The session of that target, checked on first use.
    pub async fn of(&self, target: &Target) -> Result<Arc<Session>, Fault> {
        let session = {
            let mut held = self.0.by_target.lock().unwrap_or_else(PoisonError::into_inner);
            match held.get(target) {
                Some(session) => session.clone(),
                None => {
                    let session = Arc::new(self.open(target)?);
                    held.insert(target.clone(), session.clone());
                    session
                }
            }
        };
        session.check_account().await?;
        Ok(session)
    }

    /// A session in the broker's own account, for its own needs (the master key in KMS).
    pub fn own(&self, region: &str) -> Session {
        let target = Target {
            name: "the broker itself".to_owned(),
            account: String::new(),
            region: region.to_owned(),
            partition: String::new(),
            role_arn: None,
            external_id: None,
            permissions_boundary: None,
        };
        let config = self.0.base.clone().into_builder().region(Region::new(region.to_owned())).build();
        let call_timeout = self.0.settings.call_timeout;
        Session { target, config, call_timeout, clients: Clients::default(), caller: OnceCell::new() }
    }

    fn open(&self, target: &Target) -> Result<Session, Fault> {
        let regional = self.0.base.clone().into_builder().region(Region::new(target.region.clone())).build();
        let call_timeout = self.0.settings.call_timeout;
        let config = match &target.role_arn {
            None => regional,
            Some(role) => {
                if role.split(':').nth(4) != Some(target.account.as_str()) {
                    return Err(Fault::new(
                        Class::Denied,
                        format!("the target {} is not set up: its role is not in its account", target.name),
                    ));
                }
                // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_region-endpoints.html: the STS of
                // the target's own region.
                let sts = aws_sdk_sts::config::Builder::from(&regional).interceptor(Leased { call_timeout }).build();
                let role = AssumedRole::new(aws_sdk_sts::Client::from_conf(sts), target, role);
                regional
                    .into_builder()
                    .credentials_provider(SharedCredentialsProvider::new(role))
                    .identity_cache(identity_cache())
                    .build()
            }
        };
        Ok(Session {
            target: target.clone(),
            config,
            call_timeout,
            clients: Clients::default(),
            caller: OnceCell::new(),
        })
    }
}

/// Credentials are kept and renewed by the SDK; assuming a role may take as long as any call.
fn identity_cache() -> SharedIdentityCache {
    IdentityCache::lazy().load_timeout(Duration::from_secs(15)).build()
}

/// Who the broker is in a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The 12 digits of the account.
    pub account: String,
    /// `aws:userid` without the session: `AROA…` of a role, `AIDA…` of a user, the account's number of its root.
    pub unique_id: String,
}

/// The clients of one target.
#[derive(Debug)]
pub struct Session {
    target: Target,
    config: SdkConfig,
    call_timeout: Duration,
    clients: Clients,
    caller: OnceCell<Caller>,
}

#[derive(Debug, Default)]
struct Clients {
    iam: OnceLock<aws_sdk_iam::Client>,
    kms: OnceLock<aws_sdk_kms::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
}

macro_rules! client {
    ($(#[$doc:meta])* $name:ident, $sdk:ident $(, $set:ident)?) => {
        $(#[$doc])*
        pub fn $name(&self) -> $sdk::Client {
            self.clients.$name.get_or_init(|| {
                let config = $sdk::config::Builder::from(&self.config)
                    .interceptor(Leased { call_timeout: self.call_timeout });
                $(let config = self.$set(config);)?
                $sdk::Client::from_conf(config.build())
            }).clone()
        }
    };
}

impl Session {
    client!(/** Identity and Access Management. */ iam, aws_sdk_iam);
    client!(/** Key Management Service. */ kms, aws_sdk_kms);
    client!(/** Simple Storage Service. */ s3, aws_sdk_s3, path_style);
    client!(/** Simple Queue Service. */ sqs, aws_sdk_sqs);
    client!(/** Security Token Service of the target's region. */ sts, aws_sdk_sts);

    /// The target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// A stand-in answers on one host name, so bucket names go into the path there.
    fn path_style(&self, config: aws_sdk_s3::config::Builder) -> aws_sdk_s3::config::Builder {
        config
            .force_path_style(self.config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some())
    }

    /// Who the broker is there; asked once.
    pub async fn caller(&self) -> Result<&Caller, Fault> {
        self.caller
            .get_or_try_init(|| async {
                let me = self.sts().get_caller_identity().send().await.or_fault("sts:GetCallerIdentity")?;
                let user_id = me.user_id().unwrap_or_default();
                Ok(Caller {
                    account: me.account().unwrap_or_default().to_owned(),
                    unique_id: user_id.split(':').next().unwrap_or_default().to_owned(),
                })
            })
            .await
    }

    async fn check_account(&self) -> Result<(), Fault> {
        // A role's account stands in its ARN and was checked when the session was opened.
        if self.target.role_arn.is_some() {
            return Ok(());
        }
        let caller = self.caller().await?;
        if caller.account == self.target.account {
            return Ok(());
        }
        Err(credentials_fault(&self.target).with_detail(format!(
            "the broker's credentials belong to account {}, the target {} is account {}",
            caller.account, self.target.name, self.target.account
        )))
    }

    /// Whether these credentials can name themselves to STS: `None` when they can, else what STS answered. Asked once,
    /// without the SDK's retries and without keeping the credentials.
    pub async fn try_credentials(&self, access_key_id: &str, secret_access_key: &str) -> Result<(), Fault> {
        let credentials =
            aws_credential_types::Credentials::new(access_key_id, secret_access_key, None, None, "new key");
        let with = aws_sdk_sts::config::Builder::new()
            .credentials_provider(credentials)
            .identity_cache(aws_sdk_sts::config::IdentityCache::no_cache())
            .retry_config(RetryConfig::disabled());
        let answer = self.sts().get_caller_identity().customize().config_override(with).send().await;
        answer.or_fault("sts:GetCallerIdentity").map(drop)
    }
}
