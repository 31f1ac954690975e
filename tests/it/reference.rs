//! The generated pages of the documentation: the committed ones are those of this program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The text of every page below `dir`, by its path in it.
fn pages(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn committed_reference_pages_match_the_program() {
    let out = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_relancectl"));
    let status = command.arg("reference").arg("--out").arg(out.path()).status().unwrap();
    assert!(status.success());
    let generated = pages(out.path());
    let committed = pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/reference"));
    let advice = "run `cargo run -- reference --out docs/src/reference`";
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&generated), "pages are missing or left over: {advice}");
    for (name, text) in &generated {
        assert!(committed[name] == *text, "`{name}` is old: {advice}");
    }
}
