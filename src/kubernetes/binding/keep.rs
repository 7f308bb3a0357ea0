//! The Secret of a bound binding is kept as it should be. What is lost is asked of the broker again: nothing here holds
//! credentials.

use kube::runtime::controller::Action;
use serde_json::{Map, Value};

use super::answer::{Fault, Kind};
use super::content::Found;
use super::store::{self, Plan, Trouble};
use super::work::{Outcome, With, Work, call, no_broker};
use super::{bind, place, rotate, rotation, state};
use crate::kubernetes::api::{ConditionType, Conditions, Retry};
use crate::kubernetes::turn::{Error, Turn};
use crate::osb::{BindingId, InstanceId};
use crate::osb_client::Status;

/// One look at the Secret, and whatever follows from it.
pub async fn turn(work: &mut Work<'_>) -> Turn {
    let plan = match store::plan(work).await {
        Ok(plan) => plan,
        Err(trouble) => return trouble_of(work, trouble).await,
    };
    let ready = work.status().holds(ConditionType::Ready);
    match &plan.found {
        Found::Intact if ready => return rotate::turn(work).await,
        Found::Intact => {}
        Found::Undressed => {
            if let Err(trouble) = plan.dress(work).await {
                return trouble_of(work, trouble).await;
            }
        }
        Found::Foreign(text) => {
            let fault = Fault { message: text.clone(), after: None, kind: Kind::Again };
            return not_kept(work, fault).await;
        }
        Found::Missing | Found::Damaged => return repair(work, plan).await,
    }
    let secret = work.binding.spec.secret_name.clone();
    work.save(|status| state::bound(status, &secret)).await?;
    // The Secret that was dressed wakes the binding; one that was in order did not.
    if ready { rotate::turn(work).await } else { Ok(Action::await_change()) }
}

/// Where the credentials come from again.
enum Source {
    /// Here they are.
    Credentials(Map<String, Value>),
    /// The broker does not have the binding any more, or cannot give it again: a new one is made.
    Anew,
    /// They cannot be had now.
    Fault(Fault),
}

async fn repair(work: &mut Work<'_>, mut plan: Plan) -> Turn {
    if let Some(wait) = work.status().retry.as_ref().and_then(Retry::wait) {
        return Ok(Action::requeue(wait));
    }
    if work.status().rotation.is_some_and(|rotation| rotation.next.is_some()) {
        return rotate::turn(work).await;
    }
    if let Err(trouble) = plan.read_sources(work).await {
        return trouble_of(work, trouble).await;
    }
    let id = rotation::current(&work.binding);
    let retrievable = place::present(&work.cx.seen, &work.binding).is_some_and(|place| place.retrievable);
    let source = if retrievable { fetched(work, &id).await? } else { replayed(work, &id).await? };
    let credentials = match source {
        Source::Credentials(credentials) => credentials,
        Source::Fault(fault) => return not_kept(work, fault).await,
        Source::Anew => {
            let message = "The Secret is lost and the broker does not give its credentials again; new ones are made.";
            let fault = Fault { message: message.to_owned(), after: None, kind: Kind::Again };
            let patience = work.patience();
            work.save(|status| {
                state::not_kept(status, &fault, patience);
            })
            .await?;
            return rotate::begin(work, false).await;
        }
    };
    match plan.write(work, credentials).await {
        Ok(()) => {
            let secret = work.binding.spec.secret_name.clone();
            work.save(|status| state::bound(status, &secret)).await?;
            let note = "The Secret was not as it should be and has been written again.";
            work.cx.events.normal(&work.binding, "Bind", "RepairedSecret", note);
            Ok(Action::await_change())
        }
        Err(trouble) => trouble_of(work, trouble).await,
    }
}

async fn fetched(work: &Work<'_>, id: &str) -> Result<Source, Error> {
    Ok(match bind::fetch(work, id).await? {
        Ok((credentials, _)) => Source::Credentials(credentials.0),
        Err(fault) if matches!(fault.kind, Kind::Gone | Kind::Missing) => Source::Anew,
        Err(fault) => Source::Fault(fault),
    })
}

/// The same bind again gives the same binding (spec: "Binding", 200). That it fails leaves what is there alone.
async fn replayed(work: &Work<'_>, id: &str) -> Result<Source, Error> {
    let target = match place::target(&work.cx.seen, &work.binding) {
        Ok(target) => target,
        Err(obstacle) => {
            return Ok(Source::Fault(Fault { message: obstacle.message, after: None, kind: Kind::Again }));
        }
    };
    let parameters = match bind::gathered(work).await? {
        Ok(parameters) => parameters,
        Err(obstacle) => {
            return Ok(Source::Fault(Fault { message: obstacle.message, after: None, kind: Kind::Again }));
        }
    };
    let known = work.status().external_properties.unwrap_or_default();
    if id != work.binding.spec.external_id || known.parameter_checksum != parameters.checksum {
        return Ok(Source::Anew);
    }
    let broker = match place::broker(work.cx, work.namespace(), &target.place).await {
        Ok(broker) => broker,
        Err(error) => {
            let message = no_broker(error)?.message;
            return Ok(Source::Fault(Fault { message, after: None, kind: Kind::Again }));
        }
    };
    let request = bind::request(work, &target, parameters.real).await?;
    let (with, instance) = (With::new(work.identity()), InstanceId::from(target.place.instance_id.as_str()));
    let id = BindingId::from(id);
    let sent = broker.client.bind(with.headers(), &instance, &id, &request, false);
    Ok(match call(work, &broker, "bind", "give the credentials again", sent).await? {
        Outcome::Done(answer) if answer.status == Status::Accepted => Source::Anew,
        Outcome::Done(answer) => match answer.body.credentials {
            Some(credentials) => Source::Credentials(credentials.0),
            None => Source::Anew,
        },
        Outcome::Fault(fault) => match fault.kind {
            Kind::Wrong | Kind::Gone | Kind::Missing | Kind::Clash => Source::Anew,
            Kind::Again | Kind::Orphan => Source::Fault(fault),
        },
    })
}

async fn not_kept(work: &mut Work<'_>, fault: Fault) -> Turn {
    if let Some(wait) = work.status().retry.as_ref().and_then(Retry::wait) {
        return Ok(Action::requeue(wait));
    }
    let patience = work.patience();
    work.save(|status| state::not_kept(status, &fault, patience)).await?;
    Ok(Action::await_change())
}

async fn trouble_of(work: &mut Work<'_>, trouble: Trouble) -> Turn {
    match trouble {
        Trouble::Turn(error) => Err(error),
        Trouble::InTheWay(message) | Trouble::Wrong(message) => {
            not_kept(work, Fault { message, after: None, kind: Kind::Again }).await
        }
    }
}
