//! A directory of offering files as one catalog.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::driver::Registry;
use crate::osb::ServiceId;

use super::build;
use super::lock::Lock;
use super::revision::Revision;
use crate::yaml::Located;
use crate::yaml::{Problem, Problems};

/// An immutable set of current revisions. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Catalog(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    offerings: Vec<Arc<Revision>>,
    by_service: BTreeMap<ServiceId, usize>,
}

impl Catalog {
    /// From revisions, in the order in which they are served.
    pub fn new(offerings: Vec<Arc<Revision>>) -> Self {
        let by_service = offerings.iter().enumerate().map(|(i, r)| (r.service_id().clone(), i)).collect();
        Self(Arc::new(Inner { offerings, by_service }))
    }

    /// Reads every `*.yaml` and `*.yml` of a directory, hidden files left out, by name. Any problem refuses the whole, so
    /// that a running catalog is replaced by a sound one or not at all. A released id that means something else by now is a
    /// problem; one that is gone is not: removing a file stops new orders, nothing else.
    pub fn load(directory: &Path, registry: &Registry) -> Result<Self, Problems> {
        let (offerings, mut problems) = examine(directory, registry);
        match Lock::read(directory) {
            Ok(lock) => problems.0.extend(lock.conflicts(&offerings)),
            Err(problem) => problems.0.push(problem),
        }
        problems.or_ok(Self::new(offerings))
    }

    /// The current revisions, in the order in which they are served.
    pub fn offerings(&self) -> &[Arc<Revision>] {
        &self.0.offerings
    }

    /// The current revision of that offering.
    pub fn by_service(&self, id: &ServiceId) -> Option<&Arc<Revision>> {
        self.0.by_service.get(id).and_then(|index| self.0.offerings.get(*index))
    }

    /// The current revision of the offering of that name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Revision>> {
        self.0.offerings.iter().find(|revision| revision.name() == name)
    }
}

/// The sound offerings of a directory, and everything that is wrong with the others.
pub fn examine(directory: &Path, registry: &Registry) -> (Vec<Arc<Revision>>, Problems) {
    let mut problems = Problems::default();
    let mut offerings = Vec::new();
    let files = match files(directory) {
        Ok(files) => files,
        Err(error) => {
            problems.0.push(unreadable(&directory.display().to_string(), &error));
            return (offerings, problems);
        }
    };
    let mut taken: BTreeMap<(&str, String), String> = BTreeMap::new();
    for path in files {
        let file = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Err(error) => problems.0.push(unreadable(&file, &error)),
            Ok(source) => match build::parse(&file, &source, registry) {
                Err(found) => problems.0.extend(found.0),
                Ok((revision, located)) => {
                    let clashes = clashes(&revision, &located, &mut taken);
                    if clashes.is_empty() {
                        offerings.push(Arc::new(revision));
                    }
                    problems.0.extend(clashes);
                }
            },
        }
    }
    (offerings, problems)
}

fn files(directory: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        // A mounted ConfigMap holds links to files, so what counts is what the link leads to.
        if yaml && !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Ids and names that another file has already; the first file keeps them.
fn clashes(
    revision: &Revision,
    located: &Located,
    taken: &mut BTreeMap<(&'static str, String), String>,
) -> Vec<Problem> {
    let offering = revision.offering();
    let plans = offering.plans.iter().enumerate();
    let ids = std::iter::once((offering.id.clone(), "/id".to_owned()))
        .chain(plans.map(|(index, plan)| (plan.id.clone(), format!("/plans/{index}/id"))));
    let all = ids.map(|(id, pointer)| ("id", id, pointer));
    let all = all.chain([("name", offering.name.clone(), "/name".to_owned())]);
    let mut problems = Vec::new();
    for (what, value, pointer) in all {
        match taken.get(&(what, value.clone())) {
            Some(first) => problems.push(located.problem(&pointer, format!("this {what} is taken by {first}"))),
            None => {
                let place = located.problem(&pointer, "");
                let line = place.line.map_or(String::new(), |line| format!(":{line}"));
                taken.insert((what, value), format!("{}{line} ({})", located.places.file(), place.path));
            }
        }
    }
    problems
}

fn unreadable(file: &str, error: &std::io::Error) -> Problem {
    let message = format!("cannot be read: {error}");
    Problem { file: file.to_owned(), line: None, column: None, path: String::new(), message }
}
