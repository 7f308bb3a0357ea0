//! What to do next, decided from rows alone: no I/O, no clock, no state of its own. Whatever a crash interrupted, the same
//! rows give the same answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::store::ResourceState;

/// What the planner sees of a resource's row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub key: String,
    pub depends_on: Vec<String>,
    pub serial: Option<String>,
    pub retain: bool,
    pub state: ResourceState,
    /// How long until it may be tried again.
    pub due_in: Duration,
}

/// What the rows shall become.
pub(super) enum Goal<'a> {
    /// Exactly these resources, in this order, each as desired. `differs` tells of a ready one whether it is not; it is
    /// asked only once everything the resource depends on is ready.
    Have { keys: &'a [Wanted], differs: &'a dyn Fn(&str) -> bool },
    /// Nothing. `retain`: leave in AWS what is marked so.
    Nothing { retain: bool },
}

/// A resource that shall be there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    pub key: String,
    pub depends_on: Vec<String>,
    pub serial: Option<String>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// Create or converge it.
    Ensure(String),
    /// Delete it.
    Delete(String),
    /// Leave it in AWS and forget it.
    Retain(String),
    /// Remove the row of something for which no call was ever made.
    Drop(String),
}

impl Action {
    pub fn key(&self) -> &str {
        match self {
            Self::Ensure(key) | Self::Delete(key) | Self::Retain(key) | Self::Drop(key) => key,
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Next {
    /// At once and at the same time.
    pub now: Vec<Action>,
    /// Nothing at once, but after this long there may be.
    pub wait: Option<Duration>,
    /// The goal is reached.
    pub done: bool,
}

/// What to do next towards `goal`. `busy`: keys whose action is under way in this turn.
pub(super) fn next(rows: &[Row], goal: &Goal<'_>, busy: &BTreeSet<String>) -> Next {
    let rows = rows.iter().filter(|row| is_ours(row)).map(|row| (row.key.as_str(), row)).collect();
    let mut planner = Planner { rows, candidates: Vec::new() };
    let reached = match goal {
        Goal::Have { keys, differs } => planner.have(keys, *differs),
        Goal::Nothing { retain } => planner.remove(|_| true, *retain),
    };
    planner.choose(busy, reached)
}

fn is_ours(row: &Row) -> bool {
    !matches!(row.state, ResourceState::Retained | ResourceState::Abandoned)
}

fn is_moving(state: ResourceState) -> bool {
    matches!(state, ResourceState::Creating | ResourceState::Updating | ResourceState::Deleting)
}

struct Planner<'a> {
    rows: BTreeMap<&'a str, &'a Row>,
    /// Whose dependencies allow it.
    candidates: Vec<(&'a Row, Action)>,
}

impl<'a> Planner<'a> {
    /// Additions and changes first, in dependency order; removals once all of those are done.
    fn have(&mut self, wanted: &[Wanted], differs: &dyn Fn(&str) -> bool) -> bool {
        let mut ready = BTreeSet::new();
        for resource in wanted {
            let Some(row) = self.rows.get(resource.key.as_str()).copied() else { continue };
            if !resource.depends_on.iter().all(|key| ready.contains(key.as_str())) {
                continue;
            }
            match row.state {
                ResourceState::Ready if !differs(&row.key) => {
                    ready.insert(resource.key.as_str());
                }
                // It was on its way out when an update went back: out it goes, and then it is planned anew.
                ResourceState::Deleting => self.add(row, Action::Delete(row.key.clone())),
                _ => self.add(row, Action::Ensure(row.key.clone())),
            }
        }
        let all = ready.len() == wanted.len();
        all && self.remove(|key| !wanted.iter().any(|resource| resource.key == key), false)
    }

    /// Removes the chosen rows, dependents before what they depend on. Answers whether none is left.
    fn remove(&mut self, chosen: impl Fn(&str) -> bool, retain: bool) -> bool {
        let leaving: Vec<&'a Row> = self.rows.values().copied().filter(|row| chosen(&row.key)).collect();
        for row in &leaving {
            let needed = leaving.iter().any(|other| other.key != row.key && other.depends_on.contains(&row.key));
            if needed {
                continue;
            }
            match row.state {
                ResourceState::Planned => self.add(row, Action::Drop(row.key.clone())),
                ResourceState::Ready | ResourceState::Updating if retain && row.retain => {
                    self.add(row, Action::Retain(row.key.clone()));
                }
                _ => self.add(row, Action::Delete(row.key.clone())),
            }
        }
        leaving.is_empty()
    }

    fn add(&mut self, row: &'a Row, action: Action) {
        self.candidates.push((row, action));
    }

    /// Of the candidates, those that may start now.
    fn choose(&self, busy: &BTreeSet<String>, reached: bool) -> Next {
        let mut next = Next { done: reached && self.candidates.is_empty() && busy.is_empty(), ..Next::default() };
        for (row, action) in &self.candidates {
            if busy.contains(&row.key) || self.is_behind_another(row, busy) {
                continue;
            }
            if row.due_in.is_zero() {
                next.now.push(action.clone());
            } else {
                next.wait = Some(next.wait.map_or(row.due_in, |wait| wait.min(row.due_in)));
            }
        }
        next
    }

    /// Whether another one of the row's serial group has the turn: one in this turn's hands, else the first candidate that
    /// AWS is already working on, else the first candidate.
    fn is_behind_another(&self, row: &Row, busy: &BTreeSet<String>) -> bool {
        let Some(group) = &row.serial else { return false };
        let mut members = self.rows.values().filter(|other| other.serial.as_ref() == Some(group));
        if members.any(|other| other.key != row.key && busy.contains(&other.key)) {
            return true;
        }
        let mut waiting = self.candidates.iter().filter(|(other, _)| other.serial.as_ref() == Some(group));
        let first = waiting.clone().find(|(other, _)| is_moving(other.state)).or_else(|| waiting.next());
        first.is_some_and(|(first, _)| first.key != row.key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(key: &str, state: ResourceState, depends_on: &[&str]) -> Row {
        Row {
            key: key.into(),
            depends_on: depends_on.iter().map(|&key| key.into()).collect(),
            serial: None,
            retain: false,
            state,
            due_in: Duration::ZERO,
        }
    }

    fn wanted(rows: &[Row]) -> Vec<Wanted> {
        rows.iter()
            .map(|row| Wanted { key: row.key.clone(), depends_on: row.depends_on.clone(), serial: row.serial.clone() })
            .collect()
    }

    /// Runs a goal to its end as a perfect world would, and answers every round of actions.
    fn drive(rows: &mut Vec<Row>, want: Option<&[Wanted]>, retain: bool) -> Vec<Vec<Action>> {
        let mut rounds = Vec::new();
        for _ in 0..200 {
            let same = |_: &str| false;
            let goal = match want {
                Some(keys) => Goal::Have { keys, differs: &same },
                None => Goal::Nothing { retain },
            };
            let next = next(rows, &goal, &BTreeSet::new());
            if next.done {
                return rounds;
            }
            assert!(!next.now.is_empty(), "nothing to do and not done: {rows:?}");
            for action in &next.now {
                match action {
                    Action::Ensure(key) => {
                        rows.iter_mut().filter(|row| &row.key == key).for_each(|row| row.state = ResourceState::Ready);
                    }
                    Action::Retain(key) => {
                        rows.iter_mut()
                            .filter(|row| &row.key == key)
                            .for_each(|row| row.state = ResourceState::Retained);
                    }
                    Action::Delete(key) | Action::Drop(key) => rows.retain(|row| &row.key != key),
                }
            }
            rounds.push(next.now);
        }
        panic!("does not end");
    }

    #[test]
    fn independent_resources_go_together_and_dependents_wait() {
        let mut rows = vec![
            row("dead_letters", ResourceState::Planned, &[]),
            row("log", ResourceState::Planned, &[]),
            row("queue", ResourceState::Planned, &["dead_letters"]),
        ];
        let keys = wanted(&rows);
        let rounds = drive(&mut rows, Some(&keys), false);
        assert_eq!(
            rounds,
            [
                vec![Action::Ensure("dead_letters".into()), Action::Ensure("log".into())],
                vec![Action::Ensure("queue".into())]
            ]
        );
        let rounds = drive(&mut rows, None, false);
        assert_eq!(rounds[1], [Action::Delete("dead_letters".into())], "the queue goes before what it depends on");
    }

    #[test]
    fn an_update_removes_only_after_everything_else_is_ready() {
        let rows = [row("old", ResourceState::Ready, &[]), row("new", ResourceState::Creating, &[])];
        let keys = wanted(&rows[1..]);
        let same = |_: &str| false;
        let first = next(&rows, &Goal::Have { keys: &keys, differs: &same }, &BTreeSet::new());
        assert_eq!(first.now, [Action::Ensure("new".into())]);
        let busy = BTreeSet::from(["new".to_owned()]);
        assert_eq!(next(&rows, &Goal::Have { keys: &keys, differs: &same }, &busy), Next::default());
    }

    #[test]
    fn a_changed_resource_is_ensured_and_its_dependents_wait_for_it() {
        let rows = [row("key", ResourceState::Ready, &[]), row("bucket", ResourceState::Ready, &["key"])];
        let keys = wanted(&rows);
        let changed = |key: &str| key == "key";
        let next = next(&rows, &Goal::Have { keys: &keys, differs: &changed }, &BTreeSet::new());
        assert_eq!(next.now, [Action::Ensure("key".into())]);
    }

    #[test]
    fn what_was_never_called_for_is_dropped_and_what_is_to_stay_is_retained() {
        let mut rows = vec![row("a", ResourceState::Planned, &[]), row("b", ResourceState::Ready, &[])];
        rows[1].retain = true;
        let rounds = drive(&mut rows, None, true);
        assert_eq!(rounds, [vec![Action::Drop("a".into()), Action::Retain("b".into())]]);
        let mut rows = vec![row("b", ResourceState::Creating, &[])];
        rows[0].retain = true;
        assert_eq!(drive(&mut rows, None, true), [vec![Action::Delete("b".into())]], "half-made things never stay");
    }

    #[test]
    fn waits_tell_the_nearest_time() {
        let mut rows = [row("a", ResourceState::Creating, &[]), row("b", ResourceState::Creating, &[])];
        rows[0].due_in = Duration::from_secs(9);
        rows[1].due_in = Duration::from_secs(4);
        let keys = wanted(&rows);
        let next = next(&rows, &Goal::Have { keys: &keys, differs: &|_| false }, &BTreeSet::new());
        assert_eq!(next, Next { now: vec![], wait: Some(Duration::from_secs(4)), done: false });
    }

    fn any_state() -> impl Strategy<Value = ResourceState> {
        prop_oneof![
            Just(ResourceState::Planned),
            Just(ResourceState::Creating),
            Just(ResourceState::Ready),
            Just(ResourceState::Updating),
            Just(ResourceState::Deleting),
        ]
    }

    prop_compose! {
        /// Rows over a random acyclic graph, in any mixture of states, some in serial groups.
        fn any_rows()(shape in prop::collection::vec((any_state(), any::<u16>(), 0u8..3, any::<bool>()), 1..9)) -> Vec<Row> {
            shape.into_iter().enumerate().map(|(index, (state, edges, group, retain))| Row {
                key: format!("r{index}"),
                depends_on: (0..index).filter(|earlier| edges & (1 << earlier) != 0).map(|earlier| format!("r{earlier}")).collect(),
                serial: (group == 0).then(|| "one".to_owned()),
                retain,
                state,
                due_in: Duration::ZERO,
            }).collect()
        }
    }

    proptest! {
        #[test]
        fn from_any_rows_everything_can_be_unmade_in_reverse_order(rows in any_rows(), retain in any::<bool>()) {
            let dependencies = rows.clone();
            let mut left = rows;
            let rounds = drive(&mut left, None, retain);
            let order: Vec<&str> = rounds.iter().flatten().map(Action::key).collect();
            for row in &dependencies {
                for needed in &row.depends_on {
                    let place = |key: &str| order.iter().position(|other| *other == key);
                    prop_assert!(place(&row.key) < place(needed), "{} goes before {needed}", row.key);
                }
            }
        }

        #[test]
        fn from_any_rows_everything_can_be_made_in_order_and_one_at_a_time_within_a_group(rows in any_rows()) {
            let keys = wanted(&rows);
            // Whatever was being deleted is planned anew, as the engine does.
            let mut rows: Vec<Row> = rows.into_iter().map(|row| Row {
                state: if row.state == ResourceState::Deleting { ResourceState::Planned } else { row.state }, ..row
            }).collect();
            let groups = rows.clone();
            let rounds = drive(&mut rows, Some(&keys), false);
            for round in rounds {
                let grouped = round.iter().filter(|action| groups.iter().any(|row| row.key == action.key() && row.serial.is_some()));
                prop_assert!(grouped.count() <= 1);
            }
            prop_assert!(rows.iter().all(|row| row.state == ResourceState::Ready));
        }
    }
}
