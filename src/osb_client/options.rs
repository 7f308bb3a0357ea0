//! How a broker is reached.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

use super::guard::Guard;
use crate::osb::ApiVersion;

/// What is sent as `Authorization`.
#[derive(Clone, Default)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// A name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// A token.
    Bearer(SecretString),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
        })
    }
}

/// Where a broker is and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its URL, with the prefix of the path where it has one, without `/v2`.
    pub url: String,
    /// Who we are to it.
    pub auth: Auth,
    /// The version of the API that is sent.
    pub version: ApiVersion,
    /// How long a call may take. Platforms give up after 60 s (spec: "Orphan mitigation").
    pub time: Duration,
    /// The largest answer that is read, in bytes. The catalog is the largest there is.
    pub body_limit: usize,
    /// Certificates that are trusted besides the system's, as PEM.
    pub roots: Vec<u8>,
    /// Only `roots` are trusted, as Service Catalog does with a `caBundle`.
    pub roots_only: bool,
    /// The broker's certificate is not looked at.
    pub insecure: bool,
    /// Our own certificate and its key, as PEM, for a broker that wants to see one.
    pub identity: Option<SecretString>,
    /// Which addresses the broker may have.
    pub guard: Guard,
}

impl Options {
    /// The defaults for a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            auth: Auth::None,
            version: ApiVersion::CURRENT,
            time: Duration::from_secs(60),
            body_limit: 16 * 1024 * 1024,
            roots: Vec::new(),
            roots_only: false,
            insecure: false,
            identity: None,
            guard: Guard::Any,
        }
    }
}
