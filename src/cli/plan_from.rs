//! The exported state that `relancectl plan -f` plans against, in a temporary database.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::Context;
use chrono::TimeDelta;

use super::table::time;
use super::{print, scratch};
use crate::config::Config;
use crate::core::domain::rough;
use crate::store::Store;
use crate::store::snapshot::file::{Head, Reader};

/// Planning uses one connection; the second is spare.
const CONNECTIONS: u32 = 2;

/// The age from which an exported state causes a warning.
const OLD: TimeDelta = TimeDelta::days(7);

/// Loads `file` (`-` for standard input) into a temporary database and lends that to `work`.
pub(super) async fn lend<T>(
    file: &Path,
    config: &Config,
    work: impl AsyncFnOnce(&Store, &Head) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let cannot = || format!("cannot plan on `{}`", file.display());
    let input: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(file).with_context(cannot)?))
    };
    let state = Reader::new(input).with_context(cannot)?;
    let head = state.head.clone();
    let scratch = scratch::prepare(config).await?;
    scratch::lend(&scratch, 1, CONNECTIONS, async |stores| {
        let store = &stores[0];
        state.load(store).await.with_context(cannot)?;
        let (now, _) = store.now().await?;
        let age = now - head.exported_at;
        if age > OLD {
            let (at, age) = (time(head.exported_at), rough(age));
            print::note(&format!(
                "warning: the state is of {at} UTC, {age} ago: what happened since is not in the plan"
            ));
        }
        work(store, &head).await
    })
    .await
}
