//! Manifests in a commit, read without a checkout from the surrounding git repository or a bare one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::program;
use super::program::{Repository, git_output};
use crate::core::manifest::{MAX_FILE_BYTES, SourceFile, Sources};
use crate::source::directory::{MAX_TOTAL_BYTES, shown};
use crate::source::walk::{MAX_ENTRIES, MAX_FILES, is_manifest};

/// The time limit of one run of git on the objects of a repository.
const LIMIT: Duration = Duration::from_mins(1);
/// The longest output that is read as a whole.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;
/// The longest entry of a listing, with its path.
const MAX_ENTRY_BYTES: u64 = 16 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot run `git`")]
    NoGit(#[source] io::Error),
    #[error("`{reference}` is no commit that git knows here: {git_output}")]
    Unknown { reference: String, git_output: String },
    #[error("there is no `{}` in `{reference}`", path.display())]
    Missing { reference: String, path: PathBuf },
    /// A symbolic link may lead outside the commit.
    #[error("`{}` is a symbolic link in `{reference}`: check that commit out elsewhere and name its directory", path.display())]
    SymbolicLink { reference: String, path: PathBuf },
    #[error("the manifests of `{reference}` are larger than {MAX_TOTAL_BYTES} bytes together")]
    TooMuch { reference: String },
    #[error("the tree of `{reference}` lists more than {MAX_ENTRIES} entries or {MAX_FILES} manifests")]
    TooMany { reference: String },
    #[error("git did not give the files of `{reference}` within {} s", LIMIT.as_secs())]
    TooSlow { reference: String },
    #[error("git does not give the files of `{reference}`: {git_output}")]
    Failed { reference: String, git_output: String },
}

/// Reads every manifest below `roots` in the commit `reference`; the roots are relative to `folder`.
///
/// Without roots, it reads below `campaigns` and `templates`; the second may be missing. The same files count as in
/// [`load`](crate::source::load).
pub fn load_commit(folder: &Path, reference: &str, given: &[PathBuf]) -> Result<Sources, Error> {
    load_from(Repository::Around(folder), reference, given)
}

/// Reads as [`load_commit`] does, from any repository.
pub(super) fn load_from(repository: Repository, reference: &str, given: &[PathBuf]) -> Result<Sources, Error> {
    let usual = ["campaigns", "templates"].map(PathBuf::from);
    let roots = if given.is_empty() { &usual[..] } else { given };
    let tree = resolve(repository, reference)?;
    let mut blobs = BTreeMap::new();
    for root in roots {
        let plain: PathBuf = root.components().filter(|part| *part != Component::CurDir).collect();
        let found = list(repository, reference, &tree, &plain, &mut blobs)?;
        let optional = given.is_empty() && *root == usual[1];
        if !found && !optional {
            return Err(Error::Missing { reference: reference.to_owned(), path: root.clone() });
        }
    }
    let ids: Vec<&str> = blobs.values().map(String::as_str).collect();
    let contents = read(repository, reference, &ids)?;
    let files = blobs.keys().zip(contents).map(|(path, bytes)| SourceFile { path: shown(path), bytes });
    Ok(files.collect::<Vec<_>>().into())
}

/// Runs git and returns its output, which is short.
fn git(repository: Repository, reference: &str, args: &[&OsStr]) -> Result<Result<Vec<u8>, String>, Error> {
    let mut command = program::git(repository);
    command.args(args);
    let read = |output: &mut BufReader<_>| {
        let mut text = Vec::new();
        output.take(MAX_OUTPUT_BYTES).read_to_end(&mut text).map(|_| text)
    };
    let streamed = program::streamed(command, LIMIT, &[], read).map_err(Error::NoGit)?;
    let text =
        streamed.read.ok_or_else(|| Error::TooSlow { reference: reference.to_owned() })?.map_err(Error::NoGit)?;
    Ok(if streamed.succeeded { Ok(text) } else { Err(git_output(&streamed.stderr)) })
}

