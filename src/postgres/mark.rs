//! The mark that a workspace shares with a server whose folder is elsewhere.
//!
//! The folder of such a server outlives the workspace. A later workspace of the same path must not meet the people of
//! the earlier one.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::Error;
use super::place::Place;
use crate::core::domain::hex;

/// The file in the server's folder: the mark, then the path of the workspace for people who find it.
const NOTE: &str = "workspace";

/// Compares the marks, and makes one where there is no cluster yet. The caller holds `start.lock`.
///
/// # Errors
/// Fails if the cluster belongs to another workspace, or to none that is known.
pub(super) fn agree(place: &Place, has_cluster: bool) -> Result<(), Error> {
    let Some(ours) = place.mark() else { return Ok(()) };
    if !has_cluster {
        return share(place);
    }
    let theirs = noted(place)?;
    match fs::read_to_string(&ours) {
        Ok(mark) if theirs.as_deref() == Some(mark.trim()) => Ok(()),
        Ok(_) => Err(foreign(place)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(foreign(place)),
        Err(error) => Err(Error::io("read", &ours)(error)),
    }
}

/// Makes a new mark in both folders, so that the workspace takes the cluster over.
pub(super) fn share(place: &Place) -> Result<(), Error> {
    let Some(ours) = place.mark() else { return Ok(()) };
    let mark = random().map_err(Error::io("read", Path::new("/dev/urandom")))?;
    let workspace = ours.parent().and_then(Path::parent).unwrap_or(&ours).display().to_string();
    let note = place.dir.join(NOTE);
    let mut file = place.open(&note)?;
    let written = file.set_len(0).and_then(|()| writeln!(file, "{mark}\n{workspace}"));
    written.map_err(Error::io("write", &note))?;
    if let Some(parent) = ours.parent() {
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    fs::write(&ours, format!("{mark}\n")).map_err(Error::io("write", &ours))
}

fn foreign(place: &Place) -> Error {
    Error::OtherWorkspace { dir: place.dir.clone() }
}

/// Returns the mark in the server's folder.
fn noted(place: &Place) -> Result<Option<String>, Error> {
    let note = place.dir.join(NOTE);
    let mut text = String::new();
    let read = place.open(&note)?.take(4_096).read_to_string(&mut text);
    read.map_err(Error::io("read", &note))?;
    Ok(text.lines().next().map(str::to_owned).filter(|mark| !mark.is_empty()))
}

fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex(&bytes))
}

impl Place {
    /// Returns the file of the mark in the workspace; `None` where the server's folder is in the workspace itself.
    fn mark(&self) -> Option<PathBuf> {
        let moved = self.moved.as_ref()?;
        let name = moved.asked.file_name()?.to_string_lossy();
        Some(moved.asked.with_file_name(format!("{name}.id")))
    }
}
