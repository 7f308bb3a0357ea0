//! The administrator's file: which platforms may log in, into which AWS accounts they may order, and on what terms.
//!
//! `docs/POLICY.md` documents the format, [`schema`] gives it to editors. What this module guarantees:
//!
//! - A [`Policy`] is whole and checked, or there is none: [`Policy::parse`] gives all [`Problems`] at once, each with file,
//!   line and column. So a reload that fails leaves the running policy as it is.
//! - One pure function, [`Policy::decide`], says everything about an order; it does no I/O and no AWS call.
//! - Credentials are compared as digests, in constant time, all of them every time.
//! - Role ARNs and ExternalIds come from here alone. Digests and ExternalIds are in no error and no `Debug`.
//!
//! Organization, space and namespace are what the platform says of its user: a platform is trusted with them, so what one
//! platform may not do is bound by matching on `platform`, which its credentials prove.

mod check;
mod credential;
mod decide;
mod format;
mod glob;
mod offered;
mod structure;
mod target;
mod terms;

pub use crate::yaml::{Problem, Problems};
pub use credential::{Digest, hash};
pub use decide::{Decision, Placement, Refusal};
pub use format::schema;
pub use glob::{Glob, Globs};
pub use offered::Offered;
pub use target::Target;
pub use terms::{Quota, Terms};

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::osb::PlatformName;
use crate::yaml::Places;
use credential::Logins;
use format::{Limits, Rule};

/// A checked file. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Policy(Arc<Checked>);

#[derive(Debug)]
struct Checked {
    digest: String,
    places: Places,
    warnings: Vec<Problem>,
    platforms: BTreeMap<String, Platform>,
    logins: Logins,
    targets: BTreeMap<String, Target>,
    default_target: Option<String>,
    tags: BTreeMap<String, String>,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Platform {
    /// Where it stands in the file.
    pointer: String,
    offerings: Option<Vec<Glob>>,
    limits: Limits,
}

impl Policy {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&file, &text),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                Err(Problems(vec![Problem { file, line: None, column: None, path: String::new(), message }]))
            }
        }
    }

    /// Checks the text of a file; `file` is its name in problems.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        check::check(file, text).map(|checked| Self(Arc::new(checked)))
    }

    /// What looks wrong but is not refused.
    pub fn warnings(&self) -> &[Problem] {
        &self.0.warnings
    }

    /// The SHA-256 of the text: whether a reload changed anything.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// Whose user name and password these are.
    pub fn authenticate(&self, username: &str, password: &str) -> Option<&PlatformName> {
        self.0.logins.basic(username, password)
    }

    /// Whose bearer token this is.
    pub fn authenticate_bearer(&self, token: &str) -> Option<&PlatformName> {
        self.0.logins.bearer(token)
    }

    /// The platforms' names.
    pub fn platforms(&self) -> impl Iterator<Item = &str> {
        self.0.platforms.keys().map(String::as_str)
    }

    /// Whether a platform sees the offering of that name. What it has made of it stays its own when it no longer does.
    pub fn visible(&self, platform: &str, offering: &str) -> bool {
        self.0.platforms.get(platform).is_some_and(|platform| {
            platform.offerings.as_ref().is_none_or(|offerings| offerings.iter().any(|glob| glob.matches(offering)))
        })
    }

    /// A target as the file has it now.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.0.targets.get(name)
    }

    /// All targets, by name.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.0.targets.values()
    }
}
