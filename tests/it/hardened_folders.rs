//! The folders of the private server, beside users who would abuse them, and for users who lack what most have.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use relance::postgres::{DATABASE, Durability, Options, Server, Status};
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::support::daemon::{folder, relancectl, text};
use crate::support::database::{fast_dir, options};

const RELANCECTL: &str = env!("CARGO_BIN_EXE_relancectl");
const STRANGER: u32 = 54_321;

/// A way to make a second name for a file.
type Link = fn(&Path, &Path) -> std::io::Result<()>;

fn at(dir: &Path) -> PathBuf {
    dir.join(".relance/postgres")
}

fn durable(dir: PathBuf) -> Options {
    Options { durability: Durability::Full, grace: std::time::Duration::from_millis(100), ..options(dir) }
}

/// A working directory that only root may enter.
fn closed() -> TempDir {
    let closed = fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix("relance-").permissions(closed).tempdir_in(fast_dir()).unwrap()
}

#[test]
fn root_follows_no_link_in_a_folder_of_the_user_that_runs_the_server() {
    if !geteuid().is_root() {
        return; // Then the folder is our own.
    }
    let home = folder();
    let server = Server::start(&durable(at(home.path()))).unwrap().0;
    server.close().unwrap();
    let secret = home.path().join("secret");
    fs::write(&secret, "only root's").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    for name in ["start.lock", "users.lock", "keeper.lock", "postgres.log"] {
        let file = at(home.path()).join(name);
        for link in [(|from, to| symlink(from, to)) as Link, |from, to| fs::hard_link(from, to)] {
            fs::remove_file(&file).unwrap();
            link(&secret, &file).unwrap();
            let refused = Server::start(&durable(at(home.path()))).unwrap_err().to_string();
            assert!(refused.contains(name) && refused.contains("is a link"), "{name}: {refused}");
            let found = fs::metadata(&secret).unwrap();
            assert_eq!((found.uid(), found.mode() & 0o777), (0, 0o600), "{name}");
            assert_eq!(fs::read_to_string(&secret).unwrap(), "only root's", "{name}");
            fs::remove_file(&file).unwrap();
            fs::write(&file, "").unwrap();
        }
    }
    let made = home.path().join("made-by-root");
    fs::remove_file(at(home.path()).join(".gitignore")).unwrap();
    symlink(&made, at(home.path()).join(".gitignore")).unwrap();
    Server::start(&durable(at(home.path()))).unwrap().0.close().unwrap();
    assert!(!made.exists());
}

#[test]
fn root_gives_no_folder_away_that_a_link_of_another_user_leads_to() {
    if !geteuid().is_root() {
        return; // Only root can give a folder away.
    }
    let home = folder();
    let target = home.path().join("of-root");
    fs::create_dir(&target).unwrap();
    fs::create_dir(home.path().join(".relance")).unwrap();
    symlink(&target, at(home.path())).unwrap();
    std::os::unix::fs::lchown(at(home.path()), Some(STRANGER), Some(STRANGER)).unwrap();
    let refused = Server::start(&durable(at(home.path()))).unwrap_err().to_string();
    assert!(refused.contains("is a link"), "{refused}");
    // A folder of root's own that holds something is none for a server.
    fs::remove_file(at(home.path())).unwrap();
    fs::create_dir(at(home.path())).unwrap();
    fs::write(at(home.path()).join("x"), "").unwrap();
    assert!(Server::start(&durable(at(home.path()))).is_err());
    for kept in [&target, &at(home.path())] {
        assert_eq!(fs::metadata(kept).unwrap().uid(), 0);
    }
}

#[test]
fn nobody_keeps_a_server_from_starting_by_taking_the_name_of_its_socket_folder() {
    if !geteuid().is_root() {
        return; // Only root can make a folder of another user.
    }
    let home = folder();
    let deep = home.path().join("x".repeat(90)).join("postgres");
    fs::create_dir_all(deep.parent().unwrap()).unwrap();
    let start = || {
        let server = Server::start(&durable(deep.clone())).unwrap().0;
        let url = server.url(DATABASE);
        server.close().unwrap();
        PathBuf::from(url.split("host=").nth(1).unwrap().split('&').next().unwrap().replace("%2F", "/"))
    };
    let usual = start();
    fs::create_dir(&usual).unwrap();
    chown(&usual, Some(STRANGER), Some(STRANGER)).unwrap();
    let other = start();
    assert_ne!(other, usual);
    // A link of theirs is no better than a folder of theirs.
    fs::remove_dir(&usual).unwrap();
    symlink("/tmp", &usual).unwrap();
    assert_eq!(start(), other);
    fs::remove_file(&usual).unwrap();
    assert_eq!(start(), usual);
}

