//! The file of `--out`: replaced as a whole where it is a regular file, and written to where it is anything else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::print;

/// A destination that is being written.
pub(super) enum OutFile {
    /// Standard output, which `-` stands for.
    Standard(Box<dyn Write>),
    /// A pipe, a device or a socket, which must not be replaced by a file.
    Direct(BufWriter<File>),
    /// A regular file. An older one stays intact until this one is complete.
    Whole { file: BufWriter<File>, unfinished: PathBuf, target: PathBuf },
}

impl OutFile {
    /// Opens the destination; symbolic links are followed.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot write `{}`", path.display());
        if path == Path::new("-") {
            return Ok(Self::Standard(Box::new(print::stream())));
        }
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => {
                return Ok(Self::Direct(BufWriter::new(open(path).with_context(cannot)?)));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(cannot),
        }
        let target = followed(path);
        let mut unfinished = target.clone().into_os_string();
        unfinished.push(".part");
        let unfinished = PathBuf::from(unfinished);
        let file = File::create(&unfinished).with_context(|| format!("cannot write `{}`", unfinished.display()))?;
        Ok(Self::Whole { file: BufWriter::new(file), unfinished, target })
    }

    /// Completes the destination. Returns true if it is not standard output.
    pub(super) fn finish(self) -> io::Result<bool> {
        match self {
            Self::Standard(mut out) => out.flush().map(|()| false),
            Self::Direct(mut file) => file.flush().map(|()| true),
            Self::Whole { mut file, unfinished, target } => {
                file.flush()?;
                fs::rename(unfinished, target)?;
                Ok(true)
            }
        }
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::Direct(file) | Self::Whole { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::Direct(file) | Self::Whole { file, .. } => file.flush(),
        }
    }
}

/// Writes a text and a line break to `path`. Returns true if it is not standard output.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<bool> {
    let mut out = OutFile::create(path)?;
    let written = writeln!(out, "{text}").and_then(|()| out.finish());
    written.with_context(|| format!("cannot write `{}`", path.display()))
}

/// Opens what is no regular file. A pipe gets some time for its reader.
fn open(path: &Path) -> io::Result<File> {
    /// The longest wait for the reader of a pipe.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// The pause between two attempts.
    const PAUSE: Duration = Duration::from_millis(50);
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let began = Instant::now();
    loop {
        match OpenOptions::new().write(true).custom_flags(flags).open(path) {
            Ok(file) => {
                rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
                return Ok(file);
            }
            // The pipe has no reader.
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                if began.elapsed() > PATIENCE {
                    return Err(io::Error::other(format!("nobody read the pipe within {} s", PATIENCE.as_secs())));
                }
                sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Returns the path behind symbolic links, of which the last may lead to a file that does not exist yet.
fn followed(path: &Path) -> PathBuf {
    /// The limit of links, as that of the kernel.
    const LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(to) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(to);
    }
    path
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{FileTypeExt, symlink};

    use super::write;

    #[test]
    fn links_are_followed_and_what_is_no_file_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("real"), "old").unwrap();
        symlink("real", at("latest")).unwrap();
        symlink("missing", at("new")).unwrap();
        symlink("/dev/null", at("null")).unwrap();
        for name in ["latest", "new", "null", "plain"] {
            assert!(write(&at(name), "text").unwrap());
        }
        for link in ["latest", "new", "null"] {
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
        }
        for file in ["real", "missing", "plain"] {
            assert_eq!(fs::read_to_string(at(file)).unwrap(), "text\n", "{file}");
        }
        assert!(!at("real.part").exists());
        // A pipe stays one, and its reader gets the text.
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
        let pipe = at("pipe");
        let reader = std::thread::spawn(move || fs::read_to_string(pipe).unwrap());
        write(&at("pipe"), "text").unwrap();
        assert_eq!(reader.join().unwrap(), "text\n");
        assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
        assert!(write(&at("none/x"), "text").is_err());
    }
}
