//! `X-Broker-API-Originating-Identity`: the user on whose behalf the platform calls.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::wire;

/// Padding is wanted by the spec's words, yet some platforms leave it away.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A platform's word and its description of the user. It is a claim of the platform, for the record; it grants nothing.
#[derive(Clone, PartialEq)]
pub struct OriginatingIdentity {
    /// `kubernetes`, `cloudfoundry`, or any other word.
    pub platform: String,
    /// What the platform says of the user: an object, opaque but for [`Self::user`].
    pub value: Map<String, Value>,
}

impl OriginatingIdentity {
    /// Reads the header. The spec does not say what a malformed one means; it is to be ignored with the reason as a
    /// warning, which never holds the value.
    pub fn parse(header: &str) -> Result<Self, &'static str> {
        let (platform, encoded) = header.trim().split_once(' ').ok_or("it is not a platform and a value")?;
        let encoded = encoded.trim();
        let decoded =
            STANDARD.decode(encoded).or_else(|_| URL_SAFE.decode(encoded)).map_err(|_| "its value is not base64")?;
        let value = serde_json::from_slice(&decoded).map_err(|_| "its value is not a JSON object in base64")?;
        if wire::holds_nul(&value) {
            return Err("it holds a NUL character");
        }
        Ok(Self { platform: platform.to_owned(), value })
    }

    /// The header's text.
    pub fn to_header(&self) -> String {
        let value = serde_json::to_vec(&self.value).unwrap_or_default();
        format!("{} {}", self.platform, STANDARD.encode(value))
    }

    /// The user's name or id: `username` or `uid` of Kubernetes, `user_id` of Cloud Foundry.
    pub fn user(&self) -> Option<&str> {
        ["username", "user_id", "uid"].into_iter().find_map(|name| wire::text(&self.value, name))
    }
}

impl fmt::Debug for OriginatingIdentity {
    /// Names only: what a platform puts into `extra` may be a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.platform)?;
        f.debug_set().entries(self.value.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_read() {
        let header = "cloudfoundry eyANCiAgInVzZXJfaWQiOiAiNjgzZWE3NDgtMzA5Mi00ZmY0LWI2NTYtMzljYWNjNGQ1MzYwIg0KfQ==";
        let identity = OriginatingIdentity::parse(header).unwrap();
        assert_eq!(identity.platform, "cloudfoundry");
        assert_eq!(identity.user(), Some("683ea748-3092-4ff4-b656-39cacc4d5360"));
        assert_eq!(OriginatingIdentity::parse(&identity.to_header()), Ok(identity));
    }

    #[test]
    fn padding_may_lack() {
        assert!(OriginatingIdentity::parse("kubernetes eyJhIjoxMn0").is_ok());
    }

    #[test]
    fn a_malformed_one_gives_a_reason_without_its_value() {
        for header in ["", "kubernetes", "kubernetes !!", "kubernetes NQ==", "kubernetes bnVsbA==", "kubernetes W10="] {
            assert!(OriginatingIdentity::parse(header).is_err(), "{header}");
        }
    }
}
