//! What each error code of the Graph API asks for. The HTTP status beside it says nothing.

use chrono::TimeDelta;

use crate::core::lifecycle::outcome::Reaction;

/// What a person may get of marketing is counted over a day.
const MARKETING_LIMIT: TimeDelta = TimeDelta::hours(24);

/// The person switched marketing messages off, and may switch them on again.
pub const SWITCHED_OFF: i64 = 131_050;

/// The reaction to `code` at the hand-over that is number `attempts` of its message, from 1.
///
/// What is wrong with a number pauses the account, because accounts mostly have numbers of their own and one of them
/// unregistered is no reason to silence the others; who sends by a number that many share widens it to the channel.
pub fn reaction(code: i64, attempts: u16) -> Reaction {
    match code {
        // The throughput of the number; the limits of the app and the business.
        130_429 | 4 | 80_007 => Reaction::Throttle { after: None },
        // Too many to this person.
        131_056 => Reaction::Retry { after: Some(person_limit(attempts)) },
        // Unknown trouble, overload, maintenance: it passes.
        1 | 2 | 131_000 | 131_016 | 131_057 | 133_004 => Reaction::Retry { after: None },
        // The number restricted for spam; the business for templates filed wrongly, or for its policy; locked; unpaid.
        131_048 | 131_064 | 368 | 131_031 | 131_042 => Reaction::PauseAccount,
        // The number deleted, missing a certificate, not registered, not verified, its name not approved.
        33 | 131_045 | 133_010 | 133_006 | 131_037 => Reaction::PauseAccount,
        // The token, the permissions of the app; one's own list of test numbers; marketing switched off.
        190 | 0 | 3 | 10 | 200..=299 | 131_005 | 131_030 | 131_063 => Reaction::PauseChannel,
        // The template: parameters, missing, too long, against policy, misshapen; paused, disabled.
        132_000 | 132_001 | 132_005 | 132_007 | 132_012 | 132_018 | 132_015 | 132_016 => Reaction::PauseRun,
        // Not on WhatsApp, the sender itself, a country that is closed to the business.
        131_026 | 131_021 | 130_497 => Reaction::Leave,
        // The person stopped marketing; we blocked the person.
        SWITCHED_OFF | 130_403 => Reaction::Suppress,
        // Part of an experiment of Meta's.
        130_472 => Reaction::SkipDay,
        // What a person may get of marketing is used up. Who gets none at all would be tried for ever.
        131_049 if attempts <= 1 => Reaction::Retry { after: Some(MARKETING_LIMIT) },
        131_049 => Reaction::FailDay,
        // Free text outside the window: the same message would be refused again. Parameters that are wrong; media.
        131_047 | 131_051 | 131_008 | 131_009 | 100 | 135_000 | 131_052 | 131_053 => Reaction::FailDay,
        // Codes are added: each may be transient, once.
        _ if attempts <= 1 => Reaction::Retry { after: None },
        _ => Reaction::FailDay,
    }
}

/// The reaction to what is said of a hand-over by a number of the account's own, or by one that many share: what is wrong with
/// that one concerns all of them. The same for what is answered at once and for what is told later.
pub fn by_number(reaction: Reaction, is_shared: bool) -> Reaction {
    match reaction {
        Reaction::PauseAccount if is_shared => Reaction::PauseChannel,
        other => other,
    }
}

/// 4 s, 16 s, 64 s…, at most 18 hours.
fn person_limit(attempts: u16) -> TimeDelta {
    TimeDelta::seconds(1 << (2 * attempts.min(8)))
}

#[cfg(test)]
mod tests {
    use super::reaction;

    /// Every code that is documented, in order, the ends of the range of permissions, and one nobody knows.
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
    fn every_attempt_has_a_reaction() {
        for attempts in [0, 1, u16::MAX] {
            for code in CODES {
                drop(format!("{:?}", reaction(code, attempts)));
            }
        }
    }
}
