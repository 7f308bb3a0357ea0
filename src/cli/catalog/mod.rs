//! `chandlery catalog check | show | kinds | new | schema | docs | lock`: for people who write offerings. All offline.
//!
//! Each verb writes to what it is given and says whether it succeeded; a problem is one line `file:line:column: path: message`.

mod docs;
mod kinds;
mod new;
mod run;
mod show;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::catalog::{Lock, Problem, Revision, examine, json_schema};
use crate::driver::Registry;

pub use docs::docs;
pub use kinds::kinds;
pub use new::new;
pub use run::{Verb, run};
pub use show::show;

/// Checks every offering of a directory, alone, against each other and against what was released. `true`: all is well.
pub fn check(directory: &Path, registry: &Registry, out: &mut impl Write) -> io::Result<bool> {
    let (offerings, mut problems) = examine(directory, registry);
    let sound = problems.0.is_empty();
    let mut notes = Vec::new();
    match Lock::read(directory) {
        Ok(lock) => {
            problems.0.extend(lock.conflicts(&offerings));
            // While a file is broken, its offering would seem to be gone.
            if sound {
                problems.0.extend(lock.missing(&offerings));
            }
            notes = lock.unlocked(&offerings);
        }
        Err(problem) => problems.0.push(problem),
    }
    if offerings.is_empty() && problems.0.is_empty() {
        writeln!(out, "{}: holds no offering: no file ends in .yaml or .yml", directory.display())?;
        return Ok(false);
    }
    report(&problems.0, out)?;
    if problems.0.is_empty() {
        let plans: usize = offerings.iter().map(|revision| revision.plans().len()).sum();
        writeln!(out, "{} offerings with {plans} plans: no problems", offerings.len())?;
        if !notes.is_empty() {
            writeln!(out, "not released yet: {} (`chandlery catalog lock` notes their ids down)", notes.join(", "))?;
        }
    }
    Ok(problems.0.is_empty())
}

/// Notes the ids of new offerings and plans down in the lock file.
pub fn lock(directory: &Path, registry: &Registry, out: &mut impl Write) -> io::Result<bool> {
    let (offerings, mut problems) = examine(directory, registry);
    let lock = match Lock::read(directory) {
        Ok(lock) => lock,
        Err(problem) => {
            report(&[problem], out)?;
            return Ok(false);
        }
    };
    problems.0.extend(lock.conflicts(&offerings));
    if !problems.0.is_empty() {
        report(&problems.0, out)?;
        return Ok(false);
    }
    let new = lock.unlocked(&offerings);
    if new.is_empty() {
        writeln!(out, "{} holds every offering and plan already", Lock::path(directory).display())?;
        return Ok(true);
    }
    std::fs::write(Lock::path(directory), lock.extended(&offerings).to_string())?;
    writeln!(out, "{}: added {}", Lock::path(directory).display(), new.join(", "))?;
    Ok(true)
}

/// The JSON Schema of the file format, for editors.
pub fn schema(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:#}", json_schema())
}

fn report(problems: &[Problem], out: &mut impl Write) -> io::Result<()> {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort();
    sorted.iter().try_for_each(|problem| writeln!(out, "{problem}"))
}

