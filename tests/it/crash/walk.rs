//! One walk: provision, bind, update, unbind, deprovision; after each step, what must be true.

use std::time::{Duration, Instant};

use ::http::Method;
use chandlery::osb::Uid;
use serde_json::{Map, Value, json};

use super::parameters::Case;
use super::proof::{assert_one_key, assert_usable};
use super::world::World;
use crate::support::app::Ids;

/// A walk through one case in one world.
pub struct Walk<'a> {
    pub world: &'a World,
    pub case: &'a Case,
    pub ids: Ids,
    pub instance: String,
    pub binding: String,
}

/// How an operation ended: `succeeded`, `failed` or `gone`, and the last answer.
pub type Ended = (String, Value);

impl<'a> Walk<'a> {
    pub fn new(world: &'a World, case: &'a Case) -> Self {
        let ids = world.app().ids(&case.offering, &case.plan);
        let (instance, binding) = (Uid::random().to_string(), Uid::random().to_string());
        Self { world, case, ids, instance, binding }
    }

    /// Every operation succeeds, whatever happens on the way.
    pub async fn whole(&self) {
        self.succeeded(self.provision().await);
        self.world.assert_whole().await;
        let mut credentials = None;
        if self.case.bind.is_some() {
            self.succeeded(self.bind().await);
            self.world.assert_whole().await;
            credentials = Some(self.credentials().await);
            self.check(credentials.as_ref()).await;
        }
        if self.case.update.is_some() {
            self.succeeded(self.update().await);
            self.world.assert_whole().await;
            self.check(credentials.as_ref()).await;
        }
        if let Some(credentials) = credentials {
            assert_usable(self.world, &credentials).await;
            self.gone(self.unbind().await);
            self.world.assert_whole().await;
        }
        self.gone(self.deprovision().await);
        self.world.assert_nothing_left().await;
    }

    /// The credentials are the same every time they are fetched, and their key is the one that lives.
    async fn check(&self, credentials: Option<&Map<String, Value>>) {
        let Some(credentials) = credentials else { return };
        assert_eq!(*credentials, self.credentials().await);
        assert_one_key(self.world, credentials).await;
    }

    pub async fn credentials(&self) -> Map<String, Value> {
        let answer = self.world.app().get(&self.binding_path()).await.expect(200);
        answer["credentials"].as_object().unwrap().clone()
    }

    pub fn succeeded(&self, (state, answer): Ended) {
        assert_eq!(state, "succeeded", "{answer}");
    }

    pub fn gone(&self, (state, answer): Ended) {
        assert!(state == "gone" || state == "succeeded", "{answer}");
    }

    pub fn instance_path(&self) -> String {
        format!("/v2/service_instances/{}", self.instance)
    }

    pub fn binding_path(&self) -> String {
        format!("{}/service_bindings/{}", self.instance_path(), self.binding)
    }

    pub async fn provision(&self) -> Ended {
        let body = self.ids.provision(self.case.create.clone());
        self.ordered(Method::PUT, &self.instance_path(), "", Some(body)).await
    }

    pub async fn bind(&self) -> Ended {
        let body = self.ids.bind(self.case.bind.clone().unwrap());
        self.ordered(Method::PUT, &self.binding_path(), "", Some(body)).await
    }

    pub async fn update(&self) -> Ended {
        let body = json!({ "service_id": self.ids.service, "parameters": self.case.update });
        self.ordered(Method::PATCH, &self.instance_path(), "", Some(body)).await
    }

    pub async fn unbind(&self) -> Ended {
        self.ordered(Method::DELETE, &self.binding_path(), &self.ids.query(), None).await
    }

    pub async fn deprovision(&self) -> Ended {
        self.ordered(Method::DELETE, &self.instance_path(), &self.ids.query(), None).await
    }

    /// Sends an order (again, if its answer is lost) and waits for the end.
    async fn ordered(&self, method: Method, path: &str, query: &str, body: Option<Value>) -> Ended {
        let operation = self.order(&method, path, query, body.as_ref()).await;
        if operation.is_none() {
            // What was asked for is so already.
            let how = if method == Method::DELETE { "gone" } else { "succeeded" };
            return (how.to_owned(), Value::Null);
        }
        if self.world.points.request(method.as_str()) {
            self.world.crash().await;
            let again = self.order(&method, path, query, body.as_ref()).await;
            // It may have ended meanwhile; if it has not, it is the same one.
            assert!(again.is_none() || again == operation, "{again:?} is not {operation:?}");
        }
        self.end_of(path).await
    }

    /// The operation that was accepted; none if there was nothing to do.
    pub async fn order(&self, method: &Method, path: &str, query: &str, body: Option<&Value>) -> Option<String> {
        let mut request = self.world.app().request(method.clone(), &format!("{path}?accepts_incomplete=true&{query}"));
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await;
        match reply.status {
            202 => Some(reply.json()["operation"].as_str().unwrap().to_owned()),
            200 | 410 => None,
            status => panic!("{method} {path}: {status} {}", reply.text),
        }
    }

    /// Polls until the newest operation of that path has ended.
    pub async fn end_of(&self, path: &str) -> Ended {
        let deadline = Instant::now() + Duration::from_secs(100);
        loop {
            let reply = self.world.app().get(&format!("{path}/last_operation")).await;
            if reply.status == 410 || reply.status == 404 {
                return ("gone".to_owned(), Value::Null);
            }
            let body = reply.expect(200);
            match body["state"].as_str().unwrap() {
                "in progress" => {}
                state => return (state.to_owned(), body),
            }
            assert!(Instant::now() < deadline, "still in progress: {body}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
