//! What leaves a database in an exported state, table by table: a list of what may, so that what is not listed stays.

/// A table of an exported state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Its rows as JSON objects, nulls left out. Parameters: `$1` the secret of this export, `$2` the attributes that
    /// go with it (null: all of them), `$3` its instant.
    pub(super) out: &'static str,
    /// Puts rows back that `$1`, a line of the file, has under `rows`. What stayed behind is made up.
    pub(super) into: &'static str,
}

/// `select`, a query, as rows of an exported state.
macro_rules! rows {
    ($($part:expr),+) => {
        concat!("select json_strip_nulls(row_to_json(x))::text from (", $($part),+, ") x")
    };
}

/// One and the same for one phone, and nothing that leads back to it: the secret is drawn for each export and
/// forgotten.
macro_rules! stand_in {
    ($phone:literal) => {
        concat!("encode(substr(sha256($1::bytea || convert_to(", $phone, ", 'UTF8')), 1, 12), 'base64')")
    };
}

macro_rules! attributes {
    () => {
        "case when $2::text[] is null or attributes = '{}' then attributes
              else (select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(attributes) where key = any($2))
         end as attributes"
    };
}

/// The columns that are put back as they were.
macro_rules! into {
    ($table:literal, $columns:literal) => {
        into!($table, $columns, "", "")
    };
    ($table:literal, $columns:literal, $made_up:literal, $values:literal) => {
        concat!(
            "insert into ",
            $table,
            " (",
            $columns,
            $made_up,
            ") overriding system value select ",
            $columns,
            $values,
            " from json_populate_recordset(null::",
            $table,
            ", $1::json -> 'rows')"
        )
    };
}

