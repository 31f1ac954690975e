//! The server process: what its pid file and its socket say of it, how to start it, how to stop it.

use std::fs;
use std::io::ErrorKind;
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

/// How often a short wait looks again.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// A process with the server's pid that has no socket for so long is another program.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// A fast shutdown ends every session and writes a checkpoint.
const FAST: Duration = Duration::from_secs(20);
/// After which it is told to drop everything; the next start recovers.
const IMMEDIATE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Never started, or stopped in good order.
    Stopped,
    /// Died without putting its pid file away: the next start recovers.
    Crashed,
    /// The same, and its pid is another program's by now.
    Replaced,
    /// Alive without a socket: in its first or last moments, or another program that was given the same pid.
    Silent(Pid),
    Starting(Pid),
    Ready(Pid),
    Stopping(Pid),
}

impl State {
    /// Looks at the server of `place`.
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
            Ok(()) | Err(Errno::PERM) if is_postgres(pid) => {}
            Ok(()) | Err(Errno::PERM) => return Self::Replaced,
            Err(_) => return Self::Crashed,
        }
        if UnixStream::connect(place.socket()).is_err() {
            return Self::Silent(pid);
        }
        // The eighth line is what `pg_ctl` waits for, too.
        match lines.nth(6).map(str::trim) {
            Some("ready") => Self::Ready(pid),
            Some("stopping") => Self::Stopping(pid),
            _ => Self::Starting(pid),
        }
    }

    /// Tells whether there is no server, for whatever reason.
    pub(super) fn is_down(self) -> bool {
        matches!(self, Self::Stopped | Self::Crashed | Self::Replaced)
    }
}

/// Starts the server, its messages going to our standard error.
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
    // One machine, no replicas: nothing reads the log but recovery.
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_logical_replication_workers", "0"),
    ("max_wal_size", "2GB"),
    // Short statements only: compiling them costs more than it saves.
    ("jit", "off"),
    // Hardly anybody is looked up twice in one statement.
    ("enable_memoize", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_checkpoints", "off"),
    // `keeper` reads messages.
    ("lc_messages", "C"),
];
const DISPOSABLE: [(&str, &str); 6] = [
    ("shared_buffers", "128MB"),
    ("max_connections", "200"),
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    // It would sit in databases that tests want to drop.
    ("autovacuum", "off"),
];

fn set(command: &mut Command, settings: &[(&str, &str)]) {
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
}

/// Restrictions the server: in good order, and if it does not listen, less gently. The caller holds `users.lock`.
pub(super) fn stop(place: &Place) -> Result<(), Error> {
    for (how, patience) in [(Signal::INT, FAST), (Signal::QUIT, IMMEDIATE)] {
        let began = Instant::now();
        let mut told = false;
        while began.elapsed() < patience {
            match State::of(place) {
                State::Stopped | State::Crashed | State::Replaced => return Ok(()),
                // Another program's process is not ours to end.
                State::Silent(_) if !told && began.elapsed() > SILENCE => return Ok(()),
                State::Silent(_) => {}
                State::Starting(pid) | State::Ready(pid) | State::Stopping(pid) => {
                    // Gone between looking and telling: what we wanted.
                    told = told || kill_process(pid, how).is_ok();
                }
            }
            sleep(PAUSE);
        }
    }
    Err(Error::NotStopped { dir: place.dir.clone() })
}

/// Tells whether a process can be a server, as far as the system tells. Pids are used again, in containers soon.
fn is_postgres(pid: Pid) -> bool {
    let name = fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero()));
    name.map_or(true, |name| name.trim() == "postgres")
}
