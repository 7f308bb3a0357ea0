//! The operator's verbs, by the program itself on the test's database and account.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, PgPool};

use crate::support::app::{PASSWORD, TestApp};

/// The program that cargo has built for this test, or another one that the environment names.
fn program() -> Command {
    Command::new(std::env::var_os("CHANDLERY_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_chandlery").into()))
}

/// What a run of the program gave.
struct Ran {
    status: i32,
    out: String,
    error: String,
}

impl Ran {
    #[track_caller]
    fn expect(self, status: i32) -> String {
        assert_eq!(self.status, status, "{}\n{}", self.out, self.error);
        self.out
    }

    #[track_caller]
    fn json(self, status: i32) -> Value {
        serde_json::from_str(&self.expect(status)).unwrap()
    }
}

/// A policy file and whatever else a run needs; it goes away with the test.
struct Desk {
    directory: std::path::PathBuf,
    environment: Vec<(String, String)>,
}

impl Desk {
    fn new(app: &TestApp) -> Self {
        let directory = std::env::temp_dir().join(format!("chandlery-admin-{}", chandlery::osb::Uid::random()));
        std::fs::create_dir(&directory).unwrap();
        let policy = crate::support::app::POLICY
            .replace("ACCOUNT", &app.aws.account)
            .replace("PASSWORD", &chandlery::policy::hash(PASSWORD))
            .replace("TOKEN", &chandlery::policy::hash("token"));
        std::fs::write(directory.join("policy.yaml"), policy).unwrap();
        let environment = [
            ("DATABASE_URL", app.pool.connect_options().to_url_lossy().to_string()),
            ("CHANDLERY_POLICY", directory.join("policy.yaml").display().to_string()),
            ("AWS_ENDPOINT_URL", app.aws.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", format!("AKIA{}ROOT", app.aws.account)),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("USER", "ada".to_owned()),
        ];
        Self { directory, environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec() }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = program();
        command.args(arguments).env_remove("SUDO_USER").envs(self.environment.clone());
        let Output { status, stdout, stderr } =
            tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { status: status.code().unwrap(), out: text(stdout), error: text(stderr) }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

async fn until(pool: &PgPool, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so(pool, what).await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn is_so(pool: &PgPool, what: &str) -> bool {
    sqlx::query_scalar(sqlx::AssertSqlSafe(what)).fetch_one(pool).await.unwrap()
}

async fn name(pool: &PgPool, key: &str) -> String {
    sqlx::query_scalar("SELECT name FROM resource WHERE key = $1").bind(key).fetch_one(pool).await.unwrap()
}

fn denied(operation: &str) -> Value {
    let error = json!({ "code": "AccessDenied", "message": "not you", "status": 403, "mode": "error", "times": null });
    let mut rule = error;
    rule["service"] = json!("s3");
    rule["operation"] = json!(operation);
    json!([rule])
}

/// A bucket whose deletion was refused for so long that the platform was told, and that is retried in an hour.
async fn stuck_deprovision(app: &TestApp) -> String {
    let ids = app.ids("s3-bucket", "standard");
    let instance = app.provision(&ids, json!({})).await;
    app.aws.faults(denied("DeleteBucket")).await;
    let path = format!("/v2/service_instances/{instance}?accepts_incomplete=true&{}", ids.query());
    app.delete(&path).await.expect(202);
    until(&app.pool, "SELECT EXISTS (SELECT FROM resource WHERE class = 'denied')").await;
    // The minute that its patience lasts, in one step.
    hasten(app, 6, "0 s").await;
    until(&app.pool, "SELECT EXISTS (SELECT FROM operation WHERE kind = 'cleanup')").await;
    until(&app.pool, "SELECT NOT EXISTS (SELECT FROM owner WHERE lease_id IS NOT NULL)").await;
    hasten(app, 16, "1 h").await;
    instance
}

async fn hasten(app: &TestApp, attempts: i32, after: &str) {
    let sql = "WITH o AS (UPDATE owner SET run_at = now() + $2::text::interval WHERE run_at IS NOT NULL)
               UPDATE resource SET attempts = $1, run_at = now() + $2::text::interval WHERE class IS NOT NULL";
    sqlx::query(sql).bind(attempts).bind(after).execute(&app.pool).await.unwrap();
    app.wake.work(chandlery::store::Lane::Async);
}

#[sqlx::test]
async fn what_runs_and_what_is_stuck_is_seen_without_a_broker_and_without_a_secret(pool: PgPool) {
    let mut app = TestApp::start(pool).await;
    let desk = Desk::new(&app);
    let ids = app.ids("s3-bucket", "standard");
    let instance = app.provision(&ids, json!({})).await;
    let (binding, answer) = app.bind(&instance, &ids, json!({})).await;
    let watched = desk.run(&["admin", "watch", &instance]).await.expect(0);
    assert!(watched.contains("resource ready") && watched.contains("provision succeeded after"), "{watched}");

    app.aws.faults(denied("CreateBucket")).await;
    let stuck = app.order(&ids, json!({})).await;
    until(&app.pool, "SELECT EXISTS (SELECT FROM resource WHERE class = 'denied')").await;
    app.replica.take().unwrap().kill().await;
    sqlx::query("UPDATE operation SET deadline = now() - interval '1 min' WHERE state = 'in progress'")
        .execute(&app.pool)
        .await
        .unwrap();

    let text = desk.run(&["admin", "operations", "--platform", "test"]).await.expect(0);
    let line = text.lines().nth(1).unwrap();
    for word in ["provision", "OVERDUE", &stuck, "s3-bucket/standard", "denied x", " bucket "] {
        assert!(line.contains(word), "{word}: {text}");
    }
    assert!(text.ends_with("(1 operations, 1 overdue)\n"), "{text}");
    let list = desk.run(&["admin", "operations", "--platform", "other", "--json"]).await.json(0);
    assert_eq!(list, json!([]));
    let list = desk.run(&["admin", "operations", "--state", "all", "--kind", "bind", "--json"]).await.json(0);
    assert_eq!((&list[0]["state"], &list[0]["binding_id"]), (&json!("succeeded"), &json!(binding)), "{list}");

    let shown = desk.run(&["admin", "show", &stuck]).await.expect(0);
    for word in ["instance id   ", "denied x", "AWS said: ", "AccessDenied", "in progress, OVERDUE", "resource fault"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    // By whatever is in hand: the platform's id, our uid, the name in AWS, an operation.
    let by_id = desk.run(&["admin", "show", &instance, "--json"]).await.json(0);
    let operation = by_id["operations"][0]["operation"].as_str().unwrap();
    let bucket = by_id["resources"][0]["name"].as_str().unwrap();
    for id in [by_id["uid"].as_str().unwrap(), operation, bucket] {
        assert_eq!(desk.run(&["admin", "show", id, "--json"]).await.json(0)["uid"], by_id["uid"]);
    }
    assert_eq!(by_id["bindings"][0]["binding_id"], json!(binding));
    let nobody = desk.run(&["admin", "show", "nobody"]).await;
    assert_eq!(nobody.status, 1);
    assert!(nobody.error.starts_with("chandlery: nothing goes by nobody"), "{}", nobody.error);

    let secret = answer["credentials"]["secret_access_key"].as_str().unwrap();
    for arguments in [
        vec!["show", &binding],
        vec!["show", &binding, "--json"],
        vec!["show", &instance],
        vec!["watch", &binding],
        vec!["operations", "--state", "all", "--json"],
    ] {
        let ran = desk.run(&[vec!["admin"], arguments].concat()).await;
        let all = format!("{}{}", ran.out, ran.error);
        assert!(!all.is_empty() && !all.contains(secret) && !all.contains(PASSWORD), "{all}");
    }
}

#[sqlx::test]
async fn an_operator_has_a_failed_deletion_finished(pool: PgPool) {
    let app = TestApp::start(pool).await;
    let desk = Desk::new(&app);
    let instance = stuck_deprovision(&app).await;
    let failed = desk.run(&["admin", "operations", "--state", "failed", "--json"]).await.json(0);
    assert_eq!((&failed[0]["kind"], &failed[0]["instance_id"]), (&json!("deprovision"), &json!(instance)), "{failed}");

    app.aws.faults(json!([])).await;
    let text = desk.run(&["admin", "retry", &instance]).await.expect(0);
    assert!(text.contains("1 of its resources start with fresh patience"), "{text}");
    let text = desk.run(&["admin", "watch", &instance]).await.expect(0);
    assert!(text.contains("an operator (ada) had it tried again now") && text.contains("cleanup succeeded"), "{text}");
    app.assert_nothing_left().await;
    app.assert_settled().await;
    let again = desk.run(&["admin", "retry", &instance]).await;
    assert!(again.status == 1 && again.error.contains("it is deleted"), "{}", again.error);
}

#[sqlx::test]
async fn an_operator_has_a_thing_forgotten_that_cannot_go(pool: PgPool) {
    let app = TestApp::start(pool).await;
    let desk = Desk::new(&app);
    let kept = app.provision(&app.ids("s3-bucket", "standard"), json!({})).await;
    let needed = name(&app.pool, "bucket").await;
    let refused = desk.run(&["admin", "abandon", &needed, "--yes-forget-it"]).await;
    assert!(refused.status == 1 && refused.error.contains("is ready and needs it"), "{}", refused.error);

    let instance = stuck_deprovision(&app).await;
    let shown = desk.run(&["admin", "show", &instance, "--json"]).await.json(0);
    let bucket = shown["resources"][0]["name"].as_str().unwrap();
    let asked = desk.run(&["admin", "abandon", bucket]).await;
    assert!(asked.status == 1 && asked.error.contains("--yes-forget-it"), "{}", asked.error);
    // The instance's id will do, since one resource of it is left.
    let text = desk.run(&["admin", "abandon", &instance, "--yes-forget-it"]).await.expect(0);
    assert!(text.contains("goes on without it"), "{text}");
    desk.run(&["admin", "watch", &instance]).await.expect(0);
    let shown = desk.run(&["admin", "show", &instance, "--json"]).await.json(0);
    assert_eq!((&shown["state"], &shown["resources"][0]["state"]), (&json!("deleted"), &json!("abandoned")));
    assert!(shown["events"].as_array().unwrap().iter().any(|event| event["actor"] == "operator"), "{shown}");
    app.assert_settled().await;

    // It is listed as left on purpose, and that is no finding.
    let report = desk.run(&["admin", "orphans", "--json"]).await.json(0);
    assert_eq!(report["left_on_purpose"][0]["name"], json!(bucket), "{report}");
    let kept = desk.run(&["admin", "show", &kept, "--json"]).await.json(0);
    assert_eq!(kept["resources"][0]["state"], "ready");
}

#[sqlx::test]
async fn orphans_are_found_both_ways(pool: PgPool) {
    let app = TestApp::start(pool).await;
    let desk = Desk::new(&app);
    let ids = app.ids("s3-bucket", "standard");
    let instance = app.provision(&ids, json!({})).await;
    app.bind(&instance, &ids, json!({})).await;
    let text = desk.run(&["admin", "orphans"]).await.expect(0);
    assert!(text.contains("AWS has everything that is ready."), "{text}");

    let bucket = name(&app.pool, "bucket").await;
    let s3 = app.aws.sessions().await.of(&app.aws.target()).await.unwrap().s3();
    let region = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuCentral1)
        .build();
    // Of another broker, whose prefix begins with ours, or a person's: told, not counted.
    let alike = format!("chandlery-x-aaaaaaaaaaaaaaaa-{}", app.aws.account);
    s3.create_bucket().bucket(&alike).create_bucket_configuration(region.clone()).send().await.unwrap();
    let text = desk.run(&["admin", "orphans"]).await.expect(0);
    assert!(text.contains(&alike) && text.contains("perhaps not a broker's at all, not counted"), "{text}");

    let stray = format!("chandlery-aaaaaaaaaaaaaaaa-{}", app.aws.account);
    s3.create_bucket().bucket(&stray).create_bucket_configuration(region).send().await.unwrap();
    s3.delete_bucket().bucket(&bucket).send().await.unwrap();

    let report = desk.run(&["admin", "orphans", "--target", "main", "--json"]).await.json(3);
    assert_eq!(report["unknown_in_aws"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["unknown_in_aws"][0]["name"], json!(stray));
    assert_eq!(report["only_prefix_is_ours"][0]["name"], json!(alike));
    assert_eq!(report["missing_in_aws"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["missing_in_aws"][0]["instance_id"], json!(instance));
    let text = desk.run(&["admin", "orphans"]).await.expect(3);
    assert!(text.contains(&stray) && text.contains(&bucket) && text.contains("has no owner tag"), "{text}");

    // What cannot be looked at is said, and is not taken for clean.
    app.aws.faults(denied("ListBuckets")).await;
    let text = desk.run(&["admin", "orphans"]).await.expect(1);
    assert!(text.contains("NOT LOOKED AT: s3/bucket in main") && !text.contains(&bucket), "{text}");
    let unknown = desk.run(&["admin", "orphans", "--target", "mars"]).await;
    assert!(unknown.status == 1 && unknown.error.contains("no target mars"), "{}", unknown.error);
}

#[tokio::test]
async fn the_catalogs_verbs_need_neither_database_nor_credentials() {
    let run = |arguments: &[&str]| {
        let mut command = program();
        let root = env!("CARGO_MANIFEST_DIR");
        let output = command.args(arguments).current_dir(root).env_clear().output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, text, error) = run(&["catalog", "check"]);
    assert!(status == Some(0) && text.contains("no problems"), "{text}{error}");
    let (status, text, error) = run(&["catalog", "check", "--catalog", "docs/nothing"]);
    assert_eq!(status, Some(1), "{text}{error}");
    let (_, text, error) = run(&["catalog", "iam-policy", "--account", "123456789012", "--prefix", "acme"]);
    let policy: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{error}"));
    assert!(policy["Statement"].as_array().unwrap().len() > 3 && text.contains("arn:aws:s3:::acme-*"), "{text}");
    let (status, _, error) = run(&["catalog", "iam-policy"]);
    assert!(status == Some(1) && error.contains("--account"), "{error}");
}

#[sqlx::test]
async fn keys_are_rotated_renewed_forgotten_and_wrapped_anew_while_replicas_run(pool: PgPool) {
    let master = chandlery::vault::FileMasterKey::generate().unwrap();
    let app = TestApp::sealed_by(pool, &master).await;
    let mut desk = Desk::new(&app);
    let ids = app.ids("s3-bucket", "standard");
    let instance = app.provision(&ids, json!({})).await;
    let (binding, answer) = app.bind(&instance, &ids, json!({})).await;
    let second = app.join(crate::support::app::Options::default()).await;
    let first_key = app.vault.active();

    let master = desk.file("master.key", &master);
    desk.environment.push(("CHANDLERY_MASTER_KEY_FILE".to_owned(), master.clone()));
    // A third replica, which will not hear of the new key.
    sqlx::query(
        "INSERT INTO replica (id, host, version, ring_keys, seals_with, revisions)
         SELECT gen_random_uuid(), 'deaf', '0', array[id], id, '{}' FROM ring_key",
    )
    .execute(&app.pool)
    .await
    .unwrap();
    let text = desk.run(&["keys", "rotate"]).await.expect(0);
    let new_key: uuid::Uuid = text.split_whitespace().next().unwrap().parse().unwrap();
    let held = format!("SELECT count(*) = 2 FROM replica WHERE '{new_key}' = ANY (ring_keys)");
    until(&app.pool, &held).await;
    let pending = format!("SELECT state = 'pending' FROM ring_key WHERE id = '{new_key}'");
    assert!(is_so(&app.pool, &pending).await, "one does not hold it");
    sqlx::query("DELETE FROM replica WHERE host = 'deaf'").execute(&app.pool).await.unwrap();
    until(&app.pool, &format!("SELECT count(*) = 2 FROM replica WHERE seals_with = '{new_key}'")).await;

    // New values under the new key, old ones open.
    let (_, other) = second.bind(&instance, &ids, json!({})).await;
    assert!(other["credentials"]["secret_access_key"].is_string());
    let path = format!("/v2/service_instances/{instance}/service_bindings/{binding}");
    assert_eq!(app.get(&path).await.expect(200)["credentials"], answer["credentials"]);
    let under = "SELECT count(DISTINCT substring(answer from 2 for 16)) = 2 FROM binding";
    assert!(is_so(&app.pool, under).await);

    let old = first_key.to_string();
    let refused = desk.run(&["keys", "forget", &old]).await;
    assert!(refused.status == 1 && refused.error.contains("values are sealed under it"), "{}", refused.error);
    let refused = desk.run(&["keys", "forget", &new_key.to_string()]).await;
    assert!(refused.status == 1 && refused.error.contains("not retired"), "{}", refused.error);
    let text = desk.run(&["keys", "reseal"]).await.expect(0);
    assert!(text.contains("binding.answer: 1 values moved") && text.contains(&new_key.to_string()), "{text}");
    let text = desk.run(&["keys", "list"]).await.expect(0);
    assert!(text.lines().next().unwrap().contains("retired") && text.contains(" 0 values  held by 2 of 2"), "{text}");
    desk.run(&["keys", "forget", &old]).await.expect(0);

    // Another master key, all or nothing.
    let next = desk.run(&["keys", "generate"]).await.expect(0);
    let next = desk.file("next.key", &next);
    let other = desk.run(&["keys", "generate"]).await.expect(0);
    let other = desk.file("other.key", &other);
    let wrong = desk.run(&["keys", "change-master", "--old-file", &other, "--new-file", &next]).await;
    assert!(wrong.status == 1 && wrong.error.contains("is wrapped by master key"), "{}", wrong.error);
    desk.run(&["keys", "change-master", "--old-file", &master, "--new-file", &next]).await.expect(0);
    let refused = desk.run(&["keys", "rotate"]).await;
    assert!(refused.status == 1 && refused.error.contains("is wrapped by master key"), "{}", refused.error);
    let next = chandlery::vault::FileMasterKey::load(std::path::Path::new(&next)).unwrap();
    let opened = chandlery::cli::vault(&app.pool, &next).await.unwrap();
    assert_eq!(opened.held(), [new_key.into()]);
    assert_eq!(app.get(&path).await.expect(200)["credentials"], answer["credentials"], "who runs goes on");
}
