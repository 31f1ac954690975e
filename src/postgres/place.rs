//! The place of a private server: its folder, its socket and its locks.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, OFlags};
use sha2::{Digest, Sha256};

use super::Error;
use super::user::{Account, RunAs};
use crate::core::domain::hex;

/// The port, which is only part of the socket's name; nothing listens on TCP.
pub(super) const PORT: u16 = 5432;

/// The limit for the socket's folder. The kernel allows 104 bytes on macOS and 108 on Linux, including
/// `/.s.PGSQL.5432`.
const SOCKET_DIR_BYTES: usize = 85;

/// The number of names for the socket's folder, of which others may have taken some.
const SOCKET_DIRS: usize = 1_000;

/// The folder of one server, and the user that it runs as.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) dir: PathBuf,
    pub(super) socket_dir: PathBuf,
    pub(super) user: RunAs,
    pub(super) moved: Option<Moved>,
}

/// The reason why the server is not in the requested folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    user: String,
    closed: PathBuf,
    /// The requested folder.
    pub(super) asked: PathBuf,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not here: `{}`, which must run it, may not enter {}", self.user, self.closed.display())
    }
}

impl Place {
    /// Returns the place of the server requested in `dir`. Every command gets the same answer, and nothing is created.
    pub(super) fn choose(dir: &Path) -> Result<Self, Error> {
        refuse_foreign_links(dir)?;
        let dir = real(dir).map_err(Error::io("find", dir))?;
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = RunAs::choose(fs::metadata(&dir).ok().as_ref(), &dir, &passwd)?;
        let (dir, moved) = match &user {
            RunAs::Account(account) => match closed_to(account, &dir) {
                Some(closed) => (outside(&dir), Some(Moved { user: account.name.clone(), closed, asked: dir })),
                None => (dir, None),
            },
            RunAs::Ourselves => (dir, None),
        };
        let socket_dir = if fits_a_socket(&dir) { dir.clone() } else { socket_dir(&dir, &user) };
        Ok(Self { dir, socket_dir, user, moved })
    }

    /// Creates the folder, closed to other users.
    pub(super) fn prepare(&self) -> Result<(), Error> {
        if let Some(parent) = self.dir.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        self.private_dir(&self.dir)?;
        let ignored = self.dir.join(".gitignore");
        match OpenOptions::new().write(true).create_new(true).open(&ignored) {
            Ok(mut file) => file.write_all(b"*\n").map_err(Error::io("write", &ignored)),
            // A link in its place is not followed, wherever it leads.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(Error::io("write", &ignored)(error)),
        }
    }

    /// Creates the folder of the socket. The caller holds `users.lock`, because the process that stops the server
    /// removes it.
    pub(super) fn prepare_socket(&self) -> Result<(), Error> {
        if self.socket_dir == self.dir { Ok(()) } else { self.private_dir(&self.socket_dir) }
    }

    /// Removes the files outside the folder while no server runs.
    pub(super) fn tidy(&self) {
        if self.socket_dir != self.dir {
            // A folder with other content must stay, and it may be gone already.
            drop(fs::remove_dir(&self.socket_dir));
        }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("postgres.log")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.socket_dir.join(format!(".s.PGSQL.{PORT}"))
    }

    /// Returns a connection URL that no `PG*` variable of its reader changes.
    ///
    /// The socket's folder has only characters that need no quoting.
    pub(super) fn url(&self, database: &str) -> String {
        let host = self.socket_dir.to_string_lossy().replace('/', "%2F");
        format!("postgres://relance@localhost/{database}?host={host}&port={PORT}&sslmode=disable")
    }

    /// Opens the lock that serialises starts and stops of the server.
    pub(super) fn start_lock(&self) -> Result<File, Error> {
        self.open(&self.dir.join("start.lock"))
    }

    /// Opens the lock that users of the server hold shared, and a process that stops it holds exclusively.
    pub(super) fn users_lock(&self) -> Result<File, Error> {
        self.open(&self.dir.join("users.lock"))
    }

    /// Opens the lock that the keeper holds exclusively as long as it lives.
    pub(super) fn keeper_lock(&self) -> Result<File, Error> {
        self.open(&self.dir.join("keeper.lock"))
    }

    /// Returns true if a keeper lives.
    pub(super) fn is_kept(&self) -> Result<bool, Error> {
        Ok(self.keeper_lock()?.try_lock_shared().is_err())
    }

