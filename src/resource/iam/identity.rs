//! `iam/identity`: who a binding is in AWS.
//!
//! **One live key, the one handed out.** AWS shows a secret access key once. [`Progress::Ready`] carries it as the secret
//! output `credentials`, and the engine seals it in the same write that marks the row ready. Until then no key counts: a
//! call without a ready handle first deletes every key of the user and then makes one. A ready handle names the key
//! (`access_key_id`); then the key stays, and `Ready` comes *without* the output `credentials`, which means "as sealed".
//!
//! **Ready means usable.** A new key takes seconds to be known everywhere, so it has to name itself to STS first. The
//! secret waits for that in this process's memory alone; if the process ends, or another replica goes on, the key is
//! deleted and a new one made.

mod desired;
mod role;
mod user;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};

use self::desired::{Desired, Mode};
use self::user::NewKey;
use crate::aws::{IAM_PATH, OrFault, Session, Sessions, is_new_principal_unknown};
use crate::driver::{Context, Deletion, Driver, Fault, Found, Handle, Kind, Naming, Output, Outputs, Progress};
use crate::vault::ExposeSecret as _;

/// How long IAM may take to spread a new key before a refusal is believed.
const SPREAD: Duration = Duration::from_secs(120);
/// Waits between questions to STS within one call.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(300), Duration::from_millis(600), Duration::from_millis(1000), Duration::from_millis(2000)];

/// The driver.
pub struct IdentityDriver {
    sessions: Sessions,
    kind: Kind,
    /// Keys that were made here and have not named themselves yet, by user name.
    unproven: Mutex<HashMap<String, Arc<Unproven>>>,
}

struct Unproven {
    key: NewKey,
    made: Instant,
}

impl IdentityDriver {
    /// Over these sessions.
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions, kind: kind(), unproven: Mutex::default() }
    }

    async fn identity<'a>(
        &self,
        cx: &'a Context,
        desired: &Value,
        known: Option<&Handle>,
    ) -> Result<Identity<'a>, Fault> {
        let session = self.sessions.of(&cx.target).await?;
        let known_key = known.and_then(|handle| handle.0["access_key_id"].as_str()).map(str::to_owned);
        Ok(Identity { iam: session.iam(), session, cx, desired: Desired::read(desired)?, known_key })
    }

    fn remember(&self, name: &str, key: NewKey) -> Arc<Unproven> {
        let unproven = Arc::new(Unproven { key, made: Instant::now() });
        let mut held = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        // What another replica finished, or nobody asked for again, is not kept for ever.
        held.retain(|_, other| other.made.elapsed() < 2 * SPREAD);
        held.insert(name.to_owned(), unproven.clone());
        unproven
    }

    fn forget(&self, name: &str) {
        self.unproven.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The key that the last turn left to be proven, if that was here.
    fn unproven(&self, name: &str, known: Option<&Handle>) -> Option<Arc<Unproven>> {
        let id = known?.0["unproven_key_id"].as_str()?;
        let held = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(name).filter(|unproven| unproven.key.id == id && unproven.made.elapsed() < SPREAD).cloned()
    }

    async fn ensure_key(&self, identity: &Identity<'_>, known: Option<&Handle>) -> Result<Progress, Fault> {
        let name = identity.name();
        let unproven = match self.unproven(name, known) {
            Some(unproven) => unproven,
            None => {
                identity.ensure_user().await?;
                if !identity.cx.first {
                    identity.keep_only(None).await?;
                }
                self.remember(name, identity.create_key().await?)
            }
        };
        let key = &unproven.key;
        let unproven_handle = || Handle(json!({ "user_name": name, "unproven_key_id": key.id }));
        let mut pauses = PAUSES.iter();
        loop {
            match identity.session.try_credentials(&key.id, key.secret.expose_secret()).await {
                Ok(()) => break,
                Err(fault) if is_new_principal_unknown(&fault) && unproven.made.elapsed() < SPREAD => {}
                // The next turn goes on with this key, if it comes to this process.
                Err(fault) => return Err(fault.with_handle(unproven_handle())),
            }
            match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => {
                    return Ok(Progress::Waiting {
                        handle: unproven_handle(),
                        after: Duration::from_secs(2),
                        note: "the new access key is spreading through AWS".to_owned(),
                    });
                }
            }
        }
        if !identity.cx.first {
            // IAM's list lags behind: a key of a lost reply may not have been on it before.
            identity.keep_only(Some(&key.id)).await?;
        }
        let mut outputs = identity.outputs();
        outputs.0.insert(
            "credentials".to_owned(),
            json!({ "access_key_id": key.id, "secret_access_key": key.secret.expose_secret() }),
        );
        let handle = Handle(json!({ "user_name": name, "access_key_id": key.id }));
        self.forget(name);
        Ok(Progress::Ready { handle, outputs })
    }
}

#[async_trait]
impl Driver for IdentityDriver {
    fn kind(&self) -> &Kind {
        &self.kind
    }

