//! The git program as relance starts it: without a shell, without prompts or hooks, and with a time limit.

use std::io::{self, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
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

/// The most text of an error that is kept.
const MAX_STDERR_BYTES: u64 = 64 * 1024;

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

/// The result of [`streamed`].
pub(super) struct Streamed<T> {
    /// The result of the reader; `None` if the command was killed after its time.
    pub(super) read: Option<T>,
    pub(super) succeeded: bool,
    pub(super) stderr: Vec<u8>,
}

/// Runs `command`, writes `input` to it, and passes its output to `read` as it comes. Kills the command after `limit`,
/// and as soon as `read` returns.
///
/// Blocks. `read` decides how much of the output there is to read and to keep.
pub(super) fn streamed<T>(
    mut command: Command,
    limit: Duration,
    input: &[u8],
    read: impl FnOnce(&mut BufReader<ChildStdout>) -> T,
) -> io::Result<Streamed<T>> {
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn()?;
    let group = Group::of(&child);
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (stdin, Some(stdout), Some(stderr)) = pipes else { return Err(io::Error::other("git has no output")) };
    let (result, is_late, errors) = thread::scope(|scope| {
        // A thread writes, because git answers before it has read everything; it ends with the command.
        scope.spawn(move || stdin.map(|mut stdin| io::Write::write_all(&mut stdin, input)));
        let errors = scope.spawn(move || {
            let mut text = Vec::new();
            drop(stderr.take(MAX_STDERR_BYTES).read_to_end(&mut text));
            text
        });
        let (done, ended) = mpsc::channel::<()>();
        let killer = scope.spawn(move || {
            let end = ended.recv_timeout(limit);
            if end.is_ok() {
                group.ended();
            }
            // Otherwise the drop of the group kills it: its time is over, or the rest of its output does not matter.
            end == Err(mpsc::RecvTimeoutError::Timeout)
        });
        let mut stdout = BufReader::new(stdout);
        let result = read(&mut stdout);
        // A command that has written everything ends by itself, so its status is its own.
        let rest = stdout.read(&mut [0]).unwrap_or_default();
        let status = if rest == 0 { child.wait().ok() } else { None };
        if status.is_some() {
            // The killer may have come first.
            done.send(()).ok();
        }
        drop(done);
        let is_late = killer.join().unwrap_or(true);
        ((result, status), is_late, errors.join().unwrap_or_default())
    });
    let (result, status) = result;
    let status = status.map_or_else(|| child.wait(), Ok)?;
    Ok(Streamed { read: (!is_late).then_some(result), succeeded: status.success(), stderr: errors })
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
    async fn a_timed_out_command_is_killed_with_its_children() {
        // The test starts two processes; this write end closes with the last of them.
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & sleep 600"]).stdin(writer);
        let ended = output(command, Duration::from_millis(100)).await.unwrap();
        assert!(ended.is_none());
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "somebody still holds the other end");
    }

    #[tokio::test]
    async fn a_finished_command_returns_its_output() {
        let mut command = git(Repository::Around(Path::new(".")));
        command.arg("--version");
        let output = output(command, Duration::from_mins(1)).await.unwrap().unwrap();
        assert!(output.stdout.starts_with(b"git version"));
        assert_eq!(git_output(b"warning: slow\n\nfatal: no such thing\n"), "warning: slow; no such thing");
    }
}
