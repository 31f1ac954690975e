//! The page of the kinds of log lines.

use super::{Page, head, row, titled};
use crate::core::lifecycle::event::EventKind;

pub(super) fn page() -> Page {
    let mut text = titled("Log events");
    text += "\n`relancectl log` prints these events. `log -o json` names the kind in the field `kind`.\n\n";
    text += &head(&["Kind", "Meaning"]);
    for kind in EventKind::ALL {
        text += &row(&[&format!("`{kind}`"), meaning(kind)]);
    }
    Page { path: "events.md".to_owned(), text }
}

const fn meaning(kind: EventKind) -> &'static str {
    match kind {
        EventKind::RunCreated => "A run was created for an account.",
        EventKind::RunPhase => "A run changed its phase, or the reason for its phase.",
        EventKind::OverrideSet => "An operator paused, resumed, started or cancelled something.",
        EventKind::OverrideCleared => "An operator took an order back.",
        EventKind::OverrideExpired => "The time of an order ran out.",
        EventKind::RevisionApplied => "A revision of the manifests took effect.",
        EventKind::PlanRefused => "The guard refused a plan. It waits for an approval.",
        EventKind::PlanApproved => "A person approved a refused plan.",
        EventKind::ManifestFrozen => "A manifest has errors. Its last good version stays in force.",
        EventKind::ManifestThawed => "A frozen manifest takes effect again as the files have it.",
        EventKind::Import => "An import of accounts or referrals ended.",
        EventKind::NotificationGivenUp => "A notification could not be delivered for a day and was dropped.",
        EventKind::Suppressed => "An operator suppressed one or more phones.",
        EventKind::Unsuppressed => "An operator lifted a suppression.",
        EventKind::MessageResolved => "An operator decided the outcome of uncertain messages.",
        EventKind::NearOptOut => {
            "A reply or a row of an import may mean STOP, or a person has another number. They are held until somebody decides."
        }
        EventKind::HoldReleased => "An operator read the reply and released the person.",
        EventKind::ContactErased => "The personal data of one person were erased.",
        EventKind::ProviderNotice => "A provider reported a change of an account, a number or a template.",
        EventKind::OptOutRate => "The opt-out rate of an account went above a threshold.",
        EventKind::TestSent => "An operator sent a test message with `send-test`.",
    }
}
