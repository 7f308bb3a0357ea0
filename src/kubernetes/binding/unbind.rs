//! The unbind: not ready any more, the Secret away, deleted at the broker, the finalizer off. It is tried for ever, unless
//! nobody can ever be asked again.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::runtime::controller::Action;

use super::answer::{Fault, Kind, shortened};
use super::place::{self, NoBroker, Obstacle};
use super::work::{Outcome, With, Work, call, delete_query, no_broker};
use super::{poll, rotate, rotation, state, store};
use crate::kubernetes::api::{BindingOperation, BindingPlace, Retry, UnbindStatus};
use crate::kubernetes::clients::{self, Broker};
use crate::kubernetes::finalizer;
use crate::kubernetes::turn::{Error, Turn};
use crate::osb::{BindingId, InstanceId, LastOperation, State, UnbindResponse};
use crate::osb_client::{Answer, Status};

/// What a delete gave.
pub enum Deleted {
    /// It is not there any more.
    Gone,
    /// The broker works on it.
    Later(Answer<UnbindResponse>),
    /// It failed.
    Fault(Fault),
}

/// One step of the end of a binding.
pub async fn turn(work: &mut Work<'_>) -> Turn {
    if work.status().current_operation != Some(BindingOperation::Unbind) {
        work.save(|status| {
            state::begin_unbind(status);
            rotation::retire_all(status);
        })
        .await?;
    }
    store::remove(work).await?;
    let status = work.status();
    let retired = rotation::retired(&status);
    let over =
        matches!(status.unbind_status, UnbindStatus::Unset | UnbindStatus::NotRequired | UnbindStatus::Succeeded);
    if over && retired.is_none() {
        finalizer::take(&work.api, &work.binding).await?;
        return Ok(Action::await_change());
    }
    let pause = status.retry.as_ref().or_else(|| status.rotation.as_ref()?.retry.as_ref());
    if let Some(wait) = pause.and_then(Retry::wait) {
        return Ok(Action::requeue(wait));
    }
    let Some(at) = place::present(&work.cx.seen, &work.binding) else { return nowhere(work).await };
    if let Some(obstacle) = busy(work, status.async_op_in_progress) {
        return wait(work, obstacle).await;
    }
    let namespace = work.namespace().to_owned();
    let broker = match place::broker(work.cx, &namespace, &at).await {
        Ok(broker) => broker,
        Err(error) => return without_broker(work, &at, error).await,
    };
    if retired.is_some() {
        return rotate::retire(work, &broker, &at).await;
    }
    let patience = work.patience();
    let id = work.binding.spec.external_id.clone();
    if status.async_op_in_progress {
        let outcome = poll::ask(work, &at, &id, status.last_operation, true).await?;
        return polled(work, outcome).await;
    }
    match delete(work, &broker, &at, &id, true).await? {
        Deleted::Gone => end(work).await,
        Deleted::Later(answer) => {
            let (operation, after) = (answer.body.operation, answer.retry_after);
            work.save(|status| state::unbinding(status, operation, after, patience)).await?;
            Ok(Action::await_change())
        }
        Deleted::Fault(fault) => {
            work.save(|status| state::unbind_failed(status, &fault, patience)).await?;
            Ok(Action::await_change())
        }
    }
}

/// Deletes at the broker; that it is not there is as good.
pub async fn delete(
    work: &Work<'_>,
    broker: &Broker<'_>,
    at: &BindingPlace,
    id: &str,
    for_user: bool,
) -> Result<Deleted, Error> {
    let with = With::new(work.identity().filter(|_| for_user));
    let (instance, id) = (InstanceId::from(at.instance_id.as_str()), BindingId::from(id));
    let query = delete_query(at);
    let sent = broker.client.unbind(with.headers(), &instance, &id, &query);
    Ok(match call(work, broker, "unbind", "delete the binding", sent).await? {
        Outcome::Done(answer) if answer.status == Status::Accepted => Deleted::Later(answer),
        Outcome::Done(_) => Deleted::Gone,
        Outcome::Fault(fault) if fault.kind == Kind::Gone => Deleted::Gone,
        Outcome::Fault(fault) => Deleted::Fault(fault),
    })
}

/// The broker has deleted it.
async fn end(work: &mut Work<'_>) -> Turn {
    work.save(state::unbound).await?;
    finalizer::take(&work.api, &work.binding).await?;
    Ok(Action::await_change())
}

