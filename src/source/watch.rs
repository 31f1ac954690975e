//! Hints that files may have changed.
//!
//! An event only means "read everything again". The supervisor's rescan finds changes without an event.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify_debouncer_full::notify;
use notify_debouncer_full::notify::{Config, EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer_opt};
use tokio::sync::Notify;

use super::walk::folders;

/// The time to wait for further events, because editors and checkouts write in bursts.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// The watched directories. Device and inode identify a directory, so a replacement is noticed.
type Watched = BTreeMap<PathBuf, (u64, u64)>;

/// A watch over directories that follows replaced directories and swapped links.
pub struct Watch {
    changed: Arc<Notify>,
    watched: Watched,
    debouncer: Option<Debouncer<RecommendedWatcher, RecommendedCache>>,
    /// The last failure that was logged: a lasting one is logged once.
    reported: String,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("watched", &self.watched).finish_non_exhaustive()
    }
}

impl Watch {
    /// Creates a watch without directories; see [`rearmed`](super::rearmed).
    pub fn new(changed: Arc<Notify>) -> Self {
        Self { changed, watched: Watched::new(), debouncer: None, reported: String::new() }
    }

    /// Returns the notification of changes.
    pub(super) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// Watches the directories that `directories` now lead to.
    pub(super) fn rearm(&mut self, directories: &[PathBuf]) {
        let wanted = wanted(directories);
        if wanted == self.watched && self.debouncer.is_some() {
            return;
        }
        match start(&wanted, Arc::clone(&self.changed)) {
            Ok(debouncer) => {
                self.debouncer = Some(debouncer);
                self.watched = wanted;
                self.reported.clear();
            }
            Err(error) => {
                let text = format!("cannot watch the files, which are read every 30 s: {}", reason(&error));
                if text != self.reported {
                    tracing::warn!("{text}");
                }
                self.reported = text;
            }
        }
    }
}

/// Describes why files cannot be watched, with the remedy if the limits of the system are reached.
fn reason(error: &notify::Error) -> String {
    match exhausted(error) {
        Some(limit) => format!(
            "the limit `fs.inotify.{limit}` of the system is reached; raise it, for example with \
             `sysctl -w fs.inotify.{limit}=524288`"
        ),
        None => error.to_string(),
    }
}

/// Returns the limit of the system that is reached, if that is the cause of `error`.
fn exhausted(error: &notify::Error) -> Option<&'static str> {
    // Linux: no space for another watch, or too many instances.
    const NO_SPACE: i32 = 28;
    const TOO_MANY: i32 = 24;
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => Some("max_user_watches"),
        notify::ErrorKind::Io(error) if error.raw_os_error() == Some(NO_SPACE) => Some("max_user_watches"),
        notify::ErrorKind::Io(error) if error.raw_os_error() == Some(TOO_MANY) => Some("max_user_instances"),
        _ => None,
    }
}

fn start(
    watched: &Watched,
    changed: Arc<Notify>,
) -> notify_debouncer_full::notify::Result<Debouncer<RecommendedWatcher, RecommendedCache>> {
    let heard = move |result: DebounceEventResult| {
        // The reader itself raises access events. An error means that events were lost.
        let hint = result.map_or(true, |events| events.iter().any(|event| !matches!(event.kind, EventKind::Access(_))));
        if hint {
            changed.notify_one();
        }
    };
    // Each directory is watched on its own, because a recursive watch follows links along every way to a directory.
    let config = Config::default().with_follow_symlinks(false);
    let mut debouncer = new_debouncer_opt(DEBOUNCE, None, heard, RecommendedCache::new(), config)?;
    for path in watched.keys() {
        match debouncer.watch(path, RecursiveMode::NonRecursive) {
            Ok(()) => {}
            Err(error) if exhausted(&error).is_some() => return Err(error),
            // The directory is gone since it was listed: its parent is watched too.
            Err(error) => tracing::debug!(path = %path.display(), %error, "cannot watch"),
        }
    }
    Ok(debouncer)
}

/// Returns the real directories below the paths, and the parent of every path and link on the way.
///
/// Swapping a link or replacing a directory is an event only in its parent.
fn wanted(paths: &[PathBuf]) -> Watched {
    let mut watched = Watched::new();
    for path in paths {
        let Ok(mut path) = std::path::absolute(path) else { continue };
        for _ in 0..40 {
            if let Some(parent) = path.ancestors().skip(1).find(|parent| parent.is_dir()) {
                add(&mut watched, parent);
            }
            let link = path.ancestors().find(|part| part.is_symlink()).map(Path::to_owned);
            let Some((link, to)) = link.and_then(|link| Some((link.clone(), std::fs::read_link(link).ok()?))) else {
                break;
            };
            let parent = link.parent().unwrap_or(&link);
            add(&mut watched, parent);
            let rest = path.strip_prefix(&link).unwrap_or(Path::new("")).to_owned();
            path = parent.join(to).join(rest);
        }
        for folder in folders(&path) {
            add(&mut watched, &folder);
        }
    }
    watched
}

fn add(watched: &mut Watched, path: &Path) {
    if let Ok(meta) = std::fs::metadata(path) {
        watched.insert(path.to_owned(), (meta.dev(), meta.ino()));
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use notify_debouncer_full::notify::{Error, ErrorKind};

    use super::reason;

    #[test]
    fn an_exhausted_limit_of_the_system_is_told_with_its_remedy() {
        let io = |code| Error::new(ErrorKind::Io(io::Error::from_raw_os_error(code)));
        for (error, limit) in [
            (Error::new(ErrorKind::MaxFilesWatch), "max_user_watches"),
            (io(28), "max_user_watches"),
            (io(24), "max_user_instances"),
        ] {
            assert!(reason(&error).contains(&format!("sysctl -w fs.inotify.{limit}=")), "{}", reason(&error));
        }
        assert!(!reason(&io(2)).contains("sysctl"));
    }
}
