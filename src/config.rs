//! Every setting of the broker: a flag, an environment variable, a default and a unit, each documented on its field.
//!
//! Structured things (platforms, targets, offerings) are files, see `docs/POLICY.md` and `docs/CATALOG.md`. Durations are
//! written with their unit: `40s`, `1m 30s`, `7d`. [`Config::check`] finds contradictions before anything starts. `Debug`
//! shows no password. `AWS_*` variables (credentials, region) are the SDK's own and are not repeated here.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

/// All settings of `chandlery serve`.
#[derive(Clone, Debug, Args)]
pub struct Config {
    /// Where it listens.
    #[command(flatten)]
    pub http: Http,
    /// Where it remembers.
    #[command(flatten)]
    pub database: Database,
    /// How it works.
    #[command(flatten)]
    pub engine: Engine,
    /// What it seals with.
    #[command(flatten)]
    pub secrets: Secrets,
    /// What it offers to whom.
    #[command(flatten)]
    pub catalog: Catalog,
    /// What it says.
    #[command(flatten)]
    pub telemetry: Telemetry,
    /// How it talks to AWS.
    #[command(flatten)]
    pub aws: Aws,
}

/// Where the broker listens.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub struct Http {
    /// Address of the Open Service Broker API.
    #[arg(long, env = "CHANDLERY_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// A second address for /metrics, /livez and /readyz, without authentication; otherwise they are served on the first.
    #[arg(long, env = "CHANDLERY_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,

    /// Certificate chain (PEM) to serve TLS with; needs --tls-key.
    #[arg(long, env = "CHANDLERY_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key (PEM) of --tls-cert.
    #[arg(long, env = "CHANDLERY_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// The longest that any request may take. Platforms give up after 60 s: they shall hear of it first.
    #[arg(long, env = "CHANDLERY_REQUEST_TIMEOUT", default_value = "55s", value_parser = duration, value_name = "DURATION")]
    pub request_timeout: Duration,

    /// How long a synchronous bind or unbind is waited for before it is answered 503; the work goes on.
    #[arg(long, env = "CHANDLERY_SYNC_WAIT", default_value = "50s", value_parser = duration, value_name = "DURATION")]
    pub sync_wait: Duration,

    /// The largest request body, in bytes.
    #[arg(long, env = "CHANDLERY_MAX_BODY", default_value_t = 1024 * 1024, value_name = "BYTES")]
    pub max_body: usize,

    /// How many requests are answered at the same time; more are told to come back (429).
    #[arg(long, env = "CHANDLERY_MAX_REQUESTS", default_value_t = 1024, value_name = "N")]
    pub max_requests: usize,

    /// How long a stop waits for requests and turns before it hands leases back. Below Kubernetes' own 30 s.
    #[arg(long, env = "CHANDLERY_SHUTDOWN_GRACE", default_value = "25s", value_parser = duration, value_name = "DURATION")]
    pub shutdown_grace: Duration,
}

/// The PostgreSQL database.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Database")]
pub struct Database {
    /// postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE
    // Help shows the values of the environment unless told not to.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: DatabaseUrl,

    /// The most connections that one replica opens.
    #[arg(long, env = "CHANDLERY_DATABASE_POOL", default_value_t = 12, value_name = "N")]
    pub database_pool: u32,

    /// How long a request waits for a free connection before it is answered 503.
    #[arg(long, env = "CHANDLERY_DATABASE_ACQUIRE_TIMEOUT", default_value = "5s", value_parser = duration, value_name = "DURATION")]
    pub database_acquire_timeout: Duration,
}

/// The engine that drives operations to their end.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Engine")]
pub struct Engine {
    /// How long a claim lasts unless it is renewed: after so long another replica takes over from a dead one.
    #[arg(long, env = "CHANDLERY_LEASE", default_value = "40s", value_parser = duration, value_name = "DURATION")]
    pub lease: Duration,

    /// How often claims are renewed.
    #[arg(long, env = "CHANDLERY_RENEW_EVERY", default_value = "10s", value_parser = duration, value_name = "DURATION")]
    pub renew_every: Duration,

    /// The unit of back-off after a failed call: the first retry comes after about so long, later ones after multiples of it,
    /// up to 3,600. Shorter only for tests.
    #[arg(long, env = "CHANDLERY_BACKOFF", default_value = "1s", value_parser = duration, value_name = "DURATION")]
    pub backoff: Duration,

    /// How often the engine looks for work that no notification told it of.
    #[arg(long, env = "CHANDLERY_POLL_INTERVAL", default_value = "1s", value_parser = duration, value_name = "DURATION")]
    pub poll_interval: Duration,

    /// How many owners (instances or bindings) this replica works on at the same time.
    #[arg(long, env = "CHANDLERY_WORKERS", default_value_t = 32, value_name = "N")]
    pub workers: usize,

