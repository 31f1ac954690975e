//! Manifests in a commit, read without a checkout from the surrounding git repository or a bare one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::thread;

use super::program;
use super::program::{Repository, git_output};
use crate::core::manifest::{MAX_FILE_BYTES, SourceFile, Sources};
use crate::source::directory::{MAX_TOTAL_BYTES, is_manifest, shown};

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
    Ok(Sources { files: files.collect() })
}

fn git(repository: Repository, args: &[&OsStr]) -> Result<Result<Vec<u8>, String>, Error> {
    let output = program::git(repository).args(args).output().map_err(Error::NoGit)?;
    Ok(if output.status.success() { Ok(output.stdout) } else { Err(git_output(&output.stderr)) })
}

/// Returns the author of a commit.
pub(super) fn author(repository: Repository, id: &str) -> io::Result<Option<String>> {
    let args = ["log", "-1", "--no-show-signature", "--format=%an", id];
    let output = program::git(repository).args(args).output()?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// Returns the tree of a commit.
fn resolve(repository: Repository, reference: &str) -> Result<String, Error> {
    let tree = format!("{reference}^{{tree}}");
    let args = ["rev-parse", "--verify", "--end-of-options", &tree].map(OsStr::new);
    match git(repository, &args)? {
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
    let listed =
        git(repository, &args)?.map_err(|git_output| Error::Failed { reference: reference.to_owned(), git_output })?;
    let mut found = false;
    // Each entry is `mode type id<TAB>path<NUL>`.
    for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else { continue };
        let path = Path::new(OsStr::from_bytes(&entry[tab + 1..]));
        let head = String::from_utf8_lossy(&entry[..tab]).into_owned();
        let mut parts = head.split(' ');
        let (Some(mode), Some(kind), Some(id)) = (parts.next(), parts.next(), parts.next()) else { continue };
        found = true;
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
    Ok(found)
}

/// Returns the contents of `ids`, in their order.
fn read(repository: Repository, reference: &str, ids: &[&str]) -> Result<Vec<Vec<u8>>, Error> {
    let mut child = program::git(repository)
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::NoGit)?;
    let (asking, answers) = (child.stdin.take(), child.stdout.take());
    let (mut asking, answers) = (asking.expect("it is piped"), answers.expect("it is piped"));
    let failed = |error: io::Error| Error::Failed { reference: reference.to_owned(), git_output: error.to_string() };
    let contents = thread::scope(|scope| {
        // A thread writes the requests, because git answers before it has read them all.
        scope.spawn(move || ids.iter().try_for_each(|id| writeln!(asking, "{id}")));
        let mut answers = BufReader::new(answers);
        let mut total = 0;
        let mut contents = Vec::with_capacity(ids.len());
        for _ in ids {
            let bytes = answer(&mut answers).map_err(failed)?;
            total += bytes.len();
            if total > MAX_TOTAL_BYTES {
                return Err(Error::TooMuch { reference: reference.to_owned() });
            }
            contents.push(bytes);
        }
        Ok(contents)
    });
    if contents.is_err() {
        // The rest of its output does not matter, and it may have ended already.
        drop(child.kill());
    }
    child.wait().map_err(failed)?;
    contents
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
