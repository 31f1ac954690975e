//! Hints that files may have changed. An event means "read everything again", nothing more; what raises no event
//! is found by the supervisor's rescan.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify_debouncer_full::notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tokio::sync::Notify;

/// Editors and checkouts write in bursts.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// What is watched: a directory (by device and inode, so that a replaced one is noticed), with or without what is below.
type Watched = BTreeMap<PathBuf, (u64, u64, bool)>;

/// A watch over directories that follows them when they are replaced or their links swapped.
pub struct Watch {
    changed: Arc<Notify>,
    watched: Watched,
    debouncer: Option<Debouncer<RecommendedWatcher, RecommendedCache>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("watched", &self.watched).finish_non_exhaustive()
    }
}

impl Watch {
    /// Watches nothing yet; see [`Watch::rearm`].
    pub fn new(changed: Arc<Notify>) -> Self {
        Self { changed, watched: Watched::new(), debouncer: None }
    }

    /// Makes sure that what `directories` are now is what is watched.
    pub fn rearm(&mut self, directories: &[PathBuf]) {
        let wanted = wanted(directories);
        if wanted == self.watched && self.debouncer.is_some() {
            return;
        }
        match start(&wanted, Arc::clone(&self.changed)) {
            Ok(debouncer) => {
                self.debouncer = Some(debouncer);
                self.watched = wanted;
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "cannot watch the files; they are read every 30 s");
            }
        }
    }
}

fn start(
    watched: &Watched,
    changed: Arc<Notify>,
) -> notify_debouncer_full::notify::Result<Debouncer<RecommendedWatcher, RecommendedCache>> {
    let mut debouncer = new_debouncer(DEBOUNCE, None, move |result: DebounceEventResult| {
        // Our own reading raises access events; errors mean that events were lost.
        let hint = result.map_or(true, |events| events.iter().any(|event| !matches!(event.kind, EventKind::Access(_))));
        if hint {
            changed.notify_one();
        }
    })?;
    for (path, (_, _, below)) in watched {
        let mode = if *below { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        // Gone since it was listed: its parent is watched too.
        if let Err(error) = debouncer.watch(path, mode) {
            tracing::debug!(path = %path.display(), %error, "cannot watch");
        }
    }
    Ok(debouncer)
}

/// The real directories with all below, and the parent of every path and link on the way: swapping a link or replacing
/// a directory is an event in its parent only.
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
