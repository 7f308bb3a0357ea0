//! When to try again, kept in the status: a restart goes on where it was, and does not storm a broker that is ill.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An attempt failed, or an operation goes on at the broker: nothing is sent before this time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// How many attempts have failed in a row, or how often the operation has been polled.
    #[serde(default)]
    pub attempts: u32,
    /// When the next one may begin.
    pub not_before: MicroTime,
}

/// How the pauses between attempts grow: doubling from the first to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
}

impl Retry {
    /// After one more failure (or poll). What the broker asks for with `Retry-After` is kept, up to an hour: it may be
    /// longer than our own pause, and never makes it shorter than the first.
    pub fn after(former: Option<&Self>, backoff: Backoff, retry_after: Option<Duration>) -> Self {
        const PATIENCE: Duration = Duration::from_secs(3600);
        let attempts = former.map_or(0, |former| former.attempts).saturating_add(1);
        let own = backoff.pause(attempts);
        let pause = retry_after.map_or(own, |asked| asked.min(PATIENCE).max(backoff.first));
        Self { attempts, not_before: MicroTime(Timestamp::now() + pause) }
    }

    /// How long still to wait; `None` if it is time.
    pub fn wait(&self) -> Option<Duration> {
        let left = self.not_before.0.duration_since(Timestamp::now());
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }
}

impl Backoff {
    /// The pause after so many failures.
    pub fn pause(self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(600) };

    #[test]
    fn pauses_double_up_to_the_most() {
        let pauses: Vec<_> = [1, 2, 3, 10, 11, 4_000_000].map(|n| BACKOFF.pause(n).as_secs()).into();
        assert_eq!(pauses, [1, 2, 4, 512, 600, 600]);
    }

    #[test]
    fn a_broker_may_ask_for_more_time_and_not_for_a_storm() {
        let wait = |after| Retry::after(None, BACKOFF, Some(Duration::from_secs(after))).wait().unwrap().as_secs_f64();
        assert!((29.0..=30.0).contains(&wait(30)));
        assert!((0.5..=1.0).contains(&wait(0)));
        assert!(wait(1_000_000) <= 3600.0);
    }

    #[test]
    fn the_status_keeps_it_over_a_restart() {
        let retry = Retry::after(None, BACKOFF, None);
        let retry = Retry::after(Some(&retry), BACKOFF, None);
        let read: Retry = serde_json::from_value(serde_json::to_value(&retry).unwrap()).unwrap();
        assert_eq!(read.attempts, 2);
        assert!(read.wait().is_some());
    }
}
