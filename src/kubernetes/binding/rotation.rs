//! When credentials are replaced, and by what. Pure; all of it is in the status.
//!
//! Due is a tenth of the time before `renew_before` (an hour at most), or two thirds on the way to `expires_at` where the
//! broker says no more than that. A binding takes over from the current one (`predecessor_binding_id`) where the plan can
//! rotate; elsewhere it is an ordinary new one. The former one is deleted after the overlap.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::answer::Fault;
use super::options;
use super::state::{self, Patience};
use crate::kubernetes::api::{
    BindingProperties, BindingRotation, BindingStatus, ConditionStatus, ConditionType, Conditions, NextBinding,
    RetiredBinding, Retry, ServiceBinding,
};
use crate::osb::BindingMetadata;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turnover {
    /// Nothing, for so long.
    Idle(Option<Duration>),
    /// A new binding is to be begun.
    Begin,
    /// The new one is to be made, or polled.
    Make,
    /// The first of the retired ones is to be deleted.
    Retire,
}

/// What is to be done.
pub fn next(binding: &ServiceBinding, now: Timestamp) -> Turnover {
    let none = BindingRotation::default();
    let rotation = binding.status.as_ref().and_then(|status| status.rotation.as_ref()).unwrap_or(&none);
    let (asked, due) = (options::rotate_request(binding), rotation.due.as_ref().map(|due| due.0));
    let due = due.filter(|_| options::rotates(binding));
    let requested = !asked.is_empty() && asked != rotation.requested;
    let begins = requested || due.is_some_and(|due| due <= now);
    let until = rotation.retired.first().and_then(|retired| retired.until.as_ref()).map(|until| until.0);
    let retires = !rotation.retired.is_empty() && until.is_none_or(|until| until <= now);
    let wait = rotation.retry.as_ref().and_then(Retry::wait);
    if let Some(wait) = wait.filter(|_| begins || retires || rotation.next.is_some()) {
        return Turnover::Idle(Some(wait));
    }
    match (&rotation.next, begins, retires) {
        (Some(_), ..) => Turnover::Make,
        (None, true, _) => Turnover::Begin,
        (None, false, true) => Turnover::Retire,
        (None, false, false) => {
            let times = [due, until].into_iter().flatten();
            let first = times.min().map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
            // The clock of the status has seconds.
            Turnover::Idle(first.map(|wait| wait + Duration::from_millis(20)))
        }
    }
}

/// When credentials with these ends are to be replaced.
pub fn due(now: Timestamp, metadata: BindingMetadata) -> Option<Timestamp> {
    let (from, part) = match (metadata.renew_before, metadata.expires_at) {
        (Some(renew), _) => (renew, (renew.duration_since(now) / 10).min(SignedDuration::from_hours(1))),
        (None, Some(expires)) => (expires, expires.duration_since(now) / 3),
        (None, None) => return None,
    };
    Some(from - part.max(SignedDuration::ZERO))
}

/// Credentials were made that end then.
pub fn made(status: &mut BindingStatus, metadata: BindingMetadata, requested: String) {
    if status.rotation.is_none() && metadata.is_empty() && requested.is_empty() {
        return;
    }
    let rotation = status.rotation.get_or_insert_default();
    rotation.expires_at = metadata.expires_at.map(seconds);
    rotation.due = due(Timestamp::now(), metadata).map(seconds);
    rotation.requested = requested;
}

/// A new binding is to be made.
pub fn begin(
    status: &mut BindingStatus,
    id: String,
    predecessor: Option<String>,
    properties: Option<BindingProperties>,
) {
    let rotation = status.rotation.get_or_insert_default();
    rotation.next = Some(NextBinding { id, predecessor, properties, ..NextBinding::default() });
}

/// The id of the binding whose credentials are in the Secret.
pub fn current(binding: &ServiceBinding) -> String {
    let rotation = binding.status.as_ref().and_then(|status| status.rotation.as_ref());
    let id = rotation.map(|rotation| rotation.current_id.as_str()).filter(|id| !id.is_empty());
    id.unwrap_or(&binding.spec.external_id).to_owned()
}

/// The broker works on the new one.
pub fn accepted(
    rotation: &mut BindingRotation,
    operation: Option<String>,
    after: Option<Duration>,
    patience: Patience,
) {
    if let Some(next) = &mut rotation.next {
        (next.polled, next.operation) = (true, operation);
    }
    rotation.retry = Some(Retry::after(None, patience.backoff, after));
}

