//! The search for server programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;
use super::fetch::Fetch;
use super::place::Place;

/// The oldest supported version. Version 14 is no longer maintained; `CREATE DATABASE … STRATEGY` came with 15.
pub(super) const MINIMUM: u32 = 15;

/// The folders of packages, each with one `*` in place of the version.
const PACKAGES: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// The places to search, and the fallback if they have no programs.
#[derive(Debug, Clone)]
pub struct Search {
    /// The only folder to search, if given.
    pub bin: Option<PathBuf>,
    /// The system's search path for programs; searched last.
    pub path: Vec<PathBuf>,
    pub fetch: Fetch,
}

/// A folder with `postgres` and `initdb` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// Finds programs of the version `wanted` by an existing cluster, or else the newest installed ones.
    ///
    /// Fetches programs if no installed ones fit.
    ///
    /// # Errors
    ///
    /// Fails if there are none, or none of `wanted`; the message says what to do.
    pub(super) fn find(search: &Search, wanted: Option<u32>, place: &Place) -> Result<Self, Error> {
        let installed = search.installed();
        let fetchable = if search.bin.is_none() { search.fetch.major() } else { None };
        match (choose(&installed, wanted, fetchable), &search.bin) {
            (Choice::Installed(best), _) => Ok(best.clone()),
            (Choice::Fetch, _) => search.fetch.cached(place).map_or_else(|| search.fetch.bring(place), Ok),
            (Choice::OtherVersion { cluster, found }, _) => {
                Err(Error::OtherVersion { data: place.data(), cluster, found })
            }
            (Choice::Nothing, Some(dir)) => Err(Error::NotBinaries { dir: dir.clone(), minimum: MINIMUM }),
            (Choice::Nothing, None) => Err(Error::no_binaries()),
        }
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Returns the programs in `dir`, if they work.
    pub(super) fn at(dir: PathBuf) -> Option<Self> {
        let postgres = dir.join("postgres");
        if !postgres.is_file() || !dir.join("initdb").is_file() {
            return None;
        }
        let said = Command::new(postgres).arg("--version").output().ok()?;
        let major = major(str::from_utf8(&said.stdout).ok()?)?;
        (major >= MINIMUM).then_some(Self { dir, major })
    }
}

/// The programs to use.
#[derive(Debug, PartialEq, Eq)]
enum Choice<'a> {
    Installed(&'a Binaries),
    Fetch,
    OtherVersion { cluster: u32, found: u32 },
    Nothing,
}

/// Prefers installed programs, newest version first, unless an existing cluster needs the fetchable version.
fn choose(installed: &[Binaries], wanted: Option<u32>, fetchable: Option<u32>) -> Choice<'_> {
    let fits = |major| wanted.is_none_or(|wanted| wanted == major);
    match (installed.iter().find(|binaries| fits(binaries.major)), installed.first(), wanted) {
        (Some(best), _, _) => Choice::Installed(best),
        (None, _, _) if fetchable.is_some_and(fits) => Choice::Fetch,
        (None, newest, Some(cluster)) => match newest.map(|binaries| binaries.major).or(fetchable) {
            Some(found) => Choice::OtherVersion { cluster, found },
            None => Choice::Nothing,
        },
        (None, _, None) => Choice::Nothing,
    }
}

impl Search {
    /// Returns the folder of programs for a new cluster, unless they must be fetched.
    pub fn preferred(&self) -> Option<PathBuf> {
        self.installed().into_iter().next().map(|binaries| binaries.dir)
    }

    /// Returns every usable folder, newest version first, packages before `PATH`.
    fn installed(&self) -> Vec<Binaries> {
        let mut found: Vec<_> = match &self.bin {
            Some(bin) => Binaries::at(bin.clone()).into_iter().collect(),
            None => packaged().chain(self.path.iter().cloned()).filter_map(Binaries::at).collect(),
        };
        found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
        found
    }

