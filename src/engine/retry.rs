//! What a fault leads to, decided from its class, how often it came, and which way the operation goes. Pure.

use std::time::Duration;

use crate::driver::{Class, Fault};

/// Which way the operation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Towards what was asked: ends at its deadline, and at once when the user must change something.
    Forward,
    /// Removing or going back, with the platform waiting: it is told when patience ends, and the work goes on.
    Back,
    /// Removing with nobody waiting: never ends.
    Cleanup,
}

/// What to do about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try again after this long.
    Again(Duration),
    /// Trying again does not help.
    GiveUp,
}

/// How often a fault is tried again that will not pass by itself. With the back-off below that is about a minute: long
/// enough for a permission that an administrator has just granted to arrive, short enough for a person to wait for the
/// sentence.
const PATIENCE: u32 = 6;

/// What to do about `fault` after `attempts` others in a row before it.
pub(super) fn verdict(fault: &Fault, attempts: u32, way: Way) -> Verdict {
    let hour = Duration::from_secs(3600);
    let (first, longest) = match fault.class {
        Class::Transient => (Duration::from_millis(500), Duration::from_secs(60)),
        Class::Conflict => (Duration::from_secs(1), Duration::from_secs(60)),
        Class::Throttled => (Duration::from_secs(2), Duration::from_secs(120)),
        Class::Gone => (Duration::from_millis(100), Duration::from_secs(30)),
        Class::Rejected if way == Way::Forward => return Verdict::GiveUp,
        Class::Rejected | Class::Denied | Class::Bug => {
            if way != Way::Cleanup && attempts >= PATIENCE {
                return Verdict::GiveUp;
            }
            (Duration::from_secs(1), hour)
        }
    };
    let longest = if way == Way::Forward { longest } else { hour };
    let backoff = first.saturating_mul(1 << attempts.min(16)).min(longest);
    Verdict::Again(backoff.max(fault.retry_after.unwrap_or_default()))
}

/// Spreads a back-off by up to a quarter, so that what failed together does not come back together. `seed`: anything that
/// differs between the things that fail.
pub(super) fn jitter(after: Duration, seed: u128) -> Duration {
    let share = u32::try_from(seed % 256).unwrap_or_default();
    after + after.mul_f64(f64::from(share) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(class: Class) -> Fault {
        Fault::new(class, "x")
    }

    #[test]
    fn what_the_user_must_change_ends_at_once_and_only_forward() {
        assert_eq!(verdict(&fault(Class::Rejected), 0, Way::Forward), Verdict::GiveUp);
        assert_eq!(verdict(&fault(Class::Rejected), 0, Way::Back), Verdict::Again(Duration::from_secs(1)));
        assert_eq!(verdict(&fault(Class::Rejected), PATIENCE, Way::Back), Verdict::GiveUp);
    }

    #[test]
    fn cleaning_up_never_ends_and_its_back_off_stops_at_an_hour() {
        for class in [Class::Transient, Class::Throttled, Class::Rejected, Class::Conflict, Class::Denied, Class::Bug] {
            assert_eq!(verdict(&fault(class), 1000, Way::Cleanup), Verdict::Again(Duration::from_secs(3600)));
        }
    }

    #[test]
    fn a_named_time_is_kept() {
        let mut throttled = fault(Class::Throttled);
        throttled.retry_after = Some(Duration::from_secs(77));
        assert_eq!(verdict(&throttled, 0, Way::Forward), Verdict::Again(Duration::from_secs(77)));
    }
}
