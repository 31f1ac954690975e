//! The page of all commands with their arguments, from the command definition.

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::{Page, head, row, titled};
use crate::cli::Cli;

pub(super) fn page() -> Page {
    let mut root = Cli::command().term_width(0);
    root.build();
    let mut text = titled("Commands");
    text += "\n`relancectl COMMAND --help` prints the same. Exit codes: 0 is success, 1 means findings, failed tests or a \
             refused plan, 2 means wrong usage or a missing environment.\n\n## Options of every command\n\n";
    text += &table(root.get_arguments().filter(|arg| arg.is_global_set()));
    for command in root.get_subcommands_mut() {
        describe(command, "relancectl", &mut text);
    }
    Page { path: "commands.md".to_owned(), text }
}

/// Adds a section for `command`, and one for each command below it.
fn describe(command: &mut Command, parent: &str, text: &mut String) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let path = format!("{parent} {}", command.get_name());
    *text += &format!("\n## {path}\n\n{}.\n", sentence(command));
    if command.has_subcommands() && command.is_subcommand_required_set() {
        let names: Vec<String> = shown(command).map(|below| format!("`{}`", below.get_name())).collect();
        *text += &format!("\nSubcommands: {}.\n", names.join(", "));
    } else {
        let usage = command.render_usage().to_string();
        *text += &format!("\n```text\n{}\n```\n", usage.trim_start_matches("Usage:").trim());
        let own: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_global_set() && !is_automatic(arg)).collect();
        if !own.is_empty() {
            *text += "\n";
            *text += &table(own.into_iter());
        }
    }
    for below in command.get_subcommands_mut() {
        describe(below, &path, text);
    }
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
}

fn sentence(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn is_automatic(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version)
}

fn table<'a>(args: impl Iterator<Item = &'a Arg>) -> String {
    let rows = args.filter(|arg| !arg.is_hide_set()).map(|arg| {
        let (meaning, written) = without_default(meaning(arg));
        let default = written.unwrap_or_else(|| default(arg));
        row(&[&format!("`{}`", name(arg)), &default, &meaning])
    });
    head(&["Argument", "Default", "Meaning"]) + &rows.collect::<String>()
}

/// Renders `-o, --output <FORMAT>`, or `<CAMPAIGN>`.
fn name(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>"));
    let values = if arg.get_action().takes_values() { values.collect::<Vec<_>>().join(" ") } else { String::new() };
    let flags: Vec<String> = arg
        .get_short()
        .map(|short| format!("-{short}"))
        .into_iter()
        .chain(arg.get_long().map(|long| format!("--{long}")))
        .collect();
    let repeated = arg.get_num_args().is_some_and(|count| count.max_values() > 1)
        || (arg.is_positional() && matches!(arg.get_action(), ArgAction::Append));
    let dots = if repeated { "…" } else { "" };
    [flags.join(", "), values + dots].join(" ").trim().to_owned()
}

fn default(arg: &Arg) -> String {
    let values: Vec<String> =
        arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    if arg.get_action().takes_values() { values.join(", ") } else { String::new() }
}

/// Splits a `[default: …]`, which some help texts contain, from the text.
fn without_default(text: String) -> (String, Option<String>) {
    let Some((before, rest)) = text.split_once(" [default: ") else { return (text, None) };
    let Some((default, after)) = rest.split_once(']') else { return (text, None) };
    (format!("{before}{after}"), Some(default.to_owned()))
}

/// Returns the help text, with the allowed values and the environment variable.
fn meaning(arg: &Arg) -> String {
    let mut parts: Vec<String> = arg.get_help().map(ToString::to_string).into_iter().collect();
    let values: Vec<_> = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
    if !values.is_empty() && arg.get_action().takes_values() {
        let words: Vec<String> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        parts.push(format!("One of {}", words.join(", ")));
    }
    if let Some(variable) = arg.get_env() {
        parts.push(format!("Read from `{}` if not given", variable.to_string_lossy()));
    }
    parts.join(". ")
}
