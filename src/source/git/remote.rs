//! A branch or tag of another repository, followed.
//!
//! Each pull asks the remote which commit it means (cheap: no objects travel), and fetches that one commit without its
//! history into a bare repository of ours if it is not there yet. Ours is a cache: when it is broken, it is thrown away and made
//! anew.

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
use super::program::{Repository, said};
use crate::core::diagnostic::did_you_mean;
use crate::core::domain::hex;
use crate::source::{Commit, Tree};

/// How long the remote may take to say where its branches are.
const ASK: Duration = Duration::from_secs(30);
/// How long it may take to hand over a commit; somebody may keep manifests beside large files.
const FETCH: Duration = Duration::from_mins(5);
/// How long a signature may take.
const VERIFY: Duration = Duration::from_secs(30);
/// Between two looks whether another process is done with our copy.
const LOCKED: Duration = Duration::from_millis(50);
/// Keeps the commit, and lets the next fetch build on it.
const TIP: &str = "refs/relance/tip";

#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("cannot run `git`")]
    NoGit(#[source] io::Error),
    #[error("cannot reach the git repository `{url}`")]
    Unreachable {
        url: String,
        #[source]
        said: GitOutput,
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
        said: GitOutput,
    },
    #[error("nobody in `{}` has signed the commit {commit} of `{url}`: it is not taken", signers.display())]
    Signature {
        url: String,
        commit: String,
        signers: PathBuf,
        #[source]
        said: GitOutput,
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

/// What git said.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GitOutput(String);

/// A branch or tag of another repository, and the manifests in it that count.
#[derive(Debug, Clone)]
pub struct Remote {
    url: String,
    reference: Option<String>,
    paths: Vec<PathBuf>,
    copy: PathBuf,
    /// Commits that are not signed by somebody in this file are not taken.
    allowed_signers: Option<PathBuf>,
}

impl Remote {
    /// Follows `reference` of `url` (its first branch if none is given), where manifests are below `paths`, or below
    /// `campaigns` and `templates`. What was fetched is kept in a folder below `copies`.
    pub fn new(url: String, reference: Option<String>, paths: Vec<PathBuf>, copies: &Path) -> Self {
        let name = hex(&Sha256::digest(&url)[..8]);
        Self { url, reference, paths, copy: copies.join(name), allowed_signers: None }
    }

    /// Takes only commits that somebody signed by ssh who is in `allowed_signers`, a file as ssh-keygen has them.
    ///
    /// The commit that is taken has to be signed; those before it do not: it stands for all that is in it.
    #[must_use]
    pub fn signed_by(self, allowed_signers: PathBuf) -> Self {
        Self { allowed_signers: Some(allowed_signers), ..self }
    }

    /// Names the repository and the folders in it, the same from everywhere; `None` for one that is a path.
    pub fn identity(&self) -> Option<String> {
        identity(&self.url, &self.paths)
    }

    /// Reads the manifests as the remote has them at this moment.
    ///
    /// # Errors
    /// When that cannot be known, or there are none. Never to be read as "no manifests".
    pub async fn pull(&self) -> Result<Tree, RemoteError> {
        let id = self.tip().await?;
        let _ours = self.lock().await?;
        let tree = self.fetched(&id).await?;
        self.verify(&id).await?;
        Ok(tree)
    }

    /// The manifests of a commit, which is fetched if we have it not.
    async fn fetched(&self, id: &str) -> Result<Tree, RemoteError> {
        if let Some(tree) = self.load(id)? {
            return Ok(tree);
        }
        if let Ok(()) = self.fetch(id).await
            && let Some(tree) = self.load(id)?
        {
            return Ok(tree);
        }
        // The remote is there, so the reason may be what we have: locks of a git that was killed, a full disk's remains.
        match fs::remove_dir_all(&self.copy) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.broken_copy(error)),
            _ => {}
        }
        self.fetch(id).await?;
        let unread = || self.not_fetched(id, "what was fetched cannot be read".to_owned());
        self.load(id)?.ok_or_else(unread)
    }

    /// Refuses a commit of ours that nobody signed who may.
    async fn verify(&self, id: &str) -> Result<(), RemoteError> {
        let Some(signers) = &self.allowed_signers else { return Ok(()) };
        let file = format!("gpg.ssh.allowedSignersFile={}", signers.display());
        let mut command = program::git(Repository::Bare(&self.copy));
        // A key of another kind counts for git when it is in the keyring of whoever runs this: the file knows nothing of it.
        let others = ["gpg.program=false", "gpg.openpgp.program=false", "gpg.x509.program=false"];
        command
            .args([file.as_str()].iter().chain(&others).flat_map(|setting| ["-c", setting]))
            .args(["verify-commit", id]);
        self.run(command, VERIFY).await?.map(drop).map_err(|said| RemoteError::Signature {
            url: self.shown(),
            commit: id.to_owned(),
            signers: signers.clone(),
            said: GitOutput(if said.is_empty() { "it has no signature".to_owned() } else { said }),
        })
    }

    /// The commit that the remote means by our reference.
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
            Err(said) => Err(RemoteError::Unreachable { url: self.shown(), said: GitOutput(said) }),
        }
    }

    /// Waits until no other process fetches into our copy; until this is dropped none does.
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
        // Without the user's templates, and with the kind of hash that the remote has.
        let format = if id.len() > 40 { "sha256" } else { "sha1" };
        init.args(["init", "--quiet", "--bare", "--template=", "--object-format", format]);
        let mut fetch = program::git(copy);
        fetch.args(["fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]);
        fetch.args(["--", &self.url, &format!("+{id}:{TIP}")]);
        for command in [init, fetch] {
            self.run(command, FETCH).await?.map_err(|said| self.not_fetched(id, said))?;
        }
        Ok(())
    }

    /// The manifests of a commit; `None` when it is not, or not wholly, in our copy.
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

    /// What it printed, or what it said when it failed.
    async fn run(&self, command: Command, limit: Duration) -> Result<Result<Vec<u8>, String>, RemoteError> {
        Ok(match program::output(command, limit).await.map_err(RemoteError::NoGit)? {
            Some(output) if output.status.success() => Ok(output.stdout),
            Some(output) => Err(self.without_secret(&said(&output.stderr))),
            None => Err(format!("it does not answer within {} s", limit.as_secs())),
        })
    }

    fn not_fetched(&self, id: &str, said: String) -> RemoteError {
        RemoteError::Fetch { url: self.shown(), commit: id.to_owned(), said: GitOutput(said) }
    }

    fn broken_copy(&self, source: io::Error) -> RemoteError {
        RemoteError::Copy { path: self.copy.clone(), source }
    }

    /// The URL as others may see it.
    fn shown(&self) -> String {
        self.without_secret(&self.url)
    }

    fn without_secret(&self, text: &str) -> String {
        secret(&self.url).map_or_else(|| text.to_owned(), |secret| text.replace(&format!("{secret}@"), ""))
    }
}

