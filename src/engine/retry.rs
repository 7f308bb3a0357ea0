//! What a fault leads to, decided from its class, how often it came, and which way the operation goes. Pure.

use std::time::Duration;

use crate::driver::{Class, Fault};

/// Where in its operation a fault comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Which way the operation goes.
    pub way: Way,
    /// How many faults in a row came before.
    pub attempts: u32,
    /// The operation's deadline has passed.
    pub expired: bool,
    /// The unit of back-off: a second, but for tests.
    pub unit: Duration,
}

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

/// What to do about `fault`.
pub(super) fn verdict(fault: &Fault, moment: Moment) -> Verdict {
    let Moment { way, attempts, expired, unit } = moment;
    let hour = unit * 3600;
    let impatient = attempts >= PATIENCE;
    let (first, longest) = match fault.class {
        // When its time is over, the platform is told, and the work goes on with nobody waiting.
        Class::Transient | Class::Conflict | Class::Throttled | Class::Gone
            if way == Way::Back && expired && impatient =>
        {
            return Verdict::GiveUp;
        }
        Class::Transient => (unit / 2, unit * 60),
        Class::Conflict => (unit, unit * 60),
        Class::Throttled => (unit * 2, unit * 120),
        Class::Gone => (unit / 10, unit * 30),
        Class::Rejected if way == Way::Forward => return Verdict::GiveUp,
        Class::Rejected | Class::Denied | Class::Bug => {
            if way != Way::Cleanup && impatient {
                return Verdict::GiveUp;
            }
            (unit, hour)
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

    fn at(way: Way, attempts: u32) -> Moment {
        Moment { way, attempts, expired: false, unit: Duration::from_secs(1) }
    }

    #[test]
    fn what_the_user_must_change_ends_at_once_and_only_forward() {
        assert_eq!(verdict(&fault(Class::Rejected), at(Way::Forward, 0)), Verdict::GiveUp);
        assert_eq!(verdict(&fault(Class::Rejected), at(Way::Back, 0)), Verdict::Again(Duration::from_secs(1)));
        assert_eq!(verdict(&fault(Class::Rejected), at(Way::Back, PATIENCE)), Verdict::GiveUp);
    }

    #[test]
    fn what_may_pass_is_waited_for_until_the_platform_stops_waiting() {
        let late = Moment { expired: true, ..at(Way::Back, PATIENCE) };
        assert_eq!(verdict(&fault(Class::Transient), at(Way::Back, 100)), Verdict::Again(Duration::from_secs(3600)));
        assert_eq!(verdict(&fault(Class::Transient), late), Verdict::GiveUp);
        assert!(matches!(verdict(&fault(Class::Transient), Moment { attempts: 0, ..late }), Verdict::Again(_)));
        assert!(matches!(verdict(&fault(Class::Transient), Moment { way: Way::Cleanup, ..late }), Verdict::Again(_)));
    }

    #[test]
    fn cleaning_up_never_ends_and_its_back_off_stops_at_an_hour() {
        for class in [Class::Transient, Class::Throttled, Class::Rejected, Class::Conflict, Class::Denied, Class::Bug] {
            assert_eq!(verdict(&fault(class), at(Way::Cleanup, 1000)), Verdict::Again(Duration::from_secs(3600)));
        }
    }

    #[test]
    fn a_named_time_is_kept() {
        let mut throttled = fault(Class::Throttled);
        throttled.retry_after = Some(Duration::from_secs(77));
        assert_eq!(verdict(&throttled, at(Way::Forward, 0)), Verdict::Again(Duration::from_secs(77)));
    }
}