    async fn ensure(&self, cx: &Context, desired: &Value, known: Option<&Handle>) -> Result<Progress, Fault> {
        let identity = self.identity(cx, desired, known).await?;
        match (identity.desired.mode, identity.known_key.clone()) {
            (Mode::Role, _) => {
                identity.put_role_policy().await?;
                let mut outputs = identity.outputs();
                let role = identity.desired.role_arn.clone().unwrap_or_default();
                outputs.0.insert("credentials".to_owned(), json!({ "role_arn": role }));
                Ok(Progress::Ready { handle: Handle(json!({ "role_arn": role })), outputs })
            }
            (Mode::AccessKey, None) => self.ensure_key(&identity, known).await,
            (Mode::AccessKey, Some(key)) => {
                identity.ensure_user().await?;
                if !identity.keep_only(Some(&key)).await? {
                    return Err(user::gone());
                }
                let handle = Handle(json!({ "user_name": cx.name, "access_key_id": key }));
                Ok(Progress::Ready { handle, outputs: identity.outputs() })
            }
        }
    }

    async fn may_delete(&self, _: &Context, _: &Value, _: Option<&Handle>) -> Result<(), Fault> {
        Ok(())
    }

    async fn delete(&self, cx: &Context, desired: &Value, known: Option<&Handle>) -> Result<Deletion, Fault> {
        let identity = self.identity(cx, desired, known).await?;
        match identity.desired.mode {
            Mode::Role => identity.delete_role_policy().await?,
            Mode::AccessKey => identity.delete_user().await?,
        }
        self.forget(&cx.name);
        Ok(Deletion::Gone)
    }

    /// Users only: which roles of callers carry a policy of ours, their bindings say. To find such a policy without its binding
    /// would take iam:GetAccountAuthorizationDetails or a call for every role of the account: more than the broker should
    /// be allowed to see.
    async fn inventory(&self, cx: &Context, prefix: &str) -> Result<Vec<Found>, Fault> {
        let session = self.sessions.of(&cx.target).await?;
        let iam = session.iam();
        let mut found = Vec::new();
        let mut pages = iam.list_users().path_prefix(IAM_PATH).into_paginator().send();
        while let Some(page) = pages.next().await {
            for user in page.or_fault("iam:ListUsers")?.users {
                if !user.user_name.starts_with(prefix) {
                    continue;
                }
                // ListUsers leaves the tags out: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html
                let tags = match iam.list_user_tags().user_name(&user.user_name).send().await {
                    Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_entity_exception()) => continue,
                    answer => answer.or_fault("iam:ListUserTags")?.tags,
                };
                let owner = tags.into_iter().find(|tag| tag.key == Context::OWNER_TAG).map(|tag| tag.value);
                found.push(Found { name: user.user_name, owner });
            }
        }
        Ok(found)
    }

    fn is_listed(&self, known: Option<&Handle>) -> bool {
        known.is_none_or(|handle| handle.0["role_arn"].is_null())
    }
}

/// One identity and what is wanted of it.
struct Identity<'a> {
    session: Arc<Session>,
    iam: aws_sdk_iam::Client,
    cx: &'a Context,
    desired: Desired,
    /// The key that was handed out.
    known_key: Option<String>,
}

impl Identity<'_> {
    fn name(&self) -> &str {
        &self.cx.name
    }

    /// The boundary of the user: the offering's own, or else the target's, so that no offering can forget it.
    fn boundary(&self) -> Option<&str> {
        self.desired.permissions_boundary.as_deref().or(self.cx.target.permissions_boundary.as_deref())
    }

    fn outputs(&self) -> Outputs {
        let target = &self.cx.target;
        let outputs = match self.desired.mode {
            Mode::AccessKey => json!({
                "user_name": self.name(),
                "arn": format!("arn:{}:iam::{}:user{}{}", target.partition, target.account, IAM_PATH, self.name()),
            }),
            Mode::Role => json!({ "user_name": null, "arn": self.desired.role_arn }),
        };
        Outputs(outputs.as_object().cloned().unwrap_or_default())
    }
}

fn kind() -> Kind {
    Kind {
        name: "iam/identity",
        summary: "Who a binding is: an IAM user with one access key, or a policy on a role of the caller's",
        schema: desired::schema(),
        mutable: desired::MUTABLE,
        outputs: OUTPUTS,
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
        naming: Naming { max_length: 64, extra: "+=,.@_-", global: false },
        usual_create: Duration::from_secs(12),
        usual_delete: Duration::from_secs(2),
        actions: ACTIONS,
    }
}

const OUTPUTS: &[Output] = &[
    Output {
        name: "credentials",
        secret: true,
        description: "`access_key_id` and `secret_access_key`, or `role_arn` in mode `role`.",
    },
    Output { name: "user_name", secret: false, description: "The IAM user's name; none in mode `role`." },
    Output { name: "arn", secret: false, description: "The ARN of the user or role." },
];

const ACTIONS: &[&str] = &[
    "iam:CreateAccessKey",
    "iam:CreateUser",
    "iam:DeleteAccessKey",
    "iam:DeleteRolePolicy",
    "iam:DeleteUser",
    "iam:DeleteUserPermissionsBoundary",
    "iam:DeleteUserPolicy",
    "iam:DetachUserPolicy",
    "iam:GetUser",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "iam:ListGroupsForUser",
    "iam:ListUserPolicies",
    "iam:ListUserTags",
    "iam:ListUsers",
    "iam:PutRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:RemoveUserFromGroup",
    "iam:TagUser",
];
