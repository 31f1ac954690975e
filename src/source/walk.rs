//! The manifests and folders below the named directories, found within limits.
//!
//! Symbolic links are followed, and each real folder is entered once: a few dozen links may lead to one folder on a
//! billion ways.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::directory::Error;

/// The depth limit of folders.
pub(super) const MAX_DEPTH: usize = 32;
/// The limit of entries, manifests or not.
pub(super) const MAX_ENTRIES: usize = 1_000_000;
/// The limit of manifest files.
pub(super) const MAX_FILES: usize = 200_000;

/// The result of a walk.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The files that may hold manifests.
    pub(super) files: BTreeSet<PathBuf>,
    /// Entries with the name of a manifest that are no regular files, with their kind.
    pub(super) unread: BTreeMap<PathBuf, &'static str>,
    /// The real folders.
    pub(super) folders: BTreeSet<PathBuf>,
    entered: BTreeSet<(u64, u64)>,
    entries: usize,
}

/// Finds every manifest below `roots`.
pub(super) fn walk(roots: &[PathBuf]) -> Result<Found, Error> {
    let mut found = Found::default();
    for root in roots {
        let kind = fs::metadata(root).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing(root.clone()),
            _ => Error::Unreadable { path: root.clone(), source },
        })?;
        if kind.is_dir() {
            found.enter(root, &kind, 0)?;
        } else {
            found.add(root.clone(), kind.file_type())?;
        }
    }
    Ok(found)
}

/// Returns the real folders below `root`, as far as they can be read and the limits allow.
pub(super) fn folders(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = Found::default();
    if let Ok(kind) = fs::metadata(root)
        && kind.is_dir()
    {
        // A folder that cannot be read is watched all the same: its repair is an event.
        drop(found.enter(root, &kind, 0));
    }
    found.folders
}

impl Found {
    fn enter(&mut self, folder: &Path, kind: &Metadata, depth: usize) -> Result<(), Error> {
        if !self.entered.insert((kind.dev(), kind.ino())) {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep(folder.to_owned()));
        }
        let unreadable = |source| Error::Unreadable { path: folder.to_owned(), source };
        self.folders.insert(folder.canonicalize().unwrap_or_else(|_| folder.to_owned()));
        let mut below = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(Error::TooMany);
            }
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let plain = entry.file_type().map_err(unreadable)?;
            if plain.is_file() {
                self.add_manifest(path, plain)?;
                continue;
            }
            match fs::metadata(&path) {
                Ok(target) if target.is_dir() => drop(below.insert(path, target)),
                Ok(target) => {
                    // An edit behind a link is an event only in the folder of its target.
                    if is_manifest(&path)
                        && let Some(folder) = path.canonicalize().ok().as_deref().and_then(Path::parent)
                    {
                        self.folders.insert(folder.to_owned());
                    }
                    self.add_manifest(path, target.file_type())?;
                }
                // An entry may vanish. A dangling link is an error only in place of a manifest.
                Err(_) if !is_manifest(&path) || is_gone(&path) => {}
                Err(source) => return Err(Error::Unreadable { path, source }),
            }
        }
        // The order makes the path of a folder with several names the same in every walk.
        below.iter().try_for_each(|(path, kind)| self.enter(path, kind, depth + 1))
    }

    fn add_manifest(&mut self, path: PathBuf, kind: FileType) -> Result<(), Error> {
        if is_manifest(&path) { self.add(path, kind) } else { Ok(()) }
    }

    fn add(&mut self, path: PathBuf, kind: FileType) -> Result<(), Error> {
        match unreadable_kind(kind) {
            None => drop(self.files.insert(path)),
            Some(kind) => drop(self.unread.insert(path, kind)),
        }
        if self.files.len() + self.unread.len() > MAX_FILES { Err(Error::TooMany) } else { Ok(()) }
    }
}

/// Returns the kind of an entry that is no regular file: a read of it may wait for ever.
pub(super) fn unreadable_kind(kind: FileType) -> Option<&'static str> {
    match () {
        () if kind.is_file() => None,
        () if kind.is_fifo() => Some("a pipe"),
        () if kind.is_socket() => Some("a socket"),
        () if kind.is_char_device() || kind.is_block_device() => Some("a device"),
        () => Some("no regular file"),
    }
}

pub(super) fn is_gone(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

pub(super) fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("yaml") || end.eq_ignore_ascii_case("yml"))
}
