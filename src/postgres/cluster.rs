//! The creation of a cluster.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::binaries::Binaries;
use super::durability::Durability;
use super::error::Error;
use super::place::Place;

/// The superuser and the database that every command uses.
pub(super) const NAME: &str = "relance";

/// The character type: letters beyond ASCII have cases. The order is that of the bytes, the same on every machine.
const CTYPE: &str = if cfg!(target_os = "macos") { "UTF-8" } else { "C.UTF-8" };

/// The message of `initdb` for a user without a name, as some container platforms assign them.
const NAMELESS: &str = "could not look up effective user ID";

/// Returns the major version of the cluster in `place`, if there is one.
pub(super) fn major(place: &Place) -> Result<Option<u32>, Error> {
    let file = place.data().join("PG_VERSION");
    match fs::read_to_string(&file) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", &file)(error)),
    }
}

/// Creates a cluster with its database. An interruption at any point leaves none, and the next attempt clears the rest.
pub(super) fn create(place: &Place, binaries: &Binaries, durability: Durability) -> Result<(), Error> {
    let new = place.dir.join("data.new");
    if new.exists() {
        fs::remove_dir_all(&new).map_err(Error::io("remove", &new))?;
    }
    let settings = ["-U", NAME, "-A", "trust", "-E", "UTF8", "--locale=C", "--lc-ctype", CTYPE, "--no-instructions"];
    initdb(place, binaries, &new, &[&settings[..], &["--no-sync"]].concat())?;
    create_database(place, binaries, &new)?;
    if durability == Durability::Full {
        initdb(place, binaries, &new, &["--sync-only"])?;
    }
    fs::rename(&new, place.data()).map_err(Error::io("rename", &new))?;
    File::open(&place.dir).and_then(|dir| dir.sync_all()).map_err(Error::io("save", &place.dir))
}

fn initdb(place: &Place, binaries: &Binaries, data: &Path, args: &[&str]) -> Result<(), Error> {
    let mut command = program(place, binaries, "initdb");
    let output = command.arg("-D").arg(data).args(args).stdin(Stdio::null()).output();
    let output = output.map_err(Error::io("run", &binaries.program("initdb")))?;
    match failure(&output) {
        Some(text) if text.contains(NAMELESS) => Err(Error::NamelessUser { uid: place.user.uid() }),
        Some(output) => Err(Error::Initdb { output }),
        None => Ok(()),
    }
}

/// Creates the database without a server, so that the cluster appears complete.
fn create_database(place: &Place, binaries: &Binaries, data: &Path) -> Result<(), Error> {
    let running = Error::io("run", &binaries.program("postgres"));
    let output = || {
        let mut child = program(place, binaries, "postgres")
            .args(["--single", "-F", "-c", "exit_on_error=on", "-D"])
            .arg(data)
            .arg("postgres")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            writeln!(stdin, "create database {NAME};")?;
        }
        child.wait_with_output()
    };
    match failure(&output().map_err(running)?) {
        Some(output) => Err(Error::Initdb { output }),
        None => Ok(()),
    }
}

/// Returns a server program that runs as the right user and inherits no environment.
///
/// It gets no secrets, and no `PG*` variable that would mislead it.
pub(super) fn program(place: &Place, binaries: &Binaries, name: &str) -> Command {
    let mut command = Command::new(binaries.program(name));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir(&place.dir);
    place.user.apply(&mut command);
    command
}

fn failure(output: &Output) -> Option<String> {
    (!output.status.success()).then(|| {
        let text = String::from_utf8_lossy(&output.stderr);
        if text.trim().is_empty() { output.status.to_string() } else { text.trim().to_owned() }
    })
}
