//! The one place where clients of brokers are made.
//!
//! What this module guarantees: a client is made with the credentials that the broker's Secret holds now (it is read again
//! when it has changed, after half a minute, and at once after a 401), and connections are kept as long as nothing changed; a broker of a
//! namespace cannot be at a local address unless the administrator allows it; nothing is sent by a replica that does not
//! hold the lease; every call is counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context as Digest, SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;

use super::broker::Renewals;
use super::leader::Held;
use super::scope::{BrokerObject, Credential};
use super::write::is_forbidden;
use crate::config;
use crate::metrics::ControllerMetrics;
use crate::osb_client::{self, Auth, Client, Guard, Options};

/// How long a Secret that was read is believed.
const BELIEVED: Duration = Duration::from_secs(30);

/// Why there is no answer of a broker.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The credentials are not there or not complete: somebody must change that.
    #[error("{0}")]
    Credentials(String),
    /// The broker, or what was said of it.
    #[error(transparent)]
    Broker(#[from] osb_client::Error),
    /// The API server.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// This replica does not hold the lease: it must not act.
    #[error("this replica does not hold the lease")]
    NotLeader,
}

/// Makes and keeps clients.
pub struct Clients {
    kube: kube::Client,
    settings: config::Brokers,
    held: Held,
    metrics: ControllerMetrics,
    renewals: Renewals,
    /// By the broker's uid.
    made: Mutex<HashMap<String, Made>>,
}

#[derive(Clone)]
struct Made {
    generation: Option<i64>,
    read: Instant,
    /// Of all that the client is made from.
    fingerprint: Vec<u8>,
    client: Client,
}

/// A broker that can be called.
pub struct Broker<'a> {
    /// The nine routes.
    pub client: Client,
    clients: &'a Clients,
    uid: String,
    label: String,
}

impl Clients {
    /// None made yet.
    pub fn new(
        kube: kube::Client,
        settings: config::Brokers,
        held: Held,
        metrics: ControllerMetrics,
        renewals: Renewals,
    ) -> Self {
        Self { kube, settings, held, metrics, renewals, made: Mutex::default() }
    }

    /// Whether the credentials may be others than those that failed.
    pub fn may_be_renewed(&self, uid: &str) -> bool {
        self.renewals.take_untried(uid)
    }

    /// A client of that broker.
    pub async fn of<B: BrokerObject>(&self, broker: &B) -> Result<Broker<'_>, Error> {
        let uid = broker.uid().unwrap_or_default();
        let label = if broker.namespace().is_some() { "namespaced".to_owned() } else { broker.name_any() };
        let usable = |client| Broker { client, clients: self, uid: uid.clone(), label: label.clone() };
        let last = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(&uid).cloned();
        let generation = broker.meta().generation;
        let former = last.clone().filter(|former| former.generation == generation);
        let is_believed = |former: &&Made| former.read.elapsed() < BELIEVED;
        // Asked first: what changes while the Secret is read is read again.
        let is_read = !self.renewals.take_unread(&uid);
        if let Some(former) = former.as_ref().filter(|_| is_read).filter(is_believed) {
            return Ok(usable(former.client.clone()));
        }
        let secret = match broker.credential() {
            None => None,
            Some(at) => match self.secret(&at).await? {
                Some(secret) => Some((at, secret)),
                // In a namespace that is deleted the Secret may go first. What is to be deleted at the broker can be, still. The
                // deletion itself has counted as one change of the broker.
                None => match last.filter(|last| {
                    let deleted = broker.meta().deletion_timestamp.is_some();
                    deleted && (last.generation == generation || last.generation.map(|one| one + 1) == generation)
                }) {
                    Some(last) => return Ok(usable(last.client)),
                    None => {
                        let Credential { namespace, name, .. } = at;
                        return Err(Error::Credentials(format!("there is no Secret {namespace}/{name}")));
                    }
                },
            },
        };
        let options = self.options(broker, secret.as_ref().map(|(at, secret)| (at, secret)))?;
        let fingerprint = fingerprint(broker, secret.as_ref().map(|(_, secret)| secret));
        let client = match former.filter(|former| former.fingerprint == fingerprint) {
            Some(former) => former.client,
            None => Client::new(options)?,
        };
        let made = Made { generation, read: Instant::now(), fingerprint, client: client.clone() };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(uid.clone(), made);
        Ok(usable(client))
    }

    /// A broker is gone, or its credentials are no good any more.
    pub fn forget(&self, uid: &str) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    async fn secret(&self, at: &Credential<'_>) -> Result<Option<Secret>, Error> {
        if at.name.is_empty() || at.namespace.is_empty() {
            return Err(Error::Credentials("the reference to the Secret names no Secret".into()));
        }
        match Api::<Secret>::namespaced(self.kube.clone(), at.namespace).get_opt(at.name).await {
            Err(error) if is_forbidden(&error) => {
                let Credential { namespace, name, .. } = at;
                Err(Error::Credentials(format!("the controller may not read the Secret {namespace}/{name}")))
            }
            result => Ok(result?),
        }
    }

    fn options<B: BrokerObject>(
        &self,
        broker: &B,
        secret: Option<(&Credential<'_>, &Secret)>,
    ) -> Result<Options, Error> {
        let spec = broker.common();
        let mut options = Options::new(&spec.url);
        options.time = self.settings.broker_timeout;
        options.insecure = spec.insecure_skip_tls_verify;
        if let Some(bundle) = spec.ca_bundle.as_deref().filter(|bundle| !bundle.is_empty()) {
            let pem = BASE64_STANDARD.decode(bundle);
            options.roots = pem.map_err(|_| Error::Credentials("spec.caBundle is not base64".into()))?;
            options.roots_only = true;
        }
        if broker.namespace().is_some() && !self.settings.allow_local_brokers {
            options.guard = Guard::NotLocal;
        }
        if let Some((at, secret)) = secret {
            (options.auth, options.identity) = read(at, secret).map_err(Error::Credentials)?;
        }
        Ok(options)
    }
}

