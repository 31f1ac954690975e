//! Imports between rooms and files: the table of rooms, the order of core, no circle of files across folders.

#![expect(clippy::print_stdout, reason = "`--nocapture` shows the table")]

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use self::imports::{Imports, Module};

/// The rooms that each room may import besides itself. Rooms above import no room below.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("core", &[]),
    ("config", &[]),
    ("source", &["core"]),
    ("postgres", &["core"]),
    ("store", &["core"]),
    ("channel", &["config", "core"]),
    ("facts", &["core", "store"]),
    ("server", &["channel", "core", "store"]),
    ("daemon", &["channel", "core", "source", "store"]),
    ("time_machine", &["channel", "core", "daemon", "facts", "postgres", "store"]),
    ("cli", &["channel", "config", "core", "daemon", "facts", "postgres", "server", "source", "store", "time_machine"]),
    ("main", &["cli"]),
];

/// The rooms of `core`, lowest first: each imports only those before it.
const CORE: [&str; 9] =
    ["domain", "access", "diagnostic", "consent", "template", "manifest", "lifecycle", "dispatch", "plan"];

/// External crates and the rooms that may name them; every other crate may stand anywhere.
const CONFINED: [(&str, &[&str]); 5] = [
    ("sqlx", &["postgres", "store"]),
    ("reqwest", &["channel", "postgres"]),
    ("axum", &["channel", "server"]),
    ("tokio", &["channel", "cli", "daemon", "main", "postgres", "server", "source", "store", "time_machine"]),
    ("tracing", &["channel", "cli", "daemon", "postgres", "server", "source", "store"]),
];

/// Paths that `core` must not name: files, sockets, processes, clocks.
const EFFECTS: [&str; 6] = ["std::env", "std::fs", "std::io", "std::net", "std::process", "std::time::SystemTime"];

fn imports() -> &'static Imports {
    static IMPORTS: LazyLock<Imports> =
        LazyLock::new(|| Imports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
    assert!(IMPORTS.files().count() > 100, "the sources were not found");
    &IMPORTS
}

fn room(module: &Module) -> &str {
    module.first().map_or("lib", String::as_str)
}

/// Every import that leaves its room, as room → room → example.
fn between_rooms(imports: &Imports) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for (from, to) in imports.edges() {
        if !from.is_empty() && !to.is_empty() && room(from) != room(to) {
            let example = format!("{} imports {}", from.join("::"), to.join("::"));
            found.entry((room(from).to_owned(), room(to).to_owned())).or_insert(example);
        }
    }
    found
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    let imports = imports();
    let arrows = between_rooms(imports);
    for (name, allowed) in ALLOWED {
        let used: Vec<&str> = arrows.keys().filter(|(from, _)| from == name).map(|(_, to)| to.as_str()).collect();
        println!("{name:<13} → {}", if used.is_empty() { "nothing".to_owned() } else { used.join(", ") });
        let unused: Vec<_> = allowed.iter().filter(|to| !used.contains(to)).collect();
        assert!(unused.is_empty(), "the table allows {name} → {unused:?}, which nobody needs");
    }
    for ((from, to), example) in &arrows {
        let allowed = ALLOWED.iter().find(|(name, _)| name == from);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("`{from}` has no line in the table of this test"));
        assert!(allowed.contains(&to.as_str()), "`{from}` must not import `{to}`: {example}");
    }
}

#[test]
fn core_imports_upwards_only() {
    for (from, to) in imports().edges() {
        let ([core, low, ..], [other, high, ..]) = (from.as_slice(), to.as_slice()) else { continue };
        if core != "core" || other != "core" || low == high {
            continue;
        }
        let place = |name: &str| CORE.iter().position(|room| *room == name).unwrap_or_else(|| panic!("core/{name}"));
        assert!(
            place(high) < place(low),
            "core/{low} must not import core/{high}: {} imports {}",
            from.join("::"),
            to.join("::")
        );
    }
}

#[test]
fn no_import_cycle_crosses_folders() {
    let imports = imports();
    let mut crossing = Vec::new();
    for circle in imports.circles() {
        let folders: BTreeSet<&Path> = circle.iter().map(|module| imports.folder(module)).collect();
        let names: Vec<String> = circle.iter().map(|module| module.join("/")).collect();
        println!("circle: {}", names.join(" · "));
        if folders.len() > 1 {
            crossing.push(names.join(" · "));
        }
    }
    assert!(crossing.is_empty(), "circles across folders:\n{}", crossing.join("\n"));
}

#[test]
fn crates_with_effects_stay_in_their_rooms() {
    let imports = imports();
    for (module, path) in imports.external() {
        let first = path.split("::").next().unwrap();
        for (name, rooms) in CONFINED {
            assert!(first != name || rooms.contains(&room(module)), "{} must not use `{path}`", module.join("::"));
        }
        let effect = room(module) == "core" && EFFECTS.iter().any(|effect| path.starts_with(effect));
        assert!(!effect, "{} must not use `{path}`", module.join("::"));
    }
}

#[test]
fn files_stay_short() {
    for (module, lines) in imports().files() {
        assert!(lines <= 500, "{} has {lines} lines of code: is it still one idea?", module.join("::"));
    }
}
