//! The lock file: which ids were released under which names. A released id never changes its meaning (osb-requirements C5, C6),
//! so the file is committed beside the offerings and only ever grows.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::problem::Problem;
use super::revision::Revision;

/// Its name in the catalog's directory.
const FILE: &str = "catalog.lock";

/// What was released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    #[serde(default)]
    services: Vec<LockedService>,
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
        let problem = |message: String| Problem { message, ..told(&path, String::new()) };
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_saphyr::from_str(&text).map_err(|error| problem(error.without_snippet().to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(problem(format!("cannot be read: {error}"))),
        }
    }

    /// Ids that mean something else by now, and names that have another id.
    pub fn conflicts(&self, directory: &Path, offerings: &[Arc<Revision>]) -> Vec<Problem> {
        let mut messages = Vec::new();
        for revision in offerings {
            let (id, name) = (revision.service_id().as_str(), revision.name());
            for locked in &self.services {
                messages.extend(conflict("offering", (&locked.id, &locked.name), (id, name)));
                for plan in revision.plans() {
                    let own = locked.id == id;
                    for locked_plan in &locked.plans {
                        let ids = (locked_plan.id.as_str(), locked_plan.name.as_str());
                        if own {
                            let found = conflict("plan", ids, (plan.id().as_str(), plan.name()));
                            messages.extend(found.map(|message| format!("{name}: {message}")));
                        } else if locked_plan.id == plan.id().as_str() {
                            let (old, new) = (&locked.name, plan.name());
                            messages.push(format!("{name}: the id of the plan {new} was released as a plan of {old}"));
                        }
                    }
                }
            }
        }
        messages.into_iter().map(|message| told(&Self::path(directory), message)).collect()
    }

    /// What was released, is not retired, and is gone.
    pub fn missing(&self, directory: &Path, offerings: &[Arc<Revision>]) -> Vec<Problem> {
        let advice =
            "instances of it could not be updated any more; put it back, or write `retired: true` at its entry here";
        let mut messages = Vec::new();
        for locked in self.services.iter().filter(|service| !service.retired) {
            let Some(revision) = offerings.iter().find(|revision| revision.service_id().as_str() == locked.id) else {
                messages.push(format!("the offering {} was released and is gone: {advice}", locked.name));
                continue;
            };
            for plan in locked.plans.iter().filter(|plan| !plan.retired) {
                if !revision.plans().iter().any(|p| p.id().as_str() == plan.id) {
                    let (service, plan) = (&locked.name, &plan.name);
                    messages.push(format!("the plan {plan} of {service} was released and is gone: {advice}"));
                }
            }
        }
        messages.into_iter().map(|message| told(&Self::path(directory), message)).collect()
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

fn told(path: &Path, message: String) -> Problem {
    Problem { file: path.display().to_string(), line: None, column: None, path: String::new(), message }
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
        let here = Path::new(".");
        let texts = |problems: Vec<Problem>| problems.into_iter().map(|p| p.message).collect::<Vec<_>>();
        assert_eq!(texts(lock.conflicts(here, &with("large", "large"))), Vec::<String>::new());
        let renamed = with("large", "huge");
        assert_eq!(
            texts(lock.conflicts(here, &renamed)),
            ["test-queue: the plan huge was released as large; its name never changes"]
        );
        let new_id = with("7d0c2f0b-4b8a", "7d0c2f0b-4b8b");
        assert_eq!(
            texts(lock.conflicts(here, &new_id)),
            [
                "test-queue: the plan large was released with the id 7d0c2f0b-4b8a-4a52-b0a2-9a1c7f6e5d03; its id never changes"
            ]
        );
        assert!(
            texts(lock.missing(here, &new_id))[0].starts_with("the plan large of test-queue was released and is gone")
        );
        assert!(texts(lock.missing(here, &[]))[0].starts_with("the offering test-queue was released and is gone"));
        let mut retired = lock;
        retired.services[0].retired = true;
        assert_eq!(texts(retired.missing(here, &[])), Vec::<String>::new());
    }
}
