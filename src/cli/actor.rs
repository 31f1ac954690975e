//! The actor and the reason that every manual change records.

use anyhow::{Context, bail};

use crate::config::Config;

/// Returns the actor given by `--actor`, else the user of this process.
pub(super) fn actor<'a>(named: Option<&'a str>, config: &'a Config) -> anyhow::Result<&'a str> {
    let actor = named.or(config.user.as_deref()).map(str::trim).filter(|actor| !actor.is_empty());
    actor.context("no actor is known: add `--actor NAME` ($USER is not set)")
}

/// Returns the trimmed reason and refuses an empty one.
pub(super) fn reason(text: &str) -> anyhow::Result<&str> {
    match text.trim() {
        "" => bail!("`--reason` is empty: give a reason for the log"),
        reason => Ok(reason),
    }
}