    /// Finds another program of Postgres, for example `psql`.
    ///
    /// The search starts beside the server programs and goes on in the system's search path. The programs fetched for
    /// the server in `dir` come last.
    pub fn program(&self, name: &str, dir: &Path) -> Option<PathBuf> {
        let fetched = Place::choose(dir).ok().and_then(|place| self.fetch.cached(&place));
        let dirs = self.bin.iter().cloned().chain(packaged()).chain(self.path.iter().cloned());
        dirs.chain(fetched.map(|binaries| binaries.dir)).map(|dir| dir.join(name)).find(|program| program.is_file())
    }
}

fn packaged() -> impl Iterator<Item = PathBuf> {
    PACKAGES.iter().flat_map(|(parent, prefix, below)| {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()));
        named.map(move |entry| entry.path().join(below))
    })
}

/// Returns the first number of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major(version: &str) -> Option<u32> {
    let number = version.split(' ').nth(2)?;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

/// Returns the command that installs Postgres on this system.
pub(super) fn install_command() -> String {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    install(&system, rustix::process::geteuid().is_root())
}

/// Returns the command that installs Postgres on the system of this `/etc/os-release`.
fn install(os_release: &str, root: bool) -> String {
    let field = |name: &str| {
        let value = os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().trim_matches('"').to_owned()
    };
    let kinds = format!("{} {}", field("ID"), field("ID_LIKE"));
    let command = kinds.split(' ').find_map(|kind| match kind {
        "debian" | "ubuntu" => Some("apt-get install -y postgresql"),
        "fedora" | "rhel" | "centos" | "amzn" => Some("dnf install -y postgresql-server"),
        "alpine" => Some("apk add postgresql"),
        "arch" => Some("pacman -S --noconfirm postgresql"),
        "suse" | "opensuse" => Some("zypper install -y postgresql-server"),
        _ => None,
    });
    let sudo = if root { "" } else { "sudo " };
    match command {
        // A new container has no list of packages yet.
        Some(command) if command.starts_with("apt-get") => format!("{sudo}apt-get update && {sudo}{command}"),
        Some(command) => format!("{sudo}{command}"),
        None if cfg!(target_os = "macos") => "brew install postgresql@18".to_owned(),
        None => format!("your system's package of the PostgreSQL server, version {MINIMUM} or newer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_major_versions_are_parsed() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta2"), Some(19));
        assert_eq!(major("command not found"), None);
    }

    #[test]
    fn an_installed_server_is_preferred_to_a_download() {
        let at = |major| Binaries { dir: format!("/usr/lib/postgresql/{major}/bin").into(), major };
        let both = [at(17), at(15)];
        assert_eq!(choose(&both, None, Some(18)), Choice::Installed(&both[0]));
        assert_eq!(choose(&both, Some(15), Some(18)), Choice::Installed(&both[1]));
        assert_eq!(choose(&[], None, Some(18)), Choice::Fetch);
        // The cluster existed before anything was installed.
        assert_eq!(choose(&both, Some(18), Some(18)), Choice::Fetch);
        assert_eq!(choose(&both, Some(16), Some(18)), Choice::OtherVersion { cluster: 16, found: 17 });
        assert_eq!(choose(&[], Some(16), Some(18)), Choice::OtherVersion { cluster: 16, found: 18 });
        assert_eq!(choose(&[], Some(16), None), Choice::Nothing);
        assert_eq!(choose(&[], None, None), Choice::Nothing);
    }

    #[test]
    fn the_install_command_matches_the_distribution() {
        assert_eq!(install("ID=debian\n", true), "apt-get update && apt-get install -y postgresql");
        let mint = "NAME=x\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
        assert_eq!(install(mint, false), "sudo apt-get update && sudo apt-get install -y postgresql");
        assert_eq!(install("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", true), "dnf install -y postgresql-server");
        assert_eq!(install("ID=alpine\n", true), "apk add postgresql");
    }
}
