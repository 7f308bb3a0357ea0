//! Conditions, in the order and with the words that svcat and kubectl show.
//!
//! svcat shows the **last** condition of the list, kubectl's STATUS column is `status.lastConditionState`. [`Conditions`]
//! keeps both right: `Ready` comes first, `Failed` and `OrphanMitigation` after it; a transition time changes with the
//! status and with nothing else; `lastConditionState` is always that of the last one.

use jiff::{Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a condition is about. The order is that of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// The object can be used.
    Ready,
    /// It will not get ready by itself: something must be changed.
    Failed,
    /// What a failed attempt may have left at the broker is being deleted.
    OrphanMitigation,
}

/// Whether it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// That cannot be told.
    Unknown,
}

/// One statement about an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Since when.
    pub last_transition_time: Time,
    /// One word, for programs.
    #[serde(default)]
    pub reason: String,
    /// A sentence, for people. It never holds a secret.
    #[serde(default)]
    pub message: String,
}

/// A status with conditions.
pub trait Conditions {
    /// The list.
    fn conditions(&self) -> &[Condition];

    /// The list and `lastConditionState`, to be changed by this trait alone.
    fn parts(&mut self) -> (&mut Vec<Condition>, &mut String);

    /// The condition of a type.
    fn condition(&self, type_: ConditionType) -> Option<&Condition> {
        self.conditions().iter().find(|condition| condition.type_ == type_)
    }

    /// Whether the condition of a type is there and holds.
    fn holds(&self, type_: ConditionType) -> bool {
        self.condition(type_).is_some_and(|condition| condition.status == ConditionStatus::True)
    }

    /// States a condition.
    fn set(&mut self, type_: ConditionType, status: ConditionStatus, reason: &str, message: impl Into<String>) {
        let former = self.condition(type_).filter(|former| former.status == status);
        let since = former.map_or_else(now, |former| former.last_transition_time.clone());
        let message = shortened(message.into());
        let stated = Condition { type_, status, last_transition_time: since, reason: reason.into(), message };
        let (list, last) = self.parts();
        list.retain(|condition| condition.type_ != type_);
        list.push(stated);
        list.sort_by_key(|condition| condition.type_);
        *last = state_of(list);
    }

    /// Withdraws a condition.
    fn unset(&mut self, type_: ConditionType) {
        let (list, last) = self.parts();
        list.retain(|condition| condition.type_ != type_);
        *last = state_of(list);
    }
}

/// The present, as precise as the API keeps it: what was written reads back as equal.
pub fn now() -> Time {
    let now = Timestamp::now();
    Time(now.round(Unit::Second).unwrap_or(now))
}

/// Brokers may say a lot; an object of the API has an end.
fn shortened(mut message: String) -> String {
    const LONGEST: usize = 4096;
    if message.len() > LONGEST {
        message.truncate((0..=LONGEST - 4).rev().find(|end| message.is_char_boundary(*end)).unwrap_or_default());
        message.push('…');
    }
    message
}

/// What svcat and kubectl show: the type of the last condition if it holds, else its reason.
fn state_of(list: &[Condition]) -> String {
    match list.last() {
        None => String::new(),
        Some(last) if last.status == ConditionStatus::True => format!("{:?}", last.type_),
        Some(last) => last.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::ConditionStatus::{False, True, Unknown};
    use super::ConditionType::{Failed, OrphanMitigation, Ready};
    use super::*;
    use crate::kubernetes::api::BrokerStatus;

    #[test]
    fn ready_stays_first_and_the_state_is_that_of_the_last() {
        let mut status = BrokerStatus::default();
        status.set(Failed, True, "F", "f");
        status.set(Ready, False, "R", "r");
        assert_eq!((status.conditions[0].type_, status.last_condition_state.as_str()), (Ready, "Failed"));
        status.set(OrphanMitigation, False, "Mitigated", "");
        assert_eq!(status.last_condition_state, "Mitigated");
        status.unset(OrphanMitigation);
        status.unset(Failed);
        assert_eq!(status.last_condition_state, "R");
        status.set(Ready, True, "Fetched", "");
        assert_eq!(status.last_condition_state, "Ready");
        status.unset(Ready);
        assert_eq!(status.last_condition_state, "");
        status.set(Ready, False, "R", "ü".repeat(1_000_000));
        assert!(status.conditions[0].message.len() <= 4096);
    }

    #[test]
    fn the_transition_time_changes_with_the_status_alone() {
        let mut status = BrokerStatus::default();
        status.set(Ready, False, "A", "a");
        let long_ago: Time = serde_json::from_str(r#""2020-01-01T00:00:00Z""#).unwrap();
        status.conditions[0].last_transition_time = long_ago.clone();
        status.set(Ready, False, "B", "b");
        assert_eq!(status.conditions[0].last_transition_time, long_ago);
        assert_eq!(status.conditions[0].reason, "B");
        status.set(Ready, Unknown, "B", "b");
        assert_ne!(status.conditions[0].last_transition_time, long_ago);
        let read: BrokerStatus = serde_json::from_value(serde_json::to_value(&status).unwrap()).unwrap();
        assert_eq!(read, status);
    }
}