/// Returns the author of a commit.
pub(super) fn author(repository: Repository, id: &str) -> io::Result<Option<String>> {
    let args = ["log", "-1", "--no-show-signature", "--format=%an", id].map(OsStr::new);
    let name = match git(repository, id, &args) {
        Ok(Ok(name)) => name,
        Err(Error::NoGit(error)) => return Err(error),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    let name = String::from_utf8_lossy(&name).trim().to_owned();
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// Returns the tree of a commit.
fn resolve(repository: Repository, reference: &str) -> Result<String, Error> {
    let tree = format!("{reference}^{{tree}}");
    let args = ["rev-parse", "--verify", "--end-of-options", &tree].map(OsStr::new);
    match git(repository, reference, &args)? {
        Ok(id) => Ok(String::from_utf8_lossy(&id).trim().to_owned()),
        Err(git_output) => Err(Error::Unknown { reference: reference.to_owned(), git_output }),
    }
}

/// Adds the manifests at or below `root` with the ids of their contents; returns `false` if `root` does not exist.
fn list(
    repository: Repository,
    reference: &str,
    tree: &str,
    root: &Path,
    blobs: &mut BTreeMap<PathBuf, String>,
) -> Result<bool, Error> {
    let mut args = vec![OsStr::new("ls-tree"), OsStr::new("-rz"), OsStr::new(tree), OsStr::new("--")];
    if *root != *"" {
        args.push(root.as_os_str());
    }
    let mut command = program::git(repository);
    command.args(&args);
    let listed = program::streamed(command, LIMIT, &[], |output| entries(output, root, reference, blobs));
    let listed = listed.map_err(Error::NoGit)?;
    let found = listed.read.ok_or_else(|| Error::TooSlow { reference: reference.to_owned() })??;
    if !listed.succeeded {
        return Err(Error::Failed { reference: reference.to_owned(), git_output: git_output(&listed.stderr) });
    }
    Ok(found)
}

/// Reads the entries of a listing, `mode type id<TAB>path<NUL>` each, as long as they stay within the limits.
///
/// A few trees that contain each other many times list more paths than any memory holds.
fn entries(
    output: &mut impl BufRead,
    root: &Path,
    reference: &str,
    blobs: &mut BTreeMap<PathBuf, String>,
) -> Result<bool, Error> {
    let failed = |error: io::Error| Error::Failed { reference: reference.to_owned(), git_output: error.to_string() };
    let mut entry = Vec::new();
    for count in 0.. {
        entry.clear();
        if output.by_ref().take(MAX_ENTRY_BYTES).read_until(0, &mut entry).map_err(failed)? == 0 {
            return Ok(count > 0);
        }
        if entry.pop() != Some(0) || count == MAX_ENTRIES || blobs.len() > MAX_FILES {
            return Err(Error::TooMany { reference: reference.to_owned() });
        }
        let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else { continue };
        let path = Path::new(OsStr::from_bytes(&entry[tab + 1..]));
        let head = String::from_utf8_lossy(&entry[..tab]).into_owned();
        let mut parts = head.split(' ');
        let (Some(mode), Some(kind), Some(id)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let below = path.strip_prefix(root).unwrap_or(path);
        if below.iter().any(|part| part.as_bytes().starts_with(b".")) {
            continue;
        }
        if mode == "120000" {
            return Err(Error::SymbolicLink { reference: reference.to_owned(), path: path.to_owned() });
        }
        // A file that is itself a root counts under any name.
        if kind == "blob" && (is_manifest(path) || path == root) {
            blobs.insert(path.to_owned(), id.to_owned());
        }
    }
    Ok(true)
}

/// Returns the contents of `ids`, in their order.
fn read(repository: Repository, reference: &str, ids: &[&str]) -> Result<Vec<Vec<u8>>, Error> {
    let mut command = program::git(repository);
    command.args(["cat-file", "--batch"]);
    let mut asked = ids.join("\n").into_bytes();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    asked.push(b'\n');
    let failed = |error: io::Error| Error::Failed { reference: reference.to_owned(), git_output: error.to_string() };
    let read = |answers: &mut BufReader<_>| {
        let mut total = 0;
        let mut contents = Vec::with_capacity(ids.len());
        for _ in ids {
            let bytes = answer(answers).map_err(failed)?;
            total += bytes.len();
            if total > MAX_TOTAL_BYTES {
                return Err(Error::TooMuch { reference: reference.to_owned() });
            }
            contents.push(bytes);
        }
        Ok(contents)
    };
    let streamed = program::streamed(command, LIMIT, &asked, read).map_err(Error::NoGit)?;
    streamed.read.ok_or_else(|| Error::TooSlow { reference: reference.to_owned() })?
}

/// Reads one answer, `id type size<LF>contents<LF>`. A file beyond the size limit of manifests is cut off.
fn answer(answers: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = String::new();
    answers.read_line(&mut head)?;
    let size: u64 = head
        .rsplit(' ')
        .next()
        .and_then(|size| size.trim().parse().ok())
        .ok_or_else(|| io::Error::other(format!("unexpected answer `{}`", head.trim())))?;
    let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX) + 1;
    let mut bytes = Vec::new();
    answers.by_ref().take(size.min(most)).read_to_end(&mut bytes)?;
    let rest = size - size.min(most) + 1;
    io::copy(&mut answers.by_ref().take(rest), &mut io::sink())?;
    Ok(bytes)
}
