//! Parses the command line and runs one role.

use std::process::ExitCode;

fn main() -> ExitCode {
    chandlery::cli::main()
}
