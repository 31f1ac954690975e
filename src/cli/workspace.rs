//! The folder `.relance`, with what relance keeps beside the files: closed to other users, and unknown to git.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{Access, OFlags};
use sha2::{Digest, Sha256};

use crate::core::domain::hex;

/// The folder, relative to the working directory.
pub(super) const DIR: &str = ".relance";

/// Closes the folder to others, and creates it if it is missing.
pub(super) fn close() -> anyhow::Result<()> {
    close_at(Path::new(DIR)).with_context(|| format!("cannot use the folder `{DIR}` here"))
}

/// Returns true if the folder, or the one that it would be in, can be written.
pub(super) fn may_be_written() -> bool {
    let dir = if fs::symlink_metadata(DIR).is_ok() { DIR } else { "." };
    rustix::fs::access(dir, Access::WRITE_OK).is_ok()
}

fn close_at(dir: &Path) -> io::Result<()> {
    let (me, mode) = (rustix::process::geteuid().as_raw(), mode());
    match DirBuilder::new().mode(mode).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(dir)?;
            if found.is_symlink() && found.uid() != me {
                // It may lead to any folder that we may write, and others not.
                return Err(io::Error::other("it is a link of another user"));
            }
            if found.is_dir() && found.uid() == me && found.mode() & 0o777 & !mode != 0 {
                let flags = (OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed();
                let opened = OpenOptions::new().read(true).custom_flags(flags).open(dir)?;
                opened.set_permissions(Permissions::from_mode(found.mode() & mode))?;
            }
        }
        Err(error) => return Err(error),
    }
    match OpenOptions::new().write(true).create_new(true).open(dir.join(".gitignore")) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns the mode of a folder of ours. The user that runs root's server must get through, and sees nothing on the way.
fn mode() -> u32 {
    if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 }
}

/// Returns a folder for temporary databases where the working directory cannot be written. Nobody else may use it.
///
/// The name is the same for every command in the same directory. A name that another user took is passed over.
pub(super) fn elsewhere(temporary: &Path) -> Option<PathBuf> {
    /// The number of names, of which others may have taken some.
    const NAMES: u32 = 1_000;
    let me = rustix::process::geteuid().as_raw();
    let work = std::env::current_dir().ok()?;
    let digest = hex(&Sha256::digest(work.as_os_str().as_encoded_bytes())[..6]);
    (0..NAMES)
        .map(|number| temporary.join(format!("relance-{me}-{digest}-{number}")))
        .find(|dir| match DirBuilder::new().mode(mode()).create(dir) {
            Ok(()) => true,
            Err(_) => fs::symlink_metadata(dir).is_ok_and(|it| it.is_dir() && it.uid() == me && it.mode() & 0o066 == 0),
        })
        .map(|dir| dir.join("scratch"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    use super::close_at;

    #[test]
    fn the_folder_is_closed_to_others_and_git_does_not_see_it() {
        let work = tempfile::tempdir().unwrap();
        let dir = work.path().join(".relance");
        let mode = || fs::metadata(&dir).unwrap().permissions().mode() & 0o777;
        close_at(&dir).unwrap();
        assert_eq!(mode() & 0o066, 0);
        assert_eq!(fs::read_to_string(dir.join(".gitignore")).unwrap(), "*\n");
        // An older one, which was open, is closed.
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(dir.join(".gitignore"), "mine").unwrap();
        close_at(&dir).unwrap();
        assert_eq!(mode() & 0o066, 0);
        assert_eq!(fs::read_to_string(dir.join(".gitignore")).unwrap(), "mine");
    }

    #[test]
    fn a_link_of_another_user_is_not_followed_and_our_own_is_left_as_it_is() {
        let work = tempfile::tempdir().unwrap();
        let (target, link) = (work.path().join("target"), work.path().join("link"));
        fs::create_dir(&target).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).unwrap();
        symlink(&target, &link).unwrap();
        close_at(&link).unwrap();
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o755);
        if rustix::process::geteuid().is_root() {
            lchown(&link, Some(54_321), Some(54_321)).unwrap();
            assert!(close_at(&link).is_err());
        }
    }
}
