//! The user who last changed an object's spec.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::json::nullable;
use crate::osb::OriginatingIdentity;

/// The user who last changed the spec, as the API server knows them. Set by admission, never by the user.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserInfo {
    /// The user's name.
    #[serde(default)]
    pub username: String,
    /// What tells apart two users who had the same name at different times.
    #[serde(default)]
    pub uid: String,
    /// The groups of the user.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What else the authenticator said.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

impl fmt::Debug for UserInfo {
    /// An authenticator may put a token into `extra`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserInfo").field("username", &self.username).finish_non_exhaustive()
    }
}

impl UserInfo {
    /// As brokers are told of the user (OSB profile, "Originating Identity Header").
    pub fn identity(&self) -> OriginatingIdentity {
        let value = match serde_json::to_value(self) {
            Ok(Value::Object(value)) => value,
            _ => Map::new(),
        };
        OriginatingIdentity { platform: "kubernetes".to_owned(), value }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_broker_hears_of_the_user_and_a_log_does_not() {
        let user: UserInfo =
            serde_json::from_value(json!({"username": "alice", "groups": null, "extra": {"token": ["hunter2"]}}))
                .unwrap();
        assert_eq!(user.identity().user(), Some("alice"));
        assert_eq!(user.identity().value["extra"], json!({"token": ["hunter2"]}));
        assert!(!format!("{user:?}").contains("hunter2"));
    }
}