#[test]
fn a_folder_of_the_same_path_does_not_meet_the_database_of_a_deleted_one() {
    if !geteuid().is_root() {
        return; // Then the database is in the folder itself.
    }
    let home = closed();
    let work = home.path().join("work");
    let create = || fs::create_dir_all(at(&work).parent().unwrap()).unwrap();
    create();
    Server::start(&durable(at(&work))).unwrap().0.close().unwrap();
    let Status { dir: outside, .. } = Server::status(&at(&work)).unwrap();
    assert!(!outside.starts_with(home.path()), "{}", outside.display());
    // Its own folder finds it again, and the cluster names the folder.
    Server::start(&durable(at(&work))).unwrap().0.close().unwrap();
    let note = fs::read_to_string(outside.join("workspace")).unwrap();
    assert!(note.contains(work.to_str().unwrap()), "{note}");

    fs::remove_dir_all(&work).unwrap();
    create();
    let refused = Server::start(&durable(at(&work))).unwrap_err().to_string();
    assert!(refused.contains("made for another folder") && refused.contains("db reset --yes"), "{refused}");
    // Another folder's mark does not open it either.
    fs::write(at(&work).with_file_name("postgres.id"), "00\n").unwrap();
    assert!(Server::start(&durable(at(&work))).is_err());
    Server::take_over(&at(&work)).unwrap();
    Server::start(&durable(at(&work))).unwrap().0.close().unwrap();
    fs::remove_dir_all(outside).unwrap();
}

const TREE: &str = "apiVersion: relance/v1
kind: Campaign
metadata: {name: c}
spec: {type: default, state: active, accounts: all, sequenceRef: s}
---
apiVersion: relance/v1
kind: Sequence
metadata: {name: s}
spec: {fallbackLanguage: fr, days: [{day: 1, text: {fr: 'Bonjour {{ name }} {{ optOutHint }}'}}]}
---
apiVersion: relance/v1
kind: CampaignTest
metadata: {name: t}
spec:
  clock: 2026-12-01T08:00:00Z
  accounts: [{id: a1, timezone: Africa/Douala}]
  referrals: [{id: r1, account: a1, phone: '+237671000001', country: CM, registeredAt: 2026-11-30T10:00:00Z, consent: opted_in}]
  steps: [{advance: 1d}, {expect: {messages: {count: 1}}}]
";

/// Runs the program of a folder as a user.
fn as_user(uid: u32, program: &Path, dir: &Path, temporary: &Path) -> Output {
    let ids = ["--reuid", &uid.to_string(), "--regid", &uid.to_string(), "--clear-groups"];
    let mut command = Command::new("setpriv");
    command.args(ids).arg(program).arg("test").current_dir(dir).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("TMPDIR", temporary).output().unwrap()
}

#[test]
fn tests_run_in_a_checkout_that_cannot_be_written_and_for_a_user_without_an_entry() {
    if !geteuid().is_root() {
        return; // Only root can become another user.
    }
    let (home, temporary) = (folder(), folder());
    fs::create_dir(home.path().join("campaigns")).unwrap();
    fs::write(home.path().join("campaigns/tree.yaml"), TREE).unwrap();
    let program = temporary.path().join("relancectl");
    fs::copy(RELANCECTL, &program).unwrap();
    let scratch = temporary.path().join("tmp");
    fs::create_dir(&scratch).unwrap();
    fs::set_permissions(&scratch, fs::Permissions::from_mode(0o1777)).unwrap();
    // `nobody` has an entry and cannot write; the other user has no entry.
    for uid in [65_534, STRANGER] {
        let output = as_user(uid, &program, home.path(), &scratch);
        let said = text(&output);
        let is_fine = output.status.code() == Some(0) && said.contains("1 passed");
        // A system without user namespaces cannot name the user.
        let is_nameless = uid == STRANGER && said.contains("has no entry in the user database");
        assert!(is_fine || is_nameless, "{uid}: {said}");
        assert!(!said.contains("--database-url"), "{said}");
    }
    assert!(!home.path().join(".relance").exists());
}

#[test]
fn the_folder_beside_the_manifests_is_closed_to_others() {
    let home = folder();
    let output = relancectl(home.path(), None, &["get", "runs"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let found = fs::metadata(home.path().join(".relance")).unwrap();
    assert_eq!(found.mode() & 0o066, 0);
    assert_eq!(fs::read_to_string(home.path().join(".relance/.gitignore")).unwrap(), "*\n");
    Server::stop(&at(home.path())).unwrap();
}