/// The id that `ls-remote` lists for a full name, else a branch, else a tag (the commit behind it).
fn pick<'a>(listed: &'a str, wanted: &str) -> Option<&'a str> {
    let names =
        ["", "refs/heads/", "refs/tags/"].map(|prefix| [format!("{prefix}{wanted}^{{}}"), format!("{prefix}{wanted}")]);
    let id_of = |name: &String| {
        listed.lines().filter_map(|line| line.split_once('\t')).find(|(_, listed)| listed == name).map(|(id, _)| id)
    };
    names.iter().flatten().find_map(id_of)
}

/// User and password of a web address: either may be a token.
fn secret(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    rest.split('/').next()?.rsplit_once('@').map(|(user, _)| user)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Remote, pick};

    #[test]
    fn a_branch_goes_before_a_tag_and_a_tag_stands_for_its_commit() {
        let listed = "1\trefs/heads/x/main\n2\trefs/tags/main\n3\trefs/tags/main^{}\n";
        assert_eq!(pick(listed, "main"), Some("3"));
        assert_eq!(pick(listed, "x/main"), Some("1"));
        assert_eq!(pick(&format!("{listed}4\trefs/heads/main\n"), "main"), Some("4"));
        assert_eq!(pick(listed, "refs/heads/x/main"), Some("1"));
        assert_eq!(pick(listed, "HEAD"), None);
    }

    #[test]
    fn passwords_and_tokens_are_never_said() {
        let shown = |url: &str| Remote::new(url.to_owned(), None, vec![], Path::new("copies")).shown();
        assert_eq!(shown("https://ana:s3cr@t@example.com/a.git"), "https://example.com/a.git");
        assert_eq!(shown("https://token@example.com:8443/a@b.git"), "https://example.com:8443/a@b.git");
        assert_eq!(shown("ssh://git@example.com/a.git"), "ssh://git@example.com/a.git");
        let remote = Remote::new("https://token@example.com/a.git".to_owned(), None, vec![], Path::new("copies"));
        assert_eq!(remote.without_secret("no `https://token@example.com/`"), "no `https://example.com/`");
    }
}
