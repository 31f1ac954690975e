//! A branch or tag of another repository, followed by polling.
//!
//! Each pull asks the remote for the commit of the reference, which is cheap because no objects travel. If the commit
//! is missing, the pull fetches it alone, without history, into a local bare repository. That copy is a cache: a broken
//! copy is deleted and created anew.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::commit;
use super::commit::load_from;
use super::identity::identity;
use super::program;
use super::program::{Repository, git_output};
use crate::core::diagnostic::did_you_mean;
use crate::core::domain::hex;
use crate::source::{Commit, Tree};

/// The time limit of the remote for its list of references.
const ASK: Duration = Duration::from_secs(30);
/// The time limit of a fetch. The repository may hold large files beside the manifests.
const FETCH: Duration = Duration::from_mins(5);
/// The time limit of a signature check.
const VERIFY: Duration = Duration::from_secs(30);
/// The pause between two attempts to lock the copy.
const LOCKED: Duration = Duration::from_millis(50);
/// The local reference that keeps the commit, and lets the next fetch build on it.
const TIP: &str = "refs/relance/tip";

#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("cannot run `git`")]
    NoGit(#[source] io::Error),
    #[error("cannot reach the git repository `{url}`")]
    Unreachable {
        url: String,
        #[source]
        git_output: GitOutput,
    },
    #[error("nothing was ever pushed to the git repository `{url}`")]
    Empty { url: String },
    #[error("`{url}` has no branch or tag `{reference}`{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    NoReference { url: String, reference: String, hint: Option<String> },
    #[error("`{url}` does not say which branch is its first one: name one with --ref")]
    NoDefault { url: String },
    #[error("cannot fetch the commit {commit} from `{url}`")]
    Fetch {
        url: String,
        commit: String,
        #[source]
        git_output: GitOutput,
    },
    #[error("nobody in `{}` has signed the commit {commit} of `{url}`: it is not taken", signers.display())]
    Signature {
        url: String,
        commit: String,
        signers: PathBuf,
        #[source]
        git_output: GitOutput,
    },
    #[error("there is not one manifest (`*.yaml`) below `{paths}` in the commit {commit} of `{url}`")]
    NoManifests { url: String, commit: String, paths: String },
    #[error("cannot take the manifests from `{url}`")]
    Contents {
        url: String,
        #[source]
        source: commit::Error,
    },
    #[error("cannot keep a copy of the repository in `{}`", path.display())]
    Copy {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The message that git printed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GitOutput(String);

/// A branch or tag of another repository, and the folders of its manifests.
#[derive(Debug, Clone)]
pub struct Remote {
    url: String,
    reference: Option<String>,
    paths: Vec<PathBuf>,
    copy: PathBuf,
    /// The file of allowed signers. A commit without a signature from it is refused.
    allowed_signers: Option<PathBuf>,
}

impl Remote {
    /// Follows `reference` of `url`, by default its first branch.
    ///
    /// Manifests are below `paths`, by default below `campaigns` and `templates`. The fetched copy is in a folder below
    /// `copies`.
    pub fn new(url: String, reference: Option<String>, paths: Vec<PathBuf>, copies: &Path) -> Self {
        let name = hex(&Sha256::digest(&url)[..8]);
        Self { url, reference, paths, copy: copies.join(name), allowed_signers: None }
    }

    /// Accepts only commits with an ssh signature by somebody in `allowed_signers`, a file in the format of ssh-keygen.
    ///
    /// Only the accepted commit must be signed, not those before it: its signature covers its whole content.
    #[must_use]
    pub fn signed_by(self, allowed_signers: PathBuf) -> Self {
        Self { allowed_signers: Some(allowed_signers), ..self }
    }

    /// Returns the name of the repository and its folders, the same from everywhere; `None` for a path.
    pub fn identity(&self) -> Option<String> {
        identity(&self.url, &self.paths)
    }

    /// Reads the manifests at the remote's current commit.
    ///
    /// # Errors
    ///
    /// Fails if they are unknown, or if there are none. Callers must never take this for "no manifests".
    pub async fn pull(&self) -> Result<Tree, RemoteError> {
        let id = self.tip().await?;
        let _ours = self.lock().await?;
        let tree = self.fetched(&id).await?;
        self.verify(&id).await?;
        Ok(tree)
    }

    /// Returns the manifests of a commit; fetches it if it is missing.
    async fn fetched(&self, id: &str) -> Result<Tree, RemoteError> {
        if let Some(tree) = self.loaded(id).await? {
            return Ok(tree);
        }
        if let Ok(()) = self.fetch(id).await
            && let Some(tree) = self.loaded(id).await?
        {
            return Ok(tree);
        }
        // The remote answers, so the copy may be broken: by locks of a killed git, or by a disk that was full.
        match fs::remove_dir_all(&self.copy) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.broken_copy(error)),
            _ => {}
        }
        self.fetch(id).await?;
        let unread = || self.not_fetched(id, "what was fetched cannot be read".to_owned());
        self.loaded(id).await?.ok_or_else(unread)
    }

    /// Refuses a commit without an allowed signature.
    async fn verify(&self, id: &str) -> Result<(), RemoteError> {
        let Some(signers) = &self.allowed_signers else { return Ok(()) };
        let file = format!("gpg.ssh.allowedSignersFile={}", signers.display());
        let mut command = program::git(Repository::Bare(&self.copy));
        // Git also accepts other kinds of keys from the current user's keyring, which the file does not cover.
        let others = ["gpg.program=false", "gpg.openpgp.program=false", "gpg.x509.program=false"];
        command
            .args([file.as_str()].iter().chain(&others).flat_map(|setting| ["-c", setting]))
            .args(["verify-commit", id]);
        self.run(command, VERIFY).await?.map(drop).map_err(|git_output| RemoteError::Signature {
            url: self.shown(),
            commit: id.to_owned(),
            signers: signers.clone(),
            git_output: GitOutput(if git_output.is_empty() { "it has no signature".to_owned() } else { git_output }),
        })
    }

    /// Returns the remote's commit for the reference.
    async fn tip(&self) -> Result<String, RemoteError> {
        let wanted = self.reference.as_deref().unwrap_or("HEAD");
        let listed = self.ask(&["--", &self.url, wanted, &format!("{wanted}^{{}}")]).await?;
        if let Some(id) = pick(&listed, wanted) {
            return Ok(id.to_owned());
        }
        let branches = self.ask(&["--heads", "--", &self.url]).await?;
        let url = self.shown();
        if branches.is_empty() {
            return Err(RemoteError::Empty { url });
        }
        let Some(reference) = self.reference.clone() else { return Err(RemoteError::NoDefault { url }) };
        let names = branches.lines().filter_map(|line| line.split_once("\trefs/heads/")).map(|(_, name)| name);
        let hint = did_you_mean(&reference, names);
        Err(RemoteError::NoReference { url, reference, hint })
    }

    async fn ask(&self, args: &[&str]) -> Result<String, RemoteError> {
        let mut command = program::git(Repository::Around(Path::new(".")));
        command.args(["ls-remote", "--quiet"]).args(args);
        match self.run(command, ASK).await? {
            Ok(listed) => Ok(String::from_utf8_lossy(&listed).into_owned()),
            Err(git_output) => Err(RemoteError::Unreachable { url: self.shown(), git_output: GitOutput(git_output) }),
        }
    }

    /// Locks the copy against fetches by other processes, until the result is dropped.
    async fn lock(&self) -> Result<File, RemoteError> {
        let broken = |error| self.broken_copy(error);
        fs::create_dir_all(self.copy.parent().unwrap_or(Path::new("."))).map_err(broken)?;
        let file = File::create(self.copy.with_extension("lock")).map_err(broken)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCKED).await,
                Err(TryLockError::Error(error)) => return Err(self.broken_copy(error)),
            }
        }
    }

    async fn fetch(&self, id: &str) -> Result<(), RemoteError> {
        let copy = Repository::Bare(&self.copy);
        let mut init = program::git(copy);
        // The copy uses no user templates, and the hash format of the remote.
        let format = if id.len() > 40 { "sha256" } else { "sha1" };
        init.args(["init", "--quiet", "--bare", "--template=", "--object-format", format]);
        let mut fetch = program::git(copy);
        fetch.args(["fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]);
        fetch.args(["--", &self.url, &format!("+{id}:{TIP}")]);
        for command in [init, fetch] {
            self.run(command, FETCH).await?.map_err(|git_output| self.not_fetched(id, git_output))?;
        }
        Ok(())
    }

    /// Does [`Self::load`] on a thread that may block.
    async fn loaded(&self, id: &str) -> Result<Option<Tree>, RemoteError> {
        let (this, id) = (self.clone(), id.to_owned());
        tokio::task::spawn_blocking(move || this.load(&id)).await.expect("reading a commit does not panic")
    }

    /// Returns the manifests of a commit; `None` if the copy lacks it or a part of it.
    fn load(&self, id: &str) -> Result<Option<Tree>, RemoteError> {
        if !self.copy.is_dir() {
            return Ok(None);
        }
        let copy = Repository::Bare(&self.copy);
        let sources = match load_from(copy, id, &self.paths) {
            Ok(sources) => sources,
            Err(commit::Error::Unknown { .. } | commit::Error::Failed { .. }) => return Ok(None),
            Err(commit::Error::NoGit(error)) => return Err(RemoteError::NoGit(error)),
            Err(source) => return Err(RemoteError::Contents { url: self.shown(), source }),
        };
        if sources.files.is_empty() {
            let paths: Vec<_> = self.paths.iter().map(|path| path.display().to_string()).collect();
            let paths = if paths.is_empty() { "campaigns".to_owned() } else { paths.join("`, `") };
            return Err(RemoteError::NoManifests { url: self.shown(), commit: id.to_owned(), paths });
        }
        let author = commit::author(copy, id).map_err(RemoteError::NoGit)?;
        Ok(Some(Tree { commit: Some(Commit { id: id.to_owned(), author }), ..sources.into() }))
    }

    /// Returns the command's output, or its message if it failed.
    async fn run(&self, command: Command, limit: Duration) -> Result<Result<Vec<u8>, String>, RemoteError> {
        Ok(match program::output(command, limit).await.map_err(RemoteError::NoGit)? {
            Some(output) if output.status.success() => Ok(output.stdout),
            Some(output) => Err(self.without_secret(&git_output(&output.stderr))),
            None => Err(format!("it does not answer within {} s", limit.as_secs())),
        })
    }

    fn not_fetched(&self, id: &str, git_output: String) -> RemoteError {
        RemoteError::Fetch { url: self.shown(), commit: id.to_owned(), git_output: GitOutput(git_output) }
    }

    fn broken_copy(&self, source: io::Error) -> RemoteError {
        RemoteError::Copy { path: self.copy.clone(), source }
    }

    /// Returns the URL without its secret.
    fn shown(&self) -> String {
        self.without_secret(&self.url)
    }

    fn without_secret(&self, text: &str) -> String {
        secret(&self.url).map_or_else(|| text.to_owned(), |secret| text.replace(&format!("{secret}@"), ""))
    }
}

/// Returns the id that `ls-remote` lists for a full name, else a branch, else a tag (the commit behind it).
fn pick<'a>(listed: &'a str, wanted: &str) -> Option<&'a str> {
    let names =
        ["", "refs/heads/", "refs/tags/"].map(|prefix| [format!("{prefix}{wanted}^{{}}"), format!("{prefix}{wanted}")]);
    let id_of = |name: &String| {
        listed.lines().filter_map(|line| line.split_once('\t')).find(|(_, listed)| listed == name).map(|(id, _)| id)
    };
    names.iter().flatten().find_map(id_of)
}

