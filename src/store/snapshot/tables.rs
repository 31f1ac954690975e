//! The tables and columns of a snapshot: an allow list, so that whatever is not listed stays behind.

/// A table of a snapshot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The query for its rows as JSON objects, nulls left out. Parameters: `$1` is the secret of this export, `$2` the
    /// attributes to include (null for all), `$3` the instant of the export.
    pub(super) out: &'static str,
    /// The statement that inserts the rows in `rows` of `$1`, a line of the file. It makes up the columns left behind.
    pub(super) into: &'static str,
}

/// Turns the query `select` into rows of a snapshot.
macro_rules! rows {
    ($($part:expr),+) => {
        concat!("select json_strip_nulls(row_to_json(x))::text from (", $($part),+, ") x")
    };
}

/// The pseudonym of a phone. It cannot be reversed: the secret is random for each export and then forgotten.
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

/// An insertion of columns that a snapshot contains unchanged.
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

/// The tables of a snapshot, each after those it refers to.
pub(super) const TABLES: [Table; 12] = [
    // A member's name, phone and e-mail address stay behind: campaigns name members by their ids.
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
    // The columns that filters use and that identify duplicates of a person. A payment leaves only the fact that it
    // exists.
    Table {
        name: "referral",
        out: rows!(
            "select account_id, id, ",
            stand_in!("phone"),
            " as phone, language, country, timezone, gender, profession_key, birth_date, registered_at,
              case when paid_at is not null then registered_at end as paid_at, consent, ",
            attributes!(),
            ", is_current from referral order by account_id, id"
        ),
        into: into!(
            "referral",
            "account_id, id, phone, language, country, timezone, gender, profession_key, birth_date, registered_at, paid_at,
             consent, attributes, is_current",
            ", external_id, name, as_of",
            ", id::text, '', 'epoch'"
        ),
    },
    // Suppressions of phones that no person has affect no decision.
    Table {
        name: "suppression",
        out: rows!(
            "select ",
            stand_in!("phone"),
            " as phone from suppression s where exists (select from referral r where r.phone = s.phone)"
        ),
        into: into!("suppression", "phone", ", source, suppressed_at", ", 'import', 'epoch'"),
    },
    // The author stays behind. The newest revision tells whose database it is.
    Table {
        name: "revision",
        out: rows!("select id, digest, \"commit\", accepted_at, source, repository from revision order by id"),
        into: into!("revision", "id, digest, \"commit\", accepted_at, source, repository", ", plan", ", '[]'"),
    },
    Table {
        name: "manifest",
        // Nulls stay in these rows, since a null in a manifest has a meaning.
        out: "select row_to_json(x)::text
              from (select kind, name, format, body, source, revision_id from manifest order by kind, name) x",
        into: into!("manifest", "kind, name, format, body, source, revision_id"),
    },
    Table {
        name: "campaign",
        out: rows!("select id, name, removed_at from campaign order by id"),
        into: into!("campaign", "id, name, removed_at"),
    },
    // The details stay behind: they may have the words of operators and providers.
    Table {
        name: "run",
        out: rows!(
            "select account_id, campaign_id, phase, reason, created_at, started_at, finished_at, revision_id,
                    fault_revision_id, taken_on, taken, passes, last_pass_found, busy, enrolled_on, enrolled, enroll_at,
                    check_at, foreseen_at, foreseen_end, ahead_at
             from run order by account_id, campaign_id"
        ),
        into: into!(
            "run",
            "account_id, campaign_id, phase, reason, created_at, started_at, finished_at, revision_id,
             fault_revision_id, taken_on, taken, passes, last_pass_found, busy, enrolled_on, enrolled, enroll_at, check_at,
             foreseen_at, foreseen_end, ahead_at",
            ", detail",
            r#", '{"code": "none"}'"#
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
    // Messages of the current local day in any time zone, and the last one of everybody who waits for a day: an edit of
    // waits counts from it. Other messages affect no decision.
    Table {
        name: "message",
        out: rows!(
            "select m.account_id, m.referral_id, m.campaign_id, m.day, m.state, m.attempts, m.quota_date, m.revision_id,
                    m.due_at, m.queued_at, m.sent_at
             from message m
             left join target t on (t.account_id, t.campaign_id, t.referral_id)
                                 = (m.account_id, m.campaign_id, m.referral_id) and t.due_at is not null
             where m.quota_date >= ($3::timestamptz at time zone 'UTC')::date - 1
                or t.account_id is not null and m.day >= (
                     select coalesce(max(l.day), 0) from message l
                     where (l.account_id, l.referral_id, l.campaign_id)
                         = (t.account_id, t.referral_id, t.campaign_id) and l.day < t.day)
             order by m.account_id, m.referral_id, m.campaign_id, m.day"
        ),
        into: into!(
            "message",
            "account_id, referral_id, campaign_id, day, state, attempts, quota_date, revision_id, due_at, queued_at,
             sent_at",
            ", phone, language, text",
            ", '', '', ''"
        ),
    },
    // Actor and reason are included because plans show them.
    Table {
        name: "override",
        out: rows!(
            "select id, account_id, campaign_id, action, actor, reason, created_at, until from override order by id"
        ),
        into: into!("override", "id, account_id, campaign_id, action, actor, reason, created_at, until"),
    },
    // The plan that awaits approval and its approver are included because plans show them.
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

    /// Tables that plans do not need. The header of the file has the content of `generation`.
    const LEFT_OUT: [&str; 30] = [
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
        "api_token",
        "api_request",
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
