//! Commits that nobody has signed who may: they are not taken, whatever they say.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use relance::source::{Remote, Tree};

use crate::source::{Repository, git};
use crate::support::daemon::{Daemon, folder, relancectl, until_logged};
use crate::support::followed::{people, says, until_in_force};
use crate::support::rows::one;

/// The name of a new key, with its public half.
fn key(dir: &Path, name: &str) -> (PathBuf, String) {
    let file = dir.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&file).status();
    assert!(made.expect("the test needs ssh-keygen, as relance does").success());
    let public = fs::read_to_string(file.with_extension("pub")).unwrap();
    (file, public.trim().to_owned())
}

/// Commits what the work tree has, signed; the commit's id.
fn sign(repository: &Repository, key: &Path) -> String {
    repository.work(&["add", "-A"]);
    let key = format!("user.signingKey={}", key.display());
    repository.work(&["-c", "gpg.format=ssh", "-c", &key, "commit", "-q", "-S", "--allow-empty", "-m", "edit"]);
    repository.work(&["push", "-q", "--force", "origin", "HEAD:main"]);
    repository.work(&["rev-parse", "HEAD"])
}

fn write(repository: &Repository, words: &str) {
    let dir = repository.dir.join("work/campaigns");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("tree.yaml"), says(words)).unwrap();
}

/// Makes a commit of this text the branch; its id.
fn forge(repository: &Repository, commit: &str) -> String {
    let mut child = Command::new("git")
        .args(["hash-object", "-w", "-t", "commit", "--stdin"])
        .current_dir(repository.bare())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(commit.as_bytes()).unwrap();
    let id = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned();
    git(&repository.bare(), &["update-ref", "refs/heads/main", &id]);
    id
}

/// Makes the link `mounted` lead to a new folder with this file, in one step.
fn mount(dir: &Path, folder: &str, file: &str, text: &str) {
    fs::create_dir(dir.join(folder)).unwrap();
    fs::write(dir.join(folder).join(file), text).unwrap();
    symlink(folder, dir.join("next")).unwrap();
    fs::rename(dir.join("next"), dir.join("mounted")).unwrap();
}

/// The commit that is taken, or why none is, with the reason that git has.
async fn taken(remote: &Remote) -> Result<String, (String, String)> {
    let reason = |error: &dyn std::error::Error| error.source().map(ToString::to_string).unwrap_or_default();
    match remote.pull().await {
        Ok(Tree { commit, .. }) => Ok(commit.unwrap().id),
        Err(error) => Err((error.to_string(), reason(&error))),
    }
}

#[tokio::test]
async fn only_commits_of_allowed_signers_are_accepted() {
    let dir = folder();
    let repository = Repository::new(dir.path());
    let ((ana, ana_public), (eve, eve_public)) = (key(dir.path(), "ana"), key(dir.path(), "eve"));
    let signers = dir.path().join("signers");
    fs::write(&signers, format!("ana@example.com namespaces=\"git\" {ana_public}\n")).unwrap();
    let remote = repository.remote(None).signed_by(signers.clone());
    write(&repository, "Un ");

    let good = sign(&repository, &ana);
    assert_eq!(taken(&remote).await, Ok(good.clone()));
    let refused = |id: &str| {
        let (signers, url) = (signers.display(), repository.bare());
        format!("nobody in `{signers}` has signed the commit {id} of `{}`: it is not taken", url.display())
    };
    write(&repository, "Deux ");
    let unsigned = repository.push_all();
    assert_eq!(taken(&remote).await, Err((refused(&unsigned), "it has no signature".to_owned())));
    let strange = sign(&repository, &eve);
    let (said, why) = taken(&remote).await.unwrap_err();
    assert_eq!(said, refused(&strange));
    assert!(why.contains("No principal matched"), "{why}");

    // A good signature under other words.
    let signed = git(&repository.bare(), &["cat-file", "commit", &good]);
    let tree = |id: &str| git(&repository.bare(), &["rev-parse", &format!("{id}^{{tree}}")]);
    let forged = forge(&repository, &(signed.replace(&tree(&good), &tree(&strange)) + "\n"));
    let (said, why) = taken(&remote).await.unwrap_err();
    assert_eq!(said, refused(&forged));
    assert!(why.contains("incorrect signature") || why.contains("Could not verify"), "{why}");

    // Whose key is for something else, or who is not in the file any more.
    let last = sign(&repository, &ana);
    fs::write(&signers, format!("ana@example.com namespaces=\"file\" {ana_public}\n")).unwrap();
    assert_eq!(taken(&remote).await.unwrap_err().0, refused(&last));
    fs::write(&signers, format!("eve@example.com {eve_public}\n")).unwrap();
    assert_eq!(taken(&remote).await.unwrap_err().0, refused(&last));
    // Nobody asked for signatures.
    assert_eq!(taken(&repository.remote(None)).await, Ok(last));
}

