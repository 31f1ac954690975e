//! Conversion of the rows of a world into the vocabulary of tests.

use serde_json::{Map, Value, json};

use super::compare::Found;
use super::failure::Subject;
use crate::core::plan::{Change, Effect};
use crate::store::query::{Message, Run, Target};

pub(super) fn message(row: &Message) -> Found {
    Found {
        title: format!("`{}` in `{}`, day {}", row.referral, row.campaign, row.day),
        subject: Some(Subject::Person(row.referral.clone())),
        fields: fields(json!({
            "referral": row.referral,
            "account": row.account,
            "campaign": row.campaign,
            "day": row.day,
            "state": row.state,
            "language": row.language,
            "text": row.content(),
            "attempts": row.attempts,
        })),
    }
}

pub(super) fn target(row: &Target) -> Found {
    Found {
        title: format!("`{}` in `{}`", row.referral, row.campaign),
        subject: Some(Subject::Person(row.referral.clone())),
        fields: fields(json!({
            "referral": row.referral,
            "account": row.account,
            "campaign": row.campaign,
            "state": row.state,
            "reason": row.exit_reason,
            "day": row.day,
            "hold": row.hold.as_ref().map(|hold| hold.reason),
            "dueAt": row.next_due_at,
        })),
    }
}

pub(super) fn run(row: &Run) -> Found {
    Found {
        title: format!("`{}` for `{}`", row.campaign, row.account),
        subject: Some(Subject::Run { campaign: row.campaign.clone(), account: row.account.clone() }),
        fields: fields(json!({
            "campaign": row.campaign,
            "account": row.account,
            "phase": row.phase,
            "reason": row.reason,
            "message": row.detail.to_string(),
            "enrolled": row.counts.enrolled,
            "active": row.counts.active,
            "completed": row.counts.completed,
            "exited": row.counts.exited,
            "sent": row.counts.sent,
        })),
    }
}

pub(super) fn change(change: &Change) -> Found {
    let Effect { accounts, enroll, exit, .. } = change.effect.clone().unwrap_or_default();
    Found {
        title: format!("{} `{}` `{}`", change.action.as_str(), change.kind.as_str(), change.name),
        subject: None,
        fields: fields(json!({
            "action": change.action,
            "kind": change.kind.as_str(),
            "name": change.name,
            "enroll": enroll,
            "exit": exit,
            "accounts": accounts,
        })),
    }
}

fn fields(row: Value) -> Map<String, Value> {
    match row {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::core::lifecycle::message::State;
    use crate::core::lifecycle::run::{Phase, Reason};
    use crate::core::lifecycle::target::Exit;
    use crate::core::manifest::testcase::words;
    use crate::core::plan::Action;
    use crate::store::query::Standing;

    #[test]
    fn test_vocabulary_matches_the_stored_states() {
        assert_eq!(words::MESSAGE_STATES, State::ALL.map(State::as_str));
        assert_eq!(words::TARGET_STATES, Standing::ALL.map(Standing::as_str));
        assert_eq!(words::EXIT_REASONS, Exit::ALL.map(Exit::as_str));
        assert_eq!(words::PHASES, Phase::ALL.map(Phase::as_str));
        assert_eq!(words::RUN_REASONS, Reason::ALL.map(Reason::as_str));
        assert_eq!(words::ACTIONS, Action::ALL.map(Action::as_str));
    }
}
