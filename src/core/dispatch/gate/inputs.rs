//! The inputs of each check in words, for explanations. No check reads them.

use super::check::Check;
use super::question::{LaneRestriction, Person, Question, Quota};
use crate::core::domain::{Consent, NaiveDate, Opening, Timestamp, Windows, Zone};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::run::Phase;
use crate::core::manifest::desired::ConsentPolicy;

/// The facts that the words need and the checks do not.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The run's recorded phase, and its detail.
    pub run: (Phase, &'a Detail),
    pub windows: &'a Windows,
    /// The zone of the windows.
    pub zone: &'a Zone,
    pub paid_at: Option<Timestamp>,
    /// The source and the time of the person's consent answer.
    pub consent_source: Option<&'a str>,
    pub consent_at: Option<Timestamp>,
    pub suppressed_at: Option<Timestamp>,
    /// When the person sent the possible opt-out that waits for review.
    pub held_at: Option<Timestamp>,
}

pub(super) fn inputs(check: Check, q: &Question, setting: &Setting<'_>) -> String {
    let of_person = |say: &dyn Fn(Person) -> String| q.person.map(say).unwrap_or_default();
    match check {
        Check::RunActive => run(q, setting),
        Check::Sending => if q.sending { "on" } else { "off" }.to_owned(),
        Check::Subscription => match q.account.subscription_ends_at {
            None => "no end on record".to_owned(),
            Some(end) if end <= q.now => format!("ended {}", utc(end)),
            Some(end) => format!("until {}", utc(end)),
        },
        Check::Connected => yes_or_no(q.account.connected).to_owned(),
        Check::LaneRestriction => match q.account.halt {
            None => "yes".to_owned(),
            Some(halt) if halt.is_over(q.now) => "yes, again".to_owned(),
            Some(LaneRestriction { until: Some(until) }) => format!("stopped until {}", utc(until)),
            Some(LaneRestriction { until: None }) => "stopped until a person lifts it".to_owned(),
        },
        Check::Paid => of_person(&|person| paid(person, q, setting)),
        Check::Consent => of_person(&|person| consent(person, q.run.consent, setting)),
        Check::Window => window(q, setting),
        Check::AccountCap => quota(q.account_quota),
        Check::CampaignCap => quota(q.campaign_quota),
        Check::WrittenToday => of_person(&|person| match person.last_written_on {
            None => format!("never written to, today is {}", person.today),
            Some(day) => format!("last written to on {day}, today is {}", person.today),
        }),
        Check::Pacing => match q.next_slot_at.max(q.account.throttled_until) {
            None => "no slot to wait for".to_owned(),
            Some(slot) if slot > q.now => format!("next slot {}", slot.format("%Y-%m-%d %H:%M:%S")),
            Some(slot) => format!("free since {}", slot.format("%Y-%m-%d %H:%M:%S")),
        },
    }
}

fn run(q: &Question, setting: &Setting<'_>) -> String {
    let (phase, detail) = setting.run;
    let run = if phase == q.run.phase {
        format!("{phase}: {detail}")
    } else {
        format!("{phase} on record, but its manifest does not want it to run")
    };
    match q.run.end_at {
        None => run,
        Some(end) if end <= q.now => format!("{run}; ended {}", utc(end)),
        Some(end) => format!("{run}; ends {}", utc(end)),
    }
}

fn paid(person: Person, q: &Question, setting: &Setting<'_>) -> String {
    let paid = format!("{}{}", yes_or_no(person.paid), since(setting.paid_at.filter(|_| person.paid), None));
    if q.run.exit_on_paid { paid } else { format!("{paid}; the campaign writes to people who paid too") }
}

fn consent(person: Person, policy: ConsentPolicy, setting: &Setting<'_>) -> String {
    let policy = match policy {
        ConsentPolicy::Required => "required",
        ConsentPolicy::Legacy => "legacy",
    };
    let answered = since(setting.consent_at, setting.consent_source);
    let consent_words = match (person.suppressed, person.consent) {
        (true, _) => format!("asked to get no messages{}", since(setting.suppressed_at, None)),
        (false, Some(Consent::OptedIn)) => format!("agreed{answered}"),
        (false, Some(Consent::OptedOut)) => format!("opted out{answered}"),
        (false, None) => "unknown".to_owned(),
    };
    let wrote = if person.near_opt_out && !person.suppressed {
        format!("; what they wrote may be an opt-out and waits to be read{}", since(setting.held_at, None))
    } else {
        String::new()
    };
    format!("{consent_words}{wrote}; policy `{policy}`")
}

fn window(q: &Question, setting: &Setting<'_>) -> String {
    let Setting { windows, zone, .. } = setting;
    let local = |at: Timestamp| zone.local(at);
    let same_day = |at: Timestamp| zone.date(at) == zone.date(q.now);
    let then = match q.opening {
        Opening::Open(until) if same_day(until) => format!("open until {}", local(until).format("%H:%M")),
        Opening::Open(until) => format!("open until {}", day_and_time(local(until))),
        Opening::Opens(at) => format!("opens {}", day_and_time(local(at))),
        Opening::Never => "never opens".to_owned(),
    };
    format!("{windows} in {}, now {}: {then}", zone.as_str(), local(q.now).format("%a %H:%M"))
}

