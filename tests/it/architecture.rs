//! Reads the sources and holds the house in shape: who may import whom, who may name which library, how long files get.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The table of `src/lib.rs`: a module and what of ours it may import besides itself. `config` and `metrics` may be used by
/// all; `cli` may use everything.
const MAY_IMPORT: [(&str, &[&str]); 17] = [
    ("osb", &[]),
    ("config", &[]),
    ("metrics", &[]),
    ("telemetry", &[]),
    ("yaml", &[]),
    ("osb_client", &["osb"]),
    ("vault", &["osb"]),
    ("driver", &["osb", "vault"]),
    ("catalog", &["osb", "driver", "yaml"]),
    ("policy", &["osb", "yaml"]),
    ("store", &["osb", "vault"]),
    ("aws", &["driver", "vault"]),
    ("resource", &["driver", "aws", "vault"]),
    ("engine", &["osb", "catalog", "store", "vault", "driver"]),
    ("broker", &["osb", "catalog", "policy", "store", "vault"]),
    ("http", &["broker", "osb"]),
    ("kubernetes", &["osb", "osb_client"]),
];

/// Which libraries only these modules may name.
const ONLY_IN: [(&str, &[&str]); 8] = [
    ("sqlx::query", &["store"]),
    ("sqlx::", &["store", "cli"]),
    ("aws_sdk_", &["aws", "resource"]),
    ("axum", &["http"]),
    ("kube::", &["kubernetes"]),
    ("k8s_openapi", &["kubernetes"]),
    ("minijinja", &["catalog"]),
    ("jsonschema", &["catalog", "policy"]),
];

/// The longest a file may get.
const LINES: usize = 400;

struct Source {
    module: String,
    path: PathBuf,
    /// Without comments and texts, so that prose may name what code may not.
    code: String,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let inside = path.strip_prefix(&root).unwrap();
                let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).map(without_texts);
                let code = code.collect::<Vec<_>>().join("\n");
                found.push(Source {
                    module: first.trim_end_matches(".rs").to_owned(),
                    path: inside.to_owned(),
                    code,
                    lines: text.lines().count(),
                });
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// A line without what stands between its quotation marks.
fn without_texts(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// The modules that follow `crate::` in a file, also inside braces.
fn imports(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => drop(found.insert(word(rest))),
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (index, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && depth == 0 && !c.is_whitespace() => {
                            found.insert(word(&list[index..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let table: BTreeMap<_, _> = MAY_IMPORT.into_iter().collect();
    let mut broken = Vec::new();
    for source in sources() {
        if ["cli", "main", "lib"].contains(&source.module.as_str()) {
            continue;
        }
        let Some(allowed) = table.get(source.module.as_str()) else {
            broken.push(format!("{}: the module is not in the table", source.path.display()));
            continue;
        };
        for import in imports(&source.code) {
            let fine = import == source.module
                || allowed.contains(&import.as_str())
                || ["config", "metrics"].contains(&import.as_str());
            if !fine {
                broken.push(format!("{} imports {import}", source.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "against the table of src/lib.rs:\n{}", broken.join("\n"));
}

#[test]
fn a_driver_never_imports_another() {
    for source in sources().iter().filter(|source| source.module == "resource") {
        let own = source.path.components().nth(1).unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        for (at, _) in source.code.match_indices("crate::resource::") {
            let rest = &source.code[at + "crate::resource::".len()..];
            assert!(rest.starts_with(own), "{} imports another driver", source.path.display());
        }
    }
}

#[test]
fn libraries_are_named_only_where_they_belong() {
    let mut broken = Vec::new();
    for source in sources() {
        for (library, modules) in ONLY_IN {
            if source.code.contains(library) && !modules.contains(&source.module.as_str()) {
                broken.push(format!("{} names {library}", source.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn files_stay_small() {
    let long: Vec<_> =
        sources().into_iter().filter(|source| source.lines > LINES).map(|source| (source.path, source.lines)).collect();
    assert!(long.is_empty(), "over {LINES} lines: {long:?}");
}
