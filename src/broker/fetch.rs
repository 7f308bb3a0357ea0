//! `GET` of an instance and of a binding.

use serde_json::{Map, Value};

use super::{Broker, Caller, broken};
use crate::catalog::{Revision, Verb};
use crate::osb::{
    BindingId, Error, FetchBindingResponse, FetchInstanceResponse, FetchQuery, InstanceId, InstanceMetadata,
    MaintenanceInfo, Parameters,
};
use crate::store::{self, OperationKind, State, place};

impl Broker {
    /// An instance as it is: while an update runs, as it was before.
    pub async fn fetch_instance(
        &self,
        caller: &Caller,
        id: &InstanceId,
        _hints: FetchQuery,
    ) -> Result<FetchInstanceResponse, Error> {
        let unknown = || Error::not_found("There is no instance with this id, or it is not ready yet.");
        let found = store::instance::find(self.pool(), &caller.platform, id).await?;
        let instance = found.filter(|instance| instance.state == State::Ready).ok_or_else(unknown)?;
        let ordered = self.plan_of(&instance).await?;
        let names = self.names_of(&instance, &ordered)?;
        let outputs = self.public_outputs(instance.uid).await?;
        let given = self.open(&place::instance_parameters(instance.uid), &instance.parameters)?;
        let bug = |error| broken("an instance's metadata cannot be evaluated", &error);
        let revision = &ordered.revision;
        Ok(FetchInstanceResponse {
            service_id: Some(instance.service_id.clone()),
            plan_id: Some(instance.plan_id.clone()),
            dashboard_url: revision.dashboard_url(&names).map_err(bug)?,
            parameters: shown(revision, Verb::Create, given.given),
            maintenance_info: instance.maintenance_version.map(MaintenanceInfo::version),
            metadata: InstanceMetadata {
                labels: revision.labels(&names).map_err(bug)?,
                attributes: revision.attributes(&names, &outputs).map_err(bug)?,
            },
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
        let unknown = || Error::not_found("There is no binding with this id, or it is not ready yet.");
        let found = store::binding::find(self.pool(), &caller.platform, instance, id).await?;
        let binding = found.filter(|binding| binding.state == State::Ready).ok_or_else(unknown)?;
        let live = store::operation::live(self.pool(), binding.uid).await?;
        if live.is_some_and(|live| live.kind == OperationKind::Bind) {
            return Err(unknown());
        }
        let revision = self.revision(&binding.revision).await?;
        let given = self.open(&place::binding_parameters(binding.uid), &binding.parameters)?;
        Ok(FetchBindingResponse {
            binding: self.answer(&binding)?,
            parameters: shown(&revision, Verb::Bind, given.given),
        })
    }
}

/// What the user gave, without what is secret.
fn shown(revision: &Revision, verb: Verb, mut given: Map<String, Value>) -> Parameters {
    for secret in revision.secret_parameters(verb) {
        given.remove(secret);
    }
    Parameters(given)
}
