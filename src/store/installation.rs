//! By what this database is told from others that send by the same account of a provider.

use super::rows::{decode, strange};
use super::{Error, Store};
use crate::domain::Mark;

impl Store {
    /// The mark of this database, which it has for good.
    pub async fn mark(&self) -> Result<Mark, Error> {
        const OPERATION: &str = "read the mark of this database";
        let known: Option<String> = sqlx::query_scalar("select mark from installation")
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::during(OPERATION))?;
        let mark = match known {
            Some(mark) => mark,
            // Whoever comes at the same time gets what the first has made of it.
            None => sqlx::query_scalar(
                "insert into installation as i (mark) values (left(replace(gen_random_uuid()::text, '-', ''), 8))
                 on conflict (only_row) do update set mark = i.mark returning mark",
            )
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during(OPERATION))?,
        };
        Mark::parse(&mark).ok_or_else(|| strange("the mark of a database", &mark)).map_err(decode(OPERATION))
    }
}
