//! When a catalog is read, and whether all of it or only if it changed.

use std::time::Duration;

use jiff::Timestamp;

use crate::kubernetes::api::{BrokerSpec, BrokerStatus, ConditionType, Conditions, RelistBehavior, Retry};

/// What is to be done with a catalog now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// All of it is read.
    Read,
    /// The broker is asked whether it has changed; the next full read is after so long.
    Check(Duration),
    /// Nothing for so long; `None`: until the spec changes.
    Wait(Option<Duration>),
}

/// How often, where the spec does not say.
#[derive(Clone, Copy, Debug)]
pub struct Often {
    /// All of it is read.
    pub read: Duration,
    /// It is asked for changes.
    pub check: Duration,
}

/// Decides. `tagged` tells that the broker gave an entity tag, and how long ago it was last asked.
pub fn due(spec: &BrokerSpec, generation: i64, status: &BrokerStatus, often: Often, tagged: Option<Duration>) -> Due {
    if status.reconciled_generation != generation {
        return Due::Read;
    }
    if let Some(wait) = status.retry.as_ref().and_then(Retry::wait) {
        return Due::Wait(Some(wait));
    }
    if !status.holds(ConditionType::Ready) {
        return Due::Read;
    }
    if spec.relist_behavior == RelistBehavior::Manual {
        return Due::Wait(None);
    }
    let every = spec.relist_duration.as_deref().and_then(go_duration).unwrap_or(often.read);
    let Some(last) = &status.last_catalog_retrieval_time else { return Due::Read };
    let age = Duration::try_from(Timestamp::now().duration_since(last.0)).unwrap_or_default();
    let Some(left) = every.checked_sub(age).filter(|left| !left.is_zero()) else { return Due::Read };
    match tagged.map(|asked| often.check.checked_sub(asked).filter(|left| !left.is_zero())) {
        None => Due::Wait(Some(left)),
        Some(Some(pause)) => Due::Wait(Some(pause.min(left))),
        Some(None) => Due::Check(left),
    }
}

/// A duration as Go writes it: `1h30m0s`, `1.5h`, `300ms`.
pub fn go_duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text.trim(), 0.0);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = after;
    }
    Duration::try_from_secs_f64(total).ok().filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::kubernetes::api::{Backoff, ConditionStatus};

    const OFTEN: Often = Often { read: Duration::from_secs(86_400), check: Duration::from_secs(60) };

    fn read_ago(seconds: u64) -> BrokerStatus {
        let mut status = BrokerStatus { reconciled_generation: 1, ..BrokerStatus::default() };
        status.set(ConditionType::Ready, ConditionStatus::True, "FetchedCatalog", "");
        status.last_catalog_retrieval_time = Some(Time(Timestamp::now() - Duration::from_secs(seconds)));
        status
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let seconds = |text| go_duration(text).map(|duration| duration.as_secs_f64());
        assert_eq!(seconds("15m0s"), Some(900.0));
        assert_eq!(seconds("1h30m"), Some(5400.0));
        assert_eq!(seconds("1.5h"), Some(5400.0));
        assert_eq!(seconds("300ms"), Some(0.3));
        for text in ["", "15", "m", "0s", "1d", "-5m", "1..5h"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_catalog_is_read_when_the_spec_changed_or_its_time_is_over() {
        let spec = BrokerSpec { relist_duration: Some("15m0s".into()), ..BrokerSpec::default() };
        assert_eq!(due(&spec, 2, &read_ago(1), OFTEN, None), Due::Read);
        assert_eq!(due(&spec, 1, &read_ago(901), OFTEN, None), Due::Read);
        assert!(matches!(due(&spec, 1, &read_ago(890), OFTEN, None), Due::Wait(Some(left)) if left.as_secs() <= 10));
        let manual = BrokerSpec { relist_behavior: RelistBehavior::Manual, ..spec };
        assert_eq!(due(&manual, 1, &read_ago(901), OFTEN, None), Due::Wait(None));
        assert_eq!(due(&manual, 2, &read_ago(1), OFTEN, None), Due::Read);
    }

    #[test]
    fn a_broker_with_entity_tags_is_asked_between_two_reads() {
        let spec = BrokerSpec::default();
        let asked = |seconds| due(&spec, 1, &read_ago(300), OFTEN, Some(Duration::from_secs(seconds)));
        assert!(matches!(asked(61), Due::Check(_)));
        assert_eq!(asked(20), Due::Wait(Some(Duration::from_secs(40))));
    }

    #[test]
    fn a_failure_waits_its_pause_unless_the_spec_changes() {
        let (spec, mut status) = (BrokerSpec::default(), read_ago(1));
        let backoff = Backoff { first: Duration::from_secs(8), most: Duration::from_secs(8) };
        status.set(ConditionType::Ready, ConditionStatus::False, "ErrorFetchingCatalog", "");
        status.retry = Some(Retry::after(None, backoff, None));
        assert!(matches!(due(&spec, 1, &status, OFTEN, None), Due::Wait(Some(left)) if left.as_secs() >= 7));
        assert_eq!(due(&spec, 2, &status, OFTEN, None), Due::Read);
        status.retry = None;
        assert_eq!(due(&spec, 1, &status, OFTEN, None), Due::Read);
    }
}
