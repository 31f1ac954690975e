//! The effect of Meta's events on sending: some stop it, some allow it again.
//!
//! An unknown event has no effect on sending, but is still reported. If it stops messages, Meta refuses them anyway.

use crate::channel::webhook::Meaning;
use crate::core::domain::Timestamp;

/// Returns the meaning of a template status. The title takes precedence, because it reports the end of a pause.
pub(super) fn of_template(event: &str, title: Option<&str>) -> Meaning {
    if title == Some("UNPAUSE") {
        return Meaning::Lift;
    }
    match event {
        "PAUSED" | "DISABLED" | "REJECTED" | "ARCHIVED" | "DELETED" | "PENDING_DELETION" => {
            Meaning::Stop { until: None }
        }
        "APPROVED" | "REINSTATED" | "UNPAUSED" | "UNARCHIVED" => Meaning::Lift,
        // At risk, under review, or at the limit of templates: an approved template can still be sent.
        _ => Meaning::Nothing,
    }
}

/// Returns the meaning of a number event. A change of the limit or the throughput does not affect sending.
pub(super) fn of_number(event: &str) -> Meaning {
    match event {
        "FLAGGED" | "RESTRICTED" => Meaning::Stop { until: None },
        "UNFLAGGED" | "UNRESTRICTED" => Meaning::Lift,
        _ => Meaning::Nothing,
    }
}

/// A restriction of an account, with its end if Meta states one.
#[derive(Debug, Clone)]
pub(super) struct Restriction {
    pub(super) kind: String,
    pub(super) until: Option<Timestamp>,
}

/// Returns the meaning of an account event, given the state of a ban and the restrictions.
pub(super) fn of_account(event: &str, ban: Option<&str>, restrictions: &[Restriction]) -> Meaning {
    match event {
        "DISABLED_UPDATE" if ban == Some("REINSTATE") => Meaning::Lift,
        "DISABLED_UPDATE" | "ACCOUNT_DELETED" | "ACCOUNT_OFFBOARDED" => Meaning::Stop { until: None },
        "ACCOUNT_RESTRICTION" => restricted(restrictions),
        "ACCOUNT_RECONNECTED" | "REINSTATED" | "ACCOUNT_REINSTATED" | "RESTRICTION_LIFTED" => Meaning::Lift,
        _ => Meaning::Nothing,
    }
}

/// Returns the meaning of restrictions. Only those on messages stop sending; an unspecified restriction may be one.
fn restricted(restrictions: &[Restriction]) -> Meaning {
    let of_messages =
        |kind: &str| matches!(kind, "RESTRICTED_BIZ_INITIATED_MESSAGING" | "RESTRICTED_CUSTOMER_INITIATED_MESSAGING");
    let ends: Vec<_> = restrictions.iter().filter(|one| of_messages(&one.kind)).map(|one| one.until).collect();
    match ends.as_slice() {
        [] if restrictions.is_empty() => Meaning::Stop { until: None },
        [] => Meaning::Nothing,
        // The latest end counts. A restriction without an end lasts until it is lifted.
        ends => Meaning::Stop {
            until: ends.iter().copied().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Restriction, of_account, of_number, of_template};
    use crate::core::domain::Timestamp;

    #[test]
    fn table() {
        let mut table = String::new();
        for event in [
            "APPROVED",
            "ARCHIVED",
            "DELETED",
            "DISABLED",
            "FLAGGED",
            "IN_APPEAL",
            "LIMIT_EXCEEDED",
            "LOCKED",
            "PAUSED",
            "PENDING",
            "PENDING_DELETION",
            "REINSTATED",
            "REJECTED",
            "UNARCHIVED",
            "UNPAUSED",
            "paused",
            "NEW",
        ] {
            table += &format!("template {event:<17} {:?}\n", of_template(event, None));
        }
        table += &format!("template LOCKED, UNPAUSE   {:?}\n", of_template("LOCKED", Some("UNPAUSE")));
        table += &format!("template PAUSED, FIRST     {:?}\n", of_template("PAUSED", Some("FIRST_PAUSE")));
        for event in [
            "DOWNGRADE",
            "FLAGGED",
            "ONBOARDING",
            "RESTRICTED",
            "THROUGHPUT_UPGRADE",
            "UNFLAGGED",
            "UNRESTRICTED",
            "UPGRADE",
        ] {
            table += &format!("number {event:<19} {:?}\n", of_number(event));
        }
        for event in [
            "ACCOUNT_DELETED",
            "ACCOUNT_OFFBOARDED",
            "ACCOUNT_RECONNECTED",
            "ACCOUNT_REINSTATED",
            "ACCOUNT_RESTRICTION",
            "ACCOUNT_VIOLATION",
            "DISABLED_UPDATE",
            "PARTNER_REMOVED",
            "REINSTATED",
            "RESTRICTION_LIFTED",
            "VERIFIED_ACCOUNT",
            "error 130429",
        ] {
            table += &format!("account {event:<19} {:?}\n", of_account(event, None, &[]));
        }
        for ban in ["DISABLE", "SCHEDULE_FOR_DISABLE", "REINSTATE"] {
            table += &format!("ban {ban:<22} {:?}\n", of_account("DISABLED_UPDATE", Some(ban), &[]));
        }
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let (soon, late) = (at("2026-12-01T08:00:00Z"), at("2026-12-04T08:00:00Z"));
        let (to_all, to_some) = ("RESTRICTED_BIZ_INITIATED_MESSAGING", "RESTRICTED_CUSTOMER_INITIATED_MESSAGING");
        let other = "RESTRICTED_ADD_PHONE_NUMBER_ACTION";
        for all in [
            vec![(other, late)],
            vec![(other, late), (to_all, soon)],
            vec![(to_all, soon), (to_some, late)],
            vec![(to_all, soon), (to_some, None)],
        ] {
            let restrictions: Vec<Restriction> =
                all.iter().map(|(kind, until)| Restriction { kind: (*kind).to_owned(), until: *until }).collect();
            let kinds: Vec<&str> = all.iter().map(|(kind, _)| kind.trim_start_matches("RESTRICTED_")).collect();
            table += &format!("{}: {:?}\n", kinds.join(" + "), of_account("ACCOUNT_RESTRICTION", None, &restrictions));
        }
        insta::assert_snapshot!(table);
    }
}
