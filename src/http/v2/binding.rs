//! The routes under `/v2/service_instances/:instance_id/service_bindings/:binding_id`.

use axum::extract::State;
use http::StatusCode;

use crate::broker::Caller;
use crate::http::answer::{Answer, json, outcome, polled};
use crate::http::extract::{Body, CanWait};
use crate::http::router::App;
use crate::osb::{BindRequest, BindingId, DeleteQuery, FetchQuery, ForVersion, InstanceId, LastOperationQuery};

/// `PUT`: a new binding, or one that takes over from another.
pub async fn bind(
    State(app): State<App>,
    caller: Caller,
    instance: InstanceId,
    binding: BindingId,
    CanWait(can_wait): CanWait,
    Body(request): Body<BindRequest>,
) -> Answer {
    let can_wait = can_wait && caller.version.has_async_bindings();
    let answer = app.broker.bind(&caller, &instance, &binding, request, can_wait).await?;
    Ok(outcome(answer, caller.version))
}

/// `DELETE`. A body is not looked at.
pub async fn unbind(
    State(app): State<App>,
    caller: Caller,
    instance: InstanceId,
    binding: BindingId,
    mut query: DeleteQuery,
) -> Answer {
    query.accepts_incomplete &= caller.version.has_async_bindings();
    let answer = app.broker.unbind(&caller, &instance, &binding, query).await?;
    Ok(outcome(answer, caller.version))
}

/// `GET`.
pub async fn fetch_binding(
    State(app): State<App>,
    caller: Caller,
    instance: InstanceId,
    binding: BindingId,
    query: FetchQuery,
) -> Answer {
    let answer = app.broker.fetch_binding(&caller, &instance, &binding, query).await?;
    Ok(json(StatusCode::OK, &answer.for_version(caller.version)))
}

/// `GET …/last_operation`.
pub async fn binding_operation(
    State(app): State<App>,
    caller: Caller,
    instance: InstanceId,
    binding: BindingId,
    query: LastOperationQuery,
) -> Answer {
    let answer = app.broker.binding_operation(&caller, &instance, &binding, query).await?;
    Ok(polled(answer, caller.version))
}
