//! The lock file: which ids were released under which names. A released id never changes its meaning (osb-requirements C5, C6),
//! so the file is committed beside the offerings and only ever grows.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::revision::Revision;
use crate::yaml::Problem;
use crate::yaml::{Located, yaml_problem};

/// Its name in the catalog's directory.
const FILE: &str = "catalog.lock";

/// What was released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    #[serde(default)]
    services: Vec<LockedService>,
    /// Where the entries stand in the file they were read from.
    #[serde(skip)]
    located: Located,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockedService {
    id: String,
    name: String,
    #[serde(default)]
    retired: bool,
    #[serde(default)]
    plans: Vec<LockedPlan>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockedPlan {
    id: String,
    name: String,
    #[serde(default)]
    retired: bool,
}

impl Lock {
    /// Where it lies.
    pub fn path(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }

    /// Reads the directory's lock file; an empty one where there is none.
    pub fn read(directory: &Path) -> Result<Self, Problem> {
        let path = Self::path(directory);
        let file = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&file, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                Err(Problem { file, line: None, column: None, path: String::new(), message })
            }
        }
    }

    fn parse(file: &str, text: &str) -> Result<Self, Problem> {
        let mut lock: Self = serde_saphyr::from_str(text).map_err(|error| yaml_problem(file, text, &error))?;
        lock.located = Located::parse(file, text).0.unwrap_or_default();
        Ok(lock)
    }

    /// Ids that mean something else by now, and names that have another id.
    pub fn conflicts(&self, offerings: &[Arc<Revision>]) -> Vec<Problem> {
        let mut found = Vec::new();
        for revision in offerings {
            let (id, name) = (revision.service_id().as_str(), revision.name());
            for (index, locked) in self.services.iter().enumerate() {
                let at = format!("/services/{index}");
                let mut tell = |at: &str, message: String| found.push(self.located.problem(at, message));
                if let Some(message) = conflict("offering", (&locked.id, &locked.name), (id, name)) {
                    tell(&at, message);
                }
                for plan in revision.plans() {
                    let own = locked.id == id;
                    for (place, locked_plan) in locked.plans.iter().enumerate() {
                        let at = format!("{at}/plans/{place}");
                        let ids = (locked_plan.id.as_str(), locked_plan.name.as_str());
                        if own {
                            if let Some(message) = conflict("plan", ids, (plan.id().as_str(), plan.name())) {
                                tell(&at, format!("{name}: {message}"));
                            }
                        } else if locked_plan.id == plan.id().as_str() {
                            let (old, new) = (&locked.name, plan.name());
                            tell(&at, format!("{name}: the id of the plan {new} was released as a plan of {old}"));
                        }
                    }
                }
            }
        }
        found
    }

    /// What was released, is not retired, and is gone.
    pub fn missing(&self, offerings: &[Arc<Revision>]) -> Vec<Problem> {
        let advice =
            "instances of it could not be updated any more; put it back, or write `retired: true` at its entry here";
        let mut found = Vec::new();
        for (index, locked) in self.services.iter().enumerate().filter(|(_, service)| !service.retired) {
            let at = format!("/services/{index}");
            let Some(revision) = offerings.iter().find(|revision| revision.service_id().as_str() == locked.id) else {
                let message = format!("the offering {} was released and is gone: {advice}", locked.name);
                found.push(self.located.problem(&at, message));
                continue;
            };
            for (place, plan) in locked.plans.iter().enumerate().filter(|(_, plan)| !plan.retired) {
                if !revision.plans().iter().any(|p| p.id().as_str() == plan.id) {
                    let (service, plan) = (&locked.name, &plan.name);
                    let message = format!("the plan {plan} of {service} was released and is gone: {advice}");
                    found.push(self.located.problem(&format!("{at}/plans/{place}"), message));
                }
            }
        }
        found
    }

    /// The names of what is not locked yet: `s3-bucket`, `s3-bucket/archive`.
    pub fn unlocked(&self, offerings: &[Arc<Revision>]) -> Vec<String> {
        let mut names = Vec::new();
        for revision in offerings {
            match self.services.iter().find(|service| service.id == revision.service_id().as_str()) {
                None => names.push(revision.name().to_owned()),
                Some(locked) => {
                    let new = |id: &str| !locked.plans.iter().any(|plan| plan.id == id);
                    let plans = revision.plans().iter().filter(|plan| new(plan.id().as_str()));
                    names.extend(plans.map(|plan| format!("{}/{}", revision.name(), plan.name())));
                }
            }
        }
        names
    }

    /// With everything that is new. What was there stays as it is.
    #[must_use]
    pub fn extended(mut self, offerings: &[Arc<Revision>]) -> Self {
        for revision in offerings {
            let id = revision.service_id().as_str();
            let index = self.services.iter().position(|service| service.id == id).unwrap_or_else(|| {
                let (id, name) = (id.to_owned(), revision.name().to_owned());
                self.services.push(LockedService { id, name, retired: false, plans: Vec::new() });
                self.services.len() - 1
            });
            let Some(service) = self.services.get_mut(index) else { continue };
            for plan in revision.plans() {
                if !service.plans.iter().any(|locked| locked.id == plan.id().as_str()) {
                    let (id, name) = (plan.id().to_string(), plan.name().to_owned());
                    service.plans.push(LockedPlan { id, name, retired: false });
                }
            }
        }
        self.services.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }
}

