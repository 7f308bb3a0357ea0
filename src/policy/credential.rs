//! Who logs in: digests of secrets, compared in constant time.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::osb::PlatformName;

/// The SHA-256 of a secret or a user name. `Debug` shows nothing of it.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of that text.
    pub fn of(text: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Self(bytes)
    }

    /// From 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        Some(Self(HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()?))
    }

    /// Whether they are equal, in a time that does not tell where they differ.
    pub fn equals(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// The digest of a password or token as the file wants it: 64 hexadecimal digits.
pub fn hash(text: &str) -> String {
    HEXLOWER.encode(&Digest::of(text).0)
}

/// One way to log in.
#[derive(Clone, Debug)]
pub(super) enum Login {
    Basic { username: Digest, password: Digest },
    Bearer { token: Digest },
}

/// Every way to log in, of all platforms.
///
/// A look-up compares with every one of them and never stops early, so time tells neither which user names exist nor how
/// much of a secret is right. Plain SHA-256 is enough because the secrets are random keys, not words that people choose.
#[derive(Clone, Debug, Default)]
pub(super) struct Logins(pub(super) Vec<(PlatformName, Login)>);

impl Logins {
    pub(super) fn basic(&self, username: &str, password: &str) -> Option<&PlatformName> {
        let given = (Digest::of(username), Digest::of(password));
        self.find(|login| match login {
            // Both are always compared: `&`, not `&&`.
            Login::Basic { username, password } => username.equals(&given.0) & password.equals(&given.1),
            Login::Bearer { .. } => false,
        })
    }

    pub(super) fn bearer(&self, token: &str) -> Option<&PlatformName> {
        let given = Digest::of(token);
        self.find(|login| match login {
            Login::Bearer { token } => token.equals(&given),
            Login::Basic { .. } => false,
        })
    }

    fn find(&self, fits: impl Fn(&Login) -> bool) -> Option<&PlatformName> {
        // `Iterator::find` would stop early.
        self.0.iter().fold(None, |found, (platform, login)| if fits(login) { Some(platform) } else { found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_of_the_right_user_logs_in() {
        let basic =
            |username, password| Login::Basic { username: Digest::of(username), password: Digest::of(password) };
        let logins = Logins(vec![
            ("one".into(), basic("broker", "old")),
            ("one".into(), basic("broker", "new")),
            ("two".into(), basic("other", "p")),
            ("two".into(), Login::Bearer { token: Digest::of("t") }),
        ]);
        let name = |platform: Option<&PlatformName>| platform.map(|name| name.as_str().to_owned());
        assert_eq!(name(logins.basic("broker", "old")).as_deref(), Some("one"));
        assert_eq!(name(logins.basic("broker", "new")).as_deref(), Some("one"));
        assert_eq!(name(logins.basic("other", "p")).as_deref(), Some("two"));
        assert_eq!(name(logins.bearer("t")).as_deref(), Some("two"));
        for (username, password) in [("broker", "p"), ("other", "new"), ("", ""), ("broker", ""), ("t", "t")] {
            assert_eq!(logins.basic(username, password), None);
        }
        assert_eq!(logins.bearer("p"), None);
        assert_eq!(logins.bearer(""), None);
    }

    #[test]
    fn a_digest_is_read_in_either_case_and_never_shown() {
        let hex = hash("secret");
        assert!(Digest::from_hex(&hex.to_uppercase()).unwrap().equals(&Digest::of("secret")));
        assert!(Digest::from_hex(&hex[1..]).is_none() && Digest::from_hex("zz").is_none());
        assert_eq!(format!("{:?}", Digest::of("secret")), "Digest(…)");
    }
}
