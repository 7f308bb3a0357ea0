//! The Secret of a binding: read, written, removed.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::{Map, Value};

use super::content::{Content, Data, Found, bare, content, inspect, kept, secret};
use super::options::{self, Dress};
use super::transforms::{self, Sources};
use super::work::Work;
use crate::kubernetes::api::ServiceBinding;
use crate::kubernetes::turn::Error as TurnError;
use crate::kubernetes::write::{MANAGER, is_conflict, is_not_found};

/// Why a Secret was not written.
pub enum Trouble {
    /// What is wrong lasts: the spec or the credentials make no Secret.
    Wrong(String),
    /// Something is in the way.
    InTheWay(String),
    /// The API server.
    Turn(TurnError),
}

impl From<kube::Error> for Trouble {
    fn from(error: kube::Error) -> Self {
        Self::Turn(error.into())
    }
}

/// The Secret that shall be written, as far as it is known before there are credentials.
pub struct Plan {
    /// How it shall look.
    pub dress: Dress,
    /// What is there now.
    pub found: Found,
    there: Option<Secret>,
    sources: Sources,
}

fn api(work: &Work<'_>) -> Api<Secret> {
    Api::namespaced(work.cx.client.clone(), work.namespace())
}

/// Looks at what is there, and reads what the transforms need.
pub async fn plan(work: &Work<'_>) -> Result<Plan, Trouble> {
    let binding = &work.binding;
    transforms::check(&binding.spec.secret_transforms).map_err(Trouble::Wrong)?;
    let dress = options::dress(binding).map_err(Trouble::InTheWay)?;
    let there = api(work).get_opt(&binding.spec.secret_name).await?;
    let found = inspect(there.as_ref(), binding, &dress);
    Ok(Plan { dress, found, there, sources: Sources::new() })
}

impl Plan {
    /// Reads the Secrets that keys are added from.
    pub async fn read_sources(&mut self, work: &Work<'_>) -> Result<(), Trouble> {
        for at in transforms::sources(&work.binding.spec.secret_transforms) {
            let api = Api::<Secret>::namespaced(work.cx.client.clone(), &at.namespace);
            let source = api.get_opt(&at.name).await?.ok_or_else(|| {
                Trouble::InTheWay(format!(
                    "There is no Secret {}/{}, which keys are added from.",
                    at.namespace, at.name
                ))
            })?;
            self.sources.insert((at.namespace.clone(), at.name.clone()), source.data.unwrap_or_default());
        }
        Ok(())
    }

    /// Writes these credentials.
    pub async fn write(self, work: &Work<'_>, credentials: Map<String, Value>) -> Result<(), Trouble> {
        let transforms = &work.binding.spec.secret_transforms;
        let entries = transforms::apply(credentials, transforms, &self.sources).map_err(Trouble::Wrong)?;
        let made = content(entries, &self.dress).map_err(Trouble::Wrong)?;
        self.apply(work, made).await
    }

    /// Writes labels, annotations and owner anew around the data that are there.
    pub async fn dress(self, work: &Work<'_>) -> Result<(), Trouble> {
        let data = self.there.as_ref().map(kept).unwrap_or_default();
        let type_ = self.there.as_ref().and_then(|there| there.type_.clone()).unwrap_or_default();
        self.apply(work, Content { type_, data }).await
    }

    async fn apply(self, work: &Work<'_>, made: Content) -> Result<(), Trouble> {
        let api = api(work);
        let mut there = self.there;
        // One that cannot be changed is made anew.
        if let Some(frozen) = there.as_ref().filter(|there| there.immutable == Some(true)) {
            delete(&api, frozen).await?;
            there = None;
        }
        let uid = match there.as_ref().and_then(ResourceExt::uid) {
            Some(uid) => uid,
            None => create(&api, &work.binding, made.type_).await?,
        };
        if !work.cx.held.is_held() {
            return Err(Trouble::Turn(TurnError::NotLeader));
        }
        let wanted = applied(&work.binding, &self.dress, made.data, uid);
        let params = PatchParams::apply(MANAGER).force();
        match api.patch(&work.binding.spec.secret_name, &params, &Patch::Apply(&wanted)).await {
            Ok(_) => Ok(()),
            Err(error) if is_conflict(&error) || is_not_found(&error) => Err(Trouble::Turn(TurnError::Fenced)),
            Err(error) => Err(refused(error)),
        }
    }
}

/// With the uid: if another Secret has come into its place, it is left alone.
fn applied(binding: &ServiceBinding, dress: &Dress, data: Data, uid: String) -> Secret {
    let mut wanted = secret(binding, dress, data);
    wanted.metadata.uid = Some(uid);
    wanted
}

/// Server-side apply would change a Secret that somebody made a moment ago; a create is refused.
async fn create(api: &Api<Secret>, binding: &ServiceBinding, type_: String) -> Result<String, Trouble> {
    let new = Secret { type_: Some(type_), ..bare(binding) };
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    match api.create(&params, &new).await {
        Ok(made) => Ok(made.uid().unwrap_or_default()),
        Err(error) if is_conflict(&error) => Err(Trouble::Turn(TurnError::Fenced)),
        Err(error) => Err(refused(error)),
    }
}

/// What the API server does not take. Its own words may quote what they are about; the fields are enough.
fn refused(error: kube::Error) -> Trouble {
    match &error {
        kube::Error::Api(status) if status.code == 422 => {
            let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
            let fields: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).collect();
            Trouble::InTheWay(format!("The API server does not take the Secret: {}.", fields.join(", ")))
        }
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 413) => {
            let text = "The API server does not let the Secret be written (quota, admission or rights).";
            Trouble::InTheWay(format!("{text} Status {}.", status.code))
        }
        _ => error.into(),
    }
}

async fn delete(api: &Api<Secret>, secret: &Secret) -> Result<(), kube::Error> {
    let same = Preconditions { uid: secret.uid(), resource_version: None };
    match api.delete(&secret.name_any(), &DeleteParams { preconditions: Some(same), ..DeleteParams::default() }).await {
        Err(error) if !is_not_found(&error) && !is_conflict(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Removes the Secret, if it is ours.
pub async fn remove(work: &Work<'_>) -> Result<(), TurnError> {
    if work.binding.spec.secret_name.is_empty() {
        return Ok(());
    }
    let api = api(work);
    let Some(there) = api.get_opt(&work.binding.spec.secret_name).await? else { return Ok(()) };
    match inspect(Some(&there), &work.binding, &Dress::default()) {
        Found::Missing | Found::Foreign(_) => Ok(()),
        Found::Intact | Found::Undressed | Found::Damaged => Ok(delete(&api, &there).await?),
    }
}
