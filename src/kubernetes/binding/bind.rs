//! The bind: everything that could be in the way is looked at first, the status says that it is sent, it is sent, the
//! Secret is written, the status says that it is ready.

use kube::runtime::controller::Action;

use super::answer::{Fault, Kind};
use super::content::Found;
use super::place::{self, Obstacle, Target};
use super::state::{self, reason};
use super::store::{self, Plan, Trouble};
use super::work::{Outcome, With, Work, call, no_broker};
use super::{decide, rotation};
use crate::kubernetes::api::BindingProperties;
use crate::kubernetes::finalizer;
use crate::kubernetes::parameters::{self, Given};
use crate::kubernetes::turn::{Error, Turn};
use crate::osb::{
    BindRequest, BindingId, BindingMetadata, BindingResponse, Credentials, FetchQuery, InstanceId, PlanId, ServiceId,
};
use crate::osb_client::Status;

/// One attempt.
pub async fn turn(work: &mut Work<'_>) -> Turn {
    let target = match place::now(work.cx, &work.binding).await? {
        Ok(target) => target,
        Err(obstacle) => return work.blocked(obstacle).await,
    };
    let plan = match free(work).await {
        Ok(plan) => plan,
        Err(trouble) => return in_the_way(work, trouble).await,
    };
    let namespace = work.namespace().to_owned();
    let parameters = match gathered(work).await? {
        Ok(parameters) => parameters,
        Err(obstacle) => return work.blocked(obstacle).await,
    };
    let broker = match place::broker(work.cx, &namespace, &target.place).await {
        Ok(broker) => broker,
        Err(error) => return work.blocked(no_broker(error)?).await,
    };
    let fresh = !decide::in_flight(&work.status());
    if fresh {
        begin(work, &target, &parameters).await?;
    } else if let Some(reason) = differs(work, &target, &parameters) {
        let patience = work.patience();
        work.save(|status| state::mitigate(status, reason, None, patience)).await?;
        return Ok(Action::await_change());
    }
    let request = request(work, &target, parameters.real).await?;
    let (with, instance) = (With::new(work.identity()), InstanceId::from(target.place.instance_id.as_str()));
    let id = BindingId::from(work.binding.spec.external_id.as_str());
    let sent = broker.client.bind(with.headers(), &instance, &id, &request, target.place.retrievable);
    let patience = work.patience();
    match call(work, &broker, "bind", "bind", sent).await? {
        Outcome::Fault(fault) => work.save(|status| state::failed(status, &fault, fresh, patience)).await?,
        Outcome::Done(answer) if answer.status == Status::Accepted => {
            let (operation, after) = (answer.body.operation, answer.retry_after);
            if target.place.retrievable {
                work.save(|status| state::accepted(status, operation, after, patience)).await?;
            } else {
                let text = "The broker went on by itself although it was not asked to (status 202).".to_owned();
                let fault = Fault { message: text, after, kind: Kind::Orphan };
                work.save(|status| state::failed(status, &fault, fresh, patience)).await?;
            }
        }
        Outcome::Done(answer) => return inject(work, plan, answer.body).await,
    }
    Ok(Action::await_change())
}

/// That the Secret can be written: nobody else's is there, and what the transforms need is.
async fn free(work: &Work<'_>) -> Result<Plan, Trouble> {
    let mut plan = store::plan(work).await?;
    if let Found::Foreign(text) = &plan.found {
        return Err(Trouble::InTheWay(text.clone()));
    }
    plan.read_sources(work).await?;
    Ok(plan)
}

/// Parameters, or what is wrong with them.
pub async fn gathered(work: &Work<'_>) -> Result<Result<Given, Obstacle>, Error> {
    let spec = &work.binding.spec;
    let own = spec.parameters.as_ref();
    let given = parameters::gather(&work.cx.client, work.namespace(), None, own, &spec.parameters_from).await?;
    Ok(given.map_err(|text| Obstacle::new(reason::PARAMETERS, text)))
}

async fn begin(work: &mut Work<'_>, target: &Target, parameters: &Given) -> Result<(), Error> {
    if !finalizer::is_put(&work.binding) {
        work.binding = finalizer::put(&work.api, &work.binding).await?;
    }
    let properties = properties(work, parameters);
    work.save(|status| state::begin(status, &target.place, properties)).await
}

/// What is asked for, as far as it may be seen.
pub fn properties(work: &Work<'_>, parameters: &Given) -> BindingProperties {
    BindingProperties {
        parameters: Some(parameters.shown.clone()).filter(|shown| !shown.0.is_empty()),
        parameter_checksum: parameters.checksum.clone(),
        user_info: work.binding.spec.user_info.clone(),
    }
}

