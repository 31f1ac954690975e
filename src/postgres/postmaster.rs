//! The server process: its state from its pid file and socket, its start and its stop.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::binaries::Binaries;
use super::cluster;
use super::durability::Durability;
use super::error::Error;
use super::memory;
use super::place::{PORT, Place};

/// The pause between two looks in a short wait.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// The time after which a process with the server's pid but no socket counts as another program.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// The patience with a fast shutdown, which ends every session and writes a checkpoint.
const FAST: Duration = Duration::from_secs(20);
/// The patience with an immediate shutdown, which drops everything; the next start recovers.
const IMMEDIATE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The server was never started, or was stopped in good order.
    Stopped,
    /// The server died and left its pid file: the next start recovers.
    Crashed,
    /// The server died and left its pid file, and another program has its pid now.
    Replaced,
    /// The process has no socket: it is starting or ending, or it is another program with the same pid.
    Silent(Pid),
    Starting(Pid),
    Ready(Pid),
    Stopping(Pid),
}

impl State {
    /// Returns the state of the server in `place`.
    pub(super) fn of(place: &Place) -> Self {
        let text = match fs::read_to_string(place.data().join("postmaster.pid")) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::Stopped,
            Err(_) => return Self::Crashed,
        };
        let mut lines = text.lines();
        let Some(pid) = lines.next().and_then(|line| Pid::from_raw(line.trim().parse().ok()?)) else {
            return Self::Crashed;
        };
        match test_kill_process(pid) {
            Ok(()) | Err(Errno::PERM) if is_postgres(pid, place.user.uid()) => {}
            Ok(()) | Err(Errno::PERM) => return Self::Replaced,
            Err(_) => return Self::Crashed,
        }
        if UnixStream::connect(place.socket()).is_err() {
            return Self::Silent(pid);
        }
        // `pg_ctl` waits for the eighth line, too.
        match lines.nth(6).map(str::trim) {
            Some("ready") => Self::Ready(pid),
            Some("stopping") => Self::Stopping(pid),
            _ => Self::Starting(pid),
        }
    }

    /// Returns true if no server runs, for whatever reason.
    pub(super) fn is_down(self) -> bool {
        matches!(self, Self::Stopped | Self::Crashed | Self::Replaced)
    }
}

/// Starts the server. Its messages go to the standard error of this process.
pub(super) fn spawn(place: &Place, binaries: &Binaries, durability: Durability) -> Result<Child, Error> {
    let mut command = cluster::program(place, binaries, "postgres");
    command.arg("-D").arg(place.data()).arg("-k").arg(&place.socket_dir).args(["-p", &PORT.to_string()]);
    set(&mut command, &ALWAYS);
    match durability {
        Durability::Full => {
            set(&mut command, &[("shared_buffers", &memory::shared_buffers()), ("max_connections", "100")]);
        }
        Durability::Disposable => set(&mut command, &DISPOSABLE),
    }
    command.stdin(Stdio::null()).spawn().map_err(Error::io("run", &binaries.program("postgres")))
}

const ALWAYS: [(&str, &str); 12] = [
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    // There is one machine without replicas: only recovery reads the log.
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_logical_replication_workers", "0"),
    ("max_wal_size", "2GB"),
    // Statements are short, so compiling them costs more than it saves.
    ("jit", "off"),
    // Statements rarely look up the same row twice.
    ("enable_memoize", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_checkpoints", "off"),
    // `keeper` parses messages, so they must be in English.
    ("lc_messages", "C"),
];
const DISPOSABLE: [(&str, &str); 6] = [
    ("shared_buffers", "128MB"),
    ("max_connections", "200"),
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    // Autovacuum would connect to databases that tests drop.
    ("autovacuum", "off"),
];

fn set(command: &mut Command, settings: &[(&str, &str)]) {
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
}

/// Stops the server in good order, or by an immediate shutdown if that fails. The caller holds `users.lock`.
pub(super) fn stop(place: &Place) -> Result<(), Error> {
    for (how, patience) in [(Signal::INT, FAST), (Signal::QUIT, IMMEDIATE)] {
        let began = Instant::now();
        let mut told = false;
        while began.elapsed() < patience {
            match State::of(place) {
                State::Stopped | State::Crashed | State::Replaced => return Ok(()),
                // The process may be another program, which must not be killed.
                State::Silent(_) if !told && began.elapsed() > SILENCE => return Ok(()),
                State::Silent(_) => {}
                State::Starting(pid) | State::Ready(pid) | State::Stopping(pid) => {
                    // The server may end between the check and the signal, which is the aim anyway.
                    told = told || kill_process(pid, how).is_ok();
                }
            }
            sleep(PAUSE);
        }
    }
    Err(Error::NotStopped { dir: place.dir.clone() })
}

/// Returns true if a process can be the server of a user, as far as the system knows. Pids are used again, in containers
/// soon. The user may write any pid into the file, and must not stop the processes of others by it.
fn is_postgres(pid: Pid, uid: u32) -> bool {
    let process = format!("/proc/{}", pid.as_raw_nonzero());
    let name = fs::read_to_string(format!("{process}/comm"));
    let is_theirs = fs::metadata(&process).map_or(true, |found| found.uid() == uid);
    is_theirs && name.map_or(true, |name| name.trim() == "postgres")
}
