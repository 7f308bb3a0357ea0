//! Brings a cluster's definitions to this version's. Package managers install definitions once and never again.
//!
//! Each is replaced whole, but for labels and annotations that others put there: what this version no longer says must not
//! stay because somebody else once wrote it. None is ever deleted: with a kind all its objects would go.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PostParams;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};

use super::definitions;
use crate::kubernetes::run::{Error as ClusterError, client_config};
use crate::kubernetes::write::{MANAGER, is_conflict};

/// How long the API server may take until it serves a kind.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a definition is read again that somebody changed meanwhile.
const TRIES: usize = 5;

/// Why a definition is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// It cannot be made.
    #[error(transparent)]
    Definition(#[from] super::Error),
    /// The API server refuses it.
    #[error("{0}: {1}")]
    Refused(String, kube::Error),
    /// The API server has it and does not serve it.
    #[error("{0} is not served after a minute")]
    NotServed(String),
}

/// What became of a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was not there.
    Created,
    /// It was another one.
    Changed,
    /// Nothing.
    Current,
}

/// Brings all definitions to this version's and waits until they are served.
pub async fn apply(kubeconfig: Option<&Path>) -> Result<Vec<(String, Applied)>, Error> {
    let client = Client::try_from(client_config(kubeconfig).await?).map_err(ClusterError::from)?;
    let api = Api::<CustomResourceDefinition>::all(client);
    let mut all = Vec::new();
    for definition in definitions()? {
        let name = definition.name_any();
        let applied = one(&api, &definition).await.map_err(|error| Error::Refused(name.clone(), error))?;
        let served = await_condition(api.clone(), &name, is_crd_established());
        match tokio::time::timeout(PATIENCE, served).await {
            Ok(Ok(_)) => all.push((name, applied)),
            Ok(Err(_)) | Err(_) => return Err(Error::NotServed(name)),
        }
    }
    Ok(all)
}

async fn one(api: &Api<CustomResourceDefinition>, wanted: &CustomResourceDefinition) -> Result<Applied, kube::Error> {
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    let mut tries = 0;
    loop {
        tries += 1;
        let written = match api.get_opt(&wanted.name_any()).await? {
            None => api.create(&params, wanted).await.map(|_| Applied::Created),
            Some(found) => {
                let version = found.resource_version();
                let now = api.replace(&wanted.name_any(), &params, &over(found, wanted)).await;
                // A write that changes nothing does not change the version either.
                now.map(|now| if now.resource_version() == version { Applied::Current } else { Applied::Changed })
            }
        };
        match written {
            Err(error) if is_conflict(&error) && tries < TRIES => {}
            other => return other,
        }
    }
}

/// What was found, with our spec, and our labels and annotations beside those of others.
fn over(mut found: CustomResourceDefinition, wanted: &CustomResourceDefinition) -> CustomResourceDefinition {
    found.labels_mut().extend(wanted.labels().clone());
    found.annotations_mut().extend(wanted.annotations().clone());
    found.spec = wanted.spec.clone();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_beside_it_stays_and_what_they_wrote_into_it_goes() {
        let wanted = definitions().unwrap().remove(0);
        let mut found = wanted.clone();
        found.metadata.resource_version = Some("7".into());
        found.annotations_mut().insert("theirs".into(), "kept".into());
        found.annotations_mut().insert("api-approved.kubernetes.io".into(), "unapproved".into());
        found.labels_mut().clear();
        // As Service Catalog had it.
        found.spec.preserve_unknown_fields = Some(true);
        let written = over(found, &wanted);
        assert_eq!(written.spec, wanted.spec);
        assert_eq!(written.labels(), wanted.labels());
        assert_eq!(written.annotations()["theirs"], "kept");
        assert_eq!(
            written.annotations()["api-approved.kubernetes.io"],
            wanted.annotations()["api-approved.kubernetes.io"]
        );
        assert_eq!(written.resource_version().as_deref(), Some("7"));
    }
}
