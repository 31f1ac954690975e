//! Command lines in pages: the words that a shell makes of them, held against the command definition.

use std::process::Command;

/// Replaces every program by a function that prints its arguments; nothing else can be found or run.
const PRINTING: &str = r#"
exec 3>&1 >/dev/null; PATH=
relancectl() { printf '%s\0' relancectl "$@" >&3; }
cargo() { printf '%s\0' cargo "$@" >&3; }
"#;
/// The cargo commands of the pages, besides running `relancectl`.
const CARGO: [&str; 2] = ["test", "bench"];

/// The command lines of a block, without comments and with continued lines joined.
pub(super) fn lines(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Returns the fault in the arguments of a line, if any.
pub(super) fn misuse(line: &str, definition: &clap::Command) -> Option<String> {
    if line.starts_with("alias ") {
        return None;
    }
    let mut shell = Command::new("/bin/sh");
    // A line may redirect to a file, which must not appear in the repository.
    shell.arg("-c").arg(format!("{PRINTING}{line}")).current_dir(env!("CARGO_TARGET_TMPDIR"));
    let output = shell.output().unwrap();
    if !output.status.success() {
        return Some(format!("`{line}`: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let printed = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = printed.split_terminator('\0').collect();
    let arguments = match words.as_slice() {
        ["relancectl", ..] => words,
        ["cargo", "run", "--", arguments @ ..] => [&["relancectl"], arguments].concat(),
        ["cargo", command, ..] if CARGO.contains(command) => return None,
        _ => return Some(format!("`{line}` runs nothing that is known here")),
    };
    let error = definition.clone().try_get_matches_from(arguments).err()?;
    Some(format!("`{line}`: {error}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use relance::cli::Cli;

    use super::{lines, misuse};

    #[test]
    fn command_lines_are_split_like_a_shell_splits_them() {
        assert_eq!(lines("# said\na \\\n  b # why\n\nc\n"), ["a    b # why", "c"]);
        let fine = |line| misuse(line, &Cli::command()).is_none();
        for line in [
            "relancectl get runs -o json > runs.json   # for scripts",
            "relancectl pause x --reason 'two words'",
            "cargo run -- run --demo",
            "A=1 cargo test chaos -- --nocapture",
        ] {
            assert!(fine(line), "{line}");
        }
        for line in [
            "relancectl get rnus",
            "relancectl pause x --reason two words",
            "cargo run -- run --dmeo",
            "cargo install relance",
            "ls",
        ] {
            assert!(!fine(line), "{line}");
        }
    }
}