/// Returns user and password of a web address: either may be a token.
fn secret(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    rest.split('/').next()?.rsplit_once('@').map(|(user, _)| user)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Remote, pick};

    #[test]
    fn a_branch_wins_over_a_tag_and_tags_resolve_to_commits() {
        let listed = "1\trefs/heads/x/main\n2\trefs/tags/main\n3\trefs/tags/main^{}\n";
        assert_eq!(pick(listed, "main"), Some("3"));
        assert_eq!(pick(listed, "x/main"), Some("1"));
        assert_eq!(pick(&format!("{listed}4\trefs/heads/main\n"), "main"), Some("4"));
        assert_eq!(pick(listed, "refs/heads/x/main"), Some("1"));
        assert_eq!(pick(listed, "HEAD"), None);
    }

    #[test]
    fn repository_urls_are_shown_without_secrets() {
        let shown = |url: &str| Remote::new(url.to_owned(), None, vec![], Path::new("copies")).shown();
        assert_eq!(shown("https://ana:s3cr@t@example.com/a.git"), "https://example.com/a.git");
        assert_eq!(shown("https://token@example.com:8443/a@b.git"), "https://example.com:8443/a@b.git");
        assert_eq!(shown("ssh://git@example.com/a.git"), "ssh://git@example.com/a.git");
        let remote = Remote::new("https://token@example.com/a.git".to_owned(), None, vec![], Path::new("copies"));
        assert_eq!(remote.without_secret("no `https://token@example.com/`"), "no `https://example.com/`");
    }
}