    /// How many more are reserved for synchronous binds and unbinds.
    #[arg(long, env = "CHANDLERY_SYNC_WORKERS", default_value_t = 8, value_name = "N")]
    pub sync_workers: usize,

    /// How many of them may work in one target at the same time, so that no account is throttled by us.
    #[arg(long, env = "CHANDLERY_PER_TARGET", default_value_t = 16, value_name = "N")]
    pub per_target: usize,

    /// What the names of all AWS resources begin with. Two brokers in one account need different ones; never change it later.
    #[arg(long, env = "CHANDLERY_NAME_PREFIX", default_value = "chandlery", value_name = "PREFIX")]
    pub name_prefix: String,

    /// How long a deleted instance or binding is remembered, to answer polls that come late.
    #[arg(long, env = "CHANDLERY_TOMBSTONES", default_value = "7d", value_parser = duration, value_name = "DURATION")]
    pub tombstones: Duration,
}

/// The master key that wraps the keys of the ring: exactly one of the two.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Secrets")]
pub struct Secrets {
    /// A file with the base64 of 32 random bytes (`chandlery keys generate`).
    #[arg(long, env = "CHANDLERY_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,

    /// The ARN of a symmetric KMS key.
    #[arg(long, env = "CHANDLERY_MASTER_KEY_KMS", value_name = "ARN")]
    pub master_key_kms: Option<String>,
}

/// What is offered to whom.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Catalog")]
pub struct Catalog {
    /// The directory of offerings, one YAML file each.
    #[arg(long, env = "CHANDLERY_CATALOG", default_value = "catalog", value_name = "DIRECTORY")]
    pub catalog: PathBuf,

    /// The administrator's file: platforms, targets, rules.
    #[arg(long, env = "CHANDLERY_POLICY", default_value = "policy.yaml", value_name = "FILE")]
    pub policy: PathBuf,

    /// How often both are looked at for changes.
    #[arg(long, env = "CHANDLERY_RELOAD_INTERVAL", default_value = "2s", value_parser = duration, value_name = "DURATION")]
    pub reload_interval: Duration,
}

/// What the broker says about itself.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Telemetry")]
pub struct Telemetry {
    /// What is logged: `info`, `info,chandlery::engine=debug`. Other crates are never heard below `info`.
    #[arg(long, env = "CHANDLERY_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,

    /// How a line looks.
    #[arg(long, env = "CHANDLERY_LOG_FORMAT", value_enum, default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// How the broker talks to AWS.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "AWS")]
pub struct Aws {
    /// One endpoint for all of AWS: the stand-in of tests and demos.
    #[arg(long, env = "AWS_ENDPOINT_URL", value_name = "URL")]
    pub aws_endpoint_url: Option<String>,

    /// The longest that a whole call may take, the SDK's retries included.
    #[arg(long, env = "CHANDLERY_CALL_TIMEOUT", default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub call_timeout: Duration,

    /// The longest that one attempt of a call may take.
    #[arg(long, env = "CHANDLERY_ATTEMPT_TIMEOUT", default_value = "6s", value_parser = duration, value_name = "DURATION")]
    pub attempt_timeout: Duration,
}

/// The address of a database. `Debug` shows host and database only.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The whole of it, password included.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is wrong with it, if it is not PostgreSQL's: the driver would take any scheme for its own.
    pub fn problem(&self) -> Option<&'static str> {
        let ours = ["postgres://", "postgresql://"].iter().any(|scheme| self.0.starts_with(scheme));
        (!ours).then_some("DATABASE_URL must have the form postgres://user:password@host:port/database")
    }
}

impl FromStr for DatabaseUrl {
    type Err = std::convert::Infallible;

    /// Whatever it is, [`Config::check`] tells; clap's own error would quote it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for DatabaseUrl {
    /// Shows what can be told apart from a password for sure: with an `@` anywhere but once before the host, nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str("…") };
        let rest = match rest.split('@').collect::<Vec<_>>().as_slice() {
            [rest] => rest,
            [user, rest] if !user.contains(['/', '?', '#']) => rest,
            _ => "…",
        };
        // The query may hold `password=`.
        write!(f, "{scheme}://{}", rest.split(['?', '#']).next().unwrap_or_default())
    }
}

/// A duration with its unit: `40s`, `1m 30s`, `7d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a duration with its unit, such as `40s`, `500ms`, `1m 30s` or `7d`".to_owned();
    // Days are not a fixed length for jiff, which knows calendars; here a day is 24 hours.
    if let Some(days) = text.trim().strip_suffix('d') {
        let days: u32 = days.trim().parse().map_err(|_| wrong())?;
        return Ok(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    }
    let duration: jiff::SignedDuration = text.trim().parse().map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

mod check;
mod controller;
#[cfg(test)]
mod documented;

pub use check::{Problems, Warning};
pub use controller::{Brokers, Cluster, Controller, Election, Webhook, Work};
