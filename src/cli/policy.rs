//! `chandlery policy …`: the administrator's file.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use clap::Subcommand;

use super::{fit, registry};
use crate::aws::{Sessions, Settings};
use crate::catalog::Catalog;
use crate::policy::{self, Policy};

/// What to do with it.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Check a file; every problem is printed with its place.
    Check {
        /// The file.
        #[arg(env = "CHANDLERY_POLICY", default_value = "policy.yaml")]
        file: PathBuf,
        /// Offerings to hold it against as well: what it names that they do not have is a warning.
        #[arg(long, value_name = "DIRECTORY")]
        catalog: Option<PathBuf>,
    },
    /// Print the JSON Schema of the format, for editors.
    Schema,
    /// Read a password or token from standard input and print its SHA-256 for the file.
    Hash,
}

/// Runs it.
pub async fn run(verb: Verb, out: &mut impl Write) -> anyhow::Result<()> {
    match verb {
        Verb::Check { file, catalog } => {
            let policy = Policy::load(&file).map_err(|problems| anyhow::anyhow!("{problems}"))?;
            let catalog = match catalog {
                Some(directory) => Catalog::load(&directory, &registry(&Sessions::load(Settings::default()).await?))?,
                None => Catalog::default(),
            };
            for warning in fit::warnings(&policy, &catalog) {
                eprintln!("warning: {warning}");
            }
            writeln!(out, "{} is correct", file.display())?;
        }
        Verb::Schema => writeln!(out, "{:#}", policy::schema())?,
        Verb::Hash => writeln!(out, "{}", hashed(&mut std::io::stdin().lock())?)?,
    }
    Ok(())
}

/// The digest of the first line.
fn hashed(input: &mut impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let secret = line.trim_end_matches(['\r', '\n']);
    // Most often a pipe whose left end failed; the file's check would refuse this digest, too.
    if secret.is_empty() {
        anyhow::bail!("standard input has no password or token; printf %s \"$PASSWORD\" | chandlery policy hash");
    }
    Ok(policy::hash(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_digest() {
        for empty in ["", "\n", "\r\n"] {
            assert!(hashed(&mut empty.as_bytes()).is_err());
        }
        assert_eq!(hashed(&mut &b"secret\nmore"[..]).unwrap(), policy::hash("secret"));
    }
}