#[tokio::test]
async fn the_local_gpg_keyring_is_never_trusted() {
    let dir = folder();
    let repository = Repository::new(dir.path());
    let (ana, public) = key(dir.path(), "ana");
    fs::write(dir.path().join("signers"), format!("ana@example.com {public}\n")).unwrap();
    write(&repository, "Un ");
    let signed = git(&repository.bare(), &["cat-file", "commit", &sign(&repository, &ana)]);
    let (head, message) = signed.split_once("gpgsig").unwrap();
    let message = message.split_once("-----END SSH SIGNATURE-----").unwrap().1;
    let signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n AAAA\n -----END PGP SIGNATURE-----";
    let id = forge(&repository, &format!("{head}{signature}{message}\n"));
    // To this gpg every signature is good.
    let gpg = dir.path().join("gpg");
    let status =
        "printf '\\n[GNUPG:] GOODSIG 0 Eve\\n[GNUPG:] VALIDSIG 0 0 0 0 0 0 0 0 0 0\\n[GNUPG:] TRUST_ULTIMATE\\n'";
    fs::write(&gpg, format!("#!/bin/sh\ncat > /dev/null\n{status}\n")).unwrap();
    fs::set_permissions(&gpg, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let config = dir.path().join("gitconfig");
    fs::write(&config, format!("[gpg]\n\tprogram = {0}\n[gpg \"openpgp\"]\n\tprogram = {0}\n", gpg.display())).unwrap();
    let mut verify = Command::new("git");
    verify.args(["verify-commit", &id]).current_dir(repository.bare());
    let verified = verify.env("GIT_CONFIG_GLOBAL", &config).output().unwrap();
    assert!(verified.status.success(), "the forgery is one: {}", String::from_utf8_lossy(&verified.stderr));

    let (_db, url) = people(dir.path()).await;
    let plan = ["plan", "--git", "remote.git", "--verify-signatures", "--allowed-signers", "signers"];
    let output = relancectl(dir.path(), Some(&url), &plan).env("GIT_CONFIG_GLOBAL", &config).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(&format!("has signed the commit {id} of `remote.git`")), "{error}");
    for (args, said) in [
        (&plan[..4], "--allowed-signers"),
        (&["plan", "--allowed-signers", "signers"], "--verify-signatures"),
        (&[&plan[..5], &["nowhere"]].concat(), "cannot read the allowed signers `nowhere`"),
    ] {
        let output = relancectl(dir.path(), Some(&url), args).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_daemon_keeps_the_last_signed_commit_in_force() {
    let dir = folder();
    let (db, url) = people(dir.path()).await;
    let repository = Repository::new(dir.path());
    let (ana, public) = key(dir.path(), "ana");
    // As Kubernetes mounts files: at a change, what a link leads to is another folder, and the one before is deleted.
    let signers = format!("ana@example.com {public}\n");
    mount(dir.path(), "first", "signers", &signers);
    symlink("mounted/signers", dir.path().join("signers")).unwrap();
    write(&repository, "Un ");
    sign(&repository, &ana);
    let args =
        ["run", "--git", "remote.git", "--git-poll", "1s", "--verify-signatures", "--allowed-signers", "signers"];
    let daemon = Daemon::start(dir.path(), Some(&url), &args);
    until_in_force(&db, &daemon, "Un").await;
    write(&repository, "Deux ");
    let unsigned = repository.push_all();
    let said = format!("has signed the commit {unsigned} of `remote.git`: it is not taken");
    until_logged(&daemon, &said);
    mount(dir.path(), "second", "signers", &signers);
    fs::remove_dir_all(dir.path().join("first")).unwrap();
    write(&repository, "Trois ");
    let signed = sign(&repository, &ana);
    until_in_force(&db, &daemon, "Trois").await;
    assert_eq!(daemon.log().matches(&said).count(), 1, "{}", daemon.log());
    let commits = "select string_agg(\"commit\", ' ' order by id) from revision where id > 1";
    assert_eq!(one::<String>(&db.pool, commits).await, signed);
}
