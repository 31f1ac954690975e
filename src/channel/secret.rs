//! Secrets from the environment or from files. None is cached: each read returns the current value, so a token can be
//! renewed while the process runs.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use rustix::fs::OFlags;
use tokio::sync::Semaphore;

use crate::config;
use crate::core::manifest::desired::{MaybeSecret, Secret};

/// The longest read of a file. A volume that is away may never answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The number of reads at a time. One that never ends keeps its thread.
static READERS: Semaphore = Semaphore::const_new(8);
/// The size limit of a secret.
const MAX_BYTES: u64 = 64 * 1024;

/// Reads a secret and trims surrounding white space.
///
/// # Errors
/// A sentence that names the place of the secret, but never its value.
pub async fn read(secret: &Secret) -> Result<String, String> {
    let (text, place) = match secret {
        Secret::FromEnv(name) => {
            let place = format!("the variable `{name}` of the environment");
            (config::variable(name).ok_or_else(|| format!("{place} is not set"))?, place)
        }
        Secret::FromFile(path) => {
            let place = format!("the file `{path}`");
            let text = patiently(path.clone()).await.map_err(|error| format!("cannot read {place}: {error}"))?;
            (text, place)
        }
    };
    let text = text.trim();
    if text.is_empty() { Err(format!("{place} is empty")) } else { Ok(text.to_owned()) }
}

/// Reads a file on a thread that may block, and waits for it no longer than [`PATIENCE`].
async fn patiently(path: String) -> Result<String, String> {
    let reading = async {
        let reader = READERS.acquire().await.map_err(|error| error.to_string())?;
        let reading = tokio::task::spawn_blocking(move || {
            let _reader = reader;
            content(&path).map_err(|error| error.to_string())
        });
        reading.await.map_err(|error| error.to_string())?
    };
    let silent = || Err(format!("it does not answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| silent())
}

/// Returns the content of a regular file. Opening a pipe would wait for a writer.
fn content(path: &str) -> io::Result<String> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    if file.take(MAX_BYTES + 1).read_to_string(&mut text)? > usize::try_from(MAX_BYTES).unwrap_or(usize::MAX) {
        return Err(io::Error::other(format!("it is larger than {} KiB", MAX_BYTES / 1024)));
    }
    Ok(text)
}

/// Reads a value that may be a secret.
///
/// # Errors
/// As [`read`].
pub async fn read_if_secret(text: &MaybeSecret) -> Result<String, String> {
    match text {
        MaybeSecret::Plain(text) => Ok(text.clone()),
        MaybeSecret::Secret(secret) => read(secret).await,
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::{Secret, read};

    #[tokio::test]
    async fn a_secret_is_read_anew_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let secret = Secret::FromFile(path.to_str().unwrap().to_owned());
        assert!(read(&secret).await.unwrap_err().starts_with("cannot read the file"));
        for (text, expected) in [("one\n", Ok("one")), (" two", Ok("two")), ("\n", Err(()))] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&secret).await.as_deref().map_err(|_| ()), expected);
        }
        let unset = Secret::FromEnv("RELANCE_NOBODY_SETS_THIS".to_owned());
        let unset = read(&unset).await.unwrap_err();
        assert_eq!(unset, "the variable `RELANCE_NOBODY_SETS_THIS` of the environment is not set");
    }

    #[tokio::test]
    async fn what_never_ends_or_never_answers_is_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        mkfifoat(CWD, at("pipe"), Mode::RWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink("pipe", at("link")).unwrap();
        std::fs::write(at("large"), "x".repeat(70_000)).unwrap();
        std::fs::write(at("bytes"), b"\xff\xfe").unwrap();
        for path in [at("pipe"), at("socket"), at("link"), at("large"), at("bytes"), "/dev/zero".into(), "/".into()] {
            let error = read(&Secret::FromFile(path.clone())).await.unwrap_err();
            assert!(error.starts_with(&format!("cannot read the file `{path}`: ")), "{error}");
        }
    }
}
