//! How far the broker is with what it does by itself.

use kube::runtime::controller::Action;

use super::answer::{Kind, shortened};
use super::place;
use super::state::{self, reason};
use super::work::{Outcome, With, Work, call, no_broker};
use super::{bind, unbind};
use crate::kubernetes::api::BindingPlace;
use crate::kubernetes::turn::{Error, Turn};
use crate::osb::{BindingId, InstanceId, LastOperation, LastOperationQuery, PlanId, ServiceId, State};
use crate::osb_client::Answer;

/// Asks once, for a bind or for the delete of what one has left.
pub async fn turn(work: &mut Work<'_>) -> Turn {
    let status = work.status();
    let mitigates = status.orphan_mitigation_in_progress;
    let Some(at) = place::present(&work.cx.seen, &work.binding) else {
        return unbind::nowhere(work).await;
    };
    let id = work.binding.spec.external_id.clone();
    let outcome = ask(work, &at, &id, status.last_operation.clone(), !mitigates).await?;
    let patience = work.patience();
    if mitigates {
        return unbind::polled(work, outcome).await;
    }
    match outcome {
        Outcome::Done(answer) => match answer.body.state() {
            State::Succeeded => return bind::finish(work).await,
            State::InProgress if too_long(work) => {
                let text = "The broker works on the binding for longer than it may.";
                work.save(|status| state::give_up(status, reason::TIMED_OUT, text, patience)).await?;
            }
            State::InProgress => {
                let said = answer.body.description().map(|said| shortened(said.to_owned()));
                work.save(|status| state::going(status, said.as_deref(), answer.retry_after, patience)).await?;
            }
            State::Failed => {
                let said = answer.body.description().unwrap_or("it does not say why.");
                let text = shortened(format!("The broker failed to bind: {said}"));
                work.save(|status| state::give_up(status, reason::RETURNED_FAILURE, &text, patience)).await?;
            }
        },
        Outcome::Fault(fault) => match fault.kind {
            Kind::Wrong => {
                work.save(|status| state::give_up(status, reason::POLL_FAILED, &fault.message, patience)).await?;
            }
            Kind::Gone => work.save(|status| state::mitigate(status, &fault.message, fault.after, patience)).await?,
            _ if too_long(work) => {
                work.save(|status| state::give_up(status, reason::TIMED_OUT, &fault.message, patience)).await?;
            }
            _ => work.save(|status| state::poll_failed(status, &fault, patience)).await?,
        },
    }
    Ok(Action::await_change())
}

fn too_long(work: &Work<'_>) -> bool {
    let most = place::target(&work.cx.seen, &work.binding).ok().and_then(|target| target.polling);
    let most = most.unwrap_or(work.cx.settings.work.retry_patience);
    state::is_over(work.status().polled_since.as_ref(), most)
}

/// Asks how far a binding is.
pub async fn ask(
    work: &Work<'_>,
    at: &BindingPlace,
    id: &str,
    operation: Option<String>,
    for_user: bool,
) -> Result<Outcome<Answer<LastOperation>>, Error> {
    let broker = match place::broker(work.cx, work.namespace(), at).await {
        Ok(broker) => broker,
        Err(error) => {
            let message = no_broker(error)?.message;
            return Ok(Outcome::Fault(super::answer::Fault { message, after: None, kind: Kind::Again }));
        }
    };
    let query = LastOperationQuery {
        service_id: Some(ServiceId::from(at.service_id.as_str())),
        plan_id: Some(PlanId::from(at.plan_id.as_str())),
        operation,
    };
    let with = With::new(work.identity().filter(|_| for_user));
    let (instance, id) = (InstanceId::from(at.instance_id.as_str()), BindingId::from(id));
    let sent = broker.client.binding_operation(with.headers(), &instance, &id, &query);
    Ok(match call(work, &broker, "binding_operation", "say how far it is", sent).await? {
        Outcome::Done(answer) => {
            let body = work.words().await?.operation(answer.body);
            Outcome::Done(Answer { body, ..answer })
        }
        fault @ Outcome::Fault(_) => fault,
    })
}
