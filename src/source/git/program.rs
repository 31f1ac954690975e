//! The git program as it is started here: never by a shell, it asks nobody, runs no hook, and ends in time.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::oneshot;

/// What a hook that started us says about its own repository. We name ours.
const OF_ANOTHER_REPOSITORY: [&str; 7] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_WORK_TREE",
];

/// Where commits are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Repository<'a> {
    /// The one that this folder is in. Paths are relative to the folder.
    Around(&'a Path),
    /// This bare one. Paths are relative to the top.
    Bare(&'a Path),
}

/// `git`, about to work in a repository.
pub(super) fn git(repository: Repository) -> Command {
    let mut command = Command::new("git");
    match repository {
        Repository::Around(folder) => command.current_dir(folder),
        // GitOutput, not found by looking upwards: a broken one must not lead into the repository around it.
        Repository::Bare(folder) => command.arg("--git-dir").arg(folder),
    };
    command.args(["-c", "core.hooksPath=/dev/null"]).stdin(Stdio::null());
    // Nobody is there to answer. Without a terminal of its own, ssh asks a program, which there is none of either.
    command.env("GIT_TERMINAL_PROMPT", "0").env("SSH_ASKPASS_REQUIRE", "force").env("LC_ALL", "C");
    for name in OF_ANOTHER_REPOSITORY {
        command.env_remove(name);
    }
    command
}

/// Runs `command` to its end; `None` when it had to be killed because `limit` was over.
///
/// Dropping the future kills it too, with the programs it started.
pub(super) async fn output(mut command: Command, limit: Duration) -> io::Result<Option<Output>> {
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let group = Group::of(&child);
    let (done, ended) = oneshot::channel();
    // Not one of the runtime's threads: those it waits for when it shuts down.
    thread::spawn(move || done.send(child.wait_with_output()));
    match tokio::time::timeout(limit, ended).await {
        Err(_) => Ok(None),
        Ok(Err(_)) => Err(io::Error::other("nobody waited for git")),
        Ok(Ok(output)) => {
            group.ended();
            output.map(Some)
        }
    }
}

/// What it said, in one line and without git's `fatal: `.
pub(super) fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = text.lines().map(|line| line.trim().trim_start_matches("fatal: ")).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}

/// A running git with what it started; killed with this.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(Some(Pid::from_child(child)))
    }

    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may have ended by itself just now.
            kill_process_group(pid, Signal::KILL).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::Path;
    use std::process::Command;
    use std::time::Duration;

    use super::{Repository, git, output, said};

    #[tokio::test]
    async fn what_takes_too_long_is_killed_with_what_it_started() {
        // Two pipes' worth of processes; the write end of ours closes with the last of them.
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & sleep 600"]).stdin(writer);
        let ended = output(command, Duration::from_millis(100)).await.unwrap();
        assert!(ended.is_none());
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "somebody still holds the other end");
    }

    #[tokio::test]
    async fn what_ends_in_time_is_heard() {
        let mut command = git(Repository::Around(Path::new(".")));
        command.arg("--version");
        let output = output(command, Duration::from_mins(1)).await.unwrap().unwrap();
        assert!(output.stdout.starts_with(b"git version"));
        assert_eq!(said(b"warning: slow\n\nfatal: no such thing\n"), "warning: slow; no such thing");
    }
}
