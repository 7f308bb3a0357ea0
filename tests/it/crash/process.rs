//! Real processes, really killed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chandlery::osb::Uid;
use chandlery::policy;
use chandlery::vault::FileMasterKey;
use serde_json::json;
use sqlx::PgPool;

use super::jobs;
use crate::support::app::{PASSWORD, POLICY, USER};
use crate::support::aws::{Aws, client_of_this_runtime};

/// `chandlery serve` as a process; killed at the latest when it is dropped.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    async fn start(home: &Path, database: &str, aws: &Aws) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let child = Command::new(std::env::var("CHANDLERY_BIN").unwrap_or(env!("CARGO_BIN_EXE_chandlery").to_owned()))
            .arg("serve")
            .env("DATABASE_URL", database)
            .env("CHANDLERY_LISTEN", &address)
            .env("CHANDLERY_CATALOG", Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog"))
            .env("CHANDLERY_POLICY", home.join("policy.yaml"))
            .env("CHANDLERY_MASTER_KEY_FILE", home.join("master.key"))
            .env("AWS_ENDPOINT_URL", &aws.endpoint)
            .env("AWS_ACCESS_KEY_ID", format!("AKIA{}ROOT", aws.account))
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", &aws.region)
            .envs([("CHANDLERY_LEASE", "3s"), ("CHANDLERY_RENEW_EVERY", "500ms"), ("CHANDLERY_CALL_TIMEOUT", "1500ms")])
            .envs([("CHANDLERY_ATTEMPT_TIMEOUT", "1500ms"), ("CHANDLERY_LOG", "warn")])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Self { child, url: format!("http://{address}") };
        let until = Instant::now() + Duration::from_secs(30);
        while client_of_this_runtime().get(format!("{}/readyz", process.url)).send().await.is_err() {
            assert!(Instant::now() < until, "it does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process
    }

    async fn send(
        &self,
        client: &reqwest::Client,
        method: reqwest::Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> (u16, serde_json::Value) {
        let mut request = client.request(method, format!("{}{path}", self.url));
        request = request.header("X-Broker-API-Version", "2.17").basic_auth(USER, Some(PASSWORD));
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn home(aws: &Aws) -> PathBuf {
    let home = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chandlery-{}", Uid::random()));
    std::fs::create_dir_all(&home).unwrap();
    let hash = policy::hash;
    let policy = POLICY.replace("ACCOUNT", &aws.account).replace("PASSWORD", &hash(PASSWORD));
    std::fs::write(home.join("policy.yaml"), policy.replace("TOKEN", &hash("token"))).unwrap();
    std::fs::write(home.join("master.key"), FileMasterKey::generate().unwrap()).unwrap();
    home
}

fn url_of(pool: &PgPool) -> String {
    let url = std::env::var("DATABASE_URL").unwrap();
    let (server, query) = url.split_once('?').map_or((url.as_str(), ""), |(server, query)| (server, query));
    let server = &server[..server.rfind('/').unwrap()];
    let database = pool.connect_options().get_database().unwrap().to_owned();
    format!("{server}/{database}?{query}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_in_the_middle_is_taken_over_by_another() {
    let pool = jobs::database(4).await;
    let (database, aws) = (url_of(&pool), Aws::fresh());
    let home = home(&aws);
    let client = client_of_this_runtime();
    let mut process = Process::start(&home, &database, &aws).await;
    let (status, catalog) = process.send(&client, reqwest::Method::GET, "/v2/catalog", None).await;
    assert_eq!(status, 200, "{catalog}");
    let mut ids = Vec::new();
    for round in 0..3u32 {
        for service in catalog["services"].as_array().unwrap() {
            for _ in 0..3 {
                let id = Uid::random().to_string();
                let body = json!({ "service_id": service["id"], "plan_id": service["plans"][0]["id"],
                    "organization_guid": "o", "space_guid": "s" });
                let path = format!("/v2/service_instances/{id}?accepts_incomplete=true");
                let (status, answer) = process.send(&client, reqwest::Method::PUT, &path, Some(&body)).await;
                assert_eq!(status, 202, "{answer}");
                ids.push((id, body));
            }
        }
        // In the middle: some calls made, some not.
        tokio::time::sleep(Duration::from_millis(u64::from(30 + 90 * round))).await;
        drop(process);
        process = Process::start(&home, &database, &aws).await;
    }
    let until = Instant::now() + Duration::from_secs(60);
    for (id, _) in &ids {
        loop {
            let path = format!("/v2/service_instances/{id}/last_operation");
            let (_, body) = process.send(&client, reqwest::Method::GET, &path, None).await;
            match body["state"].as_str().unwrap() {
                "in progress" => assert!(Instant::now() < until, "{id} does not end: {body}"),
                state => {
                    assert_eq!(state, "succeeded", "{body}");
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let (rows, things) = compare(&pool, &aws).await;
    assert_eq!(rows, things);
    for (id, body) in &ids {
        let query = format!(
            "service_id={}&plan_id={}",
            body["service_id"].as_str().unwrap(),
            body["plan_id"].as_str().unwrap()
        );
        let path = format!("/v2/service_instances/{id}?accepts_incomplete=true&{query}");
        process.send(&client, reqwest::Method::DELETE, &path, None).await;
    }
    while sqlx::query_scalar::<_, i64>("SELECT count(*) FROM resource").fetch_one(&pool).await.unwrap() > 0 {
        assert!(Instant::now() < until + Duration::from_secs(60), "not all is deleted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(compare(&pool, &aws).await, (Vec::new(), Vec::new()));
    drop(process);
    std::fs::remove_dir_all(home).unwrap();
}

/// The names in rows and the names in AWS.
pub async fn compare(pool: &PgPool, aws: &Aws) -> (Vec<String>, Vec<String>) {
    let rows =
        "SELECT name FROM resource r JOIN owner o ON o.uid = r.owner WHERE o.target LIKE $1 || '/%' ORDER BY name";
    let rows = sqlx::query_scalar(rows).bind(&aws.account).fetch_all(pool).await.unwrap();
    let inventory = aws.inventory().await;
    let mut things: Vec<String> = ["buckets", "queues", "users"]
        .iter()
        .flat_map(|kind| inventory[*kind].as_array().unwrap())
        .map(|thing| thing["name"].as_str().unwrap().to_owned())
        .collect();
    things.sort();
    (rows, things)
}