/// The same bind is sent again only if it is the same.
fn differs(work: &Work<'_>, target: &Target, parameters: &Given) -> Option<&'static str> {
    let status = work.status();
    let sent = status.in_progress_properties.unwrap_or_default();
    if sent.parameter_checksum != parameters.checksum {
        return Some("The parameters have changed since the bind was sent; it is deleted and sent anew.");
    }
    let moved = status
        .place
        .is_some_and(|place| place.instance_id != target.place.instance_id || place.broker != target.place.broker);
    moved.then_some("The instance is another one since the bind was sent; it is deleted and sent anew.")
}

/// The body of a bind.
pub async fn request(
    work: &Work<'_>,
    target: &Target,
    parameters: crate::osb::Parameters,
) -> Result<BindRequest, Error> {
    Ok(BindRequest {
        service_id: Some(ServiceId::from(target.place.service_id.as_str())),
        plan_id: Some(PlanId::from(target.place.plan_id.as_str())),
        context: work.context(),
        bind_resource: work.bind_resource().await?,
        parameters,
        ..BindRequest::default()
    })
}

/// Writes the Secret, and then that it is there.
async fn inject(work: &mut Work<'_>, plan: Plan, answer: BindingResponse) -> Turn {
    let credentials = answer.credentials.unwrap_or_default().0;
    match plan.write(work, credentials).await {
        Ok(()) => bound(work, answer.metadata).await,
        Err(trouble) => in_the_way(work, trouble).await,
    }
}

async fn bound(work: &mut Work<'_>, metadata: BindingMetadata) -> Turn {
    let secret = work.binding.spec.secret_name.clone();
    let requested = super::options::rotate_request(&work.binding).to_owned();
    work.save(|status| {
        state::bound(status, &secret);
        rotation::made(status, metadata, requested);
    })
    .await?;
    Ok(Action::await_change())
}

/// After an asynchronous bind: its credentials.
pub async fn finish(work: &mut Work<'_>) -> Turn {
    let plan = match free(work).await {
        Ok(plan) => plan,
        Err(trouble) => return in_the_way(work, trouble).await,
    };
    let id = work.binding.spec.external_id.clone();
    match fetch(work, &id).await? {
        Ok((credentials, metadata)) => match plan.write(work, credentials.0).await {
            Ok(()) => bound(work, metadata).await,
            Err(trouble) => in_the_way(work, trouble).await,
        },
        Err(fault) => {
            let patience = work.patience();
            work.save(|status| {
                state::poll_failed(status, &fault, patience);
                let text = fault.message.as_str();
                use crate::kubernetes::api::{ConditionStatus, ConditionType, Conditions};
                status.set(ConditionType::Ready, ConditionStatus::False, reason::FETCH_FAILED, text);
            })
            .await?;
            Ok(Action::await_change())
        }
    }
}

/// Asks the broker for the credentials of a binding that it has.
pub async fn fetch(work: &Work<'_>, id: &str) -> Result<Result<(Credentials, BindingMetadata), Fault>, Error> {
    let Some(at) = place::present(&work.cx.seen, &work.binding) else {
        let message = "The instance of the binding is not known any more.".to_owned();
        return Ok(Err(Fault { message, after: None, kind: Kind::Again }));
    };
    let broker = match place::broker(work.cx, work.namespace(), &at).await {
        Ok(broker) => broker,
        Err(error) => {
            let message = no_broker(error)?.message;
            return Ok(Err(Fault { message, after: None, kind: Kind::Again }));
        }
    };
    let query = FetchQuery {
        service_id: Some(ServiceId::from(at.service_id.as_str())),
        plan_id: Some(PlanId::from(at.plan_id.as_str())),
    };
    let with = With::new(work.identity());
    let (instance, id) = (InstanceId::from(at.instance_id.as_str()), BindingId::from(id));
    let sent = broker.client.fetch_binding(with.headers(), &instance, &id, &query);
    Ok(match call(work, &broker, "fetch_binding", "give the credentials of the binding", sent).await? {
        Outcome::Done(answer) => Ok((answer.binding.credentials.unwrap_or_default(), answer.binding.metadata)),
        Outcome::Fault(fault) => Err(fault),
    })
}

/// The Secret could not be written. What was bound stays bound until the same bind can be sent again, or is deleted if no
/// Secret can ever be made of it.
async fn in_the_way(work: &mut Work<'_>, trouble: Trouble) -> Turn {
    match trouble {
        Trouble::Turn(error) => Err(error),
        Trouble::InTheWay(text) => work.blocked(Obstacle::new(reason::INJECT_FAILED, text)).await,
        Trouble::Wrong(text) => {
            let text = format!("No Secret can be made: {text}.");
            if !decide::in_flight(&work.status()) {
                let obstacle = Obstacle { lasting: true, ..Obstacle::new(reason::INJECT_FAILED, text) };
                return work.blocked(obstacle).await;
            }
            let patience = work.patience();
            work.save(|status| state::give_up(status, reason::INJECT_FAILED, &text, patience)).await?;
            Ok(Action::await_change())
        }
    }
}
