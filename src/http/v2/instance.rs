//! The routes under `/v2/service_instances/:instance_id`.

use axum::extract::State;
use http::StatusCode;

use crate::broker::Caller;
use crate::http::answer::{Answer, json, outcome, polled};
use crate::http::extract::{Body, CanWait};
use crate::http::router::App;
use crate::osb::{
    DeleteQuery, FetchQuery, ForVersion, InstanceId, LastOperationQuery, ProvisionRequest, UpdateRequest,
};

/// `PUT`.
pub async fn provision(
    State(app): State<App>,
    caller: Caller,
    id: InstanceId,
    CanWait(can_wait): CanWait,
    Body(request): Body<ProvisionRequest>,
) -> Answer {
    let answer = app.broker.provision(&caller, &id, request, can_wait).await?;
    Ok(outcome(answer, caller.version))
}

/// `PATCH`.
pub async fn update(
    State(app): State<App>,
    caller: Caller,
    id: InstanceId,
    CanWait(can_wait): CanWait,
    Body(request): Body<UpdateRequest>,
) -> Answer {
    let answer = app.broker.update(&caller, &id, request, can_wait).await?;
    Ok(outcome(answer, caller.version))
}

/// `DELETE`. A body is not looked at.
pub async fn deprovision(State(app): State<App>, caller: Caller, id: InstanceId, query: DeleteQuery) -> Answer {
    let answer = app.broker.deprovision(&caller, &id, query).await?;
    Ok(outcome(answer, caller.version))
}

/// `GET`.
pub async fn fetch_instance(State(app): State<App>, caller: Caller, id: InstanceId, query: FetchQuery) -> Answer {
    let answer = app.broker.fetch_instance(&caller, &id, query).await?;
    Ok(json(StatusCode::OK, &answer.for_version(caller.version)))
}

/// `GET …/last_operation`.
pub async fn instance_operation(
    State(app): State<App>,
    caller: Caller,
    id: InstanceId,
    query: LastOperationQuery,
) -> Answer {
    let answer = app.broker.instance_operation(&caller, &id, query).await?;
    Ok(polled(answer, caller.version))
}
