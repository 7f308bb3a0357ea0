//! The whole broker in this process: real PostgreSQL, the real router on a port of its own, the engine, a fresh account of
//! the AWS stand-in. Several replicas can share a database.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ::http::Method;
use chandlery::aws::CallObserver;
use chandlery::broker::{self, Broker};
use chandlery::catalog::{Catalog, Shelf};
use chandlery::driver::Registry;
use chandlery::engine::{self, Engine, Observer, Silent};
use chandlery::http::{self, App, Server};
use chandlery::metrics::Metrics;
use chandlery::osb::Uid;
use chandlery::policy::{self, Policy};
use chandlery::store::{Lane, Wake};
use chandlery::vault::{FileMasterKey, MasterKey, Vault};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::aws::Aws;
use super::reply::{Raw, Reply};

pub const USER: &str = "broker";
pub const PASSWORD: &str = "correct horse battery staple";

/// How a test wants its broker.
pub struct Options {
    /// The offering files; the repository's own if none.
    pub catalog: PathBuf,
    /// The administrator's file; `ACCOUNT` is replaced by the test's account. See [`POLICY`].
    pub policy: String,
    /// Listens to the engine.
    pub observer: Arc<dyn Observer>,
    /// Listens to calls to AWS.
    pub calls: Option<Arc<dyn CallObserver>>,
    /// Whether the engine runs.
    pub engine: bool,
    /// How long a synchronous bind waits.
    pub sync_wait: Duration,
    pub settings: engine::Settings,
    pub http: http::Settings,
}

/// One platform with two credentials (`broker`, and the bearer token `token`), another one (`other`), one target.
pub const POLICY: &str = r#"
platforms:
  - name: test
    credentials:
      - { username: broker, password_sha256: PASSWORD }
      - { token_sha256: TOKEN }
  - name: other
    credentials:
      - { username: other, password_sha256: PASSWORD }
targets:
  - { name: main, account: "ACCOUNT", region: eu-central-1 }
default_target: main
rules:
  - match: { platform: test }
    allow:
      role: ["arn:aws:iam::ACCOUNT:role/*"]
      kms-key: ["arn:aws:kms:eu-central-1:ACCOUNT:key/*"]
      log-bucket: ["logs-*"]
      vpc: ["vpc-*"]
"#;

impl Default for Options {
    fn default() -> Self {
        Self {
            catalog: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("catalog"),
            policy: POLICY.to_owned(),
            observer: Arc::new(Silent),
            calls: None,
            engine: true,
            sync_wait: Duration::from_secs(50),
            settings: engine_settings(),
            http: http::Settings::default(),
        }
    }
}

/// As in production, but it looks for due work more often.
pub fn engine_settings() -> engine::Settings {
    engine::Settings {
        lease: Duration::from_secs(40),
        renew: Duration::from_secs(10),
        call_timeout: Duration::from_secs(15),
        poll: Duration::from_millis(200),
        workers: 32,
        sync_workers: 8,
        per_target: 16,
        backoff: Duration::from_millis(20),
        name_prefix: "chandlery".to_owned(),
        tombstones: Duration::from_secs(7 * 24 * 3600),
    }
}

/// Compiling the repository's own catalog takes a while, and hundreds of brokers of the crash test serve it.
fn load(directory: &Path, registry: &Registry) -> Catalog {
    static OWN: OnceLock<Catalog> = OnceLock::new();
    let load = || Catalog::load(directory, registry).unwrap_or_else(|problems| panic!("{problems}"));
    if directory == Options::default().catalog { OWN.get_or_init(load).clone() } else { load() }
}

/// A replica's engine: stopped in good order, or killed.
pub struct Replica {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Replica {
    /// Hands its leases back and ends.
    pub async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }

    /// Drops everything it is doing where it stands, as `kill -9` would. Its leases stay.
    pub async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub struct TestApp {
    pub aws: Aws,
    pub pool: PgPool,
    pub url: String,
    pub broker: Broker,
    pub registry: Registry,
    pub master: Arc<dyn MasterKey>,
    pub vault: Vault,
    pub shelf: Shelf,
    pub wake: Wake,
    pub replica: Option<Replica>,
    pub replica_id: uuid::Uuid,
    pub client: reqwest::Client,
    stop: CancellationToken,
}

impl TestApp {
    pub async fn start(pool: PgPool) -> Self {
        Self::with(pool, Options::default()).await
    }

