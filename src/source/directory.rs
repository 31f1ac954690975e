//! Manifests in directories.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::core::domain::hex;
use crate::core::manifest::{MAX_FILE_BYTES, SourceFile, Sources};

/// The depth limit: a deeper tree has a symbolic link that points above itself.
const MAX_DEPTH: usize = 32;
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
    #[error("`{}` is nested deeper than {MAX_DEPTH} folders: is it a symbolic link to a folder above it?", .0.display())]
    TooDeep(PathBuf),
    #[error("the manifests are larger than {MAX_TOTAL_BYTES} bytes together")]
    TooMuch,
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
/// limit of manifests is cut off; `check` refuses it by its size.
///
/// # Errors
///
/// Fails if the tree cannot be read as a whole. Then its desired state is unknown.
pub fn load(roots: &[PathBuf]) -> Result<Sources, Error> {
    let mut paths = BTreeSet::new();
    for root in roots {
        let kind = fs::metadata(root).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing(root.clone()),
            _ => Error::Unreadable { path: root.clone(), source },
        })?;
        if kind.is_dir() {
            walk(root, 0, &mut paths)?;
        } else {
            paths.insert(root.clone());
        }
    }
    let mut total = 0;
    let mut files = Vec::with_capacity(paths.len());
    for path in &paths {
        let bytes = read(path)?;
        total += bytes.len();
        if total > MAX_TOTAL_BYTES {
            return Err(Error::TooMuch);
        }
        files.push(SourceFile { path: shown(path), bytes });
    }
    Ok(Sources { files })
}

/// Returns a SHA-256 over paths and contents, in hexadecimal: equal trees have equal digests.
pub fn digest(sources: &Sources) -> String {
    let mut hash = Sha256::new();
    for file in &sources.files {
        for part in [file.path.as_bytes(), &file.bytes] {
            // The hash includes the lengths, so that no two trees give the same bytes.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
    }
    hex(&hash.finalize())
}

fn walk(folder: &Path, depth: usize, paths: &mut BTreeSet<PathBuf>) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::TooDeep(folder.to_owned()));
    }
    let unreadable = |source| Error::Unreadable { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let plain = entry.file_type().map_err(unreadable)?;
        let is_dir = if plain.is_symlink() {
            match fs::metadata(&path) {
                Ok(target) => target.is_dir(),
                // A dangling link is an error only in place of a manifest.
                Err(_) if !is_manifest(&path) => continue,
                Err(source) => return Err(Error::Unreadable { path, source }),
            }
        } else {
            plain.is_dir()
        };
        if is_dir {
            walk(&path, depth + 1, paths)?;
        } else if is_manifest(&path) {
            paths.insert(path);
        }
    }
    Ok(())
}

pub(super) fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("yaml") || end.eq_ignore_ascii_case("yml"))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(unreadable)?;
    let size_bytes = file.metadata().map_err(unreadable)?.len();
    let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX) + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(size_bytes.min(most)).unwrap_or_default());
    file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Returns the path as the user wrote it, with `/` on every system and without a leading `./`.
pub(super) fn shown(path: &Path) -> String {
    let parts: Vec<_> = path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect();
    parts.iter().collect::<PathBuf>().to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Error, digest, load};

    #[test]
    fn reads_trees_in_order_and_skips_hidden_names() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("b/..data")).unwrap();
        for name in ["z.yaml", "b/a.yml", "b/..data/a.yml", ".hidden.yaml", "notes.txt"] {
            fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(at("b/..data/a.yml"), at("link.yaml")).unwrap();
        let sources = load(&[dir.path().to_owned()]).unwrap();
        let names: Vec<_> =
            sources.files.iter().map(|f| f.path.rsplit_once(&*at("").to_string_lossy()).unwrap().1).collect();
        assert_eq!(names, ["b/a.yml", "link.yaml", "z.yaml"]);
        let before = digest(&sources);
        fs::write(at("z.yaml"), "changed").unwrap();
        assert_ne!(before, digest(&load(&[dir.path().to_owned()]).unwrap()));
    }

    #[test]
    fn a_missing_directory_is_no_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(&[dir.path().to_owned()]).unwrap().files.is_empty());
        assert!(matches!(load(&[dir.path().join("nope")]), Err(Error::Missing(_))));
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        assert!(matches!(load(&[dir.path().to_owned()]), Err(Error::TooDeep(_))));
    }
}
