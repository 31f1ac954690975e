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

/// The program of util-linux that runs another one in namespaces of its own.
const UNSHARE: &str = "unshare";

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
    let settings = [&settings[..], &["--no-sync"]].concat();
    let named = match initdb(place, binaries, Named::ByEntry, &new, &settings) {
        Err(Error::NamelessUser { .. }) => {
            initdb(place, binaries, Named::ByNamespace, &new, &settings)?;
            Named::ByNamespace
        }
        made => made.map(|()| Named::ByEntry)?,
    };
    create_database(place, binaries, named, &new)?;
    if durability == Durability::Full {
        initdb(place, binaries, named, &new, &["--sync-only"])?;
    }
    fs::rename(&new, place.data()).map_err(Error::io("rename", &new))?;
    File::open(&place.dir).and_then(|dir| dir.sync_all()).map_err(Error::io("save", &place.dir))
}

/// The name of the user that programs run as, which `initdb` and a single-user server ask for. A server does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// The user has an entry in the user database.
    ByEntry,
    /// The user has none, and gets the name of another one in a user namespace.
    ByNamespace,
}

fn initdb(place: &Place, binaries: &Binaries, named: Named, data: &Path, args: &[&str]) -> Result<(), Error> {
    let mut command = run_as(place, binaries, named, "initdb");
    let output = command.arg("-D").arg(data).args(args).stdin(Stdio::null()).output();
    let nameless = || Error::NamelessUser { uid: place.user.uid() };
    let output = match (output, named) {
        (Ok(output), _) => output,
        (Err(_), Named::ByNamespace) => return Err(nameless()),
        (Err(error), Named::ByEntry) => return Err(Error::io("run", &binaries.program("initdb"))(error)),
    };
    match failure(&output) {
        Some(text) if text.contains(NAMELESS) => Err(nameless()),
        // The system does not allow namespaces.
        Some(text) if text.starts_with(UNSHARE) => Err(nameless()),
        Some(output) => Err(Error::Initdb { output }),
        None => Ok(()),
    }
}

/// Creates the database without a server, so that the cluster appears complete.
fn create_database(place: &Place, binaries: &Binaries, named: Named, data: &Path) -> Result<(), Error> {
    let running = Error::io("run", &binaries.program("postgres"));
    let output = || {
        let mut child = run_as(place, binaries, named, "postgres")
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

fn run_as(place: &Place, binaries: &Binaries, named: Named, name: &str) -> Command {
    match named {
        Named::ByEntry => program(place, binaries, name),
        Named::ByNamespace => {
            let mut command = Command::new(UNSHARE);
            command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").current_dir(&place.dir);
            // Every system has `nobody`, and the files still belong to the user.
            command.args(["--map-user=65534", "--map-group=65534"]).arg(binaries.program(name));
            command
        }
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
