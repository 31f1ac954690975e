//! The reader of an archive, from the internet or a file, which checks that it is the pinned one.

use std::time::Duration;
use std::{fs, thread};

use sha2::{Digest, Sha256};

use super::Error;
use super::archive::Archive;
use super::binaries::install_command;
use super::fetch::{Progress, Source};
use crate::core::domain::hex;

/// The longest wait for a connection, including a proxy's.
const CONNECTED: Duration = Duration::from_secs(15);

/// The longest wait for more bytes.
const SILENCE: Duration = Duration::from_secs(30);

/// Reads the content of `archive` into memory and checks it.
pub(super) fn read(archive: &Archive, source: &Source, show: fn(&Archive) -> Progress) -> Result<Vec<u8>, Error> {
    let (content, origin) = match source {
        Source::File(file) => (fs::read(file).map_err(Error::io("read", file))?, file.display().to_string()),
        Source::Internet => (download(archive, show(archive))?, archive.url.clone()),
    };
    let found = hex(&Sha256::digest(&content));
    if found == archive.sha256 {
        Ok(content)
    } else {
        Err(Error::OtherArchive { origin, expected: archive.sha256.clone(), found })
    }
}

/// Downloads on a separate thread, because a caller inside a runtime must not start another one.
fn download(archive: &Archive, progress: Progress) -> Result<Vec<u8>, Error> {
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(get(archive, progress)).map_err(chain)
    };
    let content = thread::scope(|scope| scope.spawn(work).join()).expect("the download does not panic");
    let failed = |why| Error::NotFetched { url: archive.url.clone(), why, install: install_command() };
    content.map_err(failed)
}

/// Downloads through the proxies that the environment names. Keeps no more bytes than the pinned size.
async fn get(archive: &Archive, mut progress: Progress) -> Result<Vec<u8>, reqwest::Error> {
    // The installation fails if the process already has a provider.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECTED)
        .read_timeout(SILENCE)
        .user_agent(concat!("relance/", env!("CARGO_PKG_VERSION")))
        .build()?;
    let mut response = client.get(&archive.url).send().await?.error_for_status()?;
    let most = usize::try_from(archive.bytes).unwrap_or(usize::MAX);
    let mut content = Vec::with_capacity(most);
    while let Some(chunk) = response.chunk().await? {
        let room = most - content.len();
        content.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        progress(content.len() as u64);
        if chunk.len() > room {
            break;
        }
    }
    Ok(content)
}

/// Returns the error with all its causes. The message has the address elsewhere.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
