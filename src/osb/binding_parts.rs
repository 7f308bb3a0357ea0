//! The parts of a binding's bodies: what is bound, how long it holds, where it is reached.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::wire::{self, ForVersion};
use super::{ApiVersion, Error};

/// `bind_resource`: what is bound. Platforms add entries of their own, which are kept.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BindResource(pub Map<String, Value>);

impl BindResource {
    /// The app, or what a platform has in its place.
    pub fn app_guid(&self) -> Option<&str> {
        wire::text(&self.0, "app_guid")
    }

    /// The route, for offerings that forward one.
    pub fn route(&self) -> Option<&str> {
        wire::text(&self.0, "route")
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        for name in ["app_guid", "route"] {
            if !matches!(self.0.get(name), None | Some(Value::Null | Value::String(_))) {
                return Err(Error::bad_request(format!("bind_resource.{name} must be a string")));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for BindResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BindResource")?;
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// How long a binding holds (2.16), and from when on the platform should rotate it (2.17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingMetadata {
    /// When the credentials end.
    #[serde(default, with = "instant", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Not after `expires_at`.
    #[serde(default, with = "instant", skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<Timestamp>,
}

impl BindingMetadata {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.expires_at.is_none() && self.renew_before.is_none()
    }
}

impl ForVersion for BindingMetadata {
    fn for_version(self, version: ApiVersion) -> Self {
        Self {
            expires_at: self.expires_at.filter(|_| version.has_metadata()),
            renew_before: self.renew_before.filter(|_| version.has_rotation()),
        }
    }
}

/// The specification's pattern `yyyy-mm-ddThh:mm:ss.sZ`: always a fraction, always `Z`.
mod instant {
    use super::*;

    pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(&at.strftime("%Y-%m-%dT%H:%M:%S%.1fZ")),
            None => serializer.serialize_none(),
        }
    }

    /// Any RFC 3339 time; what another broker writes otherwise is no reason to lose a binding, so it counts as absent.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
    }
}

/// One host an app talks to (2.15).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// Ports and ranges as text: `443`, `9000-9010`. Never empty.
    pub ports: Vec<String>,
    /// `tcp` when absent.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub protocol: Option<String>,
}

/// One volume for the app's containers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeMount {
    /// The volume driver's name.
    pub driver: String,
    /// Where in the container.
    pub container_dir: String,
    /// `r` or `rw`.
    pub mode: String,
    /// `shared`, the only one there is.
    pub device_type: String,
    /// What is mounted.
    pub device: Device,
}

/// The device of a [`VolumeMount`].
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// The volume.
    pub volume_id: String,
    /// For the driver; may hold a password.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::no_entries")]
    pub mount_config: Map<String, Value>,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("volume_id", &self.volume_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_always_has_its_fraction() {
        for (given, written) in [
            ("2026-02-03T04:05:06Z", "2026-02-03T04:05:06.0Z"),
            ("2026-02-03T04:05:06.789+01:00", "2026-02-03T03:05:06.7Z"),
        ] {
            let metadata = BindingMetadata { expires_at: Some(given.parse().unwrap()), renew_before: None };
            let text = serde_json::to_string(&metadata).unwrap();
            assert_eq!(text, format!(r#"{{"expires_at":"{written}"}}"#));
        }
        let odd: BindingMetadata = serde_json::from_str(r#"{"expires_at":"tomorrow","renew_before":null}"#).unwrap();
        assert!(odd.is_empty());
    }

    #[test]
    fn the_wrong_type_is_named_and_not_shown() {
        let resource: BindResource = serde_json::from_str(r#"{"app_guid":["hunter2"]}"#).unwrap();
        assert_eq!(resource.check().unwrap_err().description(), "bind_resource.app_guid must be a string");
        assert!(!format!("{resource:?}").contains("hunter2"));
    }
}
