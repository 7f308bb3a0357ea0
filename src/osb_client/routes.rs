//! The nine routes.

use http::{HeaderMap, HeaderValue, Method, header};
use serde::Serialize;

use super::answer::{Answer, CatalogAnswer};
use super::client::{Client, Headers};
use super::error::Error;
use crate::osb::{
    BindRequest, BindingId, BindingResponse, DeleteQuery, DeprovisionResponse, FetchBindingResponse,
    FetchInstanceResponse, FetchQuery, InstanceId, LastOperation, LastOperationQuery, PlanId, ProvisionRequest,
    ProvisionResponse, ServiceId, UnbindResponse, UpdateRequest, UpdateResponse,
};

const NO_BODY: Option<&()> = None;
const INSTANCES: &str = "service_instances";
const BINDINGS: &str = "service_bindings";
const LAST_OPERATION: &str = "last_operation";

type Pair<'a> = (&'static str, Option<&'a str>);

fn can_wait<'a>(accepts_incomplete: bool) -> Pair<'a> {
    ("accepts_incomplete", accepts_incomplete.then_some("true"))
}

fn ids<'a>(service: &'a Option<ServiceId>, plan: &'a Option<PlanId>) -> [Pair<'a>; 2] {
    [("service_id", service.as_ref().map(ServiceId::as_str)), ("plan_id", plan.as_ref().map(PlanId::as_str))]
}

