//! The columns of exports, in the help of `import`, in its template and in its mappings.

use crate::cli::print;
use crate::core::lifecycle::detail::Facts;
use crate::facts;
use crate::facts::Meaning;
use crate::store::Store;

/// Lists the columns of both kinds of export for `import --help`.
pub(super) fn help() -> String {
    let table = |facts| {
        let columns = facts::documented(facts);
        let width = columns.iter().map(|column| column.name.len()).max().unwrap_or_default();
        let line = |Meaning { name, required, meaning }: &Meaning| {
            let need = if *required { "required" } else { "" };
            format!("  {name:width$}  {need:8}  {meaning}\n")
        };
        columns.iter().map(line).collect::<String>()
    };
    let (accounts, referrals) = (table(Facts::Accounts), table(Facts::Referrals));
    format!(
        "Columns of accounts:\n{accounts}\nColumns of referrals:\n{referrals}\nEvery other column becomes an attribute. \
         Case, accents, blanks, `_` and `-` in a header do not count. Times without an offset from UTC are local times of \
         the account, and a day alone means its beginning.\n\nCSV is separated by `,` `;` `|` or tabs, as the header or a \
         line `sep=;` shows. Blank rows and invisible characters are left out. UTF-8 and UTF-16 are recognised."
    )
}

/// Returns the header of a CSV file with all columns.
pub(super) fn template(facts: Facts) -> String {
    facts::documented(facts).iter().map(|column| column.name).collect::<Vec<_>>().join(",")
}

/// Returns the columns of `--map`, then those that the database remembers for other headers.
pub(super) async fn mapped(
    store: &Store,
    facts: Facts,
    given: &[(String, String)],
    forget: bool,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut all = if forget { Vec::new() } else { store.mapped_columns(facts).await? };
    if !all.is_empty() {
        print::note(&format!("columns that the database remembers: {} (`--forget-map` drops them)", named(&all)));
    }
    // Later pairs count more.
    all.extend_from_slice(given);
    Ok(all)
}

/// Remembers the columns of `--map` in the database.
pub(super) async fn remember(
    store: &Store,
    facts: Facts,
    given: &[(String, String)],
    forget: bool,
) -> anyhow::Result<()> {
    if given.is_empty() && !forget {
        return Ok(());
    }
    let (now, _) = store.now().await?;
    store.map_columns(facts, given, forget, now).await?;
    if !given.is_empty() {
        print::note(&format!("the database remembers {}: the next import needs no `--map`", named(given)));
    }
    Ok(())
}

fn named(columns: &[(String, String)]) -> String {
    let pairs = columns.iter().map(|(header, column)| format!("`{header}` is `{column}`"));
    pairs.collect::<Vec<_>>().join(", ")
}

/// Returns the advice for a header that lacks columns.
pub(super) fn advice(error: &facts::Error, what: &str) -> Option<String> {
    let facts::Error::MissingColumns { missing, found, .. } = error else { return None };
    let likely = facts::likely(missing, found);
    let maps: Vec<String> = likely.iter().map(|(header, column)| format!("--map '{header}={column}'")).collect();
    let maps = if maps.is_empty() { format!("--map 'HEADER={}'", missing.first()?) } else { maps.join(" ") };
    Some(format!(
        "say which header stands for which column, as in `{maps}`; `relancectl import {what} --help` lists them"
    ))
}