/// The sound offerings; what is wrong with the others is told, and is no hindrance to looking at these.
fn offerings(directory: &Path, registry: &Registry, out: &mut impl Write) -> io::Result<(Vec<Arc<Revision>>, bool)> {
    let (offerings, problems) = examine(directory, registry);
    report(&problems.0, out)?;
    Ok((offerings, problems.0.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::{QUEUE, registry};

    /// A directory of its own that goes away with the test.
    struct Directory(std::path::PathBuf);

    impl Directory {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("chandlery-catalog-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) -> &Self {
            std::fs::write(self.0.join(name), text).unwrap();
            self
        }

        fn check(&self) -> (bool, String) {
            let mut out = Vec::new();
            let sound = check(&self.0, &registry(), &mut out).unwrap();
            (sound, String::from_utf8(out).unwrap().replace(&format!("{}/", self.0.display()), ""))
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn check_lock_and_check_again() {
        let directory = Directory::new();
        directory.write("a.yaml", QUEUE).write(".hidden.yaml", "nonsense").write("notes.txt", "nonsense");
        let (sound, text) = directory.check();
        assert!(sound);
        assert!(text.contains("1 offerings with 3 plans: no problems\nnot released yet: test-queue"), "{text}");
        assert!(lock(&directory.0, &registry(), &mut Vec::new()).unwrap());
        assert_eq!(directory.check(), (true, "1 offerings with 3 plans: no problems\n".to_owned()));

        let again = QUEUE.replace("name: test-queue", "name: other-queue");
        let (sound, text) = directory.write("b.yaml", &again).check();
        assert!(!sound);
        assert!(text.contains("b.yaml:1:5: id: this id is taken by a.yaml:1 (id)"), "{text}");

        std::fs::remove_file(directory.0.join("a.yaml")).unwrap();
        std::fs::remove_file(directory.0.join("b.yaml")).unwrap();
        let (sound, text) = directory.check();
        assert!(!sound);
        assert!(
            text.starts_with("catalog.lock:3:5: services[0]: the offering test-queue was released and is gone"),
            "{text}"
        );
        assert!(crate::catalog::Catalog::load(&directory.0, &registry()).unwrap().offerings().is_empty());
    }

    #[test]
    fn an_empty_directory_is_no_sound_catalog() {
        let (sound, text) = Directory::new().write("notes.txt", "nonsense").check();
        assert!(!sound && text.ends_with("holds no offering: no file ends in .yaml or .yml\n"), "{text}");
    }

    #[test]
    fn a_new_offering_of_any_kind_is_sound() {
        for kind in registry().kinds().map(|kind| kind.name) {
            let directory = Directory::new();
            assert!(new(&directory.0, "my-thing", Some(kind), &registry(), &mut Vec::new()).unwrap());
            let (sound, text) = directory.check();
            assert!(sound, "{text}\n{}", std::fs::read_to_string(directory.0.join("my-thing.yaml")).unwrap());
            assert!(!new(&directory.0, "my-thing", Some(kind), &registry(), &mut Vec::new()).unwrap(), "it is there");
        }
    }

    #[tokio::test]
    async fn a_starter_of_every_kind_of_this_build_names_what_exists_by_reference() {
        let sessions = crate::aws::Sessions::load(crate::aws::Settings::default()).await.unwrap();
        let registry = crate::cli::registry(&sessions);
        let directory = Directory::new();
        for kind in registry.kinds().map(|kind| kind.name) {
            assert!(new(&directory.0, &kind.replace('/', "-"), Some(kind), &registry, &mut Vec::new()).unwrap());
        }
        let mut out = Vec::new();
        assert!(check(&directory.0, &registry, &mut out).unwrap(), "{}", String::from_utf8(out).unwrap());
        let starter = |name: &str| std::fs::read_to_string(directory.0.join(name)).unwrap();
        for line in ["  kms_key: {", "  log_bucket: {", "  vpc: {"] {
            let text = starter("s3-bucket.yaml");
            let found = text.lines().find(|text| text.starts_with(line)).unwrap();
            assert!(found.contains(", reference: "), "{found}");
        }
        let name = r#"    name: "${{ instance.slug }}${{ '.fifo' if params.fifo else '' }}""#;
        assert!(starter("sqs-queue.yaml").contains(name), "SQS refuses a FIFO queue of another name");
    }

    #[test]
    fn a_starter_is_called_what_an_offering_may_be_called() {
        let directory = Directory::new();
        let said = |name: &str| {
            let mut out = Vec::new();
            assert!(!new(&directory.0, name, None, &registry(), &mut out).unwrap());
            String::from_utf8(out).unwrap()
        };
        for name in ["Bad Name", "../evil", ""] {
            assert!(said(name).starts_with(&format!("the name {name:?} must be of letters, digits")));
        }
        directory.write("there.yaml", "");
        assert!(said("there").ends_with("there.yaml is there already; remove it or choose another name\n"));
        assert_eq!(std::fs::read_dir(&directory.0).unwrap().count(), 1);
    }

    #[test]
    fn kinds_are_told_with_their_limits_and_outputs() {
        let told = |name: Option<&str>| {
            let mut out = Vec::new();
            (kinds(&registry(), name, &mut out).unwrap(), String::from_utf8(out).unwrap())
        };
        assert_eq!(told(None).1.lines().count(), 3);
        assert_eq!(
            told(Some("test/quue")),
            (false, "there is no kind test/quue; known: test/group, test/identity, test/queue\n".to_owned())
        );
        let (_, text) = told(Some("test/queue"));
        for line in [
            "  fifo: true or false; required; cannot change later",
            "  key: a text; from users only through a parameter with `reference: kms-key`; cannot change later",
            "  retention: an integer of at least 60",
            "    count: an integer",
            "  url: pretended",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }

    #[test]
    fn show_and_docs_tell_what_a_user_needs() {
        let directory = Directory::new();
        directory.write("a.yaml", QUEUE);
        let mut out = Vec::new();
        assert!(show(&directory.0, &registry(), Some("test-queue"), Some("fifo"), false, &mut out).unwrap());
        let text = String::from_utf8(out).unwrap();
        insta::assert_snapshot!("show", text);
        let mut out = Vec::new();
        assert!(docs(&directory.0, &registry(), &mut out).unwrap());
        insta::assert_snapshot!("docs", String::from_utf8(out).unwrap());
        let mut out = Vec::new();
        assert!(show(&directory.0, &registry(), Some("test-queue"), None, true, &mut out).unwrap());
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["services"][0]["plans"][1]["maintenance_info"]["version"], "1.0.0");
        let mut out = Vec::new();
        assert!(show(&directory.0, &registry(), None, Some("large"), true, &mut out).unwrap());
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let plans = json["services"][0]["plans"].as_array().unwrap();
        assert!(plans.len() == 1 && plans[0]["name"] == "large", "{json}");
        assert!(!show(&directory.0, &registry(), Some("test-queu"), None, false, &mut Vec::new()).unwrap());
    }
}
