//! Where manifests come from: repositories and directories that move, break, go away and come back.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use relance::source::{Commit, ReadError, Remote, RemoteError, Source, Tree};

use crate::support::daemon::{Daemon, folder, relancectl, until_logged};
use crate::support::followed::{nothing_is_cancelled, people, says, until_active, until_in_force};
use crate::support::rows::{count, one};

pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=Ana", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false"]).args(args);
    let output = git.current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A bare repository `remote.git`, and a work tree `work` whose commits go there.
pub(crate) struct Repository {
    pub(crate) dir: PathBuf,
}

impl Repository {
    pub(crate) fn new(dir: &Path) -> Self {
        git(dir, &["init", "-q", "--bare", "-b", "main", "remote.git"]);
        git(dir, &["clone", "-q", "remote.git", "work"]);
        git(&dir.join("work"), &["checkout", "-q", "-B", "main"]);
        Self { dir: dir.to_owned() }
    }

    pub(crate) fn work(&self, args: &[&str]) -> String {
        git(&self.dir.join("work"), args)
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.dir.join("remote.git")
    }

    /// Commits a file and pushes it; the commit's id.
    pub(crate) fn push(&self, path: &str, text: &str) -> String {
        let path = self.dir.join("work").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self.push_all()
    }

    pub(crate) fn push_all(&self) -> String {
        self.work(&["add", "-A"]);
        self.work(&["commit", "-q", "--allow-empty", "-m", "edit"]);
        self.work(&["push", "-q", "origin", "HEAD:main"]);
        self.work(&["rev-parse", "HEAD"])
    }

    pub(crate) fn remote(&self, reference: Option<&str>) -> Remote {
        let url = self.bare().to_str().unwrap().to_owned();
        Remote::new(url, reference.map(str::to_owned), vec![], &self.dir.join("copies"))
    }
}

fn text(tree: &Tree) -> String {
    tree.sources.files.iter().map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).collect()
}

