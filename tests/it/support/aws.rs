//! The AWS stand-in as tests see it: a fresh account per test, faults on order, counted calls.

use std::sync::{Arc, Once};
use std::time::Duration;

use chandlery::aws::{CallObserver, Sessions, Settings};
use chandlery::driver::{Context, Deletion, Driver, Fault, Handle, Outputs, Progress, Target};
use chandlery::osb::Uid;
use serde_json::{Value, json};

/// Its connections belong to the runtime it is used in.
pub fn client_of_this_runtime() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::aws_lc_rs::default_provider().install_default()));
    reqwest::Client::new()
}

/// One account of the stand-in that `CHANDLERY_TEST_AWS_URL` names.
#[derive(Clone)]
pub struct Aws {
    pub endpoint: String,
    pub account: String,
    pub region: String,
    pub http: reqwest::Client,
}

impl Aws {
    pub fn fresh() -> Self {
        Self::over(None)
    }

    /// The same, over a client that its runtime has already.
    pub fn over(client: Option<reqwest::Client>) -> Self {
        let endpoint = std::env::var("CHANDLERY_TEST_AWS_URL").expect("CHANDLERY_TEST_AWS_URL names the AWS stand-in");
        let account = format!("{:012}", Uid::random().uuid().as_u128() % 1_000_000_000_000);
        Self {
            endpoint,
            account,
            region: "eu-central-1".to_owned(),
            http: client.unwrap_or_else(client_of_this_runtime),
        }
    }

    pub fn target(&self) -> Target {
        Target {
            name: "main".to_owned(),
            account: self.account.clone(),
            region: self.region.clone(),
            partition: "aws".to_owned(),
            role_arn: None,
            external_id: None,
            permissions_boundary: None,
        }
    }

    /// As the account's root, whom no policy hinders.
    pub async fn sessions(&self) -> Sessions {
        self.sessions_seen_by(None).await
    }

    pub async fn sessions_seen_by(&self, observer: Option<Arc<dyn CallObserver>>) -> Sessions {
        self.sessions_as(&format!("AKIA{}ROOT", self.account), "secret", observer).await
    }

    /// As the broker with these settings makes them.
    pub async fn sessions_of(
        &self,
        settings: &chandlery::engine::Settings,
        observer: Option<Arc<dyn CallObserver>>,
    ) -> Sessions {
        let settings = Settings {
            call_timeout: settings.call_timeout,
            attempt_timeout: settings.call_timeout.min(Settings::default().attempt_timeout),
            backoff: settings.backoff,
            endpoint_url: Some(self.endpoint.clone()),
            observer,
        };
        Sessions::load(settings).await.unwrap().with_credentials(&format!("AKIA{}ROOT", self.account), "secret")
    }

    pub async fn sessions_as(&self, id: &str, secret: &str, observer: Option<Arc<dyn CallObserver>>) -> Sessions {
        let settings = Settings { endpoint_url: Some(self.endpoint.clone()), observer, ..Settings::default() };
        Sessions::load(settings).await.unwrap().with_credentials(id, secret)
    }

    /// For the first call about a new thing of a new owner.
    pub fn context(&self, name: &str) -> Context {
        let owner = Uid::random();
        let tags = [(Context::OWNER_TAG.to_owned(), owner.to_string()), ("team".to_owned(), "blue".to_owned())];
        Context {
            target: self.target(),
            name: name.replace('#', &owner.uuid().simple().to_string()[..16]),
            token: format!("token-{owner}"),
            owner,
            tags: tags.into(),
            first: true,
        }
    }

    pub async fn faults(&self, rules: Value) {
        self.control(reqwest::Method::PUT, "faults", Some(json!({ "rules": rules }))).await;
    }

    pub async fn visibility(&self, seconds: f64) {
        self.control(reqwest::Method::PUT, "visibility", Some(json!({ "seconds": seconds }))).await;
    }

    /// The calls since the last time this was asked, `s3:CreateBucket`, in order.
    pub async fn calls(&self) -> Vec<String> {
        let answer = self.control(reqwest::Method::GET, "calls", None).await;
        self.control(reqwest::Method::DELETE, "calls", None).await;
        let list = answer["calls"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let name = |call: &Value| {
            format!("{}:{}", call["service"].as_str().unwrap_or("?"), call["operation"].as_str().unwrap_or("?"))
        };
        list.iter().map(name).collect()
    }

    pub async fn inventory(&self) -> Value {
        self.control(reqwest::Method::GET, "inventory", None).await
    }

    /// Returns after whatever had reached the stand-in before has been dealt with.
    pub async fn quiet(&self) {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(3)).await;
            self.control(reqwest::Method::GET, "faults", None).await;
        }
    }

    pub async fn control(&self, method: reqwest::Method, what: &str, body: Option<Value>) -> Value {
        let url = format!("{}/_standin/accounts/{}/{what}", self.endpoint, self.account);
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
        response.json().await.unwrap()
    }
}

/// Calls `ensure` as the engine does until it is ready.
pub async fn ready(
    driver: &dyn Driver,
    cx: &Context,
    desired: &Value,
    known: Option<&Handle>,
) -> Result<(Handle, Outputs), Fault> {
    let (mut cx, mut known) = (cx.clone(), known.cloned());
    for _ in 0..60 {
        match driver.ensure(&cx, desired, known.as_ref()).await? {
            Progress::Ready { handle, outputs } => return Ok((handle, outputs)),
            Progress::Waiting { handle, after, .. } => {
                known = Some(handle);
                tokio::time::sleep(after.min(Duration::from_secs(1))).await;
            }
        }
        cx.first = false;
    }
    panic!("never ready");
}

/// Calls `delete` until the thing is gone; the notes of the turns.
pub async fn gone(
    driver: &dyn Driver,
    cx: &Context,
    desired: &Value,
    known: Option<&Handle>,
) -> Result<Vec<String>, Fault> {
    let mut notes = Vec::new();
    for _ in 0..60 {
        match driver.delete(cx, desired, known).await? {
            Deletion::Gone => return Ok(notes),
            Deletion::Waiting { note, .. } => notes.push(note),
        }
    }
    panic!("never gone: {notes:?}");
}

/// The same thing, called about again.
pub fn again(cx: &Context) -> Context {
    Context { first: false, ..cx.clone() }
}

/// A later owner who came by the same name.
pub fn other_owner(cx: &Context) -> Context {
    let owner = Uid::random();
    let mut tags = cx.tags.clone();
    tags.insert(Context::OWNER_TAG.to_owned(), owner.to_string());
    Context { owner, tags, first: false, ..cx.clone() }
}