fn day_and_time(local: chrono::NaiveDateTime) -> String {
    local.format("%a %-d %b %H:%M").to_string()
}

fn quota(quota: Quota) -> String {
    match quota.cap {
        None => format!("{} taken today, no cap", quota.taken),
        Some(cap) => format!("{} of {cap} taken today", quota.taken),
    }
}

/// Returns text such as ` since 2026-11-20 (form)`, as far as it is known.
fn since(at: Option<Timestamp>, source: Option<&str>) -> String {
    let at = at.map(|at| format!(" since {}", NaiveDate::from(at.naive_utc()))).unwrap_or_default();
    source.map_or_else(|| at.clone(), |source| format!("{at} ({source})"))
}

fn utc(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

const fn yes_or_no(so: bool) -> &'static str {
    if so { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::{Setting, inputs};
    use crate::core::dispatch::gate::check::Check;
    use crate::core::dispatch::gate::question::{Account, Person, Question, Quota, Run};
    use crate::core::domain::{Consent, NaiveDate, Opening, Timestamp, Weekday, Window, Windows, Zone};
    use crate::core::lifecycle::detail::Detail;
    use crate::core::lifecycle::run::Phase;
    use crate::core::manifest::desired::ConsentPolicy;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Returns a question on a Saturday evening in Douala, an hour ahead of UTC.
    fn question() -> Question {
        let day = |text: &str| -> NaiveDate { text.parse().unwrap() };
        Question {
            now: at("2026-11-28T20:14:00Z"),
            run: Run { phase: Phase::Active, end_at: None, exit_on_paid: true, consent: ConsentPolicy::Required },
            sending: true,
            account: Account::new(None, true),
            person: Some(Person {
                paid: false,
                consent: Some(Consent::OptedIn),
                suppressed: false,
                near_opt_out: false,
                last_written_on: Some(day("2026-11-27")),
                today: day("2026-11-28"),
            }),
            opening: Opening::Opens(at("2026-11-30T07:00:00Z")),
            own_windows: false,
            account_quota: Quota { cap: Some(200), taken: 37 },
            campaign_quota: Quota { cap: None, taken: 12 },
            day_ends_at: at("2026-11-28T23:00:00Z"),
            next_slot_at: Some(at("2026-11-28T20:15:30Z")),
        }
    }

    fn inputs_of(question: &Question, change: impl Fn(&mut Setting<'_>)) -> Vec<(Check, String)> {
        let window = Window {
            days: vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri],
            from: "08:00".parse().unwrap(),
            to: "20:00".parse().unwrap(),
        };
        let windows = Windows { windows: vec![window], blackouts: vec![] };
        let zone = Zone::parse("Africa/Douala").unwrap();
        let mut setting = Setting {
            run: (Phase::Active, &Detail::Running),
            windows: &windows,
            zone: &zone,
            paid_at: None,
            consent_source: Some("form"),
            consent_at: Some(at("2026-11-20T10:00:00Z")),
            suppressed_at: None,
            held_at: None,
        };
        change(&mut setting);
        Check::ALL.into_iter().map(|check| (check, inputs(check, question, &setting))).collect()
    }

    #[test]
    fn every_gate_check_lists_its_inputs() {
        let lines: Vec<String> = inputs_of(&question(), |_| {})
            .into_iter()
            .map(|(check, inputs)| format!("{}: {inputs}", check.as_str()))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn every_gate_check_lists_its_inputs_in_other_circumstances() {
        let mut other = question();
        other.run.phase = Phase::Paused;
        other.run.end_at = Some(at("2026-12-24T08:00:00Z"));
        other.run.exit_on_paid = false;
        other.sending = false;
        other.run.consent = ConsentPolicy::Legacy;
        other.account = Account::new(Some(at("2026-11-01T00:00:00Z")), false);
        let paid = Person { paid: true, consent: None, last_written_on: None, ..question().person.unwrap() };
        other.person = Some(paid);
        other.opening = Opening::Open(at("2026-11-28T22:00:00Z"));
        other.account_quota = Quota { cap: Some(0), taken: 0 };
        other.next_slot_at = None;
        let mut stopped = other.clone();
        stopped.person = Some(Person { suppressed: true, ..paid });
        stopped.opening = Opening::Never;
        let unread = Question { person: Some(Person { near_opt_out: true, ..paid }), ..other };
        let third = inputs_of(&unread, |setting| setting.held_at = Some(at("2026-11-27T08:00:00Z")));
        let third = third.iter().filter(|(check, _)| *check == Check::Consent);
        let first = inputs_of(&other, |setting| setting.paid_at = Some(at("2026-11-25T08:00:00Z")));
        let second = inputs_of(&stopped, |setting| {
            setting.run = (Phase::Paused, &Detail::PausedInManifest);
            setting.suppressed_at = Some(at("2026-11-26T08:00:00Z"));
        });
        let lines: Vec<String> = first
            .iter()
            .chain(&second)
            .chain(third)
            .map(|(check, inputs)| format!("{}: {inputs}", check.as_str()))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
