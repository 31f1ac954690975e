//! Columns that the files name and no import had.

use crate::core::diagnostic::Diagnostic;
use crate::core::manifest::{Sources, unknown_columns};
use crate::store::Store;

/// Returns a warning for each column that no import had; none before the first import.
pub(super) async fn unknown(store: &Store, sources: &Sources) -> anyhow::Result<Vec<Diagnostic>> {
    let known = store.attributes().await?;
    Ok(known.map(|known| unknown_columns(sources, &known)).unwrap_or_default())
}
