//! The writer of snapshot files, which exports a database.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde_json::json;
use thiserror::Error;

use super::{FORMAT, Head, KIND};
use crate::core::plan;
use crate::store;
use crate::store::Store;

/// The choice of imported extra columns in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attributes {
    All,
    /// The columns that campaigns in force use, and the listed ones.
    Asked(Vec<String>),
}

/// The result of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub head: Head,
    /// The number of rows by table, without empty tables.
    pub counts: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot write the state")]
    Write(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Writes the state of `store` at one instant.
pub async fn export(store: &Store, attributes: &Attributes, mut out: impl Write) -> Result<Exported, Error> {
    let leaving = store.leaving().await?;
    let attributes = match attributes {
        Attributes::All => None,
        Attributes::Asked(more) => {
            let asked = plan::attributes(&leaving.in_force.desired);
            let all: BTreeSet<&str> = asked.into_keys().chain(more.iter().map(String::as_str)).collect();
            Some(all.into_iter().map(str::to_owned).collect())
        }
    };
    let head = Head {
        format: FORMAT,
        kind: KIND.to_owned(),
        relance: env!("CARGO_PKG_VERSION").to_owned(),
        schema: Store::schema_version(),
        exported_at: leaving.at,
        revision: leaving.in_force.revision,
        commit: leaving.commit.clone(),
        attributes,
    };
    writeln!(out, "{}", json!(head))?;
    let mut counts = BTreeMap::new();
    let rows = leaving.rows(head.attributes.as_deref(), |table, rows| {
        *counts.entry(table).or_default() += rows.len() as u64;
        writeln!(out, "{{\"table\":\"{table}\",\"rows\":[{}]}}", rows.join(",")).map_err(Error::Write)
    });
    rows.await?;
    writeln!(out, "{}", json!({"counts": counts}))?;
    out.flush()?;
    Ok(Exported { head, counts })
}
