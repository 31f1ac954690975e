//! The git program as relance starts it: without a shell, without prompts or hooks, and with a time limit.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::oneshot;

/// The variables with which a hook describes its own repository. They are removed, because relance names its repository
/// itself.
const OF_ANOTHER_REPOSITORY: [&str; 7] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_WORK_TREE",
];

/// The repository with the commits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Repository<'a> {
    /// The repository around this folder. Paths are relative to the folder.
    Around(&'a Path),
    /// This bare repository. Paths are relative to the top.
    Bare(&'a Path),
}

/// Returns the `git` command for a repository.
pub(super) fn git(repository: Repository) -> Command {
    let mut command = Command::new("git");
    match repository {
        Repository::Around(folder) => command.current_dir(folder),
        // The folder is explicit: git must not search upwards from a broken one into the repository around it.
        Repository::Bare(folder) => command.arg("--git-dir").arg(folder),
    };
    command.args(["-c", "core.hooksPath=/dev/null"]).stdin(Stdio::null());
    // Nobody can answer prompts. Ssh without a terminal asks a program, and there is none either.
    command.env("GIT_TERMINAL_PROMPT", "0").env("SSH_ASKPASS_REQUIRE", "force").env("LC_ALL", "C");
    for name in OF_ANOTHER_REPOSITORY {
        command.env_remove(name);
    }
    command
}

/// Runs `command` to its end; returns `None` if it was killed after `limit`.
///
/// Dropping the future also kills it, with the programs that it started.
pub(super) async fn output(mut command: Command, limit: Duration) -> io::Result<Option<Output>> {
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let group = Group::of(&child);
    let (done, ended) = oneshot::channel();
    // This is not one of the runtime's threads, because the runtime waits for those when it shuts down.
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

/// Returns git's message on one line and without its `fatal: `.
pub(super) fn git_output(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = text.lines().map(|line| line.trim().trim_start_matches("fatal: ")).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}

/// A running git with its child processes; dropping this kills them.
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
            // The group may have ended by itself.
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

    use super::{Repository, git, git_output, output};

    #[tokio::test]
    async fn what_takes_too_long_is_killed_with_what_it_started() {
        // The test starts two processes; this write end closes with the last of them.
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
        assert_eq!(git_output(b"warning: slow\n\nfatal: no such thing\n"), "warning: slow; no such thing");
    }
}
