//! Files that would hang a process, end it or fill its memory: each is named, and the rest goes on.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use relance::core::diagnostic::Code;
use relance::core::manifest::{SourceFile, Sources, check};
use relance::server::Server;
use relance::source::load_commit;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

use crate::source::git;
use crate::support::daemon::{Daemon, folder, put, relancectl, text, until, until_logged};
use crate::support::database::database;
use crate::support::followed::{people, says, until_active, until_in_force};
use crate::support::house::call;
use crate::support::trees::{ALWAYS, NO_PACE, tree};

/// A sequence whose days repeat one text `times` over.
fn repeating(name: &str, bytes: usize, times: usize) -> String {
    let mut document = format!(
        "apiVersion: relance/v1\nkind: Sequence\nmetadata: {{name: {name}}}\nspec:\n  fallbackLanguage: fr\n  days:\n    \
         - {{day: 1, text: {{fr: &a \"{} {{{{ optOutHint }}}}\"}}}}\n",
        "x".repeat(bytes)
    );
    for day in 2..times + 2 {
        writeln!(document, "    - {{day: {day}, text: {{fr: *a}}}}").unwrap();
    }
    document
}

#[test]
fn aliases_of_a_whole_tree_have_one_budget_whatever_the_order() {
    let tree = |files: usize, documents: usize| -> Sources {
        let document = |file, at| repeating(&format!("f{file}-{at}"), 60_000, 90);
        let file = |file| (0..documents).map(|at| document(file, at)).collect::<Vec<_>>().join("---\n");
        let file = |at| SourceFile { path: format!("{at}.yaml"), bytes: file(at).into_bytes() };
        (0..files).map(file).collect::<Vec<_>>().into()
    };
    // Each document is small, and so is each file; together they would unfold to 43 MB.
    let found = check(&tree(4, 2));
    let refused: Vec<_> = found.diagnostics.iter().filter(|one| one.code == Code::YamlTooComplex).collect();
    assert_eq!(refused.len(), 8, "{refused:?}");
    assert!(refused.iter().all(|one| one.message.contains("the aliases of the tree")), "{refused:?}");
    assert_eq!(found.broken.len(), 8);
    // A single one of them is fine.
    assert!(!check(&tree(1, 1)).diagnostics.iter().any(|one| one.code == Code::YamlTooComplex));
}

/// Creates a commit of `levels` trees that hold each other ten times, and 10 manifests at the end.
fn bomb(dir: &Path, levels: usize) {
    let made = |args: &[&str], input: &str| {
        let mut command = Command::new("git");
        command.args(args).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
    };
    let filter = "apiVersion: relance/v1\nkind: Filter\nmetadata: {name: f}\nspec: {countries: [CM]}\n";
    let blob = made(&["hash-object", "-w", "--stdin"], filter);
    let ten = |kind: &str, id: &str, end: &str| {
        let lines: Vec<_> = (0..10).map(|n| format!("{kind} {id}\tn{n}{end}\n")).collect();
        made(&["mktree"], &lines.concat())
    };
    let tree = (0..levels).fold(ten("100644 blob", &blob, ".yaml"), |tree, _| ten("040000 tree", &tree, ""));
    let tree = made(&["mktree"], &format!("040000 tree {tree}\tcampaigns\n"));
    let commit = git(dir, &["commit-tree", "-m", "x", &tree]);
    git(dir, &["update-ref", "refs/heads/main", &commit]);
}

#[test]
fn a_commit_that_lists_a_hundred_million_paths_is_refused_at_once() {
    let dir = folder();
    git(dir.path(), &["init", "-q", "-b", "main"]);
    bomb(dir.path(), 7);
    let began = Instant::now();
    let refused = load_commit(dir.path(), "main", &[]).unwrap_err().to_string();
    assert!(refused.contains("lists more than"), "{refused}");
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    // A tree within the limits is read.
    bomb(dir.path(), 2);
    assert_eq!(load_commit(dir.path(), "main", &[]).unwrap().files.len(), 1_000);
}