/// The Secret has the credentials of the new one.
pub fn turned_over(
    status: &mut BindingStatus,
    former: String,
    overlap: Duration,
    metadata: BindingMetadata,
    requested: String,
) {
    let secret = status.binding.clone().map(|secret| secret.name);
    let rotation = status.rotation.get_or_insert_default();
    let Some(next) = rotation.next.take() else { return };
    let now = Timestamp::now();
    let until =
        now.checked_add(SignedDuration::try_from(overlap).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX);
    rotation.retired.push(RetiredBinding { id: former, until: Some(seconds(until)), ..RetiredBinding::default() });
    rotation.current_id = next.id;
    rotation.last = Some(seconds(now));
    (rotation.retry, rotation.problem) = (None, String::new());
    if next.properties.is_some() {
        status.external_properties = next.properties;
    }
    made(status, metadata, requested);
    state::bound(status, &secret.unwrap_or_default());
}

/// An attempt failed. `lost`: the new binding is not to be made with this id again, and `left`: it may be there.
pub fn failed(status: &mut BindingStatus, fault: &Fault, lost: bool, left: bool, patience: Patience) {
    let rotation = status.rotation.get_or_insert_default();
    let former = if lost { rotation.next.take() } else { None };
    if let Some(next) = former.filter(|_| left) {
        rotation.retired.insert(0, RetiredBinding { id: next.id, ..RetiredBinding::default() });
    }
    rotation.retry = Some(Retry::after(rotation.retry.as_ref(), patience.backoff, fault.after));
    rotation.problem.clone_from(&fault.message);
    tell(status);
}

/// The first of the retired ones is gone.
pub fn gone(status: &mut BindingStatus) {
    let rotation = status.rotation.get_or_insert_default();
    if !rotation.retired.is_empty() {
        rotation.retired.remove(0);
    }
    (rotation.retry, rotation.problem) = (None, String::new());
    tell(status);
}

/// The credentials are good, and that their replacement fails is said with that.
fn tell(status: &mut BindingStatus) {
    let problem = status.rotation.as_ref().map(|rotation| rotation.problem.clone()).unwrap_or_default();
    if status.holds(ConditionType::Ready) {
        let text = match problem.as_str() {
            "" => "The credentials are in the Secret.".to_owned(),
            problem => format!("The credentials are in the Secret. Replacing them does not work: {problem}"),
        };
        status.set(ConditionType::Ready, ConditionStatus::True, state::reason::INJECTED, text);
    }
}

/// The first that is to be deleted, if it is to be deleted now or at all.
pub fn retired(status: &BindingStatus) -> Option<&RetiredBinding> {
    status.rotation.as_ref()?.retired.first()
}

/// The binding is deleted: whatever there is besides that of the spec is deleted with it, and that of the spec last.
pub fn retire_all(status: &mut BindingStatus) {
    let Some(rotation) = &mut status.rotation else { return };
    let others = [rotation.next.take().map(|next| next.id), Some(std::mem::take(&mut rotation.current_id))];
    for id in others.into_iter().flatten().filter(|id| !id.is_empty()) {
        rotation.retired.push(RetiredBinding { id, ..RetiredBinding::default() });
    }
    for retired in &mut rotation.retired {
        retired.until = None;
    }
    rotation.retry = None;
}

