//! `context`: where on the platform a thing belongs. Opaque but for the entries of the OSB profile.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::wire;

/// What the platform says of the surroundings of an instance or a binding. Unknown platforms and unknown entries are
/// kept as they came; it is never part of an instance's identity (names and annotations may change).
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Context(pub Map<String, Value>);

macro_rules! entries {
    ($($(#[$doc:meta])* $name:ident)*) => {
        impl Context {$(
            $(#[$doc])*
            pub fn $name(&self) -> Option<&str> {
                wire::text(&self.0, stringify!($name))
            }
        )*}
    };
}

entries! {
    /// `kubernetes`, `cloudfoundry`, or any other word.
    platform
    /// The Kubernetes namespace.
    namespace
    /// The Kubernetes cluster.
    clusterid
    /// What the user called the instance (2.15).
    instance_name
    /// The Cloud Foundry organisation.
    organization_guid
    /// Its name, which may change.
    organization_name
    /// The Cloud Foundry space.
    space_guid
    /// Its name, which may change.
    space_name
}

impl Context {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Context {
    /// Annotations are the user's own words, so only names are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context")?;
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_platform_and_odd_values_are_no_error() {
        let context: Context =
            serde_json::from_str(r#"{"platform":"nomad","namespace":7,"space_name":"","x":{"y":[1.0]}}"#).unwrap();
        assert_eq!((context.platform(), context.namespace(), context.space_name()), (Some("nomad"), None, None));
        assert_eq!(context.0["x"]["y"][0], 1.0);
    }
}