impl Client {
    /// `GET /v2/catalog`; with the entity tag of a former answer it may be unchanged.
    pub async fn catalog(&self, with: Headers<'_>, etag: Option<&str>) -> Result<CatalogAnswer, Error> {
        let mut headers = HeaderMap::new();
        if let Some(etag) = etag {
            let value = HeaderValue::try_from(etag).map_err(|_| Error::Header("entity tag"))?;
            headers.insert(header::IF_NONE_MATCH, value);
        }
        let raw = self.send(Method::GET, self.url(&["catalog"], &[])?, headers, with, NO_BODY).await?;
        if raw.status == 304 && etag.is_some() {
            return Ok(CatalogAnswer::Unchanged);
        }
        let etag = raw.headers.get(header::ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (catalog, skipped) = raw.catalog()?;
        Ok(CatalogAnswer::Fresh { catalog, skipped, etag })
    }

    /// `PUT` of an instance.
    pub async fn provision(
        &self,
        with: Headers<'_>,
        instance: &InstanceId,
        request: &ProvisionRequest,
        accepts_incomplete: bool,
    ) -> Result<Answer<ProvisionResponse>, Error> {
        let url = self.url(&[INSTANCES, instance.as_str()], &[can_wait(accepts_incomplete)])?;
        self.send(Method::PUT, url, HeaderMap::new(), with, Some(request)).await?.expect(&[200, 201, 202])
    }

    /// `PATCH` of an instance.
    pub async fn update(
        &self,
        with: Headers<'_>,
        instance: &InstanceId,
        request: &UpdateRequest,
        accepts_incomplete: bool,
    ) -> Result<Answer<UpdateResponse>, Error> {
        let url = self.url(&[INSTANCES, instance.as_str()], &[can_wait(accepts_incomplete)])?;
        self.send(Method::PATCH, url, HeaderMap::new(), with, Some(request)).await?.expect(&[200, 202])
    }

    /// `DELETE` of an instance.
    pub async fn deprovision(
        &self,
        with: Headers<'_>,
        instance: &InstanceId,
        query: &DeleteQuery,
    ) -> Result<Answer<DeprovisionResponse>, Error> {
        self.delete(with, &[INSTANCES, instance.as_str()], query).await
    }

    /// `GET` of an instance.
    pub async fn fetch_instance(
        &self,
        with: Headers<'_>,
        instance: &InstanceId,
        query: &FetchQuery,
    ) -> Result<FetchInstanceResponse, Error> {
        let url = self.url(&[INSTANCES, instance.as_str()], &ids(&query.service_id, &query.plan_id))?;
        Ok(self.send(Method::GET, url, HeaderMap::new(), with, NO_BODY).await?.expect(&[200])?.body)
    }

    /// `GET …/last_operation` of an instance.
    pub async fn instance_operation(
        &self,
        with: Headers<'_>,
        instance: &InstanceId,
        query: &LastOperationQuery,
    ) -> Result<Answer<LastOperation>, Error> {
        self.poll(with, &[INSTANCES, instance.as_str(), LAST_OPERATION], query).await
    }

    /// `PUT` of a binding.
    pub async fn bind(
        &self,
        with: Headers<'_>,
        instance: &InstanceId,
        binding: &BindingId,
        request: &BindRequest,
        accepts_incomplete: bool,
    ) -> Result<Answer<BindingResponse>, Error> {
        let path = [INSTANCES, instance.as_str(), BINDINGS, binding.as_str()];
        let url = self.url(&path, &[can_wait(accepts_incomplete)])?;
        self.send(Method::PUT, url, HeaderMap::new(), with, Some(request)).await?.expect(&[200, 201, 202])
    }

    /// `DELETE` of a binding.
    pub async fn unbind(
        &self,
        with: Headers<'_>,
        instance: &InstanceId,
        binding: &BindingId,
        query: &DeleteQuery,
    ) -> Result<Answer<UnbindResponse>, Error> {
        self.delete(with, &[INSTANCES, instance.as_str(), BINDINGS, binding.as_str()], query).await
    }

    /// `GET` of a binding.
    pub async fn fetch_binding(
        &self,
        with: Headers<'_>,
        instance: &InstanceId,
        binding: &BindingId,
        query: &FetchQuery,
    ) -> Result<FetchBindingResponse, Error> {
        let path = [INSTANCES, instance.as_str(), BINDINGS, binding.as_str()];
        let url = self.url(&path, &ids(&query.service_id, &query.plan_id))?;
        Ok(self.send(Method::GET, url, HeaderMap::new(), with, NO_BODY).await?.expect(&[200])?.body)
    }

    /// `GET …/last_operation` of a binding.
    pub async fn binding_operation(
        &self,
        with: Headers<'_>,
        instance: &InstanceId,
        binding: &BindingId,
        query: &LastOperationQuery,
    ) -> Result<Answer<LastOperation>, Error> {
        let path = [INSTANCES, instance.as_str(), BINDINGS, binding.as_str(), LAST_OPERATION];
        self.poll(with, &path, query).await
    }

    async fn delete<T>(&self, with: Headers<'_>, path: &[&str], query: &DeleteQuery) -> Result<Answer<T>, Error>
    where
        T: serde::de::DeserializeOwned + Default + Serialize,
    {
        let [service, plan] = ids(&query.service_id, &query.plan_id);
        let url = self.url(path, &[can_wait(query.accepts_incomplete), service, plan])?;
        self.send(Method::DELETE, url, HeaderMap::new(), with, NO_BODY).await?.expect_done()
    }

    async fn poll(
        &self,
        with: Headers<'_>,
        path: &[&str],
        query: &LastOperationQuery,
    ) -> Result<Answer<LastOperation>, Error> {
        let [service, plan] = ids(&query.service_id, &query.plan_id);
        let url = self.url(path, &[service, plan, ("operation", query.operation.as_deref())])?;
        self.send(Method::GET, url, HeaderMap::new(), with, NO_BODY).await?.expect(&[200])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::osb::{OriginatingIdentity, State};
    use crate::osb_client::{Auth, Options, Status};

    type Heard = Arc<Mutex<Vec<String>>>;

    /// A broker that answers each connection with the next of these texts and writes down what it heard.
    async fn broker(answers: Vec<String>) -> (String, Heard) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/prefix/", listener.local_addr().unwrap());
        let heard = Heard::default();
        let log = Arc::clone(&heard);
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = vec![0; 65536];
                let size = stream.read(&mut buffer).await.unwrap();
                log.lock().unwrap().push(String::from_utf8_lossy(&buffer[..size]).into_owned());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        (url, heard)
    }

    fn answer(status: &str, headers: &str, body: &str) -> String {
        let size = body.len();
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {size}\r\nconnection: close\r\n\r\n{body}")
    }

    #[tokio::test]
    async fn ids_are_encoded_and_headers_are_sent() {
        let body = r#"{"state":"in progress","description":"on it"}"#;
        let (url, heard) = broker(vec![answer("200 OK", "retry-after: 7\r\n", body)]).await;
        let auth = Auth::Basic { username: "u".into(), password: "hunter2".into() };
        let client = Client::new(Options { auth, ..Options::new(url) }).unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
        let identity = OriginatingIdentity { platform: "kubernetes".into(), value: serde_json::Map::new() };
        let with = Headers { identity: Some(&identity), request_id: Some("r-1") };
        let query = LastOperationQuery { operation: Some("a b&c".into()), ..Default::default() };
        let answer = client.instance_operation(with, &InstanceId::from("a/ü?"), &query).await.unwrap();
        assert_eq!((answer.body.state(), answer.retry_after), (State::InProgress, Some(Duration::from_secs(7))));
        let heard = heard.lock().unwrap()[0].to_lowercase();
        let line = "get /prefix/v2/service_instances/a%2f%c3%bc%3f/last_operation?operation=a%20b%26c http/1.1\r\n";
        assert!(heard.starts_with(line), "{heard}");
        for header in [
            "authorization: basic dtpodw50zxiy",
            "x-broker-api-version: 2.17",
            "x-broker-api-originating-identity: kubernetes e30=",
            "x-broker-api-request-identity: r-1",
        ] {
            assert!(heard.contains(header), "{header}: {heard}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_followed_on_the_same_host_only_and_bodies_are_bounded() {
        let (url, heard) = broker(vec![
            answer("307 Temporary Redirect", "location: /else/v2/x\r\n", ""),
            answer("201 Created", "", r#"{"dashboard_url":"d"}"#),
            answer("307 Temporary Redirect", "location: http://169.254.169.254/\r\n", ""),
            answer("500 Oops", "", &"x".repeat(200)),
        ])
        .await;
        let client = Client::new(Options { body_limit: 100, ..Options::new(url) }).unwrap();
        let (id, request) = (InstanceId::from("i"), ProvisionRequest::default());
        let made = client.provision(Headers::default(), &id, &request, true).await.unwrap();
        assert_eq!((made.status, made.body.dashboard_url.as_deref()), (Status::Created, Some("d")));
        assert!(heard.lock().unwrap()[1].starts_with("PUT /else/v2/x"));
        let error = client.provision(Headers::default(), &id, &request, true).await.unwrap_err();
        assert!(matches!(error, Error::Redirected { status: 307 }), "{error}");
        let error = client.provision(Headers::default(), &id, &request, true).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge { status: 500, .. }) && error.may_leave_an_orphan(), "{error}");
        let error = client.provision(Headers::default(), &InstanceId::from(".."), &request, true).await.unwrap_err();
        assert!(matches!(error, Error::Id(_)));
    }

    #[tokio::test]
    async fn a_broker_that_is_not_there_is_said_to_refuse() {
        // Nobody listens on port 1.
        let client = Client::new(Options::new("http://127.0.0.1:1")).unwrap();
        let error = client.catalog(Headers::default(), None).await.unwrap_err();
        assert!(error.sentence().to_lowercase().contains("refused"), "{}", error.sentence());
        assert!(!error.may_leave_an_orphan());
    }

    #[tokio::test]
    async fn a_broker_that_says_nothing_ends_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = Client::new(Options { time: Duration::from_millis(50), ..Options::new(url) }).unwrap();
        let error = client.catalog(Headers::default(), None).await.unwrap_err();
        assert!(matches!(error, Error::TimedOut) && error.may_leave_an_orphan(), "{error:?}");
    }
}
