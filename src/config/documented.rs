//! Holds the tables of settings in `docs/OPERATIONS.md` and `docs/CONTROLLER.md` against the settings there are.

use std::collections::BTreeMap;

use clap::{Args, Command};

use super::{Config, Controller};

/// The first text between backticks, if the cell begins with one.
fn quoted(cell: &str) -> Option<&str> {
    cell.trim().strip_prefix('`')?.split('`').next()
}

#[test]
fn the_documented_settings_are_those_of_the_program() {
    hold(include_str!("../../docs/OPERATIONS.md"), Config::augment_args(Command::new("serve")));
    hold(include_str!("../../docs/CONTROLLER.md"), Controller::augment_args(Command::new("controller")));
}

fn hold(page: &str, command: Command) {
    let table = page.split("\n## ").find(|section| section.starts_with("Settings\n")).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let mut documented = BTreeMap::new();
    for cells in rows.map(|row| row.split('|').collect::<Vec<_>>()) {
        for variable in cells[1].replace('*', "").split(',').filter_map(quoted) {
            assert_eq!(documented.insert(variable.to_owned(), quoted(cells[2]).map(str::to_owned)), None, "{variable}");
        }
    }
    let settings: BTreeMap<String, Option<String>> = command
        .get_arguments()
        .map(|argument| {
            let default = argument.get_default_values().first();
            (argument.get_env().unwrap().to_str().unwrap(), default.map(|value| value.to_str().unwrap().to_owned()))
        })
        // The SDK's own variables have one row together.
        .map(|(variable, default)| (if variable.starts_with("AWS_") { "AWS_" } else { variable }.to_owned(), default))
        .collect();
    assert_eq!(documented, settings);
}
