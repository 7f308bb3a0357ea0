//! The cluster of a test: a namespace of its own, the client programs, and a controller.
//!
//! One controller serves all tests of a process: the kinds of the cluster, and all namespaces but those that begin with
//! `own-`. A test that stops, kills or configures its controller takes such a namespace and starts one for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chandlery::config;
use chandlery::kubernetes::Controllers;
use chandlery::metrics::ControllerMetrics;
use chandlery::osb::Uid;
use clap::{Args, FromArgMatches};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where the lease of the shared controller is.
const HOME: &str = "default";

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster, and a namespace in it.
pub struct World {
    pub client: Client,
    pub namespace: String,
    kubeconfig: PathBuf,
    programs: PathBuf,
}

/// What a client program said.
#[derive(Debug)]
pub struct Said {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

/// A controller that the test may stop or kill.
pub struct Running {
    pub stop: CancellationToken,
    pub metrics: ControllerMetrics,
    task: JoinHandle<()>,
}

impl World {
    /// A namespace that the shared controller serves; `None` without a cluster.
    pub async fn shared() -> Option<Self> {
        let world = Self::named(&format!("test-{}", Self::unique())).await?;
        world.install();
        static SHARED: Once = Once::new();
        SHARED.call_once(|| {
            let kubeconfig = world.kubeconfig.display().to_string();
            // Runtimes of tests end with their test; this one does not.
            std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
                runtime.block_on(async move {
                    let settings = settings(&[
                        "--kubeconfig",
                        &kubeconfig,
                        "--lease-namespace",
                        HOME,
                        "--lease-duration",
                        "15s",
                        "--ignore-namespace",
                        "own-*",
                        "--catalog-check",
                        "1s",
                        "--allow-local-brokers",
                        "--retry-first",
                        "200ms",
                    ]);
                    let controllers = Controllers::connect(settings, ControllerMetrics::new()).await.unwrap();
                    controllers.run(CancellationToken::new()).await;
                });
            });
        });
        Some(world)
    }

    /// A namespace that no controller serves until [`Self::start`].
    pub async fn own() -> Option<Self> {
        let world = Self::named(&format!("own-{}", Self::unique())).await?;
        world.install();
        Some(world)
    }

    /// A name that nobody else has.
    pub fn unique() -> String {
        Uid::random().to_string()[..13].to_owned()
    }

    async fn named(namespace: &str) -> Option<Self> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let found = (variable("CHANDLERY_TEST_KUBECONFIG"), variable("CHANDLERY_TEST_KUBERNETES_BIN"));
        let (Some(kubeconfig), Some(programs)) = found else {
            println!("not run: there is no cluster (tests/kubernetes/README.md)");
            return None;
        };
        let read = Kubeconfig::read_from(&kubeconfig).unwrap();
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let mut object = Namespace::default();
        object.metadata.name = Some(namespace.to_owned());
        Api::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        Some(Self { client, namespace: namespace.to_owned(), kubeconfig, programs })
    }

    /// Puts the definitions there, once.
    fn install(&self) {
        static INSTALLED: OnceLock<()> = OnceLock::new();
        INSTALLED.get_or_init(|| {
            let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/chandlery/crds");
            self.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", crds]).expect();
            self.kubectl(&["wait", "--for=condition=Established", "crd", "-l", "svcat=true", "--timeout=30s"]).expect();
        });
    }

    /// Starts a controller for this namespace alone, with these settings besides.
    pub async fn start(&self, more: &[&str]) -> Running {
        self.start_with(&self.kubeconfig, more).await
    }

    /// As [`Self::start`], with the API server at this URL, which asks for no credentials.
    pub async fn start_at(&self, url: &str, more: &[&str]) -> Running {
        let named = |name: &str, what: &str, value: serde_json::Value| serde_json::json!([{"name": name, what: value}]);
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": named("c", "cluster", serde_json::json!({"server": url})),
            "users": named("u", "user", serde_json::json!({})),
            "contexts": named("c", "context", serde_json::json!({"cluster": "c", "user": "u"})),
        });
        let file = std::env::temp_dir().join(format!("chandlery-{}.kubeconfig", Self::unique()));
        std::fs::write(&file, kubeconfig.to_string()).unwrap();
        let running = self.start_with(&file, more).await;
        std::fs::remove_file(file).unwrap();
        running
    }

    async fn start_with(&self, kubeconfig: &std::path::Path, more: &[&str]) -> Running {
        let kubeconfig = kubeconfig.display().to_string();
        let basic = [
            "--kubeconfig",
            &kubeconfig,
            "--lease-namespace",
            &self.namespace,
            "--watch-namespace",
            &self.namespace,
            "--namespaced-only",
            // On a busy machine a short one is lost again and again, and nothing ever done.
            "--lease-duration",
            "10s",
            "--retry-first",
            "200ms",
        ];
        let metrics = ControllerMetrics::new();
        let settings = settings(&[basic.as_slice(), more].concat());
        let controllers = Controllers::connect(settings, metrics.clone()).await.unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(controllers.run(stop.clone()));
        Running { stop, metrics, task }
    }

    /// Runs svcat in this namespace.
    pub fn svcat(&self, arguments: &[&str]) -> Said {
        self.run("svcat", arguments)
    }

    /// Runs kubectl in this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Said {
        self.run("kubectl", arguments)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Said {
        let mut command = Command::new(self.programs.join(program));
        command.env("KUBECONFIG", &self.kubeconfig).arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
        if !arguments.contains(&"-n") && !arguments.contains(&"--scope=cluster") {
            command.args(["-n", &self.namespace]);
        }
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The objects of a kind in this namespace.
    pub fn here<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The objects of a kind of the cluster.
    pub fn everywhere<K: kube::Resource<DynamicType = ()>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    /// Makes a Secret, or changes it.
    pub async fn secret(&self, name: &str, entries: &[(&str, &str)]) {
        let entry = |(key, value): &(&str, &str)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()));
        let mut secret =
            Secret { data: Some(entries.iter().map(entry).collect::<BTreeMap<_, _>>()), ..Secret::default() };
        secret.metadata.name = Some(name.to_owned());
        let api = self.here::<Secret>();
        if api.get_opt(name).await.unwrap().is_some() {
            api.replace(name, &PostParams::default(), &secret).await.unwrap();
        } else {
            api.create(&PostParams::default(), &secret).await.unwrap();
        }
    }
}

