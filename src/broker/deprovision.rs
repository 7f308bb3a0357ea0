//! `DELETE /v2/service_instances/:instance_id`.

use super::{Broker, Caller, Outcome, named};
use crate::catalog::DeletionWithBindings;
use crate::osb::{Aftermath, DeleteQuery, DeprovisionResponse, Error, InstanceId, OperationId};
use crate::store::operation::{Change, NewOperation};
use crate::store::{self, Lane, OperationKind, State};

impl Broker {
    /// Deletes an instance, whatever state it is in: what runs for it is stopped and undone. It works for instances whose
    /// offering has left the catalog.
    pub async fn deprovision(
        &self,
        caller: &Caller,
        id: &InstanceId,
        query: DeleteQuery,
    ) -> Result<Outcome<DeprovisionResponse>, Error> {
        query.required()?;
        if !query.accepts_incomplete {
            return Err(Error::AsyncRequired);
        }
        let mut transaction = self.pool().begin().await.map_err(store::Error::from)?;
        let Some(instance) = store::instance::lock(&mut transaction, &caller.platform, id).await? else {
            return Err(Error::Gone);
        };
        let accepted = |id: OperationId| Ok(Outcome::Accepted(DeprovisionResponse { operation: named(id) }));
        let live = store::operation::live(&mut *transaction, instance.uid).await?;
        if let Some(live) = live.filter(|live| live.kind == OperationKind::Deprovision) {
            // Whoever asks again may have repaired what it failed at.
            store::operation::hurry(&mut *transaction, instance.uid).await?;
            transaction.commit().await.map_err(store::Error::from)?;
            self.0.parts.wake.work(Lane::Async);
            return accepted(live.id);
        }
        let ordered = self.plan_of(&instance).await?;
        if ordered.revision.offering().deletion_with_bindings == DeletionWithBindings::Refuse {
            let bound = store::binding::of_instance(&mut *transaction, instance.uid).await?;
            let names: Vec<&str> =
                bound.iter().filter(|b| b.state != State::Failed).map(|binding| binding.id.as_str()).collect();
            if !names.is_empty() {
                return Err(Error::unprocessable_with(
                    format!("The instance still has bindings; unbind them first: {}.", names.join(", ")),
                    Aftermath::Deprovision { instance_usable: true },
                ));
            }
        }
        let referrers = store::reference::locked_referrers(&mut transaction, instance.uid).await?;
        if !referrers.is_empty() {
            return Err(Error::unprocessable_with(
                format!(
                    "Other instances refer to this one in their parameters; change or delete them first: {}.",
                    referrers.join(", ")
                ),
                Aftermath::Deprovision { instance_usable: true },
            ));
        }
        let operation = NewOperation {
            id: OperationId::random(),
            description: "accepted; deleting begins in a moment",
            actor: caller.actor(),
            lasts: ordered.revision.maximum_polling_duration(ordered.plan()?),
        };
        store::operation::supersede(&mut *transaction, instance.uid).await?;
        store::instance::set_state(&mut *transaction, instance.uid, State::Deleting).await?;
        let kind = OperationKind::Deprovision;
        store::operation::accept(&mut *transaction, instance.uid, kind, Lane::Async, &operation, &Change::default())
            .await?;
        transaction.commit().await.map_err(store::Error::from)?;
        self.accepted(kind, Lane::Async, &instance.offering);
        accepted(operation.id)
    }
}
