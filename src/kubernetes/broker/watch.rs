//! What else wakes a broker: the Secret with its credentials.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};

use crate::kubernetes::scope::{BrokerObject, Object};

/// Brokers whose credentials may be others than they were, by uid. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Renewals(Arc<Mutex<Lists>>);

#[derive(Debug, Default)]
struct Lists {
    /// Their Secret is to be read before the next call.
    unread: HashSet<String>,
    /// They may be worth another attempt.
    untried: HashSet<String>,
}

impl Renewals {
    fn add(&self, uid: &str) {
        let mut lists = self.lists();
        lists.unread.insert(uid.to_owned());
        lists.untried.insert(uid.to_owned());
    }

    /// Whether the Secret is to be read; it is, after that.
    pub fn take_unread(&self, uid: &str) -> bool {
        self.lists().unread.remove(uid)
    }

    /// Whether another attempt is worth it; it is made, after that.
    pub fn take_untried(&self, uid: &str) -> bool {
        self.lists().untried.remove(uid)
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the watch. Only the names of Secrets are kept, and only for as long as it takes to look whether they are logins.
pub fn watching<B>(
    controller: Controller<B>,
    client: &Client,
    namespace: Option<&str>,
    renewals: &Renewals,
) -> Controller<B>
where
    B: BrokerObject + Object,
{
    let secrets: Api<PartialObjectMeta<Secret>> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let (brokers, renewals) = (controller.store(), renewals.clone());
    let wanted = watcher::Config::default().fields(crate::kubernetes::names::NO_PARAMETERS);
    controller.watches(secrets, wanted, move |secret| {
        let (namespace, name) = (secret.namespace().unwrap_or_default(), secret.name_any());
        let uses = |broker: &B| broker.credential().is_some_and(|at| at.name == name && at.namespace == namespace);
        let concerned = brokers.state_filter(uses);
        concerned
            .iter()
            .map(|broker| {
                renewals.add(&broker.uid().unwrap_or_default());
                ObjectRef::from_obj(&**broker)
            })
            .collect::<Vec<_>>()
    })
}