fn seconds(at: Timestamp) -> Time {
    Time(at.round(Unit::Second).unwrap_or(at))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kubernetes::api::Backoff;
    use crate::kubernetes::binding::answer::Kind;

    const PATIENCE: Patience = Patience {
        backoff: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(600) },
        total: Duration::from_secs(3600),
    };

    fn at(text: &str) -> Timestamp {
        format!("2030-01-01T{text}Z").parse().unwrap()
    }

    fn binding(annotations: Value, rotation: Value) -> ServiceBinding {
        serde_json::from_value(json!({
            "apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceBinding",
            "metadata": {"name": "b", "annotations": annotations},
            "spec": {"externalID": "first"},
            "status": {"rotation": rotation},
        }))
        .unwrap()
    }

    #[test]
    fn credentials_are_replaced_in_time() {
        let ends = |renew: Option<&str>, expires: Option<&str>| {
            due(at("00:00:00"), BindingMetadata { renew_before: renew.map(at), expires_at: expires.map(at) })
        };
        assert_eq!(ends(None, None), None);
        assert_eq!(ends(Some("01:40:00"), Some("23:00:00")), Some(at("01:30:00")));
        assert_eq!(ends(Some("20:00:00"), None), Some(at("19:00:00")));
        assert_eq!(ends(None, Some("03:00:00")), Some(at("02:00:00")));
        let past = BindingMetadata { renew_before: Some(at("00:00:00")), expires_at: None };
        assert!(due(at("01:00:00"), past).unwrap() <= at("01:00:00"));
    }

    #[test]
    fn the_object_says_what_is_next() {
        let due = json!({"due": "2030-01-01T12:00:00Z"});
        let next = |annotations: Value, rotation: Value| super::next(&binding(annotations, rotation), at("13:00:00"));
        assert_eq!(next(json!({}), Value::Null), Turnover::Idle(None));
        assert_eq!(next(json!({}), due.clone()), Turnover::Begin);
        assert_eq!(next(json!({"chandlery.dev/rotate": "never"}), due.clone()), Turnover::Idle(None));
        let request = json!({"chandlery.dev/rotate-request": "2"});
        assert_eq!(next(request.clone(), json!({"requested": "1"})), Turnover::Begin);
        assert_eq!(next(request, json!({"requested": "2"})), Turnover::Idle(None));
        assert_eq!(next(json!({}), json!({"next": {"id": "n"}})), Turnover::Make);
        let retired = |until: Value| json!({"retired": [{"id": "o", "until": until}]});
        assert_eq!(next(json!({}), retired(json!("2030-01-01T12:00:00Z"))), Turnover::Retire);
        assert_eq!(next(json!({}), retired(Value::Null)), Turnover::Retire);
        let later = next(json!({}), retired(json!("2030-01-01T13:00:10Z")));
        assert!(matches!(later, Turnover::Idle(Some(wait)) if wait.as_secs() == 10));
        let paused = json!({"due": "2030-01-01T12:00:00Z", "retry": {"attempts": 1, "notBefore": "2999-01-01T00:00:00.000000Z"}});
        assert!(matches!(next(json!({}), paused), Turnover::Idle(Some(_))));
    }

    #[test]
    fn after_a_turnover_the_former_one_is_left_for_a_while_and_a_delete_takes_all() {
        let mut object = binding(json!({}), Value::Null);
        assert_eq!(current(&object), "first");
        let status = object.status.as_mut().unwrap();
        begin(status, "second".into(), Some("first".into()), None);
        let fault = Fault { message: "No.".into(), after: None, kind: Kind::Again };
        failed(status, &fault, false, false, PATIENCE);
        assert_eq!(status.rotation.as_ref().unwrap().problem, "No.");
        turned_over(status, "first".into(), Duration::from_secs(60), BindingMetadata::default(), "r".into());
        let rotation = status.rotation.clone().unwrap();
        assert_eq!((rotation.problem.as_str(), rotation.requested.as_str(), rotation.retry), ("", "r", None));
        assert!(retired(status).unwrap().until.is_some());
        assert_eq!(current(&object), "second");
        let status = object.status.as_mut().unwrap();
        begin(status, "third".into(), None, None);
        retire_all(status);
        let ids: Vec<_> = status.rotation.as_ref().unwrap().retired.iter().map(|retired| retired.id.as_str()).collect();
        assert_eq!(ids, ["first", "third", "second"]);
        assert!(retired(status).unwrap().until.is_none());
        gone(status);
        assert_eq!(retired(status).unwrap().id, "third");
    }

    #[test]
    fn what_a_failed_attempt_left_is_deleted_first() {
        let mut object = binding(json!({}), json!({"retired": [{"id": "old", "until": "2999-01-01T00:00:00Z"}]}));
        let status = object.status.as_mut().unwrap();
        begin(status, "second".into(), None, None);
        let fault = Fault { message: "No.".into(), after: None, kind: Kind::Orphan };
        failed(status, &fault, true, true, PATIENCE);
        assert_eq!(retired(status).unwrap().id, "second");
        assert!(status.rotation.as_ref().unwrap().next.is_none());
    }
}