fn conflict(what: &str, old: (&str, &str), new: (&str, &str)) -> Option<String> {
    match (old.0 == new.0, old.1 == new.1) {
        (true, false) => Some(format!("the {what} {} was released as {}; its name never changes", new.1, old.1)),
        (false, true) => Some(format!("the {what} {} was released with the id {}; its id never changes", new.1, old.0)),
        _ => None,
    }
}

/// The file's text. Ids and names need no quotes: they were checked.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# The ids that were released; they keep their meaning for ever. `chandlery catalog lock` adds to it: commit it."
        )?;
        writeln!(f, "services:{}", if self.services.is_empty() { " []" } else { "" })?;
        let retired = |retired: bool| if retired { ", retired: true" } else { "" };
        for service in &self.services {
            writeln!(f, "  - id: {}", service.id)?;
            writeln!(f, "    name: {}", service.name)?;
            if service.retired {
                writeln!(f, "    retired: true")?;
            }
            writeln!(f, "    plans:{}", if service.plans.is_empty() { " []" } else { "" })?;
            for plan in &service.plans {
                writeln!(f, "      - {{ id: {}, name: {}{} }}", plan.id, plan.name, retired(plan.retired))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{QUEUE, queue, registry};
    use super::*;

    fn with(from: &str, to: &str) -> Vec<Arc<Revision>> {
        vec![Arc::new(Revision::parse("q.yaml", &QUEUE.replace(from, to), &registry()).unwrap())]
    }

    #[test]
    fn a_lock_reads_what_it_writes_and_only_grows() {
        let released = vec![Arc::new(queue())];
        let lock = Lock::default().extended(&released);
        assert_eq!(serde_saphyr::from_str::<Lock>(&lock.to_string()).unwrap(), lock);
        assert_eq!(lock.clone().extended(&released), lock);
        assert_eq!(Lock::default().unlocked(&released), ["test-queue"]);
        assert_eq!(lock.unlocked(&released), Vec::<String>::new());
        let empty = Lock::default();
        assert_eq!(serde_saphyr::from_str::<Lock>(&empty.to_string()).unwrap(), empty);
    }

    #[test]
    fn released_ids_and_names_never_change() {
        let lock = Lock::default().extended(&[Arc::new(queue())]);
        let texts = |problems: Vec<Problem>| problems.into_iter().map(|p| p.message).collect::<Vec<_>>();
        assert_eq!(texts(lock.conflicts(&with("large", "large"))), Vec::<String>::new());
        let renamed = with("large", "huge");
        assert_eq!(
            texts(lock.conflicts(&renamed)),
            ["test-queue: the plan huge was released as large; its name never changes"]
        );
        let new_id = with("7d0c2f0b-4b8a", "7d0c2f0b-4b8b");
        assert_eq!(
            texts(lock.conflicts(&new_id)),
            [
                "test-queue: the plan large was released with the id 7d0c2f0b-4b8a-4a52-b0a2-9a1c7f6e5d03; its id never changes"
            ]
        );
        assert!(texts(lock.missing(&new_id))[0].starts_with("the plan large of test-queue was released and is gone"));
        assert!(texts(lock.missing(&[]))[0].starts_with("the offering test-queue was released and is gone"));
        let written = Lock::parse("catalog.lock", &lock.to_string()).unwrap();
        assert!(written.conflicts(&renamed)[0].to_string().starts_with("catalog.lock:8:9: services[0].plans[2]: "));
        let broken = Lock::parse("catalog.lock", "services:\n  - id: a\n    nmae: b\n").unwrap_err();
        assert!(broken.to_string().starts_with("catalog.lock:3:5: "), "{broken}");
        let mut retired = lock;
        retired.services[0].retired = true;
        assert_eq!(texts(retired.missing(&[])), Vec::<String>::new());
    }
}
