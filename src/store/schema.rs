//! Schema versions: compares the tables of a database with this program, and migrates them.

use sqlx::migrate::MigrateError;

use super::{Error, MIGRATOR, Store};

/// The message for a database from before the first release.
pub const UNRELEASED: &str = "use the database: a relancectl from before the first release made it, and nothing upgrades it; \
     begin with an empty one: `relancectl db reset` for the private database, else drop it and create it again";

const NEWER: &str =
    "use the database: its schema is newer than this relancectl; run the version that made it, or a newer one";

/// The schema of a database, compared with this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// The database has no tables.
    Missing,
    /// The tables are of an older version.
    Older,
    Present,
    /// The tables are of a newer version or of another build.
    Other,
    /// The tables were made before the first release, from another baseline.
    Unreleased,
}

/// A step of the schema: its number and the digest of its text.
type Step = (i64, Vec<u8>);

impl Schema {
    /// Compares the steps of a database with those of this program, both in order.
    fn of(found: &[Step], ours: &[Step]) -> Self {
        match found.first() {
            None => Self::Missing,
            first if first != ours.first() => Self::Unreleased,
            Some(_) if found == ours => Self::Present,
            Some(_) if ours.starts_with(found) => Self::Older,
            Some(_) => Self::Other,
        }
    }
}

impl Store {
    /// Connects for reading without changing the schema, whatever version made it.
    pub async fn look_at(url: &str, connections: u32) -> Result<(Self, Schema), Error> {
        let store = Self::connect(url, connections).await?;
        let schema = store.schema().await?;
        Ok((store, schema))
    }

    /// Migrates the tables. A database of a newer version or from before the first release stays unchanged.
    pub(super) async fn migrate(&self) -> Result<(), Error> {
        // Several programs may start at once: the migrator serializes them by an advisory lock.
        let Err(error) = MIGRATOR.run(&self.pool).await else { return Ok(()) };
        let operation = match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_)
                if self.schema().await? == Schema::Unreleased =>
            {
                UNRELEASED
            }
            MigrateError::VersionMissing(_) => NEWER,
            MigrateError::VersionMismatch(_) => "migrate the database: another build of relancectl made its schema",
            _ => "migrate the database",
        };
        Err(Error::new(operation, error.into()))
    }

    pub(super) async fn schema(&self) -> Result<Schema, Error> {
        const OPERATION: &str = "read the version of the database";
        let made: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during(OPERATION))?;
        if !made {
            return Ok(Schema::Missing);
        }
        let found: Vec<Step> =
            sqlx::query_as("select version, checksum from _sqlx_migrations where success order by version")
                .fetch_all(&self.pool)
                .await
                .map_err(Error::during(OPERATION))?;
        let ours: Vec<Step> = MIGRATOR.iter().map(|step| (step.version, step.checksum.to_vec())).collect();
        Ok(Schema::of(&found, &ours))
    }
}

#[cfg(test)]
mod tests {
    use super::Schema;

    #[test]
    fn applied_migrations_identify_the_schema_version() {
        let (baseline, second, third) = ((1, vec![1]), (2, vec![2]), (3, vec![3]));
        let ours = [baseline.clone(), second.clone()];
        let other = |step: i64| (step, vec![0]);
        for (found, expected) in [
            (vec![], Schema::Missing),
            (vec![baseline.clone()], Schema::Older),
            (ours.to_vec(), Schema::Present),
            (vec![baseline.clone(), second.clone(), third], Schema::Other),
            (vec![baseline, other(2)], Schema::Other),
            (vec![other(1)], Schema::Unreleased),
            (vec![other(1), second, other(26)], Schema::Unreleased),
        ] {
            assert_eq!(Schema::of(&found, &ours), expected, "{found:?}");
        }
    }
}
