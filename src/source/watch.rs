//! Hints that files may have changed.
//!
//! An event only means "read everything again". The supervisor's rescan finds changes without an event.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify_debouncer_full::notify;
use notify_debouncer_full::notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tokio::sync::Notify;

/// The time to wait for further events, because editors and checkouts write in bursts.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// The watched directories, each with or without its subdirectories. Device and inode identify a directory, so a
/// replacement is noticed.
type Watched = BTreeMap<PathBuf, (u64, u64, bool)>;

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
    /// Creates a watch without directories; see [`Watch::rearm`].
    pub fn new(changed: Arc<Notify>) -> Self {
        Self { changed, watched: Watched::new(), debouncer: None, reported: String::new() }
    }

    /// Watches the directories that `directories` now lead to.
    pub fn rearm(&mut self, directories: &[PathBuf]) {
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
    let mut debouncer = new_debouncer(DEBOUNCE, None, move |result: DebounceEventResult| {
        // The reader itself raises access events. An error means that events were lost.
        let hint = result.map_or(true, |events| events.iter().any(|event| !matches!(event.kind, EventKind::Access(_))));
        if hint {
            changed.notify_one();
        }
    })?;
    for (path, (_, _, below)) in watched {
        let mode = if *below { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        match debouncer.watch(path, mode) {
            Ok(()) => {}
            Err(error) if exhausted(&error).is_some() => return Err(error),
            // The directory is gone since it was listed: its parent is watched too.
            Err(error) => tracing::debug!(path = %path.display(), %error, "cannot watch"),
        }
    }
    Ok(debouncer)
}

/// Returns the real directories with their subdirectories, and the parent of every path and link on the way.
///
/// Swapping a link or replacing a directory is an event only in its parent.
fn wanted(paths: &[PathBuf]) -> Watched {
    let mut watched = Watched::new();
    for path in paths {
        let Ok(mut path) = std::path::absolute(path) else { continue };
        for _ in 0..40 {
            if let Some(parent) = path.ancestors().skip(1).find(|parent| parent.is_dir()) {
                add(&mut watched, parent, false);
            }
            let link = path.ancestors().find(|part| part.is_symlink()).map(Path::to_owned);
            let Some((link, to)) = link.and_then(|link| Some((link.clone(), std::fs::read_link(link).ok()?))) else {
                break;
            };
            let parent = link.parent().unwrap_or(&link);
            add(&mut watched, parent, false);
            let rest = path.strip_prefix(&link).unwrap_or(Path::new("")).to_owned();
            path = parent.join(to).join(rest);
        }
        if let Ok(real) = path.canonicalize() {
            add(&mut watched, &real, true);
        }
    }
    watched
}

fn add(watched: &mut Watched, path: &Path, below: bool) {
    if let Ok(meta) = std::fs::metadata(path) {
        let entry = watched.entry(path.to_owned()).or_insert((meta.dev(), meta.ino(), below));
        entry.2 |= below;
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