#[test]
fn a_pipe_in_place_of_a_manifest_is_a_finding() {
    let dir = folder();
    put(dir.path(), &says("Un "));
    mkfifoat(CWD, dir.path().join("campaigns/pipe.yaml"), Mode::RWXU).unwrap();
    let output = relancectl(dir.path(), None, &["validate"]).output().unwrap();
    let said = text(&output);
    assert!(said.contains("error[RL0110]: `campaigns/pipe.yaml` is a pipe, which is never read"), "{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
}

#[tokio::test]
async fn a_daemon_goes_on_beside_pipes_link_forests_and_deep_templates_and_ends_when_it_is_told_to() {
    let dir = folder();
    let (db, url) = people(dir.path()).await;
    put(dir.path(), &says("Un "));
    let mut daemon = Daemon::start(dir.path(), Some(&url), &["run"]);
    until_in_force(&db, &daemon, "Un").await;
    until_active(&db, &daemon).await;
    let at = |name: &str| dir.path().join("campaigns").join(name);

    mkfifoat(CWD, at("pipe.yaml"), Mode::RWXU).unwrap();
    symlink("/dev/zero", at("zeros.yaml")).unwrap();
    until_logged(&daemon, "which is never read");
    for level in 0..30 {
        fs::create_dir_all(at(&format!("forest/{level}"))).unwrap();
        for link in ["a", "b"] {
            symlink(format!("../{}", level + 1), at(&format!("forest/{level}/{link}"))).unwrap();
        }
    }
    fs::create_dir(at("forest/30")).unwrap();
    let deep = repeating("deep", 1, 0).replace("\"x ", &format!("\"{{{{ {}1 }}}} ", "-".repeat(8_000)));
    fs::write(at("deep.yaml"), deep).unwrap();
    until_logged(&daemon, "has more than 500 parts");
    // An edit beside all that is in force.
    put(dir.path(), &says("Trois "));
    until_in_force(&db, &daemon, "Trois").await;

    // The signal of a closed terminal changes nothing.
    daemon.signal(Signal::HUP);
    until_logged(&daemon, "SIGHUP changes nothing");
    assert!(!daemon.has_ended());
    let (status, took) = daemon.stop();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// A campaign over a gateway at `port`, with these further lines of its channel.
fn by_gateway(port: u16, more: &str) -> String {
    let spec = format!("{ALWAYS}, channelRef: gw");
    tree(2, NO_PACE, &[("c", &spec)])
        + &format!(
            "---\napiVersion: relance/v1\nkind: Channel\nmetadata: {{name: gw}}\nspec:\n  type: http\n  \
             url: http://127.0.0.1:{port}/send\n  body: '{{\"to\": {{{{ phone }}}}, \"text\": {{{{ text }}}}}}'\n  \
             timeout: 15s\n{more}"
        )
}

#[tokio::test]
async fn a_secret_that_does_not_answer_pauses_its_channel_and_nothing_else() {
    let dir = folder();
    let (db, url) = people(dir.path()).await;
    let pipe = dir.path().join("key");
    mkfifoat(CWD, &pipe, Mode::RWXU).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let secret = format!("  headers: {{apikey: {{fromFile: {}}}}}\n", pipe.display());
    put(dir.path(), &by_gateway(listener.local_addr().unwrap().port(), &secret));
    let daemon = Daemon::start(dir.path(), Some(&url), &["run"]);
    until(&db.pool, &daemon, "select exists (select from message where error like '%it is no regular file%')").await;
    until(&db.pool, &daemon, "select exists (select from channel_halt)").await;
    let (status, took) = daemon.stop();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn a_second_signal_ends_the_daemon_at_once() {
    let dir = folder();
    let (_db, url) = people(dir.path()).await;
    // The gateway takes connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    put(dir.path(), &by_gateway(listener.local_addr().unwrap().port(), ""));
    let daemon = Daemon::start(dir.path(), Some(&url), &["run"]);
    until_logged(&daemon, "handing over");
    daemon.signal(Signal::TERM);
    until_logged(&daemon, "waiting for what is being handed over");
    let (status, took) = daemon.stop();
    assert_eq!(status.code(), Some(128 + 15));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_a_stuck_part_is_not_ready() {
    let db = database().await;
    let stop = CancellationToken::new();
    let server = Server::bind(([127, 0, 0, 1], 0).into(), db.store.clone(), Arc::default()).await.unwrap();
    let stuck = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stuck);
    let complaint = move || seen.load(Ordering::Relaxed).then(|| "the files do not answer".to_owned());
    let server = server.complaining(Arc::new(complaint));
    let address = server.address();
    let (stopped, running) = (stop.clone(), tokio::spawn(async move { server.run(&stop).await }));
    let ready = || call(address, "GET /readyz", "", b"");
    assert_eq!(ready(), (200, "ok\n".to_owned()));
    stuck.store(true, Ordering::Relaxed);
    assert_eq!(ready(), (503, "the files do not answer\n".to_owned()));
    // The process itself lives.
    assert_eq!(call(address, "GET /healthz", "", b"").0, 200);
    stopped.cancel();
    running.await.unwrap();
}
