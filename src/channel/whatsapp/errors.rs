//! The reaction to each error code of the Graph API. The HTTP status beside a code carries no information.

use chrono::TimeDelta;

use crate::core::lifecycle::outcome::Reaction;

/// The period over which Meta counts the marketing messages that a person gets.
const MARKETING_LIMIT: TimeDelta = TimeDelta::hours(24);

/// The person switched marketing messages off, and may switch them on again.
pub const SWITCHED_OFF: i64 = 131_050;

/// Returns the reaction to `code` at hand-over number `attempts` of a message, counted from 1.
///
/// A fault of a number pauses only the account. Accounts mostly have their own numbers, and one faulty number is no
/// reason to pause the others. The caller widens the pause to the channel if many accounts share the number: see
/// [`by_number`].
pub fn reaction(code: i64, attempts: u16) -> Reaction {
    match code {
        // The throughput limit of the number; the rate limits of the app and the business.
        130_429 | 4 | 80_007 => Reaction::Throttle { after: None },
        // Too many messages to this person.
        131_056 => Reaction::Retry { after: Some(person_limit(attempts)) },
        // Unknown errors, overload, maintenance: they pass.
        1 | 2 | 131_000 | 131_016 | 131_057 | 133_004 => Reaction::Retry { after: None },
        // The number is restricted for spam; the business filed templates wrongly, broke a policy, is locked, or did
        // not pay.
        131_048 | 131_064 | 368 | 131_031 | 131_042 => Reaction::PauseAccount,
        // The number is deleted, lacks a certificate, is not registered or verified, or has no approved name.
        33 | 131_045 | 133_010 | 133_006 | 131_037 => Reaction::PauseAccount,
        // The token; the permissions of the app; the recipient list of a test number; marketing switched off.
        190 | 0 | 3 | 10 | 200..=299 | 131_005 | 131_030 | 131_063 => Reaction::PauseChannel,
        // The template is missing, against policy, malformed, paused or disabled; or its parameters misfit.
        132_000 | 132_001 | 132_007 | 132_012 | 132_018 | 132_015 | 132_016 => Reaction::PauseRun,
        // A value is missing, or makes the text too long, for this person.
        131_008 | 132_005 => Reaction::Unfit,
        // The person is not on WhatsApp, is the sender itself, or lives in a country that is closed to the business.
        131_026 | 131_021 | 130_497 => Reaction::Leave,
        // The person stopped marketing messages, or the business blocked the person.
        SWITCHED_OFF | 130_403 => Reaction::Suppress,
        // The person is part of an experiment of Meta.
        130_472 => Reaction::SkipDay,
        // The marketing limit of the person is used up. A second refusal ends the attempts, because some people get
        // none at all.
        131_049 if attempts <= 1 => Reaction::Retry { after: Some(MARKETING_LIMIT) },
        131_049 => Reaction::FailDay,
        // Free text outside the conversation window would be refused again; so would wrong parameters or media.
        131_047 | 131_051 | 131_009 | 100 | 135_000 | 131_052 | 131_053 => Reaction::FailDay,
        // Meta adds codes: an unknown one may be transient, so it is tried once more.
        _ if attempts <= 1 => Reaction::Retry { after: None },
        _ => Reaction::FailDay,
    }
}

/// Refines the reaction to the general code for wrong parameters by the details beside it.
///
/// A name that is missing or wrong is so for everybody, since names stand in the manifest. A value that is missing is
/// so for one person.
pub fn by_details(reaction: Reaction, code: i64, details: &str) -> Reaction {
    let details = details.to_ascii_lowercase();
    match code {
        100 if details.contains("parameter name") || details.contains("parameter_name") => Reaction::PauseRun,
        100 if details.contains("'text' is mandatory") => Reaction::Unfit,
        132_018 if details.contains("new-line") || details.contains("consecutive spaces") => Reaction::Unfit,
        _ => reaction,
    }
}

/// Widens a pause of the account to the channel if the sending number is shared, because all its accounts have the same
/// fault. The rule is the same for immediate answers and for later webhooks.
pub fn by_number(reaction: Reaction, is_shared: bool) -> Reaction {
    match reaction {
        Reaction::PauseAccount if is_shared => Reaction::PauseChannel,
        other => other,
    }
}

/// Returns the wait after a limit for one person: 4 s, 16 s, 64 s…, at most 18 hours.
fn person_limit(attempts: u16) -> TimeDelta {
    TimeDelta::seconds(1 << (2 * attempts.min(8)))
}

#[cfg(test)]
mod tests {
    use super::{Reaction, by_details, reaction};

    /// Every documented code in order, the bounds of the range of permissions, and some unknown codes.
    const CODES: [i64; 58] = [
        0,
        1,
        2,
        3,
        4,
        10,
        33,
        100,
        190,
        199,
        200,
        299,
        300,
        368,
        80_007,
        130_403,
        130_429,
        130_472,
        130_497,
        131_000,
        131_005,
        131_008,
        131_009,
        131_016,
        131_021,
        131_026,
        131_030,
        131_031,
        131_037,
        131_042,
        131_045,
        131_047,
        131_048,
        131_049,
        131_050,
        131_051,
        131_052,
        131_053,
        131_056,
        131_057,
        131_063,
        131_064,
        132_000,
        132_001,
        132_005,
        132_007,
        132_012,
        132_015,
        132_016,
        132_018,
        133_004,
        133_006,
        133_010,
        135_000,
        999_999,
        -1,
        i64::MIN,
        i64::MAX,
    ];

    #[test]
    fn table() {
        let mut table = String::new();
        for code in CODES {
            let [first, second, third] = [1, 2, 3].map(|attempts| reaction(code, attempts));
            table += &match (first == second, second == third) {
                (true, true) => format!("{code:<8} {first:?}\n"),
                _ => format!("{code:<8} {first:?}, then {second:?}, then {third:?}\n"),
            };
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_missing_name_concerns_the_run_and_a_missing_value_one_person() {
        let of = |code, details| by_details(reaction(code, 1), code, details);
        assert_eq!(of(100, "Invalid parameter: Parameter name is missing or empty"), Reaction::PauseRun);
        assert_eq!(of(100, "Unexpected key parameter_name"), Reaction::PauseRun);
        assert_eq!(of(100, "Parameter 'text' is mandatory for component parameter type 'text'"), Reaction::Unfit);
        assert_eq!(
            of(132_018, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"),
            Reaction::Unfit
        );
        assert_eq!(of(132_018, "There is an issue with the parameters"), Reaction::PauseRun);
        assert_eq!(of(100, "Invalid parameter"), Reaction::FailDay);
        assert_eq!(of(131_026, "Parameter name"), Reaction::Leave);
    }

    #[test]
    fn every_error_code_has_a_reaction_at_any_attempt() {
        for attempts in [0, 1, u16::MAX] {
            for code in CODES {
                drop(format!("{:?}", reaction(code, attempts)));
            }
        }
    }
}
