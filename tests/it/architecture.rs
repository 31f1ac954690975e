//! Who may know whom. The core decides and does nothing; only `store` speaks SQL; nothing imports the command line.

use std::fs;
use std::path::{Path, PathBuf};

/// What each room may import besides itself.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("core", &[]),
    ("config", &[]),
    ("source", &["core"]),
    ("postgres", &["core", "store"]),
    ("store", &["core"]),
    ("channel", &["config", "core", "store"]),
    ("facts", &["core", "store"]),
    ("server", &["channel", "core", "store"]),
    ("daemon", &["channel", "core", "source", "store"]),
    ("time_machine", &["channel", "core", "daemon", "facts", "postgres", "store"]),
    ("cli", &["channel", "config", "core", "daemon", "facts", "postgres", "server", "source", "store", "time_machine"]),
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
        let core = module == "core";
        for (word, forbidden) in [
            ("sqlx::", !["postgres", "store"].contains(&module.as_str())),
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
