//! `chandlery policy …`: the administrator's file.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use clap::Subcommand;

use crate::policy::{self, Policy};

/// What to do with it.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Check a file; every problem is printed with its place.
    Check {
        /// The file.
        #[arg(env = "CHANDLERY_POLICY", default_value = "policy.yaml")]
        file: PathBuf,
    },
    /// Print the JSON Schema of the format, for editors.
    Schema,
    /// Read a password or token from standard input and print its SHA-256 for the file.
    Hash,
}

/// Runs it.
pub fn run(verb: Verb, out: &mut impl Write) -> anyhow::Result<()> {
    match verb {
        Verb::Check { file } => {
            let policy = Policy::load(&file).map_err(|problems| anyhow::anyhow!("{problems}"))?;
            for warning in policy.warnings() {
                eprintln!("warning: {warning}");
            }
            writeln!(out, "{} is correct", file.display())?;
        }
        Verb::Schema => writeln!(out, "{:#}", policy::schema())?,
        Verb::Hash => {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            writeln!(out, "{}", policy::hash(line.trim_end_matches(['\r', '\n'])))?;
        }
    }
    Ok(())
}
