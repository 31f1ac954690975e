//! A copy of a database for simulations; the original is only read.

use futures_util::TryStreamExt;
use sqlx::PgConnection;

use crate::store::{Error, Store};

/// A table whose columns are all copied.
macro_rules! copied {
    ($table:literal) => {
        (
            $table,
            concat!("copy ", $table, " to stdout (format binary)"),
            concat!("copy ", $table, " from stdin (format binary)"),
        )
    };
}

/// A statement that sets a table's id sequence after the highest id in use.
macro_rules! next_number {
    ($table:literal) => {
        concat!(
            "select setval(pg_get_serial_sequence('",
            $table,
            "', 'id'), coalesce(max(id), 0) + 1, false) from ",
            $table
        )
    };
}

/// The copied tables, each after those it refers to: its name, the query on the original and the statement on the copy.
const TABLES: [(&str, &str, &str); 18] = [
    copied!("account"),
    copied!("referral"),
    copied!("suppression"),
    copied!("revision"),
    copied!("manifest"),
    copied!("campaign"),
    copied!("run"),
    copied!("lane"),
    copied!("account_halt"),
    copied!("channel_halt"),
    copied!("provider_stop"),
    copied!("sender"),
    copied!("target"),
    // The texts of messages stay behind: they are most of a database, are personal, and affect no decision.
    (
        "message",
        "copy (select account_id, referral_id, campaign_id, day, state, attempts, quota_date, phone, language, '',
                      revision_id, queued_at, sent_at, delivered_at, read_at, provider_id, error, due_at, failed_at
               from message) to stdout (format binary)",
        "copy message (account_id, referral_id, campaign_id, day, state, attempts, quota_date, phone, language, text,
                       revision_id, queued_at, sent_at, delivered_at, read_at, provider_id, error, due_at, failed_at)
         from stdin (format binary)",
    ),
    copied!("lease"),
    copied!("override"),
    copied!("generation"),
    copied!("facts_generation"),
];

/// Tables that a copy does not need.
#[cfg(test)]
const LEFT_OUT: [&str; 24] = [
    "api_token",
    "api_request",
    "sandbox_message",
    "clock",
    "refused_plan",
    "event",
    "reconciler",
    "frozen_manifest",
    "notifier",
    "notification",
    "webhook",
    "provider_message",
    "moved_target",
    "alias",
    "inbound",
    "conversation",
    "confirmation",
    "pending_stop",
    "person_hold",
    "erasure",
    "erasure_key",
    "import_column",
    "imported_attribute",
    "installation",
];

/// Statements after which every newly assigned id is unused.
const SEQUENCES: [&str; 6] = [
    next_number!("account"),
    next_number!("referral"),
    next_number!("revision"),
    next_number!("campaign"),
    next_number!("lease"),
    next_number!("override"),
];

/// The number of buffered bytes that triggers a write.
const FULL: usize = 256 * 1024;

impl Store {
    /// Copies facts, desired and actual state into `copy`, from one snapshot and in one transaction on the copy.
    ///
    /// The copy must be migrated and empty. Both databases must be [`Schema::Present`](crate::store::Schema::Present).
    pub async fn copy_world(&self, copy: &Self) -> Result<(), Error> {
        let mut original = self.looking().await?;
        let mut copy = copy.pool.begin().await.map_err(Error::during("begin to write the copy"))?;
        for only_row in ["delete from generation", "delete from facts_generation"] {
            sqlx::query(only_row).execute(&mut *copy).await.map_err(Error::during("empty the copy"))?;
        }
        for (_, out, into) in TABLES {
            copy_rows(&mut original, out, &mut copy, into).await?;
        }
        for set in SEQUENCES {
            sqlx::query(set).execute(&mut *copy).await.map_err(Error::during("set the next numbers of the copy"))?;
        }
        copy.commit().await.map_err(Error::during("commit the copy"))
    }
}

async fn copy_rows(
    original: &mut PgConnection,
    out: &'static str,
    copy: &mut PgConnection,
    into: &'static str,
) -> Result<(), Error> {
    const READ: &str = "read the database to copy";
    const WRITE: &str = "write the copy";
    let mut rows = original.copy_out_raw(out).await.map_err(Error::during(READ))?;
    let mut writing = copy.copy_in_raw(into).await.map_err(Error::during(WRITE))?;
    let mut buffer = Vec::with_capacity(FULL + FULL / 4);
    while let Some(row) = rows.try_next().await.map_err(Error::during(READ))? {
        buffer.extend_from_slice(&row);
        if buffer.len() >= FULL {
            writing.send(buffer.as_slice()).await.map_err(Error::during(WRITE))?;
            buffer.clear();
        }
    }
    writing.send(buffer.as_slice()).await.map_err(Error::during(WRITE))?;
    writing.finish().await.map_err(Error::during(WRITE))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{LEFT_OUT, SEQUENCES, TABLES};
    use crate::store::MIGRATOR;

    #[test]
    fn every_table_is_copied_or_left_out_and_sequences_continue() {
        for step in MIGRATOR.iter() {
            let made = step.sql.as_str().split("create table ").skip(1);
            for (table, body) in made.filter_map(|text| text.split_once(" (")) {
                let copied = TABLES.iter().any(|(name, ..)| *name == table);
                assert!(copied != LEFT_OUT.contains(&table), "is `{table}` copied or left out?");
                let columns = body.split("\n)").next().unwrap();
                if copied && columns.contains("generated always as identity") {
                    let called = format!("('{table}'");
                    assert!(SEQUENCES.iter().any(|set| set.contains(&called)), "`{table}` would number twice");
                }
            }
        }
    }
}
