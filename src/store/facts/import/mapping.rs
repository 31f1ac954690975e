//! The columns of imports: the headers that `import --map` has named, so that the next file of the same kind needs no
//! `--map`, and the extra columns that became attributes.

use sqlx::PgConnection;

use crate::core::domain::{Timestamp, fold};
use crate::core::lifecycle::detail::Facts;
use crate::core::manifest::Attributes;
use crate::store::{Error, Store};

const READ: &str = "select header, column_name from import_column where facts = $1 order by header_key";
const FORGET: &str = "delete from import_column where facts = $1";
const REMEMBER: &str = "insert into import_column (facts, header_key, header, column_name, mapped_at)
    select $1, u.key, u.header, u.column_name, $5 from unnest($2::text[], $3::text[], $4::text[]) as u (key, header, column_name)
    on conflict (facts, header_key) do update
        set header = excluded.header, column_name = excluded.column_name, mapped_at = excluded.mapped_at";

const ATTRIBUTES: &str = "select facts, name from imported_attribute";
const ADD_ATTRIBUTES: &str = "insert into imported_attribute (facts, name)
    select $1, name from unnest($2::text[]) as name on conflict do nothing";

/// Remembers the extra columns of an import.
pub(super) async fn remember_attributes(tx: &mut PgConnection, facts: Facts, names: &[String]) -> Result<(), Error> {
    if names.is_empty() {
        return Ok(());
    }
    let added = sqlx::query(ADD_ATTRIBUTES).bind(name(facts)).bind(names).execute(tx).await;
    added.map_err(Error::during("remember the extra columns"))?;
    Ok(())
}

const fn name(facts: Facts) -> &'static str {
    match facts {
        Facts::Accounts => "accounts",
        Facts::Referrals => "referrals",
    }
}

impl Store {
    /// Returns the remembered pairs of a header and its column.
    pub async fn mapped_columns(&self, facts: Facts) -> Result<Vec<(String, String)>, Error> {
        let rows = sqlx::query_as(READ).bind(name(facts)).fetch_all(&self.pool).await;
        rows.map_err(Error::during("read the mapped columns"))
    }

    /// Remembers pairs of a header and its column; a header that is known gets its new column. With `afresh` the pairs
    /// replace all others.
    pub async fn map_columns(
        &self,
        facts: Facts,
        columns: &[(String, String)],
        afresh: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin the mapping"))?;
        if afresh {
            sqlx::query(FORGET).bind(name(facts)).execute(&mut *tx).await.map_err(Error::during("forget columns"))?;
        }
        let keys: Vec<String> = columns.iter().map(|(header, _)| fold(header)).collect();
        let (headers, names): (Vec<&str>, Vec<&str>) = columns.iter().map(|(a, b)| (a.as_str(), b.as_str())).unzip();
        let done = sqlx::query(REMEMBER).bind(name(facts)).bind(keys).bind(headers).bind(names).bind(now);
        done.execute(&mut *tx).await.map_err(Error::during("remember columns"))?;
        tx.commit().await.map_err(Error::during("commit the mapping"))
    }

    /// Returns the extra columns of all imports; `None` if no referral was imported yet.
    pub async fn attributes(&self) -> Result<Option<Attributes>, Error> {
        const OPERATION: &str = "read the extra columns";
        let rows: Vec<(String, String)> =
            sqlx::query_as(ATTRIBUTES).fetch_all(&self.pool).await.map_err(Error::during(OPERATION))?;
        let imported: bool = sqlx::query_scalar("select exists (select from referral)")
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during(OPERATION))?;
        let mut all = Attributes::default();
        for (facts, column) in rows {
            let names = if facts == name(Facts::Accounts) { &mut all.accounts } else { &mut all.referrals };
            names.insert(column);
        }
        Ok(imported.then_some(all))
    }
}
