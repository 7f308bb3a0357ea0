//! The credentials are replaced: a further binding is made, the one Secret gets its credentials, the former binding is
//! deleted after the overlap. The binding stays Ready all the time.

use jiff::Timestamp;
use kube::runtime::controller::Action;
use uuid::Uuid;

use super::answer::{Fault, Kind, shortened};
use super::place::{self, Target};
use super::rotation::{self, Turnover};
use super::store::{self, Trouble};
use super::unbind::{self, Deleted};
use super::work::{Outcome, With, Work, call, no_broker};
use super::{bind, options, poll};
use crate::kubernetes::api::{BindingPlace, NextBinding, Retry};
use crate::kubernetes::clients::Broker;
use crate::kubernetes::turn::{Error, Turn};
use crate::osb::{BindingId, BindingMetadata, Credentials, InstanceId, Parameters, State};
use crate::osb_client::Status;

/// One step of a rotation, or the wait for the next.
pub async fn turn(work: &mut Work<'_>) -> Turn {
    let mut next = rotation::next(&work.binding, Timestamp::now());
    if matches!(next, Turnover::Make | Turnover::Retire) {
        if !work.refresh().await? {
            return Ok(Action::await_change());
        }
        next = rotation::next(&work.binding, Timestamp::now());
    }
    match next {
        Turnover::Idle(Some(wait)) => Ok(Action::requeue(wait)),
        Turnover::Idle(None) => Ok(Action::await_change()),
        Turnover::Begin => begin(work, true).await,
        Turnover::Make => make(work).await,
        Turnover::Retire => {
            let Some(at) = place::present(&work.cx.seen, &work.binding) else { return Ok(work.later()) };
            let namespace = work.namespace().to_owned();
            match place::broker(work.cx, &namespace, &at).await {
                Ok(broker) => retire(work, &broker, &at).await,
                Err(error) => {
                    let message = no_broker(error)?.message;
                    failed(work, Fault { message, after: None, kind: Kind::Again }, false).await
                }
            }
        }
    }
}

/// Notes down which binding will be made; `takes_over` where the plan can.
pub async fn begin(work: &mut Work<'_>, takes_over: bool) -> Turn {
    let target = match place::target(&work.cx.seen, &work.binding) {
        Ok(target) => target,
        Err(obstacle) => {
            return failed(work, Fault { message: obstacle.message, after: None, kind: Kind::Again }, false).await;
        }
    };
    let predecessor = (takes_over && target.rotatable).then(|| rotation::current(&work.binding));
    let properties = match predecessor {
        Some(_) => None,
        None => match bind::gathered(work).await? {
            Ok(parameters) => Some(bind::properties(work, &parameters)),
            Err(obstacle) => {
                return failed(work, Fault { message: obstacle.message, after: None, kind: Kind::Again }, false).await;
            }
        },
    };
    let id = Uuid::new_v4().to_string();
    work.save(|status| rotation::begin(status, id, predecessor, properties)).await?;
    Ok(Action::await_change())
}

/// Makes the new binding, or asks how far it is.
async fn make(work: &mut Work<'_>) -> Turn {
    let Some(next) = work.status().rotation.and_then(|rotation| rotation.next) else {
        return Ok(Action::await_change());
    };
    let target = match place::target(&work.cx.seen, &work.binding) {
        Ok(target) => target,
        Err(obstacle) => {
            return failed(work, Fault { message: obstacle.message, after: None, kind: Kind::Again }, false).await;
        }
    };
    if next.polled { ask(work, &target, &next).await } else { send(work, &target, &next).await }
}

async fn send(work: &mut Work<'_>, target: &Target, next: &NextBinding) -> Turn {
    let parameters = match next.predecessor {
        // One that takes over inherits them.
        Some(_) => Parameters::default(),
        None => match bind::gathered(work).await? {
            Ok(parameters)
                if Some(&parameters.checksum) == next.properties.as_ref().map(|sent| &sent.parameter_checksum) =>
            {
                parameters.real
            }
            Ok(_) => {
                let message = "The parameters have changed meanwhile.".to_owned();
                return failed(work, Fault { message, after: None, kind: Kind::Orphan }, true).await;
            }
            Err(obstacle) => {
                return failed(work, Fault { message: obstacle.message, after: None, kind: Kind::Again }, false).await;
            }
        },
    };
    let mut request = bind::request(work, target, parameters).await?;
    request.predecessor_binding_id = next.predecessor.as_deref().map(BindingId::from);
    let namespace = work.namespace().to_owned();
    let broker = match place::broker(work.cx, &namespace, &target.place).await {
        Ok(broker) => broker,
        Err(error) => {
            let message = no_broker(error)?.message;
            return failed(work, Fault { message, after: None, kind: Kind::Again }, false).await;
        }
    };
    let (with, instance) = (With::new(work.identity()), InstanceId::from(target.place.instance_id.as_str()));
    let id = BindingId::from(next.id.as_str());
    let sent = broker.client.bind(with.headers(), &instance, &id, &request, target.place.retrievable);
    match call(work, &broker, "bind", "replace the credentials", sent).await? {
        Outcome::Done(answer) if answer.status == Status::Accepted => {
            let (operation, after, patience) = (answer.body.operation, answer.retry_after, work.patience());
            work.save(|status| {
                rotation::accepted(status.rotation.get_or_insert_default(), operation, after, patience);
            })
            .await?;
            Ok(Action::await_change())
        }
        Outcome::Done(answer) => {
            turn_over(work, answer.body.credentials.unwrap_or_default(), answer.body.metadata).await
        }
        Outcome::Fault(fault) => {
            let lost = !matches!(fault.kind, Kind::Again);
            failed(work, fault, lost).await
        }
    }
}

