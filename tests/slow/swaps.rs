//! Folders whose links are swapped again and again, and files that editors write: every state is in force in its turn.

use std::os::unix::fs::symlink;
use std::{env, fs};

use crate::support::daemon::{Daemon, folder, until_logged};
use crate::support::followed::{nothing_is_cancelled, people, says, until_active, until_in_force};
use crate::support::rows::count;

/// How often links are swapped: a few times, and often where machines wait.
#[expect(clippy::disallowed_methods, reason = "what it says is about this test, not about the program")]
fn swaps() -> u32 {
    if env::var_os("CI").is_some() { 100 } else { 20 }
}

#[tokio::test]
async fn a_daemon_follows_every_swap_of_a_mounted_folder() {
    let dir = folder();
    let (db, url) = people(dir.path()).await;
    // Not beside the log, whose growth is an event too.
    let at = |name: &str| dir.path().join("files").join(name);
    // As a ConfigMap is mounted; two files, whose parts belong together.
    let generation = |round: u32| {
        let name = format!("..2026_11_30_{round}");
        let folder = at("mount").join(&name);
        fs::create_dir_all(&folder).unwrap();
        let whole = says(&format!("Tour {round}. "));
        let (texts, campaign) = whole.rsplit_once("---\n").unwrap();
        // The campaign is now in this file, now in that.
        let files =
            if round.is_multiple_of(2) { [texts.to_owned(), campaign.to_owned()] } else { [whole, String::new()] };
        for (name, text) in ["a.yaml", "b.yaml"].iter().zip(files) {
            fs::write(folder.join(name), text).unwrap();
        }
        symlink(&name, at("mount/..data_tmp")).unwrap();
        fs::rename(at("mount/..data_tmp"), at("mount/..data")).unwrap();
        if let Some(before) = round.checked_sub(1) {
            fs::remove_dir_all(at("mount").join(format!("..2026_11_30_{before}"))).unwrap();
        }
    };
    generation(0);
    for name in ["a.yaml", "b.yaml"] {
        symlink(format!("..data/{name}"), at("mount").join(name)).unwrap();
    }
    let daemon = Daemon::start(dir.path(), Some(&url), &["run", "--dir", "files/mount"]);
    until_in_force(&db, &daemon, "Tour 0.").await;
    until_active(&db, &daemon).await;
    for round in 1..=swaps() {
        generation(round);
        until_in_force(&db, &daemon, &format!("Tour {round}.")).await;
    }
    let revisions = i64::from(swaps()) + 1;
    assert_eq!(count(&db.pool, "revision").await, revisions);
    nothing_is_cancelled(&db).await;

    // The volume goes, comes back empty, and then with what was in it.
    fs::rename(at("mount"), at("lost")).unwrap();
    until_logged(&daemon, "there is no `files/mount`");
    fs::create_dir(at("mount")).unwrap();
    until_logged(&daemon, "an empty tree is taken for an outage");
    nothing_is_cancelled(&db).await;
    fs::remove_dir(at("mount")).unwrap();
    fs::rename(at("lost"), at("mount")).unwrap();
    until_logged(&daemon, "the files are in order again");
    generation(swaps() + 1);
    until_in_force(&db, &daemon, &format!("Tour {}.", swaps() + 1)).await;
    assert_eq!(count(&db.pool, "revision").await, revisions + 1);
    nothing_is_cancelled(&db).await;
    assert_eq!(daemon.stop().0.code(), Some(0));
}

#[tokio::test]
async fn a_daemon_follows_every_write_style_of_editors_and_checkouts() {
    let dir = folder();
    let (db, url) = people(dir.path()).await;
    // Not beside the log, whose growth is an event too.
    let at = |name: &str| dir.path().join("files").join(name);
    // A whole tree that is a link, as git-sync keeps one: each commit in a folder of its own.
    let checkout = |round: u32| {
        let name = format!("worktrees/{round}");
        fs::create_dir_all(at(&name).join("campaigns")).unwrap();
        fs::write(at(&name).join("campaigns/tree.yaml"), says(&format!("Tour {round}. "))).unwrap();
        symlink(&name, at("next")).unwrap();
        fs::rename(at("next"), at("current")).unwrap();
        // What is gone from under the watch is an event of its own: swapping alone has to be enough.
        if let Some(before) = round.checked_sub(2) {
            fs::remove_dir_all(at("worktrees").join(before.to_string())).unwrap();
        }
    };
    checkout(0);
    let daemon = Daemon::start(dir.path(), Some(&url), &["run", "--dir", "files/current/campaigns"]);
    until_in_force(&db, &daemon, "Tour 0.").await;
    until_active(&db, &daemon).await;
    for round in 1..=swaps() / 2 {
        checkout(round);
        until_in_force(&db, &daemon, &format!("Tour {round}.")).await;
    }
    let file = at("current/campaigns/tree.yaml");
    let beside = |name: &str| file.with_file_name(name);
    for round in 0..swaps() / 4 {
        // To a new file, then over the old one.
        fs::write(beside(".tree.yaml.swp"), says(&format!("Neuf {round}. "))).unwrap();
        fs::rename(beside(".tree.yaml.swp"), &file).unwrap();
        until_in_force(&db, &daemon, &format!("Neuf {round}.")).await;
        // The old one away, then a new one in its place; and a lock that leads nowhere.
        symlink("ana@host.1234", beside(".#tree.yaml")).unwrap();
        fs::rename(&file, beside("tree.yaml~")).unwrap();
        fs::write(&file, says(&format!("Propre {round}. "))).unwrap();
        fs::remove_file(beside(".#tree.yaml")).unwrap();
        until_in_force(&db, &daemon, &format!("Propre {round}.")).await;
    }
    nothing_is_cancelled(&db).await;
    assert_eq!(daemon.stop().0.code(), Some(0));
}
