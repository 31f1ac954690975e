//! Manifests in directories.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::walk::{MAX_DEPTH, MAX_ENTRIES, MAX_FILES, is_gone, unreadable_kind, walk};
use crate::core::domain::hex;
use crate::core::manifest::{MAX_FILE_BYTES, SourceFile, Sources, Unread};

/// The size limit of all files together, because they are in memory at once.
pub(super) const MAX_TOTAL_BYTES: usize = 128 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path does not exist: it is wrong, or a volume is not mounted. Callers must never take this for "no
    /// manifests".
    #[error("there is no `{}`", .0.display())]
    Missing(PathBuf),
    #[error("read `{}`", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is nested deeper than {MAX_DEPTH} folders", .0.display())]
    TooDeep(PathBuf),
    #[error("the manifests are larger than {MAX_TOTAL_BYTES} bytes together")]
    TooMuch,
    #[error("there are more than {MAX_FILES} manifests or {MAX_ENTRIES} entries: is it the right directory?")]
    TooMany,
}

/// Returns the directories to read: the given ones, else `campaigns` and `templates` in the working directory.
///
/// A missing `templates` is left out.
pub fn roots(given: &[PathBuf]) -> Vec<PathBuf> {
    if !given.is_empty() {
        return given.to_vec();
    }
    let [campaigns, templates] = ["campaigns", "templates"].map(PathBuf::from);
    if templates.exists() { vec![campaigns, templates] } else { vec![campaigns] }
}

/// Reads every `*.yaml` and `*.yml` below the given directories, and files given by name, in order of path.
///
/// Symbolic links are followed. Names that begin with a dot are skipped. A mounted `ConfigMap` keeps generations under
/// such names (`..data`, `..2026_11_23`), and they are read once, through their visible links. A file beyond the size
/// limit of manifests is cut off; `check` refuses it by its size. Anything but a regular file is never opened for
/// reading; `check` reports it.
///
/// # Errors
///
/// Fails if the tree cannot be read as a whole. Then its desired state is unknown.
pub fn load(roots: &[PathBuf]) -> Result<Sources, Error> {
    let found = walk(roots)?;
    let mut unread: BTreeMap<PathBuf, &str> = found.unread;
    let mut total = 0;
    let mut files = Vec::with_capacity(found.files.len());
    for path in found.files {
        match read(&path)? {
            Content::Bytes(bytes) => {
                total += bytes.len();
                if total > MAX_TOTAL_BYTES {
                    return Err(Error::TooMuch);
                }
                files.push(SourceFile { path: shown(&path), bytes });
            }
            Content::Irregular(kind) => drop(unread.insert(path, kind)),
            Content::Gone => {}
        }
    }
    let unread = unread.into_iter().map(|(path, kind)| Unread { path: shown(&path), kind });
    Ok(Sources { files, unread: unread.collect() })
}

/// Returns a SHA-256 over paths and contents, in hexadecimal: equal trees have equal digests.
pub fn digest(sources: &Sources) -> String {
    let mut hash = Sha256::new();
    let files = sources.files.iter().map(|file| [file.path.as_bytes(), &file.bytes]);
    let unread = sources.unread.iter().map(|one| [one.path.as_bytes(), one.kind.as_bytes()]);
    for parts in files.chain(unread) {
        for part in parts {
            // The hash includes the lengths, so that no two trees give the same bytes.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
    }
    hex(&hash.finalize())
}

/// What a path holds when it is opened.
enum Content {
    Bytes(Vec<u8>),
    /// The path was replaced since the walk by something that is no regular file.
    Irregular(&'static str),
    /// The file was removed since the walk.
    Gone,
}

fn read(path: &Path) -> Result<Content, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    // Opening a pipe would wait for a writer, and opening a device may do anything.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits().cast_signed();
    let file = match fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(_) if is_gone(path) => return Ok(Content::Gone),
        Err(source) => return Err(unreadable(source)),
    };
    let kind = file.metadata().map_err(unreadable)?;
    if let Some(kind) = unreadable_kind(kind.file_type()) {
        return Ok(Content::Irregular(kind));
    }
    let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX) + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(kind.len().min(most)).unwrap_or_default());
    file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(Content::Bytes(bytes))
}