/// In an order in which everything a row refers to comes before it.
pub(super) const TABLES: [Table; 12] = [
    // Not the name, the phone and the e-mail address of a member: campaigns name members by their ids.
    Table {
        name: "account",
        out: rows!(
            "select id, external_id, timezone, subscription_ends_at, whatsapp_status, ",
            attributes!(),
            " from account order by id"
        ),
        into: into!(
            "account",
            "id, external_id, timezone, subscription_ends_at, whatsapp_status, attributes",
            ", name, as_of",
            ", '', 'epoch'"
        ),
    },
    // What filters ask for, and who is the same person. Of a payment only that there was one.
    Table {
        name: "referral",
        out: rows!(
            "select account_id, id, ",
            stand_in!("phone"),
            " as phone, language, country, gender, profession_key, birth_date, registered_at,
              case when paid_at is not null then registered_at end as paid_at, consent, ",
            attributes!(),
            ", is_current from referral order by account_id, id"
        ),
        into: into!(
            "referral",
            "account_id, id, phone, language, country, gender, profession_key, birth_date, registered_at, paid_at,
             consent, attributes, is_current",
            ", external_id, name, as_of",
            ", id::text, '', 'epoch'"
        ),
    },
    // Of phones that nobody has nothing is decided.
    Table {
        name: "suppression",
        out: rows!(
            "select ",
            stand_in!("phone"),
            " as phone from suppression s where exists (select from referral r where r.phone = s.phone)"
        ),
        into: into!("suppression", "phone", ", source, suppressed_at", ", 'import', 'epoch'"),
    },
    // Not the author. The newest says whose the database is.
    Table {
        name: "revision",
        out: rows!("select id, digest, \"commit\", accepted_at, source, repository from revision order by id"),
        into: into!("revision", "id, digest, \"commit\", accepted_at, source, repository", ", plan", ", '[]'"),
    },
    Table {
        name: "manifest",
        // A null that a manifest says is not one that is left out.
        out: "select row_to_json(x)::text
              from (select kind, name, body, revision_id from manifest order by kind, name) x",
        into: into!("manifest", "kind, name, body, revision_id"),
    },
    Table {
        name: "campaign",
        out: rows!("select id, name, removed_at from campaign order by id"),
        into: into!("campaign", "id, name, removed_at"),
    },
    Table {
        name: "run",
        out: rows!(
            "select account_id, campaign_id, phase, reason, created_at, started_at, finished_at, revision_id,
                    fault_revision_id, taken_on, taken, passes, last_pass_found, enrolled_on, enrolled, enroll_at,
                    check_at, foreseen_at, foreseen_end, ahead_at
             from run order by account_id, campaign_id"
        ),
        into: into!(
            "run",
            "account_id, campaign_id, phase, reason, created_at, started_at, finished_at, revision_id,
             fault_revision_id, taken_on, taken, passes, last_pass_found, enrolled_on, enrolled, enroll_at, check_at,
             foreseen_at, foreseen_end, ahead_at",
            ", message",
            ", ''"
        ),
    },
    Table {
        name: "lane",
        out: rows!(
            "select account_id, wake_at, taken_on, taken, next_slot_at, wave, wave_sent from lane order by account_id"
        ),
        into: into!("lane", "account_id, wake_at, taken_on, taken, next_slot_at, wave, wave_sent"),
    },
    Table {
        name: "target",
        out: rows!(
            "select account_id, campaign_id, referral_id, state, exit_reason, day, failed_days, due_at, enrolled_at,
                    revision_id, ended_at
             from target order by account_id, campaign_id, referral_id"
        ),
        into: into!(
            "target",
            "account_id, campaign_id, referral_id, state, exit_reason, day, failed_days, due_at, enrolled_at,
             revision_id, ended_at"
        ),
    },
    // Who was written to today, wherever it is still or already today; the rest is over and decides nothing.
    Table {
        name: "message",
        out: rows!(
            "select account_id, referral_id, campaign_id, day, state, attempts, quota_date, revision_id, queued_at,
                    sent_at
             from message where quota_date >= ($3::timestamptz at time zone 'UTC')::date - 1
             order by account_id, referral_id, campaign_id, day"
        ),
        into: into!(
            "message",
            "account_id, referral_id, campaign_id, day, state, attempts, quota_date, revision_id, queued_at, sent_at",
            ", phone, language, text",
            ", '', '', ''"
        ),
    },
    // With actor and reason: plans show them.
    Table {
        name: "override",
        out: rows!(
            "select id, account_id, campaign_id, action, actor, reason, created_at, until from override order by id"
        ),
        into: into!("override", "id, account_id, campaign_id, action, actor, reason, created_at, until"),
    },
    // The plan that waits, and who approved it: plans say so.
    Table {
        name: "refused_plan",
        out: rows!(
            "select id, digest, refusal, refused_at, approved_at, approved_by from refused_plan
             where revision_id is null"
        ),
        into: into!(
            "refused_plan",
            "id, digest, refusal, refused_at, approved_at, approved_by",
            ", changes, approval_reason",
            ", '[]', case when approved_by is not null then '' end"
        ),
    },
];

#[cfg(test)]
mod tests {
    use super::TABLES;
    use crate::store::MIGRATOR;

    /// What plans do not ask for. Of `generation` the header of the file has what there is.
    const LEFT_OUT: [&str; 24] = [
        "sandbox_message",
        "clock",
        "event",
        "reconciler",
        "lease",
        "generation",
        "facts_generation",
        "frozen_manifest",
        "notifier",
        "notification",
        "account_halt",
        "channel_halt",
        "provider_stop",
        "sender",
        "webhook",
        "provider_message",
        "alias",
        "inbound",
        "conversation",
        "confirmation",
        "person_hold",
        "forgotten",
        "forgotten_key",
        "installation",
    ];

    #[test]
    fn every_table_is_exported_or_left_out() {
        for step in MIGRATOR.iter() {
            let made = step.sql.as_str().split("create table ").skip(1);
            for (table, _) in made.filter_map(|text| text.split_once(" (")) {
                let exported = TABLES.iter().any(|known| known.name == table);
                assert!(exported != LEFT_OUT.contains(&table), "is `{table}` exported or left out?");
            }
        }
    }
}