impl Said {
    /// What it said, if all was well.
    pub fn expect(self) -> String {
        assert!(self.ok, "{}\n{}", self.out, self.err);
        self.out
    }
}

impl Running {
    /// Stops it in good order.
    pub async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }

    /// Drops everything it is doing where it stands.
    pub async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    /// The controller of a test that failed would go on beside those that follow.
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn settings(arguments: &[&str]) -> config::Controller {
    let command = config::Controller::augment_args(
        clap::Command::new("controller").no_binary_name(true).args_override_self(true),
    );
    config::Controller::from_arg_matches(&command.get_matches_from(arguments)).unwrap()
}

/// Waits until an object is as it should be.
pub async fn until<K>(api: &Api<K>, name: &str, fits: impl Fn(&K) -> bool) -> K
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + serde::Serialize,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        let object = api.get_opt(name).await.unwrap();
        if let Some(object) = object.as_ref().filter(|object| fits(object)) {
            return object.clone();
        }
        let shown = || serde_json::to_string_pretty(&object).unwrap();
        assert!(Instant::now() < deadline, "{name} does not become as it should: {}", shown());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until an object is gone.
pub async fn gone<K>(api: &Api<K>, name: &str)
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let deadline = Instant::now() + PATIENCE;
    while let Some(object) = api.get_opt(name).await.unwrap() {
        assert!(Instant::now() < deadline, "it does not go: {object:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The objects with these labels.
pub async fn labelled<K>(api: &Api<K>, labels: &str) -> Vec<K>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    api.list(&ListParams::default().labels(labels)).await.unwrap().items
}

/// A value that several threads change.
pub fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
