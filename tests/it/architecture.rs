//! Who may know whom. The core decides and does nothing; only `store` speaks SQL; nothing imports the command line.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules without I/O, clock and randomness.
const CORE: [&str; 15] = [
    "cadence",
    "consent",
    "diagnostic",
    "domain",
    "gate",
    "health",
    "lane",
    "lifecycle",
    "manifest",
    "pacing",
    "plan",
    "preview",
    "program",
    "template",
    "webhook",
];

/// What each module may import besides itself.
const ALLOWED: [(&str, &[&str]); 33] = [
    ("domain", &[]),
    ("diagnostic", &[]),
    ("template", &["diagnostic", "domain"]),
    ("manifest", &["diagnostic", "domain", "template"]),
    ("lifecycle", &["domain", "manifest"]),
    ("gate", &["domain", "lifecycle", "manifest"]),
    ("health", &["domain", "manifest"]),
    ("pacing", &["domain", "manifest"]),
    ("cadence", &["domain", "manifest"]),
    ("plan", &["cadence", "domain", "gate", "lifecycle", "manifest", "pacing"]),
    ("program", &["cadence", "domain", "lifecycle", "manifest", "template"]),
    ("preview", &["domain", "program"]),
    ("lane", &["domain", "gate", "health", "lifecycle", "manifest", "pacing", "program", "template"]),
    ("config", &[]),
    ("consent", &["domain"]),
    ("webhook", &["consent", "domain"]),
    ("facts", &["domain"]),
    ("source", &["diagnostic", "domain", "manifest"]),
    (
        "store",
        &[
            "cadence",
            "consent",
            "domain",
            "gate",
            "health",
            "lane",
            "lifecycle",
            "manifest",
            "pacing",
            "plan",
            "program",
        ],
    ),
    ("outgoing", &[]),
    ("secret", &["config", "manifest"]),
    ("standin", &["domain", "outgoing"]),
    ("notice", &["domain", "manifest", "outgoing", "secret", "store"]),
    ("import", &["domain", "facts", "store"]),
    ("channel", &["domain", "lifecycle", "manifest", "outgoing", "program", "secret", "store", "template"]),
    ("estimate", &["domain", "manifest", "plan", "store"]),
    ("state", &["domain", "manifest", "plan", "store"]),
    ("reconcile", &["diagnostic", "domain", "manifest", "plan", "source", "store"]),
    ("server", &["manifest", "secret", "store", "webhook"]),
    (
        "runner",
        &[
            "channel",
            "domain",
            "lifecycle",
            "manifest",
            "notice",
            "plan",
            "program",
            "reconcile",
            "source",
            "store",
            "webhook",
        ],
    ),
    (
        "time_machine",
        &[
            "channel",
            "diagnostic",
            "domain",
            "facts",
            "import",
            "lifecycle",
            "manifest",
            "plan",
            "program",
            "reconcile",
            "runner",
            "store",
        ],
    ),
    (
        "cli",
        &[
            "channel",
            "config",
            "diagnostic",
            "domain",
            "estimate",
            "facts",
            "gate",
            "import",
            "lane",
            "lifecycle",
            "manifest",
            "notice",
            "outgoing",
            "plan",
            "preview",
            "program",
            "reconcile",
            "runner",
            "server",
            "source",
            "standin",
            "state",
            "store",
            "time_machine",
        ],
    ),
    ("main.rs", &["cli"]),
];

/// The code of every source file with its module, comments left out.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&root).unwrap();
                let module = inside.iter().next().unwrap().to_str().unwrap();
                let module = if module == "main.rs" { module } else { module.trim_end_matches(".rs") };
                let text = fs::read_to_string(&path).unwrap();
                let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                found.push((module.to_owned(), path.clone(), code.join("\n")));
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

#[test]
fn modules_import_only_what_they_may() {
    for (module, path, code) in sources() {
        if module == "lib" {
            continue;
        }
        let allowed = ALLOWED.iter().find(|(name, _)| *name == module);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("`{module}` has no line in the table of this test"));
        for import in code.split("crate::").skip(1) {
            let target = import.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            let grouped = import.starts_with('{');
            assert!(!grouped || module == "cli", "{}: write one `use crate::module` per line", path.display());
            let fine = grouped || target == module || allowed.contains(&target);
            assert!(fine, "{}: `{module}` must not import `{target}`", path.display());
        }
    }
}

#[test]
fn only_the_store_speaks_sql_and_the_core_does_no_io() {
    for (module, path, code) in sources() {
        let core = CORE.contains(&module.as_str());
        for (word, forbidden) in [
            ("sqlx::", module != "store"),
            ("tokio::", core),
            ("std::fs", core),
            ("std::net", core),
            ("std::process", core),
            ("Utc::now", true),
            ("SystemTime::now", true),
        ] {
            assert!(!forbidden || !code.contains(word), "{} must not use `{word}`", path.display());
        }
    }
}

#[test]
fn no_file_is_one_that_only_its_author_could_love() {
    for (_, path, code) in sources() {
        let lines = code.lines().count();
        assert!(lines <= 500, "{} has {lines} lines of code: is it still one idea?", path.display());
    }
}
