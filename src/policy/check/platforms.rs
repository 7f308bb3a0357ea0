//! Who may log in.

use std::collections::BTreeMap;

use super::super::credential::{Digest, Login, Logins};
use super::super::format::{Credential, Platform as Entry};
use super::super::{Platform, hash};
use super::{Findings, join};

/// What was seen so far of all platforms.
#[derive(Default)]
struct Seen {
    names: Vec<String>,
    /// Each user name with its platform.
    usernames: BTreeMap<String, String>,
    /// Digests, passwords with their user name.
    secrets: Vec<(Option<String>, String)>,
}

pub(super) fn check(findings: &mut Findings) -> (BTreeMap<String, Platform>, Logins) {
    let entries: Vec<(String, Entry)> = findings.elements("platforms");
    if findings.document.value["platforms"].as_array().is_some_and(Vec::is_empty) {
        findings.wrong("/platforms", "there is no platform, so nobody could log in: add one");
    }
    let (mut platforms, mut logins, mut seen) = (BTreeMap::new(), Logins::default(), Seen::default());
    for (pointer, entry) in entries {
        findings.check_name(&pointer, &entry.name, &mut seen.names);
        if entry.credentials.is_empty() {
            findings.wrong(&join(&pointer, "credentials"), "there is no credential, so it could not log in: add one");
        }
        for (index, credential) in entry.credentials.iter().enumerate() {
            let at = format!("{pointer}/credentials/{index}");
            if let Some(login) = check_credential(findings, &at, &entry.name, credential, &mut seen) {
                logins.0.push((entry.name.as_str().into(), login));
            }
        }
        for (index, glob) in entry.offerings.iter().flatten().enumerate() {
            if glob.as_str().is_empty() {
                findings.wrong(&format!("{pointer}/offerings/{index}"), "an empty pattern fits no offering");
            }
        }
        if entry.offerings.as_ref().is_some_and(Vec::is_empty) {
            let message = "the platform sees no offering at all; leave the key out if it should see every one";
            findings.warn(&join(&pointer, "offerings"), message);
        }
        let limits = entry.limits.unwrap_or_default();
        platforms.insert(entry.name, Platform { pointer, offerings: entry.offerings, limits });
    }
    (platforms, logins)
}

fn check_credential(
    findings: &mut Findings,
    at: &str,
    platform: &str,
    credential: &Credential,
    seen: &mut Seen,
) -> Option<Login> {
    match (&credential.username, &credential.password_sha256, &credential.token_sha256) {
        (Some(username), Some(password), None) => {
            check_username(findings, &join(at, "username"), platform, username, seen);
            let at = join(at, "password_sha256");
            let password = check_digest(findings, &at, Some(username), password, seen)?;
            Some(Login::Basic { username: Digest::of(username), password })
        }
        (None, None, Some(token)) => {
            let token = check_digest(findings, &join(at, "token_sha256"), None, token, seen)?;
            Some(Login::Bearer { token })
        }
        _ => {
            findings.wrong(at, "must be either `username` with `password_sha256`, or `token_sha256` alone");
            None
        }
    }
}

fn check_username(findings: &mut Findings, at: &str, platform: &str, username: &str, seen: &mut Seen) {
    if username.is_empty() || username.contains(':') || username.chars().any(char::is_control) {
        // RFC 7617, section 2.
        findings.wrong(at, "must not be empty and must hold no colon and no control character");
    }
    let owner = seen.usernames.entry(username.to_owned()).or_insert_with(|| platform.to_owned());
    if owner != platform {
        let message = format!("the user name {username:?} already belongs to platform {owner:?}: choose another one");
        findings.wrong(at, message);
    }
}

fn check_digest(
    findings: &mut Findings,
    at: &str,
    username: Option<&str>,
    hex: &str,
    seen: &mut Seen,
) -> Option<Digest> {
    let Some(digest) = Digest::from_hex(hex) else {
        let message = format!(
            "must be a SHA-256 in 64 hexadecimal digits, this has {} characters; `chandlery policy hash` makes one",
            hex.chars().count()
        );
        findings.wrong(at, message);
        return None;
    };
    let hex = hex.to_ascii_lowercase();
    if hex == hash("") {
        findings.wrong(at, "is the digest of an empty text: take that of a random secret");
    } else if hex == hash("\n") {
        findings.wrong(at, "is the digest of a line break alone: take that of a random secret");
    }
    let secret = (username.map(str::to_owned), hex);
    if seen.secrets.contains(&secret) {
        findings.wrong(at, "this credential stands above already");
    }
    seen.secrets.push(secret);
    Some(digest)
}
