//! `GET …/last_operation` of an instance and of a binding: one row, read by one prepared statement; those of
//! instances that come at the same time share it.

use super::{Broker, Caller, Polled, read_named};
use crate::osb::{Aftermath, BindingId, Error, InstanceId, LastOperation, LastOperationQuery};
use crate::store::poll::{Asked, Polled as Row};
use crate::store::{self, OperationKind, OperationState};

impl Broker {
    /// How the operation goes that the platform asks about.
    pub async fn instance_operation(
        &self,
        caller: &Caller,
        id: &InstanceId,
        query: LastOperationQuery,
    ) -> Result<Polled, Error> {
        let named = read_named(query.operation.as_deref());
        let asked = Asked { platform: caller.platform.clone(), instance: id.clone(), named };
        let row = self.0.polls.get(asked).await?;
        let row = row.ok_or_else(|| Error::not_found("There is no instance with this id."))?;
        answer(row, query.operation.as_deref())
    }

    /// The same for a binding.
    pub async fn binding_operation(
        &self,
        caller: &Caller,
        instance: &InstanceId,
        id: &BindingId,
        query: LastOperationQuery,
    ) -> Result<Polled, Error> {
        let named = read_named(query.operation.as_deref());
        let row = store::poll::binding(self.singles(), &caller.platform, instance, id, named).await?;
        let row = row.ok_or_else(|| Error::not_found("There is no binding with this id."))?;
        answer(row, query.operation.as_deref())
    }
}

fn answer(row: Row, named: Option<&str>) -> Result<Polled, Error> {
    let deletes = matches!(row.kind, OperationKind::Deprovision | OperationKind::Unbind);
    let body = match row.state {
        OperationState::InProgress => LastOperation::in_progress(row.description),
        // The thing is gone: 410 for a platform that names the delete, which takes it as success; 200 for one that does
        // not, since 410 may surprise it (docs: "last_operation after a finished delete").
        OperationState::Succeeded if deletes && named == Some(row.id.to_string().as_str()) => return Err(Error::Gone),
        // Asked about what the delete stopped: that did not succeed.
        OperationState::Succeeded if deletes && row.named_superseded => {
            LastOperation::failed("It was stopped by a delete, which has ended.", Aftermath::Unsaid)
        }
        OperationState::Succeeded => LastOperation::succeeded(row.description),
        OperationState::Failed => {
            let aftermath = match (row.kind, row.instance_usable, row.update_repeatable) {
                (OperationKind::Update, usable, repeatable) => Aftermath::Update {
                    instance_usable: usable.unwrap_or(true),
                    update_repeatable: repeatable.unwrap_or(true),
                },
                (OperationKind::Deprovision, Some(instance_usable), _) => Aftermath::Deprovision { instance_usable },
                _ => Aftermath::Unsaid,
            };
            LastOperation::failed(row.description, aftermath)
        }
        OperationState::Superseded => LastOperation::failed("a newer request took its place", Aftermath::Unsaid),
    };
    let retry_after = u32::try_from(row.retry_after).ok().filter(|_| row.state == OperationState::InProgress);
    Ok(Polled { body, retry_after })
}
