//! Mode `role`: an inline policy on a role of the caller's. The role itself is never made, changed otherwise or deleted.

use super::Identity;
use crate::aws::OrFault;
use crate::driver::{Class, Fault};

impl Identity<'_> {
    /// The role's name; its ARN was allowed by the administrator and has to be in the target's account, since nothing else
    /// can be reached from there.
    fn role_name(&self) -> Result<&str, Fault> {
        let arn = self.desired.role_arn.as_deref().ok_or_else(|| Fault::rejected("the mode `role` needs a role"))?;
        if arn.split(':').nth(4) != Some(self.cx.target.account.as_str()) {
            return Err(Fault::rejected("the role is in another AWS account than the instance"));
        }
        arn.rsplit('/')
            .next()
            .filter(|name| !name.is_empty())
            .ok_or_else(|| Fault::rejected("the role's ARN has no name"))
    }

    pub(super) async fn put_role_policy(&self) -> Result<(), Fault> {
        let call = self.iam.put_role_policy().role_name(self.role_name()?).policy_name(self.name());
        let answer = call.policy_document(self.desired.policy().to_string()).send().await;
        answer.or_fault("iam:PutRolePolicy").map(drop).map_err(|fault| match fault.class {
            Class::Gone => Fault { class: Class::Rejected, message: "the role does not exist".to_owned(), ..fault },
            // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: 10,240 characters for all inline
            // policies of a role together.
            Class::Denied if fault.detail.as_deref().is_some_and(|detail| detail.contains("LimitExceeded")) => Fault {
                class: Class::Rejected,
                message:
                    "the role has no room for another inline policy; unbind something from it or use an access key"
                        .to_owned(),
                ..fault
            },
            _ => fault,
        })
    }

    pub(super) async fn delete_role_policy(&self) -> Result<(), Fault> {
        // A role that could not be named never got a policy.
        let Ok(role) = self.role_name() else { return Ok(()) };
        let call = self.iam.delete_role_policy().role_name(role).policy_name(self.name());
        match call.send().await {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_entity_exception()) => Ok(()),
            answer => answer.or_fault("iam:DeleteRolePolicy").map(drop),
        }
    }
}