async fn ask(work: &mut Work<'_>, target: &Target, next: &NextBinding) -> Turn {
    let patience = work.patience();
    match poll::ask(work, &target.place, &next.id, next.operation.clone(), true).await? {
        Outcome::Done(answer) => match answer.body.state() {
            State::Succeeded => match bind::fetch(work, &next.id).await? {
                Ok((credentials, metadata)) => turn_over(work, credentials, metadata).await,
                Err(fault) => failed(work, Fault { kind: Kind::Again, ..fault }, false).await,
            },
            State::InProgress => {
                work.save(|status| {
                    let rotation = status.rotation.get_or_insert_default();
                    rotation.retry = Some(Retry::after(rotation.retry.as_ref(), patience.backoff, answer.retry_after));
                })
                .await?;
                Ok(Action::await_change())
            }
            State::Failed => {
                let said = answer.body.description().unwrap_or("it does not say why.");
                let message = shortened(format!("The broker failed: {said}"));
                failed(work, Fault { message, after: None, kind: Kind::Orphan }, true).await
            }
        },
        Outcome::Fault(fault) => {
            let lost = matches!(fault.kind, Kind::Wrong | Kind::Gone);
            failed(work, fault, lost).await
        }
    }
}

/// The Secret first, the status after it: a crash in between sends the same bind again.
async fn turn_over(work: &mut Work<'_>, credentials: Credentials, metadata: BindingMetadata) -> Turn {
    let written = async {
        let mut plan = store::plan(work).await?;
        if let super::content::Found::Foreign(text) = &plan.found {
            return Err(Trouble::InTheWay(text.clone()));
        }
        plan.read_sources(work).await?;
        plan.write(work, credentials.0).await
    }
    .await;
    match written {
        Ok(()) => {
            let former = rotation::current(&work.binding);
            let (overlap, asked) = (options::overlap(&work.binding), options::rotate_request(&work.binding).to_owned());
            let secret = work.binding.spec.secret_name.clone();
            work.save(|status| {
                status.binding = Some(crate::kubernetes::api::LocalRef::new(secret));
                rotation::turned_over(status, former, overlap, metadata, asked);
            })
            .await?;
            let note = "The credentials in the Secret were replaced.";
            work.cx.events.normal(&work.binding, "Rotate", "RotatedCredentials", note);
            Ok(Action::await_change())
        }
        Err(Trouble::Turn(error)) => Err(error),
        Err(Trouble::InTheWay(message) | Trouble::Wrong(message)) => {
            failed(work, Fault { message, after: None, kind: Kind::Again }, false).await
        }
    }
}

async fn failed(work: &mut Work<'_>, fault: Fault, lost: bool) -> Turn {
    let (patience, left) = (work.patience(), fault.kind != Kind::Wrong);
    work.cx.events.warning(&work.binding, "Rotate", "RotationFailed", fault.message.as_str());
    work.save(|status| rotation::failed(status, &fault, lost, left, patience)).await?;
    Ok(Action::await_change())
}

/// Deletes the first of the retired ones at the broker.
pub async fn retire(work: &mut Work<'_>, broker: &Broker<'_>, at: &BindingPlace) -> Turn {
    let Some(retired) = rotation::retired(&work.status()).cloned() else { return Ok(Action::await_change()) };
    let patience = work.patience();
    let outcome = if retired.polled {
        asked(work, at, &retired.id, retired.operation).await?
    } else {
        unbind::delete(work, broker, at, &retired.id, true).await?
    };
    match outcome {
        Deleted::Gone => work.save(rotation::gone).await?,
        Deleted::Later(answer) => {
            let going = retired.polled;
            work.save(|status| {
                let rotation = status.rotation.get_or_insert_default();
                let former = rotation.retry.take().filter(|_| going);
                rotation.retry = Some(Retry::after(former.as_ref(), patience.backoff, answer.retry_after));
                if let Some(first) = rotation.retired.first_mut() {
                    first.polled = true;
                    first.operation = answer.body.operation.or(first.operation.take());
                }
            })
            .await?;
        }
        Deleted::Fault(fault) => {
            work.save(|status| {
                if let Some(first) = status.rotation.as_mut().and_then(|rotation| rotation.retired.first_mut()) {
                    first.polled = first.polled && matches!(fault.kind, Kind::Again | Kind::Clash | Kind::Orphan);
                }
                rotation::failed(status, &fault, false, false, patience);
            })
            .await?;
        }
    }
    Ok(Action::await_change())
}

/// How far the delete of a retired one is.
async fn asked(work: &Work<'_>, at: &BindingPlace, id: &str, operation: Option<String>) -> Result<Deleted, Error> {
    Ok(match poll::ask(work, at, id, operation, true).await? {
        Outcome::Done(answer) => match answer.body.state() {
            State::Succeeded => Deleted::Gone,
            State::InProgress => Deleted::Later(crate::osb_client::Answer {
                status: Status::Accepted,
                body: crate::osb::UnbindResponse::default(),
                retry_after: answer.retry_after,
            }),
            State::Failed => {
                let said = answer.body.description().unwrap_or("it does not say why.");
                let message = shortened(format!("The broker failed to delete a former binding: {said}"));
                Deleted::Fault(Fault { message, after: answer.retry_after, kind: Kind::Wrong })
            }
        },
        Outcome::Fault(fault) if fault.kind == Kind::Gone => Deleted::Gone,
        Outcome::Fault(fault) => Deleted::Fault(fault),
    })
}
