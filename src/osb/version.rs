//! `X-Broker-API-Version`: which minor revision the platform speaks, and what it therefore knows.

use std::fmt;

use super::Error;

/// A version of the API. Only major 2 is served; every minor is (minor revisions add, they remove nothing).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    major: u16,
    minor: u16,
}

impl ApiVersion {
    /// The version this crate is written for.
    pub const CURRENT: Self = Self::v2(17);

    /// Below this minor no answer differs any more.
    const OLDEST_DIFFERENCE: u16 = 12;

    /// Version 2.`minor`.
    pub const fn v2(minor: u16) -> Self {
        Self { major: 2, minor }
    }

    /// Reads the header. Anything but `2.MINOR` is refused with 412, a missing or empty header too: the spec allows 400
    /// for the missing one (from 2.16), the checkers and other brokers want 412.
    pub fn parse(header: Option<&str>) -> Result<Self, Error> {
        let text = header.map_or("", str::trim);
        if text.is_empty() {
            return Err(Error::precondition("The header X-Broker-API-Version is missing; send 2.17"));
        }
        let version = text.split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
        match version {
            Some((2, minor)) => Ok(Self::v2(minor)),
            Some(_) => {
                Err(Error::precondition("This broker serves version 2 of the API; send X-Broker-API-Version 2.17"))
            }
            None => Err(Error::precondition("The header X-Broker-API-Version is not MAJOR.MINOR; send 2.17")),
        }
    }

    /// The nearest version that gets the same answers: a small set, good as the key of a cache.
    pub fn effective(self) -> Self {
        Self::v2(self.minor.clamp(Self::OLDEST_DIFFERENCE, Self::CURRENT.minor))
    }

    /// The minor number.
    pub fn minor(self) -> u16 {
        self.minor
    }

    /// 2.13: `schemas` in the catalog.
    pub fn has_schemas(self) -> bool {
        self.minor >= 13
    }

    /// 2.14: `instances_retrievable` and `bindings_retrievable`.
    pub fn has_retrievable(self) -> bool {
        self.minor >= 14
    }

    /// 2.14: bind and unbind know `accepts_incomplete`; before, a platform that sends it does not mean it.
    pub fn has_async_bindings(self) -> bool {
        self.minor >= 14
    }

    /// 2.15: `maintenance_info`, `maximum_polling_duration`, `allow_context_updates` and a plan's own `plan_updateable`.
    pub fn has_maintenance(self) -> bool {
        self.minor >= 15
    }

    /// 2.15: `endpoints` of a binding.
    pub fn has_endpoints(self) -> bool {
        self.minor >= 15
    }

    /// 2.16: `metadata` of instances and bindings.
    pub fn has_metadata(self) -> bool {
        self.minor >= 16
    }

    /// 2.16: `instance_usable` and `update_repeatable`.
    pub fn has_usability(self) -> bool {
        self.minor >= 16
    }

    /// 2.17: `attributes` in an instance's metadata.
    pub fn has_attributes(self) -> bool {
        self.minor >= 17
    }

    /// 2.17: `binding_rotatable` and `renew_before`.
    pub fn has_rotation(self) -> bool {
        self.minor >= 17
    }
}

/// Digits only; a number too large to matter saturates.
fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u16::MAX))
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_minor_of_two_is_served() {
        for (text, minor) in [("2.0", 0), ("2.11", 11), (" 2.17 ", 17), ("2.18", 18), ("2.99999999", u16::MAX)] {
            assert_eq!(ApiVersion::parse(Some(text)).unwrap().minor(), minor, "{text}");
        }
    }

    #[test]
    fn everything_else_is_a_failed_precondition() {
        for text in [
            None,
            Some(""),
            Some("  "),
            Some("2"),
            Some("2."),
            Some("3.0"),
            Some("1.17"),
            Some("2.+1"),
            Some("v2.17"),
            Some("2.1.7"),
        ] {
            assert_eq!(ApiVersion::parse(text).unwrap_err().status(), 412, "{text:?}");
        }
    }

    #[test]
    fn features_come_with_their_minor() {
        assert!(ApiVersion::v2(15).has_endpoints() && !ApiVersion::v2(15).has_metadata());
        assert!(ApiVersion::v2(16).has_metadata() && !ApiVersion::v2(16).has_attributes());
        assert!(ApiVersion::v2(17).has_rotation() && ApiVersion::v2(40).has_rotation());
        assert_eq!(ApiVersion::v2(40).effective(), ApiVersion::CURRENT);
        assert_eq!(ApiVersion::v2(3).effective(), ApiVersion::v2(12));
    }
}
