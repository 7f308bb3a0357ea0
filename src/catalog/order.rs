//! The order of resources: each after everything it needs, names breaking ties, so that it is the same on every replica.

use std::collections::{BTreeMap, BTreeSet};

/// Orders the names topologically. The error is one cycle, its first name repeated at the end.
pub(super) fn order(needs: &BTreeMap<&str, BTreeSet<&str>>) -> Result<Vec<String>, Vec<String>> {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = needs
        .iter()
        .map(|(name, needed)| (*name, needed.iter().copied().filter(|n| needs.contains_key(n)).collect()))
        .collect();
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(name) = left.iter().find(|(_, needed)| needed.is_empty()).map(|(name, _)| *name) {
        left.remove(name);
        left.values_mut().for_each(|needed| {
            needed.remove(name);
        });
        ordered.push(name.to_owned());
    }
    // Whoever is left needs somebody who is left: following that leads around the cycle.
    let Some(start) = left.keys().next() else { return Ok(ordered) };
    let mut path = vec![*start];
    loop {
        let Some(next) = path.last().and_then(|last| left.get(last)).and_then(|needed| needed.first()) else {
            return Ok(ordered);
        };
        if let Some(first) = path.iter().position(|name| name == next) {
            let cycle = path[first..].iter().chain([next]);
            return Err(cycle.map(|name| (*name).to_owned()).collect());
        }
        path.push(next);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cycle_is_shown_around() {
        let needs = BTreeMap::from([
            ("a", BTreeSet::from(["b"])),
            ("b", BTreeSet::from(["c"])),
            ("c", BTreeSet::from(["b", "d"])),
            ("d", BTreeSet::new()),
        ]);
        assert_eq!(order(&needs), Err(vec!["b".into(), "c".into(), "b".into()]));
    }

    proptest! {
        #[test]
        fn everything_comes_after_what_it_needs(edges in prop::collection::vec((0_usize..12, 0_usize..12), 0..40)) {
            let names: Vec<String> = (0..12).map(|n| format!("r{n:02}")).collect();
            let mut needs: BTreeMap<&str, BTreeSet<&str>> =
                names.iter().map(|name| (name.as_str(), BTreeSet::new())).collect();
            // An edge from the higher to the lower number can make no cycle.
            for (a, b) in edges.into_iter().filter(|(a, b)| a != b) {
                needs.entry(&names[a.max(b)]).or_default().insert(&names[a.min(b)]);
            }
            let ordered = order(&needs).unwrap();
            prop_assert_eq!(ordered.len(), names.len());
            for (name, needed) in &needs {
                let place = |n: &str| ordered.iter().position(|o| o == n);
                prop_assert!(needed.iter().all(|n| place(n) < place(name)));
            }
        }
    }
}
