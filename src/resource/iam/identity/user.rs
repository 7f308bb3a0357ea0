//! Mode `access-key`: an IAM user of its own, an inline policy and one access key.

use std::collections::BTreeMap;

use aws_sdk_iam::operation::create_user::CreateUserError;
use aws_sdk_iam::types::Tag;
use aws_smithy_types::retry::RetryConfig;

use super::Identity;
use crate::aws::{IAM_PATH, OrFault, fault};
use crate::driver::{Class, Context, Fault};
use crate::vault::SecretString;

/// A key that AWS has shown.
pub(super) struct NewKey {
    pub(super) id: String,
    pub(super) secret: SecretString,
}

impl Identity<'_> {
    /// Makes the user, or finds it to be ours, and gives it its boundary, tags and policy.
    pub(super) async fn ensure_user(&self) -> Result<(), Fault> {
        if !self.create_user().await? {
            self.converge_user().await?;
        }
        let call = self.iam.put_user_policy().user_name(self.name()).policy_name(self.name());
        let answer = call.policy_document(self.desired.policy().to_string()).send().await;
        answer.or_fault("iam:PutUserPolicy").map(drop).map_err(|fault| match fault.class {
            // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: 2,048 characters.
            Class::Denied if fault.detail.as_deref().is_some_and(|detail| detail.contains("LimitExceeded")) => Fault {
                class: Class::Rejected,
                message: "the permissions do not fit into a user's policy; a shorter prefix helps".to_owned(),
                ..fault
            },
            _ => not_visible_yet(fault),
        })
    }

    /// False if it is there already.
    async fn create_user(&self) -> Result<bool, Fault> {
        if !self.cx.first && self.known_key.is_some() {
            return Ok(false);
        }
        let call = self.iam.create_user().user_name(self.name()).path(IAM_PATH).set_tags(Some(tags(&self.cx.tags)?));
        let call = call.set_permissions_boundary(self.boundary().map(str::to_owned));
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(CreateUserError::EntityAlreadyExistsException(_)) => Ok(false),
                // The boundary does not exist.
                Some(CreateUserError::NoSuchEntityException(_)) => Err(Fault::new(
                    Class::Denied,
                    "the permissions boundary for users does not exist; the broker's operator has to fix that",
                )
                .with_detail(fault("iam:CreateUser", &error).detail.unwrap_or_default())),
                _ => Err(fault("iam:CreateUser", &error)),
            },
        }
    }

    async fn converge_user(&self) -> Result<(), Fault> {
        let Some((held, boundary)) = self.look().await? else {
            return Err(match self.known_key {
                Some(_) => gone(),
                None => Fault::transient("the new user is not visible yet"),
            });
        };
        let mut wanted = held.clone();
        wanted.extend(self.cx.tags.clone());
        if wanted != held {
            let call = self.iam.tag_user().user_name(self.name()).set_tags(Some(tags(&self.cx.tags)?));
            call.send().await.or_fault("iam:TagUser")?;
        }
        match (self.boundary(), boundary) {
            (Some(wanted), held) if held.as_deref() != Some(wanted) => {
                let call = self.iam.put_user_permissions_boundary().user_name(self.name());
                call.permissions_boundary(wanted).send().await.or_fault("iam:PutUserPermissionsBoundary")?;
            }
            (None, Some(_)) => {
                let call = self.iam.delete_user_permissions_boundary().user_name(self.name());
                call.send().await.or_fault("iam:DeleteUserPermissionsBoundary")?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The user's tags and boundary, none if there is no such user. One that another owner made is a conflict; one whose
    /// owner tag somebody took off is ours, because the name holds 80 random bits of ours.
    async fn look(&self) -> Result<Option<(BTreeMap<String, String>, Option<String>)>, Fault> {
        let answer = match self.iam.get_user().user_name(self.name()).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_entity_exception()) => return Ok(None),
            Err(error) => return Err(fault("iam:GetUser", &error)),
        };
        let Some(user) = answer.user else { return Ok(None) };
        let tags: BTreeMap<String, String> =
            user.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
        if tags.get(Context::OWNER_TAG).is_some_and(|owner| *owner != self.cx.owner.to_string()) {
            return Err(Fault::new(
                Class::Conflict,
                format!("an IAM user named {} that the broker did not make is in the way", self.name()),
            ));
        }
        Ok(Some((tags, user.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn))))
    }

    /// Deletes every key but the one to keep; true if that one is there.
    pub(super) async fn keep_only(&self, keep: Option<&str>) -> Result<bool, Fault> {
        let answer = self.iam.list_access_keys().user_name(self.name()).send().await;
        let keys = answer.or_fault("iam:ListAccessKeys").map_err(not_visible_yet)?.access_key_metadata;
        let mut kept = false;
        for id in keys.into_iter().filter_map(|key| key.access_key_id) {
            match keep == Some(id.as_str()) {
                true => kept = true,
                false => self.delete_key(&id).await?,
            }
        }
        Ok(kept)
    }

    pub(super) async fn delete_key(&self, id: &str) -> Result<(), Fault> {
        match self.iam.delete_access_key().user_name(self.name()).access_key_id(id).send().await {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_entity_exception()) => Ok(()),
            answer => answer.or_fault("iam:DeleteAccessKey").map(drop),
        }
    }

    /// One key. Never sent twice: if the reply is lost, the secret is, and a second try would leave a live key that nobody
    /// knows. The engine calls again, and then every key goes first.
    pub(super) async fn create_key(&self) -> Result<NewKey, Fault> {
        let once = aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled());
        let call = self.iam.create_access_key().user_name(self.name()).customize().config_override(once);
        let answer = call.send().await.or_fault("iam:CreateAccessKey").map_err(|fault| match fault.class {
            // Two keys is the most a user can have, and none was left a moment ago: IAM has not caught up.
            Class::Denied if fault.detail.as_deref().is_some_and(|detail| detail.contains("LimitExceeded")) => {
                Fault { class: Class::Transient, ..fault }
            }
            _ => not_visible_yet(fault),
        })?;
        let key = answer.access_key.ok_or_else(|| Fault::bug("IAM answered without the new key"))?;
        Ok(NewKey { id: key.access_key_id, secret: SecretString::from(key.secret_access_key) })
    }

    /// Makes the user gone. With a handle we know it to be ours; without one its tag is asked.
    pub(super) async fn delete_user(&self) -> Result<(), Fault> {
        match &self.known_key {
            Some(key) => self.delete_key(key).await?,
            None => match self.look().await {
                Ok(Some(_)) => {
                    match self.keep_only(None).await {
                        Err(fault) if fault.class != Class::Transient => return Err(fault),
                        _ => {}
                    };
                }
                Ok(None) => return Ok(()),
                Err(fault) if fault.class == Class::Conflict => return Ok(()),
                Err(fault) => return Err(fault),
            },
        }
        match self.iam.delete_user_policy().user_name(self.name()).policy_name(self.name()).send().await {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_entity_exception()) => {}
            answer => answer.or_fault("iam:DeleteUserPolicy").map(drop)?,
        }
        if self.try_delete_user().await? {
            return Ok(());
        }
        // Something is left on it: a key that a lost reply or a person made, a policy that a person added.
        self.strip_user().await?;
        match self.try_delete_user().await? {
            true => Ok(()),
            false => Err(Fault::transient("the IAM user still has things attached to it")),
        }
    }

    /// False if AWS says that something is attached to it.
    async fn try_delete_user(&self) -> Result<bool, Fault> {
        match self.iam.delete_user().user_name(self.name()).send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(e) if e.is_no_such_entity_exception() => Ok(true),
                Some(e) if e.is_delete_conflict_exception() => Ok(false),
                _ => Err(fault("iam:DeleteUser", &error)),
            },
        }
    }

    async fn strip_user(&self) -> Result<(), Fault> {
        let user = self.name();
        self.keep_only(None).await?;
        let inline = self.iam.list_user_policies().user_name(user).send().await.or_fault("iam:ListUserPolicies")?;
        for name in inline.policy_names() {
            let call = self.iam.delete_user_policy().user_name(user).policy_name(name);
            call.send().await.or_fault("iam:DeleteUserPolicy")?;
        }
        let call = self.iam.list_attached_user_policies().user_name(user);
        let attached = call.send().await.or_fault("iam:ListAttachedUserPolicies")?;
        for policy in attached.attached_policies() {
            let call = self.iam.detach_user_policy().user_name(user).set_policy_arn(policy.policy_arn.clone());
            call.send().await.or_fault("iam:DetachUserPolicy")?;
        }
        let groups = self.iam.list_groups_for_user().user_name(user).send().await.or_fault("iam:ListGroupsForUser")?;
        for group in groups.groups() {
            let call = self.iam.remove_user_from_group().user_name(user).group_name(group.group_name());
            call.send().await.or_fault("iam:RemoveUserFromGroup")?;
        }
        Ok(())
    }
}

/// The user of a ready binding has been deleted by somebody; a new one would have other credentials than those handed out.
pub(super) fn gone() -> Fault {
    Fault::new(Class::Gone, "the access key of this binding was deleted in AWS; unbind and bind again to get a new one")
}

/// What we made a moment ago and IAM does not find yet.
fn not_visible_yet(fault: Fault) -> Fault {
    match fault.class {
        Class::Gone => {
            Fault { class: Class::Transient, message: "AWS does not see the new user yet".to_owned(), ..fault }
        }
        _ => fault,
    }
}

fn tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, Fault> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(|error| Fault::bug("a request to IAM could not be built").with_detail(error.to_string()))
}
