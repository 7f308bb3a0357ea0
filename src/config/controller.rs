//! Every setting of the controller, in the manner of [`super::Config`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Telemetry, duration};

/// All settings of `chandlery controller run`.
#[derive(Clone, Debug, Args)]
pub struct Controller {
    /// Which cluster it serves, and what of it.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Which of several replicas works.
    #[command(flatten)]
    pub election: Election,
    /// How it talks to brokers.
    #[command(flatten)]
    pub brokers: Brokers,
    /// What it tells the API server.
    #[command(flatten)]
    pub webhook: Webhook,
    /// How it works.
    #[command(flatten)]
    pub work: Work,
    /// What it says.
    #[command(flatten)]
    pub telemetry: Telemetry,
}

/// The cluster, and what of it is served.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct Cluster {
    /// A kubeconfig; without one the service account of the pod, else the user's own kubeconfig.
    #[arg(long, env = "CHANDLERY_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Serve these namespaces only (repeat it, or separate them by commas); all if none is named.
    #[arg(
        long = "watch-namespace",
        env = "CHANDLERY_WATCH_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAMESPACE"
    )]
    pub namespaces: Vec<String>,

    /// Leave these namespaces to somebody else (repeat it, or separate them by commas); `team-*` means all that begin so.
    #[arg(
        long = "ignore-namespace",
        env = "CHANDLERY_IGNORE_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAMESPACE"
    )]
    pub ignored: Vec<String>,

    /// Leave the kinds of the cluster (ClusterServiceBroker and its classes and plans) to somebody else.
    #[arg(long, env = "CHANDLERY_NAMESPACED_ONLY")]
    pub namespaced_only: bool,

    /// What brokers know this cluster by; without it the uid of the namespace kube-system.
    #[arg(long, env = "CHANDLERY_CLUSTER_ID", value_name = "ID")]
    pub cluster_id: Option<String>,
}

/// One of several replicas works, the one that holds the lease.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Leader election")]
pub struct Election {
    /// The name of the Lease.
    #[arg(long, env = "CHANDLERY_LEASE_NAME", default_value = "chandlery-controller", value_name = "NAME")]
    pub lease_name: String,

    /// The namespace of the Lease; the pod's own if not set.
    #[arg(long, env = "CHANDLERY_LEASE_NAMESPACE", value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,

    /// This replica's name; the host's and a random part if not set.
    #[arg(long, env = "CHANDLERY_IDENTITY", value_name = "NAME")]
    pub identity: Option<String>,

    /// How long a dead leader is waited for. The living one renews every fifth of it, and stops working after three fifths
    /// without a renewal.
    #[arg(long, env = "CHANDLERY_LEASE_DURATION", default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub lease_duration: Duration,
}

/// How the controller talks to brokers.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Brokers")]
pub struct Brokers {
    /// How long a call to a broker may take.
    #[arg(long, env = "CHANDLERY_BROKER_TIMEOUT", default_value = "60s", value_parser = duration, value_name = "DURATION")]
    pub broker_timeout: Duration,

    /// How often a catalog is read again where the broker does not say.
    #[arg(long, env = "CHANDLERY_RELIST", default_value = "1d", value_parser = duration, value_name = "DURATION")]
    pub relist: Duration,

    /// How often a broker that gives its catalog an entity tag is asked whether it has changed.
    #[arg(long, env = "CHANDLERY_CATALOG_CHECK", default_value = "1m", value_parser = duration, value_name = "DURATION")]
    pub catalog_check: Duration,

    /// Let the brokers of namespaces be at loopback and link-local addresses, which only this pod and its node reach.
    #[arg(long, env = "CHANDLERY_ALLOW_LOCAL_BROKERS")]
    pub allow_local_brokers: bool,
}

/// Records who orders, on clusters whose API server does not (`charts/chandlery/templates/admission`). Every replica answers.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Webhook")]
pub struct Webhook {
    /// Address of the admission webhook; none is served without it.
    #[arg(long, env = "CHANDLERY_WEBHOOK_LISTEN", value_name = "ADDRESS", requires_all = ["webhook_cert", "webhook_key", "webhook_user"])]
    pub webhook_listen: Option<SocketAddr>,

    /// Its certificate, PEM. Read again when it changes.
    #[arg(long, env = "CHANDLERY_WEBHOOK_CERT", value_name = "FILE")]
    pub webhook_cert: Option<PathBuf>,

    /// The key of the certificate, PEM.
    #[arg(long, env = "CHANDLERY_WEBHOOK_KEY", value_name = "FILE")]
    pub webhook_key: Option<PathBuf>,

    /// The user that the controller is to the API server: what it writes is no order.
    #[arg(long, env = "CHANDLERY_WEBHOOK_USER", value_name = "NAME")]
    pub webhook_user: Option<String>,
}

/// How the controller works.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Work")]
pub struct Work {
    /// How many objects of a kind are worked on at the same time.
    #[arg(long, env = "CHANDLERY_CONCURRENCY", default_value_t = 16, value_name = "N")]
    pub concurrency: u16,

    /// The pause after the first failure; it doubles with each further one.
    #[arg(long, env = "CHANDLERY_RETRY_FIRST", default_value = "1s", value_parser = duration, value_name = "DURATION")]
    pub retry_first: Duration,

    /// The longest pause between attempts.
    #[arg(long, env = "CHANDLERY_RETRY_MOST", default_value = "20m", value_parser = duration, value_name = "DURATION")]
    pub retry_most: Duration,

    /// How long attempts fail before an object is called Failed. They go on after it.
    #[arg(long, env = "CHANDLERY_RETRY_PATIENCE", default_value = "7d", value_parser = duration, value_name = "DURATION")]
    pub retry_patience: Duration,

    /// Address of /metrics, /livez and /readyz.
    #[arg(long, env = "CHANDLERY_CONTROLLER_LISTEN", default_value = "127.0.0.1:8081", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// How long a stop waits for what is being done. Below Kubernetes' own 30 s.
    #[arg(long, env = "CHANDLERY_CONTROLLER_GRACE", default_value = "25s", value_parser = duration, value_name = "DURATION")]
    pub grace: Duration,
}

impl Cluster {
    /// Whether the objects of a namespace are somebody else's.
    pub fn ignores(&self, namespace: &str) -> bool {
        self.ignored.iter().any(|ignored| match ignored.strip_suffix('*') {
            Some(prefix) => namespace.starts_with(prefix),
            None => namespace == ignored,
        })
    }
}

impl Controller {
    /// What contradicts itself.
    pub fn problem(&self) -> Option<&'static str> {
        if self.election.lease_duration < Duration::from_secs(1) {
            return Some("the lease is shorter than a second (CHANDLERY_LEASE_DURATION)");
        }
        if self.work.retry_first.is_zero() || self.work.retry_first > self.work.retry_most {
            return Some(
                "the first pause is zero or longer than the longest (CHANDLERY_RETRY_FIRST, CHANDLERY_RETRY_MOST)",
            );
        }
        if self.work.concurrency == 0 {
            return Some("nothing would be worked on (CHANDLERY_CONCURRENCY)");
        }
        None
    }
}
