//! The real binary as a process of its own.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chandlery::osb::Uid;
use chandlery::policy;
use chandlery::vault::FileMasterKey;
use sqlx::PgPool;

use super::app::PASSWORD;
use super::aws::Aws;

/// What a `chandlery` process is given.
pub struct Home {
    pub directory: PathBuf,
    pub database_url: String,
    pub master_key: String,
    pub aws: Aws,
}

impl Home {
    /// A directory with master key and policy for this test's database and account.
    pub async fn new(pool: &PgPool, aws: Aws, policy: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("chandlery-test-{}", Uid::random()));
        std::fs::create_dir_all(&directory).unwrap();
        let master_key = FileMasterKey::generate().unwrap().to_string();
        write_private(&directory.join("master.key"), &master_key);
        let policy = policy
            .replace("ACCOUNT", &aws.account)
            .replace("PASSWORD", &policy::hash(PASSWORD))
            .replace("TOKEN", &policy::hash("token"));
        std::fs::write(directory.join("policy.yaml"), policy).unwrap();
        let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(pool).await.unwrap();
        let server = std::env::var("DATABASE_URL").unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        Self { directory, database_url: format!("{base}/{database}"), master_key, aws }
    }

    /// The program with its environment, and nothing of ours.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chandlery"));
        command
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", &self.database_url)
            .env("CHANDLERY_MASTER_KEY_FILE", self.directory.join("master.key"))
            .env("CHANDLERY_POLICY", self.directory.join("policy.yaml"))
            .env("CHANDLERY_CATALOG", Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog"))
            .env("AWS_ENDPOINT_URL", &self.aws.endpoint)
            .env("AWS_ACCESS_KEY_ID", format!("AKIA{}ROOT", self.aws.account))
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", &self.aws.region);
        command
    }

    /// Starts `serve` on a free port and waits until it is ready.
    pub async fn serve(&self, configure: impl FnOnce(&mut Command)) -> Served {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = self.command(&["serve"]);
        command.env("CHANDLERY_LISTEN", format!("127.0.0.1:{port}")).stderr(Stdio::piped()).stdout(Stdio::null());
        configure(&mut command);
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (mut stderr, copy) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            let mut buffer = [0; 64 * 1024];
            while let Ok(read @ 1..) = stderr.read(&mut buffer) {
                copy.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        let mut served = Served { child, url: format!("http://127.0.0.1:{port}"), log };
        served.ready().await;
        served
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut &file, text.as_bytes()).unwrap();
}

/// A broker that serves.
pub struct Served {
    child: Child,
    pub url: String,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Served {
    async fn ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let client = reqwest::Client::new();
        loop {
            if let Ok(answer) = client.get(format!("{}/readyz", self.url)).send().await
                && answer.status().is_success()
            {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the broker ended with {status}:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "the broker is not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; waits for the end.
    pub fn stop(&mut self) -> std::process::ExitStatus {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
