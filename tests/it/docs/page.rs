//! Pages and their blocks.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use super::stage::Setting;

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page in Markdown.
pub(super) struct Page {
    /// From the top of the repository.
    pub(super) path: String,
    pub(super) text: String,
}

/// A fenced block.
#[derive(Debug, Clone)]
pub(super) struct Block {
    path: String,
    /// The line of its fence.
    line: usize,
    info: String,
    /// Includes are replaced by the files they name.
    pub(super) text: String,
}

/// How a block is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    Manifests {
        /// Without the sample tree.
        alone: bool,
        /// The code of the only finding.
        expect: Option<String>,
        /// Where commands of the page find it.
        file: Option<String>,
    },
    Fragment {
        kind: String,
        path: Vec<String>,
    },
    Workflow,
    Run {
        setting: Setting,
        database: bool,
        exit: i32,
    },
    Parse,
    Output,
}

/// The README, its neighbours and the book.
pub(super) fn all() -> Vec<Page> {
    let mut paths: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md"].iter().map(|name| root().join(name)).collect();
    let mut folders = vec![root().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "md" => paths.push(path),
                _ => {}
            }
        }
    }
    paths.sort();
    let page = |path: &PathBuf| Page {
        path: path.strip_prefix(root()).unwrap().display().to_string(),
        text: fs::read_to_string(path).unwrap(),
    };
    paths.iter().map(page).collect()
}

impl Page {
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            let Some(info) = line.strip_prefix("```") else { continue };
            let inside = lines.by_ref().map(|(line, _)| line).take_while(|line| *line != "```");
            let text: String = inside.map(|line| self.included(line) + "\n").collect();
            blocks.push(Block { path: self.path.clone(), line: number, info: info.to_owned(), text });
        }
        blocks
    }

    /// The line, or the file that it includes as mdBook does.
    fn included(&self, line: &str) -> String {
        let file = line.strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"));
        let Some(file) = file else { return line.to_owned() };
        let folder = root().join(&self.path).parent().unwrap().to_owned();
        fs::read_to_string(folder.join(file.trim())).unwrap_or_else(|error| panic!("{}: {file}: {error}", self.path))
    }

    /// The manifests that the commands of the page find in their folder.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let file = |block: Block| match block.check() {
            Ok(Check::Manifests { file: Some(file), .. }) => Some((file, block.text)),
            _ => None,
        };
        self.blocks().into_iter().filter_map(file).collect()
    }
}

impl Block {
    /// How it asks to be checked.
    ///
    /// # Errors
    /// When it does not say so in a way that is known.
    pub(super) fn check(&self) -> Result<Check, String> {
        let refuse = |why: &str| Err(format!("{self}: `{}`: {why}", self.info));
        let mut words = self.info.split(',');
        let language = words.next().unwrap_or_default();
        let options: Vec<(&str, &str)> = words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
        match (language, options.as_slice()) {
            ("text" | "csv", []) => Ok(Check::Output),
            ("sh", [("parse", "")]) => Ok(Check::Parse),
            ("sh", options) => self.run(options),
            ("yaml", [("workflow", "")]) => Ok(Check::Workflow),
            ("yaml", [("fragment", place)]) => {
                let mut parts = place.split('.').map(str::to_owned);
                Ok(Check::Fragment { kind: parts.next().unwrap_or_default(), path: parts.collect() })
            }
            ("yaml", options) if self.text.contains("apiVersion:") => self.manifests(options),
            ("yaml", _) => refuse("has no `apiVersion`; say what it is a fragment of"),
            _ => refuse("nothing checks such a block"),
        }
    }

    fn manifests(&self, options: &[(&str, &str)]) -> Result<Check, String> {
        let (mut alone, mut expect, mut file) = (false, None, None);
        for option in options {
            match option {
                ("tree", "alone") => alone = true,
                ("expect", code) => expect = Some((*code).to_owned()),
                ("file", path) => file = Some((*path).to_owned()),
                (word, _) => return Err(format!("{self}: nothing is known of `{word}`")),
            }
        }
        Ok(Check::Manifests { alone, expect, file })
    }

    fn run(&self, options: &[(&str, &str)]) -> Result<Check, String> {
        let (mut setting, mut database, mut exit) = (Setting::Usual, true, 0);
        for option in options {
            match option {
                ("world", "waiting-plan") => setting = Setting::WaitingPlan,
                ("world", "held") => setting = Setting::Held,
                ("world", "refused-channel") => setting = Setting::RefusedChannel,
                ("without-database", "") => database = false,
                ("exit", code) => exit = code.parse().map_err(|error| format!("{self}: {error}"))?,
                (word, _) => return Err(format!("{self}: nothing is known of `{word}`")),
            }
        }
        Ok(Check::Run { setting, database, exit })
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.line)
    }
}