/// How far the broker is with a delete, be it wanted or an orphan mitigation.
pub async fn polled(work: &mut Work<'_>, outcome: Outcome<Answer<LastOperation>>) -> Turn {
    let patience = work.patience();
    let status = work.status();
    let mitigates = status.orphan_mitigation_in_progress;
    let again = match outcome {
        Outcome::Done(answer) => match answer.body.state() {
            State::Succeeded => None,
            State::InProgress if !state::is_over(status.polled_since.as_ref(), patience.total) => {
                let said = answer.body.description().map(|said| shortened(said.to_owned()));
                let said = said.filter(|_| !mitigates);
                work.save(|status| state::going(status, said.as_deref(), answer.retry_after, patience)).await?;
                return Ok(Action::await_change());
            }
            State::InProgress | State::Failed => {
                let said = answer.body.description().unwrap_or("it does not say why.");
                let message = shortened(format!("The broker failed to delete the binding: {said}"));
                Some(Fault { message, after: answer.retry_after, kind: Kind::Again })
            }
        },
        Outcome::Fault(fault) => match fault.kind {
            Kind::Gone => None,
            Kind::Wrong | Kind::Missing => Some(fault),
            Kind::Again | Kind::Clash | Kind::Orphan => {
                work.save(|status| state::poll_failed(status, &fault, patience)).await?;
                return Ok(Action::await_change());
            }
        },
    };
    match again {
        None if mitigates => work.save(state::mitigated).await?,
        None => return end(work).await,
        Some(fault) if mitigates => {
            work.save(|status| state::mitigate(status, &fault.message, fault.after, patience)).await?;
        }
        Some(fault) => work.save(|status| state::unbind_failed(status, &fault, patience)).await?,
    }
    Ok(Action::await_change())
}

/// Deletes what a failed bind may have left.
pub async fn mitigate(work: &mut Work<'_>) -> Turn {
    let patience = work.patience();
    let Some(at) = place::present(&work.cx.seen, &work.binding) else { return nowhere(work).await };
    let namespace = work.namespace().to_owned();
    let id = work.binding.spec.external_id.clone();
    let deleted = match place::broker(work.cx, &namespace, &at).await {
        Ok(broker) => delete(work, &broker, &at, &id, false).await?,
        Err(error) => Deleted::Fault(Fault { message: no_broker(error)?.message, after: None, kind: Kind::Again }),
    };
    match deleted {
        Deleted::Gone => work.save(state::mitigated).await?,
        Deleted::Later(answer) => {
            let (operation, after) = (answer.body.operation, answer.retry_after);
            work.save(|status| state::unbinding(status, operation, after, patience)).await?;
        }
        Deleted::Fault(fault) => {
            work.save(|status| state::mitigate(status, &fault.message, fault.after, patience)).await?;
        }
    }
    Ok(Action::await_change())
}

/// The instance works on something of its own. Two operations at a time are more than many brokers bear.
fn busy(work: &Work<'_>, ours: bool) -> Option<Obstacle> {
    let instance = place::instance(&work.cx.seen, &work.binding)?;
    let busy = !ours && instance.status.as_ref().is_some_and(|status| status.async_op_in_progress);
    let text = format!("The broker works on the ServiceInstance {}.", work.binding.spec.instance_ref.name);
    busy.then(|| Obstacle::new("ErrorAsyncOperationInProgress", text))
}

async fn wait(work: &mut Work<'_>, obstacle: Obstacle) -> Turn {
    work.save(|status| state::unbind_blocked(status, obstacle.reason, &obstacle.message)).await?;
    Ok(work.later())
}

/// Nobody knows any more where it was: the instance is gone, and Service Catalog kept no note of it.
pub async fn nowhere(work: &mut Work<'_>) -> Turn {
    let name = work.binding.spec.instance_ref.name.clone();
    let text = format!(
        "There is no ServiceInstance {name} any more, so that it is not known which broker to ask. `svcat unbind --abandon` \
         gives the binding up."
    );
    if work.binding.metadata.deletion_timestamp.is_some() && ends(work).await? {
        return release(work, &text).await;
    }
    wait(work, Obstacle::new("ReferencesNonexistentInstance", text)).await
}

async fn without_broker(work: &mut Work<'_>, at: &BindingPlace, error: NoBroker) -> Turn {
    // What a namespace has lost cannot come back once it is being deleted.
    let lost = !at.cluster && matches!(error, NoBroker::Gone(_) | NoBroker::Error(clients::Error::Credentials(_)));
    let gone = matches!(error, NoBroker::Gone(_));
    let obstacle = no_broker(error)?;
    if lost && ends(work).await? {
        return release(work, &obstacle.message).await;
    }
    if gone {
        let text = format!("{} `svcat unbind --abandon` gives the binding up.", obstacle.message);
        return wait(work, Obstacle { message: text, ..obstacle }).await;
    }
    let (fault, patience) = (Fault { message: obstacle.message, after: None, kind: Kind::Again }, work.patience());
    work.save(|status| state::unbind_failed(status, &fault, patience)).await?;
    Ok(Action::await_change())
}

/// Whether the namespace is being deleted.
async fn ends(work: &Work<'_>) -> Result<bool, Error> {
    let namespace = Api::<Namespace>::all(work.cx.client.clone()).get_metadata_opt(work.namespace()).await?;
    Ok(namespace.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
}

/// Lets it go although the broker may still have it: nobody can ever ask it again.
async fn release(work: &mut Work<'_>, why: &str) -> Turn {
    let id = &work.binding.spec.external_id;
    let note =
        format!("The namespace is deleted and the broker cannot be asked; it may still have the binding {id}. {why}");
    tracing::warn!(binding.id = id, "a binding is given up: the namespace is deleted and its broker is gone");
    work.cx.events.warning(&work.binding, "Unbind", "Abandoned", note);
    finalizer::take(&work.api, &work.binding).await?;
    Ok(Action::await_change())
}
