//! The identities of the protocol, one type each, so that no two can be confused.
//!
//! What a platform chooses (`InstanceId`, `BindingId`) may be any non-empty string (spec: "Characters in URLs"); what we
//! choose ([`Uid`], [`OperationId`]) is random.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// No id at all: what a request that lacks it holds until it is checked.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    )*};
}

text_id! {
    /// The id a platform gave to an instance. Unique per platform only; it may be used again after a delete.
    InstanceId
    /// The id a platform gave to a binding. Unique per instance only.
    BindingId
    /// The id of an offering ("service") in the catalog.
    ServiceId
    /// The id of a plan in the catalog.
    PlanId
    /// The name of an OSB client, from the administrator's file: whose credentials were used.
    PlatformName
}

macro_rules! random_id {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one: 122 random bits.
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// As a UUID, for the database.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

random_id! {
    /// A row's own identity (instance, binding or resource), never the platform's id: names, client tokens and owner tags
    /// derive from it, so an id that is used again is a new incarnation.
    Uid
    /// The identity of an operation; its text is OSB's `operation`.
    OperationId
}
