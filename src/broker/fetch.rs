//! `GET` of an instance and of a binding.

use serde_json::{Map, Value};

use super::parameters::TARGET;
use super::{Broker, Caller, broken};
use crate::catalog::{Revision, Verb};
use crate::osb::{
    BindingId, Error, FetchBindingResponse, FetchInstanceResponse, FetchQuery, InstanceId, MaintenanceInfo, Parameters,
};
use crate::store::{self, State, place};

impl Broker {
    /// An instance as it is: while an update runs, as it was before.
    pub async fn fetch_instance(
        &self,
        caller: &Caller,
        id: &InstanceId,
        _hints: FetchQuery,
    ) -> Result<FetchInstanceResponse, Error> {
        let Some(instance) = self.0.fetches.get((caller.platform.clone(), id.clone())).await? else {
            let found = store::instance::find(self.singles(), &caller.platform, id).await?;
            return Err(not_there("instance", found.map(|instance| instance.state)));
        };
        let revision = self.revision(&instance.revision).await?;
        let given = self.open(&place::instance_parameters(instance.uid), &instance.parameters)?;
        let mut parameters = given.given;
        parameters.extend(given.target.map(|target| (TARGET.to_owned(), Value::String(target))));
        let shown_before: FetchInstanceResponse = serde_json::from_value(instance.shown)
            .map_err(|error| broken("what was shown of an instance cannot be read", &error))?;
        Ok(FetchInstanceResponse {
            service_id: Some(instance.service_id),
            plan_id: Some(instance.plan_id),
            parameters: shown(&revision, Verb::Create, parameters),
            maintenance_info: instance.maintenance_version.map(MaintenanceInfo::version),
            ..shown_before
        })
    }

    /// A binding as the bind gave it.
    pub async fn fetch_binding(
        &self,
        caller: &Caller,
        instance: &InstanceId,
        id: &BindingId,
        _hints: FetchQuery,
    ) -> Result<FetchBindingResponse, Error> {
        let found = store::binding::find(self.singles(), &caller.platform, instance, id).await?;
        let binding = match found {
            Some(binding) if binding.state == State::Ready => binding,
            other => return Err(not_there("binding", other.map(|binding| binding.state))),
        };
        let revision = self.revision(&binding.revision).await?;
        let given = self.open(&place::binding_parameters(binding.uid), &binding.parameters)?;
        Ok(FetchBindingResponse {
            binding: self.answer(&binding)?,
            parameters: shown(&revision, Verb::Bind, given.given),
        })
    }
}

/// Only what is ready can be fetched; while it is being deleted, parts of it may be gone.
fn not_there(noun: &str, state: Option<State>) -> Error {
    Error::not_found(match state {
        None | Some(State::Deleted) => format!("There is no {noun} with this id."),
        Some(State::Deleting) => format!("The {noun} is being deleted."),
        Some(State::Failed) => format!("The {noun} was never made: see its last operation."),
        Some(State::Creating | State::Ready) => format!("The {noun} is not ready yet."),
    })
}

/// What the user gave, without what is secret.
fn shown(revision: &Revision, verb: Verb, mut given: Map<String, Value>) -> Parameters {
    for secret in revision.secret_parameters(verb) {
        given.remove(secret);
    }
    Parameters(given)
}