    /// Opens a file of the place for reading and appending, and creates it if it is missing.
    ///
    /// The folder may belong to another user than the current one, root. A link or a second name there could lead to
    /// any file of root, so only a plain file with one name is opened and given away.
    pub(super) fn open(&self, path: &Path) -> Result<File, Error> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).custom_flags(flags).open(path);
        let file = file.map_err(|error| match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::LOOP) => Error::Link { path: path.to_owned() },
            _ => Error::io("open", path)(error),
        })?;
        let found = file.metadata().map_err(Error::io("look at", path))?;
        if !found.is_file() || found.nlink() != 1 {
            return Err(Error::Link { path: path.to_owned() });
        }
        self.user.give(&file, path)?;
        Ok(file)
    }

    fn give_dir(&self, dir: &Path) -> Result<(), Error> {
        let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed();
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(dir).map_err(Error::io("open", dir))?;
        self.user.give(&opened, dir)
    }

    fn private_dir(&self, dir: &Path) -> Result<(), Error> {
        match DirBuilder::new().mode(0o700).create(dir) {
            Ok(()) => self.give_dir(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = fs::symlink_metadata(dir).map_err(Error::io("look at", dir))?;
                match found.uid() {
                    uid if uid == self.user.uid() && found.is_dir() => Ok(()),
                    0 if rustix::process::geteuid().is_root() && is_of_a_server(dir) => self.give_dir(dir),
                    owner => Err(Error::NotOurs { dir: dir.to_owned(), owner }),
                }
            }
            Err(error) => Err(Error::io("create", dir)(error)),
        }
    }
}

/// Returns the folder for the socket of a server in `dir`. The path of `dir` may be too long for a socket.
///
/// Everybody may create files in `/tmp`. A name that another user took is passed over, so that nobody can keep the
/// server from starting. A folder that is ours goes first: the server may run there.
fn socket_dir(dir: &Path, user: &RunAs) -> PathBuf {
    let names = (0..SOCKET_DIRS).map(|number| {
        let more = if number == 0 { String::new() } else { format!("-{number}") };
        PathBuf::from(format!("/tmp/relance-{}-{}{more}", user.uid(), digest(dir)))
    });
    let names: Vec<PathBuf> = names.collect();
    let found = |path: &&PathBuf| fs::symlink_metadata(path);
    let ours = names.iter().find(|path| found(path).is_ok_and(|it| it.is_dir() && it.uid() == user.uid()));
    let free = names.iter().find(|path| found(path).is_err());
    ours.or(free).unwrap_or(&names[0]).clone()
}

/// Refuses a path through a symbolic link of another user, which may lead to any folder that only we may change.
fn refuse_foreign_links(dir: &Path) -> Result<(), Error> {
    let me = rustix::process::geteuid().as_raw();
    let path = std::path::absolute(dir).map_err(Error::io("find", dir))?;
    let is_foreign =
        |part: &Path| fs::symlink_metadata(part).is_ok_and(|it| it.is_symlink() && it.uid() != me && it.uid() != 0);
    match path.ancestors().find(|part| is_foreign(part)) {
        Some(link) => Err(Error::Link { path: link.to_owned() }),
        None => Ok(()),
    }
}

/// Returns the path without symbolic links, as far as it exists.
fn real(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let exists = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    let rest = path.strip_prefix(exists).unwrap_or(Path::new(""));
    let exists = exists.canonicalize()?;
    Ok(if rest.as_os_str().is_empty() { exists } else { exists.join(rest) })
}

/// Returns the outermost existing folder on the way to `dir` that `account` may not enter.
pub(super) fn closed_to(account: &Account, dir: &Path) -> Option<PathBuf> {
    let mut parents: Vec<_> = dir.ancestors().skip(1).collect();
    parents.reverse();
    let closed = parents.into_iter().find(|parent| {
        fs::metadata(parent).is_ok_and(|found| !account.may_enter((found.mode(), found.uid(), found.gid())))
    });
    closed.map(Path::to_owned)
}

/// Returns where root keeps the server if the requested folder is unsuitable.
fn outside(dir: &Path) -> PathBuf {
    let may_write = |dir| rustix::fs::access(dir, Access::WRITE_OK).is_ok();
    if may_write("/var/lib/relance") || may_write("/var/lib") {
        Path::new("/var/lib/relance").join(digest(dir))
    } else {
        PathBuf::from(format!("/tmp/relance-0-{}-data", digest(dir)))
    }
}

/// Returns true if a folder holds nothing but what a server's folder may hold. Any other folder is never given away.
fn is_of_a_server(dir: &Path) -> bool {
    const NAMES: [&str; 8] =
        ["data", "data.new", "postgres.log", "start.lock", "users.lock", "keeper.lock", "workspace", ".gitignore"];
    let is_known =
        |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| NAMES.iter().any(|name| entry.file_name() == *name));
    fs::read_dir(dir).is_ok_and(|mut entries| entries.all(is_known))
}

fn fits_a_socket(dir: &Path) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let bytes = dir.as_os_str().as_encoded_bytes();
    bytes.len() <= SOCKET_DIR_BYTES && bytes.iter().all(plain)
}

/// Returns twelve hexadecimal digits that identify a path.
fn digest(path: &Path) -> String {
    hex(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..6])
}
