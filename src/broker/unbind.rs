//! `DELETE /v2/service_instances/:instance_id/service_bindings/:binding_id`.

use super::wait::failed_operation;
use super::{Broker, Caller, Outcome, named};
use crate::osb::{BindingId, DeleteQuery, Error, InstanceId, OperationId, UnbindResponse};
use crate::store::operation::{Change, NewOperation};
use crate::store::{self, Lane, OperationKind, OperationState, State};

impl Broker {
    /// Unbinds, whatever state the binding is in. Without `accepts_incomplete` the request waits for the end.
    pub async fn unbind(
        &self,
        caller: &Caller,
        instance: &InstanceId,
        id: &BindingId,
        query: DeleteQuery,
    ) -> Result<Outcome<UnbindResponse>, Error> {
        let ended = self.0.parts.wake.subscribe();
        let mut transaction = self.pool().begin().await.map_err(store::Error::from)?;
        let instance = store::instance::share(&mut transaction, &caller.platform, instance).await?;
        let instance = instance.ok_or(Error::Gone)?;
        let binding = store::binding::lock(&mut transaction, instance.uid, id).await?.ok_or(Error::Gone)?;
        query.required()?;
        let live = store::operation::live(&mut *transaction, binding.uid).await?;
        let operation = match live.filter(|live| live.kind == OperationKind::Unbind) {
            Some(live) => {
                // Whoever asks again may have repaired what it failed at.
                store::operation::hurry(&mut *transaction, binding.uid).await?;
                transaction.commit().await.map_err(store::Error::from)?;
                self.0.parts.wake.work_somewhere();
                live.id
            }
            None => {
                let ordered = self.plan_of(&instance).await?;
                let operation = NewOperation {
                    id: OperationId::random(),
                    description: "accepted; unbinding begins in a moment",
                    actor: caller.actor(),
                    lasts: ordered.revision.maximum_polling_duration(ordered.plan()?),
                };
                let lane = if query.accepts_incomplete { Lane::Async } else { Lane::Sync };
                store::operation::supersede(&mut *transaction, binding.uid).await?;
                store::binding::set_state(&mut *transaction, binding.uid, State::Deleting).await?;
                let kind = OperationKind::Unbind;
                store::operation::accept(&mut *transaction, binding.uid, kind, lane, &operation, &Change::default())
                    .await?;
                transaction.commit().await.map_err(store::Error::from)?;
                self.accepted(kind, lane, &instance.offering);
                operation.id
            }
        };
        if query.accepts_incomplete {
            return Ok(Outcome::Accepted(UnbindResponse { operation: named(operation) }));
        }
        self.unbound(operation, ended).await
    }

    async fn unbound(
        &self,
        operation: OperationId,
        ended: tokio::sync::broadcast::Receiver<Option<OperationId>>,
    ) -> Result<Outcome<UnbindResponse>, Error> {
        let operation = self.ended(operation, ended).await?;
        match operation.state {
            OperationState::Succeeded => Ok(Outcome::Done(UnbindResponse::default())),
            _ => Err(failed_operation(operation)),
        }
    }
}