    pub async fn with(pool: PgPool, options: Options) -> Self {
        Self::at(
            pool,
            Aws::fresh(),
            Arc::new(FileMasterKey::from_base64(&FileMasterKey::generate().unwrap()).unwrap()),
            options,
        )
        .await
    }

    /// Under a master key that the test knows, as the content of its file.
    pub async fn sealed_by(pool: PgPool, master: &str) -> Self {
        let master = Arc::new(FileMasterKey::from_base64(master).unwrap());
        Self::at(pool, Aws::fresh(), master, Options::default()).await
    }

    /// Another replica: same database, account and master key, everything else its own.
    pub async fn join(&self, options: Options) -> Self {
        Self::at(self.pool.clone(), self.aws.clone(), Arc::clone(&self.master), options).await
    }

    /// On that database and account, under that master key.
    pub async fn at(pool: PgPool, aws: Aws, master: Arc<dyn MasterKey>, options: Options) -> Self {
        let sessions = aws.sessions_of(&options.settings, options.calls.clone()).await;
        let registry = chandlery::cli::registry(&sessions);
        let policy = policy_of(&aws, &options.policy);
        let catalog = load(&options.catalog, &registry);
        let vault = chandlery::cli::vault(&pool, master.as_ref()).await.unwrap();
        let (wake, replica) = (Wake::default(), Uid::random().uuid());
        let shelf = Shelf::new(registry.clone(), Catalog::new(Vec::new()));
        let metrics = Arc::new(Metrics::new());
        let broker = Broker::new(
            broker::Parts {
                replica,
                pool: pool.clone(),
                vault: vault.clone(),
                shelf: shelf.clone(),
                wake: wake.clone(),
                metrics: Arc::clone(&metrics),
                name_prefix: options.settings.name_prefix.clone(),
                sync_wait: options.sync_wait,
            },
            policy,
        );
        broker.publish(catalog).await.unwrap();
        let stop = CancellationToken::new();
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), options.http.clone(), None).await.unwrap();
        let url = format!("http://{}", server.address().unwrap());
        let rendered = Arc::clone(&metrics);
        let app = App::new(
            broker.clone(),
            options.http,
            Arc::new(move || rendered.render()),
            Arc::new(|_: &str, _: &Method, _, _| {}),
        );
        tokio::spawn(server.run(http::router(app), stop.clone()));
        let client = aws.http.clone();
        let mut app = Self {
            aws,
            pool,
            url,
            broker,
            registry,
            master,
            vault,
            shelf,
            wake,
            replica: None,
            replica_id: replica,
            client,
            stop,
        };
        if options.engine {
            app.replica = Some(app.engine(options.observer, options.settings));
        }
        app
    }

    /// Starts an engine on this database.
    pub fn engine(&self, observer: Arc<dyn Observer>, settings: engine::Settings) -> Replica {
        let engine = Engine::new(engine::Parts {
            replica: self.replica_id,
            pool: self.pool.clone(),
            vault: self.vault.clone(),
            master: Arc::clone(&self.master),
            registry: self.registry.clone(),
            shelf: self.shelf.clone(),
            wake: self.wake.clone(),
            listener: observer,
            settings,
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { engine.run(stop).await }
        });
        Replica { stop, task }
    }

    /// An administrator's file for this app; see [`POLICY`].
    pub fn policy(&self, text: &str) -> Policy {
        policy_of(&self.aws, text)
    }

    /// Ends every lease, as if their workers had been dead for long.
    pub async fn expire_leases(&self) {
        let ended = "UPDATE owner SET lease_until = now() - interval '1 hour' WHERE lease_id IS NOT NULL";
        sqlx::query(ended).execute(&self.pool).await.unwrap();
        self.wake.work(Lane::Async);
    }

    /// A request with the usual credentials and version.
    pub fn request(&self, method: Method, path: &str) -> Raw {
        let mut raw = self.bare(method, path).header("X-Broker-API-Version", "2.17");
        raw.builder = raw.builder.basic_auth(USER, Some(PASSWORD));
        raw
    }

    /// A request with nothing.
    pub fn bare(&self, method: Method, path: &str) -> Raw {
        Raw::new(&self.client, method, format!("{}{path}", self.url))
    }

    /// What comes back for these very bytes, until the connection is closed.
    pub async fn say(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path).send().await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.request(Method::PUT, path).json(body).send().await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.request(Method::PATCH, path).json(body).send().await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path).send().await
    }

    /// The ids of an offering and one of its plans.
    pub fn ids(&self, offering: &str, plan: &str) -> Ids {
        let revision =
            self.shelf.current().by_name(offering).cloned().unwrap_or_else(|| panic!("no offering {offering}"));
        let plan = revision.plan_named(plan).unwrap_or_else(|| panic!("no plan {plan}")).id().to_string();
        Ids { service: revision.service_id().to_string(), plan }
    }

    /// Orders an instance; its id. Panics unless the order is accepted.
    pub async fn order(&self, ids: &Ids, parameters: Value) -> String {
        let id = Uid::random().to_string();
        let body = ids.provision(parameters);
        self.put(&format!("/v2/service_instances/{id}?accepts_incomplete=true"), &body).await.expect(202);
        id
    }

    /// Orders an instance and waits until it is ready.
    pub async fn provision(&self, ids: &Ids, parameters: Value) -> String {
        let id = self.order(ids, parameters).await;
        let end = self.settled(&format!("/v2/service_instances/{id}")).await;
        assert_eq!(end["state"], "succeeded", "{end}");
        id
    }

    /// Polls until the operation of that path (an instance or a binding) has ended: the last answer, or `{"gone": true}`.
    pub async fn settled(&self, path: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let reply = self.get(&format!("{path}/last_operation")).await;
            if reply.status == 410 || reply.status == 404 {
                return json!({ "gone": true, "status": reply.status });
            }
            let body = reply.expect(200);
            if body["state"] != "in progress" {
                return body;
            }
            assert!(Instant::now() < deadline, "still in progress: {body}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Binds synchronously: the whole answer.
    pub async fn bind(&self, instance: &str, ids: &Ids, parameters: Value) -> (String, Value) {
        let id = Uid::random().to_string();
        let path = format!("/v2/service_instances/{instance}/service_bindings/{id}");
        let answer = self.put(&path, &ids.bind(parameters)).await.expect(201);
        (id, answer)
    }

    pub async fn unbind(&self, instance: &str, binding: &str, ids: &Ids) -> Reply {
        self.delete(&format!("/v2/service_instances/{instance}/service_bindings/{binding}?{}", ids.query())).await
    }

    /// Deletes an instance and waits for the end.
    pub async fn deprovision(&self, instance: &str, ids: &Ids) -> Value {
        let path = format!("/v2/service_instances/{instance}");
        self.delete(&format!("{path}?accepts_incomplete=true&{}", ids.query())).await.expect(202);
        self.settled(&path).await
    }

    /// Asserts that nothing is stuck: no operation in progress, no lease, no resource that is neither ready nor kept.
    pub async fn assert_settled(&self) {
        let stuck: Vec<String> = sqlx::query_scalar(
            "SELECT 'operation ' || kind || ': ' || description FROM operation WHERE state = 'in progress'
             UNION ALL SELECT 'resource ' || key || ' is ' || state FROM resource WHERE state NOT IN ('ready', 'retained', 'abandoned')",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        assert!(stuck.is_empty(), "stuck: {stuck:#?}");
    }

    /// Asserts that the account holds nothing.
    pub async fn assert_nothing_left(&self) {
        let inventory = self.aws.inventory().await;
        for kind in ["buckets", "queues", "users"] {
            assert_eq!(inventory[kind], json!([]), "left in AWS: {inventory:#}");
        }
    }
}

fn policy_of(aws: &Aws, text: &str) -> Policy {
    let text = text
        .replace("ACCOUNT", &aws.account)
        .replace("PASSWORD", &policy::hash(PASSWORD))
        .replace("TOKEN", &policy::hash("token"));
    Policy::parse("policy.yaml", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What requests name.
#[derive(Clone, Debug)]
pub struct Ids {
    pub service: String,
    pub plan: String,
}

impl Ids {
    pub fn provision(&self, parameters: Value) -> Value {
        json!({
            "service_id": self.service, "plan_id": self.plan, "organization_guid": "org", "space_guid": "space",
            "context": { "platform": "kubernetes", "namespace": "team-a", "instance_name": "mine" },
            "parameters": parameters,
        })
    }

    pub fn bind(&self, parameters: Value) -> Value {
        json!({ "service_id": self.service, "plan_id": self.plan, "parameters": parameters })
    }

    pub fn query(&self) -> String {
        format!("service_id={}&plan_id={}", self.service, self.plan)
    }
}