/// Returns the path as the user wrote it, with `/` on every system and without a leading `./`.
pub(super) fn shown(path: &Path) -> String {
    let parts: Vec<_> = path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect();
    parts.iter().collect::<PathBuf>().to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{Error, digest, load};

    #[test]
    fn reads_trees_in_order_and_skips_hidden_names() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("b/..data")).unwrap();
        for name in ["z.yaml", "b/a.yml", "b/..data/a.yml", ".hidden.yaml", "notes.txt"] {
            fs::write(at(name), name).unwrap();
        }
        symlink(at("b/..data/a.yml"), at("link.yaml")).unwrap();
        let sources = load(&[dir.path().to_owned()]).unwrap();
        let names: Vec<_> =
            sources.files.iter().map(|f| f.path.rsplit_once(&*at("").to_string_lossy()).unwrap().1).collect();
        assert_eq!(names, ["b/a.yml", "link.yaml", "z.yaml"]);
        let before = digest(&sources);
        fs::write(at("z.yaml"), "changed").unwrap();
        assert_ne!(before, digest(&load(&[dir.path().to_owned()]).unwrap()));
    }

    #[test]
    fn a_missing_directory_is_an_error_and_an_empty_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(&[dir.path().to_owned()]).unwrap().files.is_empty());
        assert!(matches!(load(&[dir.path().join("nope")]), Err(Error::Missing(_))));
        let deep: std::path::PathBuf = (0..40).map(|_| "d").collect();
        fs::create_dir_all(dir.path().join(deep)).unwrap();
        assert!(matches!(load(&[dir.path().to_owned()]), Err(Error::TooDeep(_))));
    }

    #[test]
    fn a_folder_with_a_billion_ways_to_it_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: String| dir.path().join(name);
        for level in 0..30 {
            fs::create_dir(at(level.to_string())).unwrap();
            for link in ["a", "b"] {
                symlink(format!("../{}", level + 1), at(format!("{level}/{link}"))).unwrap();
            }
        }
        fs::create_dir(at("30".to_owned())).unwrap();
        fs::write(at("30/x.yaml".to_owned()), "x").unwrap();
        // A link to a folder above itself, to itself, and two links to each other.
        symlink(dir.path(), at("30/up".to_owned())).unwrap();
        symlink("self", at("self".to_owned())).unwrap();
        symlink("there", at("here".to_owned())).unwrap();
        symlink("here", at("there".to_owned())).unwrap();
        let sources = load(&[dir.path().to_owned(), dir.path().join("0")]).unwrap();
        assert_eq!(sources.files.len(), 1, "{:?}", sources.files);
        assert_eq!(super::super::walk::folders(dir.path()).len(), 32);
    }

    #[test]
    fn what_is_no_regular_file_is_named_and_never_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("a.yaml"), "a").unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe.yaml"), rustix::fs::Mode::RWXU).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket.yml")).unwrap();
        symlink("/dev/zero", at("zeros.yaml")).unwrap();
        symlink("/dev/tty", at("terminal.YAML")).unwrap();
        symlink("pipe", at("link.yaml")).unwrap();
        let sources = load(&[dir.path().to_owned(), at("pipe")]).unwrap();
        assert_eq!(sources.files.len(), 1);
        let kinds: Vec<_> = sources.unread.iter().map(|one| (one.path.rsplit('/').next().unwrap(), one.kind)).collect();
        let expected = [
            ("link.yaml", "a pipe"),
            ("pipe", "a pipe"),
            ("pipe.yaml", "a pipe"),
            ("socket.yml", "a socket"),
            ("terminal.YAML", "a device"),
            ("zeros.yaml", "a device"),
        ];
        assert_eq!(kinds, expected);
        let before = digest(&sources);
        fs::remove_file(at("link.yaml")).unwrap();
        assert_ne!(before, digest(&load(&[dir.path().to_owned(), at("pipe")]).unwrap()));
    }
}
