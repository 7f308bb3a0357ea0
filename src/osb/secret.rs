//! JSON objects whose values may be secret. `Debug` shows the names of the entries only; serialising writes everything.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! secret_object {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Map<String, Value>);

        impl $name {
            /// Whether there is no entry.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl From<Map<String, Value>> for $name {
            fn from(object: Map<String, Value>) -> Self {
                Self(object)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))?;
                f.debug_set().entries(self.0.keys()).finish()
            }
        }
    )*};
}

secret_object! {
    /// What a user set for an instance or a binding. Absent, `null` and `{}` are the same.
    Parameters
    /// What a binding hands out. Never empty when it is on the wire: Service Catalog panics on a null map.
    Credentials
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_names_and_the_wire_shows_all() {
        let credentials: Credentials = serde_json::from_str(r#"{"password":"hunter2","port":5432}"#).unwrap();
        assert_eq!(format!("{credentials:?}"), r#"Credentials{"password", "port"}"#);
        assert_eq!(serde_json::to_string(&credentials).unwrap(), r#"{"password":"hunter2","port":5432}"#);
    }
}