/// The login and the client certificate that a Secret holds. What is wrong is said by the names of keys alone.
fn read(at: &Credential<'_>, secret: &Secret) -> Result<(Auth, Option<SecretString>), String> {
    let Credential { bearer, namespace, name } = *at;
    let has = |key: &str| secret.data.as_ref().is_some_and(|data| data.contains_key(key));
    let text = |key: &str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key)).map(|value| value.0.clone());
        let bytes = bytes.ok_or_else(|| format!("the Secret {namespace}/{name} lacks the key {key:?}"))?;
        String::from_utf8(bytes).map_err(|_| format!("{key:?} in the Secret {namespace}/{name} is not text"))
    };
    let identity = if has("tls.crt") || has("tls.key") {
        Some(SecretString::from(format!("{}\n{}", text("tls.crt")?, text("tls.key")?)))
    } else {
        None
    };
    let auth = if bearer {
        // A file that ends with a newline makes a token that no header can carry.
        Auth::Bearer(text("token")?.trim().into())
    } else if identity.is_some() && !has("username") && !has("password") {
        Auth::None
    } else {
        Auth::Basic { username: text("username")?, password: text("password")?.into() }
    };
    Ok((auth, identity))
}

fn fingerprint<B: BrokerObject>(broker: &B, secret: Option<&Secret>) -> Vec<u8> {
    let mut digest = Digest::new(&SHA256);
    digest.update(&serde_json::to_vec(broker.common()).unwrap_or_default());
    for (key, value) in secret.and_then(|secret| secret.data.as_ref()).into_iter().flatten() {
        for part in [key.as_bytes(), &value.0] {
            digest.update(&part.len().to_be_bytes());
            digest.update(part);
        }
    }
    digest.finish().as_ref().to_vec()
}

impl Broker<'_> {
    /// Makes a call, if this replica may; counts it. The name is that of the operation: `provision`, `bind`.
    pub async fn call<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, osb_client::Error>>,
    ) -> Result<T, Error> {
        if !self.clients.held.is_held() {
            return Err(Error::NotLeader);
        }
        let begun = Instant::now();
        let result = call.await;
        let outcome = match &result {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.refusal().map_or_else(|| "no answer".to_owned(), |refusal| refusal.status.to_string()),
        };
        self.clients.metrics.broker_call(&self.label, operation, outcome, begun.elapsed());
        if result.as_ref().is_err_and(|error| error.refusal().is_some_and(|refusal| refusal.status == 401)) {
            self.clients.forget(&self.uid);
        }
        Ok(result?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;

    use super::*;

    fn secret(entries: &[(&str, &str)]) -> Secret {
        let entry = |(key, value): &(&str, &str)| (key.to_string(), ByteString(value.as_bytes().to_vec()));
        Secret { data: Some(entries.iter().map(entry).collect::<BTreeMap<_, _>>()), ..Secret::default() }
    }

    #[test]
    fn a_secret_is_read_in_all_its_forms() {
        let basic = Credential { bearer: false, namespace: "n", name: "s" };
        let bearer = Credential { bearer: true, ..basic };
        let login = [("username", "u"), ("password", "hunter2")];
        let tls = [("tls.crt", "CERT"), ("tls.key", "KEY")];
        assert!(matches!(read(&basic, &secret(&login)), Ok((Auth::Basic { .. }, None))));
        assert!(matches!(read(&basic, &secret(&tls)), Ok((Auth::None, Some(_)))));
        assert!(matches!(read(&basic, &secret(&[login, tls].concat())), Ok((Auth::Basic { .. }, Some(_)))));
        assert!(matches!(read(&bearer, &secret(&[("token", "t\n")])), Ok((Auth::Bearer(_), None))));
        for (at, entries) in [(&basic, &login[..1]), (&basic, &tls[..1]), (&bearer, &login[..])] {
            let reason = read(at, &secret(entries)).unwrap_err();
            assert!(reason.contains("lacks the key") && !reason.contains("hunter2"), "{reason}");
        }
    }
}