#[tokio::test]
async fn a_daemon_follows_a_repository_through_breakage_and_outages() {
    let dir = folder();
    let (db, url) = people(dir.path()).await;
    let repository = Repository::new(dir.path());
    let first = repository.push("teams/growth/tree.yaml", &says("Un "));
    let args = ["run", "--git", "remote.git", "--ref", "main", "--path", "teams/growth", "--git-poll", "1s"];
    let daemon = Daemon::start(dir.path(), Some(&url), &args);
    until_in_force(&db, &daemon, "Un").await;
    until_active(&db, &daemon).await;

    let second = repository.push("teams/growth/tree.yaml", &says("Deux "));
    until_in_force(&db, &daemon, "Deux").await;
    let whence = "select string_agg(concat_ws(' ', id, \"commit\", author), ', ' order by id) from revision";
    assert_eq!(one::<String>(&db.pool, whence).await, format!("1 {first} Ana, 2 {second} Ana"));
    let listed = relancectl(dir.path(), Some(&url), &["get", "revisions"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains(&second[..10]) && listed.contains("Ana"), "{listed}");

    // A mistake: said, and not followed.
    repository.push("teams/growth/tree.yaml", &says("Trois ").replace("fallbackLanguage", "fallbackLangage"));
    until_logged(&daemon, "fallbackLangage");
    nothing_is_cancelled(&db).await;

    // The remote goes away, and meets the next push when it is back.
    let away = dir.path().join("away.git");
    fs::rename(repository.bare(), &away).unwrap();
    until_logged(&daemon, "cannot reach the git repository `remote.git`");
    until_logged(&daemon, "next try in 1 s");
    nothing_is_cancelled(&db).await;
    fs::rename(&away, repository.bare()).unwrap();
    repository.push("teams/growth/tree.yaml", &says("Quatre "));
    until_in_force(&db, &daemon, "Quatre").await;
    until_logged(&daemon, "the files are in order again");

    // The branch, the folder, every manifest: none of them is taken for "nothing is wanted".
    git(&repository.bare(), &["branch", "-m", "main", "maine"]);
    until_logged(&daemon, "`remote.git` has no branch or tag `main`; did you mean `maine`?");
    nothing_is_cancelled(&db).await;
    git(&repository.bare(), &["branch", "-m", "maine", "main"]);
    repository.work(&["mv", "teams/growth/tree.yaml", "teams/growth/tree.txt"]);
    repository.push_all();
    until_logged(&daemon, "there is not one manifest (`*.yaml`) below `teams/growth`");
    nothing_is_cancelled(&db).await;
    repository.work(&["mv", "teams/growth", "teams/growing"]);
    repository.push_all();
    until_logged(&daemon, "cannot take the manifests from `remote.git`");
    nothing_is_cancelled(&db).await;
    repository.push("teams/growth/tree.yaml", &says("Cinq "));
    until_in_force(&db, &daemon, "Cinq").await;

    assert_eq!(count(&db.pool, "revision").await, 4);
    nothing_is_cancelled(&db).await;
    assert_eq!(daemon.log().matches("cannot reach").count(), 1, "{}", daemon.log());
    assert_eq!(daemon.stop().0.code(), Some(0));
}

#[tokio::test]
async fn a_broken_clone_is_recreated() {
    let dir = tempfile::tempdir().unwrap();
    let repository = Repository::new(dir.path());
    let id = repository.push("campaigns/tree.yaml", "first");
    let tree = repository.remote(None).pull().await.unwrap();
    assert_eq!(tree.commit, Some(Commit { id, author: Some("Ana".to_owned()) }));
    assert_eq!(text(&tree), "first");
    let copy = fs::read_dir(dir.path().join("copies")).unwrap().map(|entry| entry.unwrap().path());
    let copy = copy.into_iter().find(|path| path.is_dir()).unwrap();
    // A git that was killed leaves its locks; a full disk leaves files of nothing.
    for name in ["shallow.lock", "refs/relance/tip.lock", "HEAD", "config", "objects"] {
        let harm = || match name {
            "objects" => fs::remove_dir_all(copy.join(name)).unwrap(),
            _ => fs::write(copy.join(name), "[").unwrap(),
        };
        // Also when there is nothing new to fetch.
        harm();
        assert!(text(&repository.remote(None).pull().await.unwrap()).contains("first"), "{name}");
        harm();
        repository.push("templates/more.yaml", name);
        assert!(text(&repository.remote(None).pull().await.unwrap()).contains(name), "{name}");
    }
    // Two that pull at once do not get into each other's way.
    let pulls = (0..4).map(|_| {
        let remote = repository.remote(Some("main"));
        tokio::spawn(async move { remote.pull().await.map(|tree| text(&tree)) })
    });
    repository.push("templates/more.yaml", "last");
    for pull in pulls.collect::<Vec<_>>() {
        assert_eq!(pull.await.unwrap().unwrap(), "firstlast");
    }
}

#[tokio::test]
async fn a_pull_follows_tags_and_rewritten_histories() {
    let dir = tempfile::tempdir().unwrap();
    let repository = Repository::new(dir.path());
    repository.push("campaigns/tree.yaml", "first");
    repository.work(&["tag", "-a", "v1", "-m", "v1"]);
    repository.push("campaigns/tree.yaml", "second");
    repository.work(&["push", "-q", "origin", "v1", "HEAD:feature/main"]);
    let pulled = async |reference: &str| text(&repository.remote(Some(reference)).pull().await.unwrap());
    assert_eq!(pulled("main").await, "second");
    assert_eq!(pulled("v1").await, "first");
    assert_eq!(pulled("refs/heads/feature/main").await, "second");
    repository.work(&["reset", "-q", "--hard", "v1"]);
    fs::write(dir.path().join("work/campaigns/tree.yaml"), "other").unwrap();
    repository.work(&["commit", "-q", "-a", "--amend", "-m", "other"]);
    repository.work(&["push", "-q", "--force", "origin", "HEAD:main"]);
    assert_eq!(pulled("main").await, "other");
    // The history stays where it is.
    let copies = dir.path().join("copies");
    let copy = fs::read_dir(copies).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    assert_eq!(git(&copy, &["rev-list", "--count", "refs/relance/tip"]), "1");
}

#[tokio::test]
async fn source_errors_are_reported_with_a_hint() {
    let dir = folder();
    let (_db, url) = people(dir.path()).await;
    git(dir.path(), &["init", "-q", "--bare", "-b", "main", "empty.git"]);
    let repository = Repository::new(dir.path());
    repository.push("campaigns/tree.yaml", &says("Un "));
    repository.push("docs/readme.txt", "no manifest");
    symlink("campaigns/tree.yaml", dir.path().join("work/docs/link.yaml")).unwrap();
    symlink("campaigns", dir.path().join("work/linked")).unwrap();
    repository.push_all();
    let token = "https://tok3n@127.0.0.1:1/x.git";
    for (args, said) in [
        (&["--git", "nowhere.git"][..], "cannot reach the git repository `nowhere.git`: "),
        (&["--git", token], "cannot reach the git repository `https://127.0.0.1:1/x.git`: "),
        (&["--git", "empty.git"], "nothing was ever pushed to the git repository `empty.git`"),
        (&["--git", "empty.git", "--ref", "main"], "nothing was ever pushed"),
        (&["--git", "remote.git", "--ref", "mian"], "no branch or tag `mian`; did you mean `main`?"),
        (&["--git", "remote.git", "--path", "campaign"], "there is no `campaign` in "),
        (&["--git", "remote.git", "--path", "docs"], "`docs/link.yaml` is a symbolic link"),
        (&["--git", "remote.git", "--path", "linked"], "`linked` is a symbolic link"),
        (&["--git", "remote.git", "--path", "../x"], "leads out of the repository"),
        (&["--git", "remote.git", "--dir", "campaigns"], "for directories in it, write --path"),
        (&["--git=--upload-pack=touch x"], "cannot reach the git repository `--upload-pack=touch x`"),
        (&["--ref", "main"], "--git <URL>"),
    ] {
        let output = relancectl(dir.path(), Some(&url), &[&["plan"], args].concat()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(said) && !text.contains("tok3n"), "{args:?}: {text}");
    }
    let applied = relancectl(dir.path(), Some(&url), &["apply", "--git", "remote.git"]).output().unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    // Of a hook that starts us: it is about another repository.
    let mut plan = relancectl(dir.path(), Some(&url), &["plan", "--git", "remote.git", "--detailed-exitcode"]);
    fs::remove_dir_all(dir.path().join(".relance/git")).unwrap();
    let plan = plan.env("GIT_OBJECT_DIRECTORY", dir.path().join("elsewhere")).output().unwrap();
    assert_eq!(plan.status.code(), Some(0), "{}", String::from_utf8_lossy(&plan.stderr));
    assert!(!dir.path().join("elsewhere").exists());
}

#[tokio::test]
async fn a_silent_remote_does_not_delay_shutdown() {
    let dir = folder();
    let (_db, url) = people(dir.path()).await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("git://{}/x.git", silent.local_addr().unwrap());
    let daemon = Daemon::start(dir.path(), Some(&url), &["run", "--git", &address]);
    let (caller, _) = silent.accept().unwrap();
    let (status, took) = daemon.stop();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(15), "stopping took {took:?}");
    // The program that called is gone with the daemon.
    caller.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    std::io::copy(&mut &caller, &mut std::io::sink()).unwrap();
}

#[tokio::test]
async fn a_read_waits_until_files_stop_changing() {
    let dir = tempfile::tempdir().unwrap();
    let source = Source::Directories(vec![dir.path().to_owned()]);
    fs::write(dir.path().join("a.yaml"), "campaign").unwrap();
    let (writer, folder) = (Source::clone(&source), dir.path().to_owned());
    // It goes from one file to the other, and for a moment it is in neither.
    let reading = tokio::spawn(async move { writer.read_at_rest().await });
    tokio::task::yield_now().await;
    fs::remove_file(folder.join("a.yaml")).unwrap();
    tokio::task::yield_now().await;
    fs::write(folder.join("b.yaml"), "campaign").unwrap();
    let tree = reading.await.unwrap().unwrap();
    assert_eq!(text(&tree), "campaign");
    assert!(tree.sources.files[0].path.ends_with("b.yaml"));
    let gone = Source::Directories(vec![dir.path().join("nowhere")]).read_at_rest().await;
    assert!(matches!(gone, Err(ReadError::Directory(_))));
    let away = Remote::new("nowhere.git".to_owned(), None, vec![], dir.path());
    assert!(matches!(away.pull().await, Err(RemoteError::Unreachable { .. })));
}
