use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use super::{Account, Endless, Finish, Group, Limit, NextMessage, Outlook, Place, Run, Watch, forecast, next_message};
use crate::core::dispatch::cadence::Cadence;
use crate::core::dispatch::gate;
use crate::core::dispatch::pacing::Pace;
use crate::core::domain::{CampaignId, Consent, Moment, Name, Period, Timestamp, Weekday, Window, Windows, Zone};
use crate::core::lifecycle::ordering::Order;
use crate::core::lifecycle::run::Phase;
use crate::core::manifest::desired::policy::AccountPolicy;
use crate::core::manifest::desired::{
    AccountSelector, Campaign, CampaignType, ConsentPolicy, Day, DesiredState, Enrollment, Filter, Limits, Pacing,
    PastSubscription, Schedule, Sequence, ZoneOf,
};

const WORKDAYS: [Weekday; 5] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Returns a Tuesday at six in the morning in Douala.
fn now() -> Timestamp {
    at("2026-12-01T05:00:00Z")
}

/// Returns a campaign of seven days, which sends from 8 to 20 o'clock.
fn campaign() -> Campaign {
    let hours =
        |days: &[Weekday]| Window { days: days.to_vec(), from: "08:00".parse().unwrap(), to: "20:00".parse().unwrap() };
    Campaign {
        kind: CampaignType::Filtered,
        state: DesiredState::Active,
        accounts: AccountSelector::All,
        filter: Filter::default(),
        schedule: Schedule {
            start_at: None,
            end_at: None,
            timezone: None,
            zone: ZoneOf::Account,
            windows: Windows { windows: vec![hours(&Weekday::ALL)], blackouts: vec![] },
            first_after: Period::hours(1),
            every: Period::hours(24),
        },
        run_after: None,
        past_subscription: PastSubscription::default(),
        priority: 10,
        sequence: Name::parse("days").unwrap(),
        days: BTreeMap::new(),
        limits: Limits::default(),
        enrollment: Enrollment::UntilDrained,
        enroll_after: Period::ZERO,
        consent: ConsentPolicy::Required,
        exit_on_paid: true,
        channel: None,
    }
}

fn sequence(days: u16) -> Sequence {
    let day =
        Day { text: BTreeMap::new(), subject: BTreeMap::new(), media: vec![], whatsapp_template: None, after: None };
    Sequence {
        days: (1..=days).map(|n| (n, day.clone())).collect(),
        fallback_language: crate::core::domain::Language::parse("fr").unwrap(),
    }
}

/// Returns people with ids that no other group has.
fn people(count: u32, places: &[Place]) -> Group {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let first = NEXT.fetch_add(i64::from(count), Ordering::Relaxed);
    Group {
        referrals: (first..first + i64::from(count)).collect(),
        zone: None,
        registered_at: at("2026-11-01T00:00:00Z"),
        paid: false,
        consent: Some(Consent::OptedIn),
        suppressed: false,
        last_written_on: None,
        places: places.to_vec(),
    }
}

const WAITING: Place = Place::Waiting { from: Timestamp::MIN_UTC };

struct Case {
    cap: Option<u32>,
    pacing: Pacing,
    connected: bool,
    days: u16,
    now: Timestamp,
}

impl Default for Case {
    fn default() -> Self {
        let pacing = Pacing { every: Period::ZERO, jitter: Period::ZERO, waves: vec![] };
        Self { cap: Some(50), pacing, connected: true, days: 7, now: now() }
    }
}

impl Case {
    fn look(&self, specs: &[Campaign], groups: Vec<Group>) -> Vec<Outlook> {
        let sequence = sequence(self.days);
        let cadences: Vec<Cadence> = specs.iter().map(|spec| Cadence::of(spec, &sequence)).collect();
        let runs: Vec<Run<'_>> = (1..)
            .map(CampaignId)
            .zip(specs)
            .zip(&cadences)
            .map(|((id, spec), cadence)| Run::new(id, spec, cadence))
            .collect();
        self.look_at(&runs, groups)
    }

    fn look_at(&self, runs: &[Run<'_>], groups: Vec<Group>) -> Vec<Outlook> {
        let policy =
            AccountPolicy { messages_per_day: self.cap, pacing: self.pacing.clone(), ..AccountPolicy::default() };
        let facts = gate::Account::new(None, self.connected);
        let zone = Zone::parse("Africa/Douala").unwrap();
        let order = Order::default();
        let account = Account { zone: &zone, policy: &policy, order: &order, facts, taken: 0, pace: Pace::default() };
        forecast(&account, runs, groups, self.now)
    }
}

impl Case {
    fn next_message(&self, runs: &[Run<'_>], groups: Vec<Group>, referral: i64) -> NextMessage {
        let policy =
            AccountPolicy { messages_per_day: self.cap, pacing: self.pacing.clone(), ..AccountPolicy::default() };
        let (zone, order) = (Zone::parse("Africa/Douala").unwrap(), Order::default());
        let facts = gate::Account::new(None, self.connected);
        let account = Account { zone: &zone, policy: &policy, order: &order, facts, taken: 0, pace: Pace::default() };
        // The watched person stands alone, as the store reads them.
        let alone = |group: Group| {
            let (watched, others): (Vec<i64>, Vec<i64>) = group.referrals.iter().partition(|id| **id == referral);
            [watched, others].map(|referrals| Group { referrals, ..group.clone() })
        };
        let groups: Vec<Group> = groups.into_iter().flat_map(alone).filter(|group| group.people() > 0).collect();
        next_message(&account, runs, &groups, Watch { run: 0, referral, due_at: self.now }, self.now)
    }
}

/// Returns the first and last day, the days with messages, the messages, the most messages on a day, and the limit.
fn summary(outlook: &Outlook) -> String {
    let finish = match outlook.finish {
        Finish::At(at) => format!("done {}", at.format("%m-%d %H:%M")),
        Finish::Never(why) => format!("never: {why:?}"),
    };
    let (first, last) = (outlook.messages.keys().next(), outlook.messages.keys().last());
    let span = first.zip(last).map_or("nothing".to_owned(), |(first, last)| format!("{first} to {last}"));
    format!(
        "{span}, {} days, {} messages, {} a day, {finish}, {:?}",
        outlook.messages.len(),
        outlook.messages.values().sum::<u32>(),
        outlook.messages.values().max().copied().unwrap_or_default(),
        outlook.limit,
    )
}

fn summaries(outlooks: &[Outlook]) -> Vec<String> {
    outlooks.iter().map(summary).collect()
}

#[test]
fn five_hundred_people_at_fifty_a_day_take_seventy_days() {
    let found = Case::default().look(&[campaign()], vec![people(500, &[WAITING])]);
    assert_eq!(
        summaries(&found),
        ["2026-12-01 to 2027-02-08, 70 days, 3500 messages, 50 a day, done 02-08 07:00, AccountCap"]
    );
    assert_eq!((found[0].enrolled_now, found[0].enrolled.values().sum()), (500, 500));
    assert_eq!(found[0].first_at, Some(at("2026-12-01T07:00:00Z")));
}

#[test]
fn ten_people_take_as_long_as_the_sequence() {
    let found = Case::default().look(&[campaign()], vec![people(10, &[WAITING])]);
    assert_eq!(
        summaries(&found),
        ["2026-12-01 to 2026-12-07, 7 days, 70 messages, 10 a day, done 12-07 07:00, Cadence"]
    );
}

#[test]
fn people_in_other_zones_are_written_to_in_their_own_windows() {
    let own = Schedule { zone: ZoneOf::Recipient, ..campaign().schedule };
    let own = Campaign { schedule: own, ..campaign() };
    let group = |zone: Option<&str>| {
        let zone = zone.map(|name| std::sync::Arc::new(Zone::parse(name).unwrap()));
        Group { zone, ..people(10, &[WAITING]) }
    };
    // Day 1 is due at 06:00 UTC: an afternoon in Tokyo, seven o'clock in Douala, midnight in Chicago.
    for (zone, wanted) in [
        (Some("Asia/Tokyo"), "12-07 06:00"),
        (None, "12-07 07:00"),
        (Some("Africa/Douala"), "12-07 07:00"),
        (Some("America/Chicago"), "12-07 14:00"),
    ] {
        let found = Case::default().look(std::slice::from_ref(&own), vec![group(zone)]);
        let wanted = format!("2026-12-01 to 2026-12-07, 7 days, 70 messages, 10 a day, done {wanted}, Cadence");
        assert_eq!(summaries(&found), [wanted], "{zone:?}");
    }
    // By the account's windows all of them wait for eight o'clock in Douala.
    let found = Case::default().look(&[campaign()], vec![group(Some("Asia/Tokyo")), group(Some("America/Chicago"))]);
    assert!(summaries(&found)[0].contains("done 12-07 07:00"));
}

#[test]
fn a_forecast_keeps_the_hour_over_a_clock_change() {
    let schedule = Schedule { timezone: Some(Zone::parse("Europe/Paris").unwrap()), ..campaign().schedule };
    let campaign = Campaign { schedule, ..campaign() };
    // Ten o'clock in Paris is 09:00 UTC before 28 March 2027 and 08:00 UTC after it.
    let case = Case { now: at("2027-03-26T08:00:00Z"), days: 4, ..Case::default() };
    let found = case.look(&[campaign], vec![people(10, &[WAITING])]);
    assert_eq!(
        summaries(&found),
        ["2027-03-26 to 2027-03-29, 4 days, 40 messages, 10 a day, done 03-29 08:00, Cadence"]
    );
}

#[test]
fn campaigns_share_the_cap_in_the_order_of_their_priority() {
    let second = Campaign { priority: 20, ..campaign() };
    let groups = vec![people(100, &[WAITING, Place::Outside]), people(100, &[Place::Outside, WAITING])];
    let found = Case::default().look(&[campaign(), second], groups);
    assert_eq!(
        summaries(&found),
        [
            "2026-12-01 to 2026-12-14, 14 days, 700 messages, 50 a day, done 12-14 07:00, AccountCap",
            "2026-12-15 to 2026-12-28, 14 days, 700 messages, 50 a day, done 12-28 07:00, AccountCap"
        ]
    );
}

#[test]
fn a_person_in_two_campaigns_gets_one_message_a_day() {
    let second = Campaign { priority: 20, ..campaign() };
    let groups = vec![people(3, &[WAITING, WAITING]), people(2, &[Place::Outside, WAITING])];
    let found = Case::default().look(&[campaign(), second], groups);
    assert_eq!(
        summaries(&found),
        [
            "2026-12-01 to 2026-12-07, 7 days, 21 messages, 3 a day, done 12-07 07:00, Cadence",
            "2026-12-01 to 2026-12-14, 14 days, 35 messages, 3 a day, done 12-14 07:00, OtherRun"
        ]
    );
}

#[test]
fn workday_windows_skip_weekends_and_blackouts() {
    let mut spec = campaign();
    spec.schedule.windows.windows[0].days = WORKDAYS.to_vec();
    spec.schedule.windows.blackouts = vec!["2026-12-08".parse().unwrap()];
    let found = Case::default().look(&[spec], vec![people(10, &[WAITING])]);
    assert_eq!(
        summaries(&found),
        ["2026-12-01 to 2026-12-10, 7 days, 70 messages, 10 a day, done 12-10 07:00, Window"]
    );
}

#[test]
fn a_forecast_waits_for_a_future_start() {
    let mut spec = campaign();
    spec.schedule.start_at = Some(Moment::parse("2027-01-10T12:00").unwrap());
    let found = Case::default().look(&[spec], vec![people(10, &[WAITING])]);
    assert_eq!(
        summaries(&found),
        ["2027-01-10 to 2027-01-16, 7 days, 70 messages, 10 a day, done 01-16 12:00, Cadence"]
    );
    assert_eq!(found[0].enrolled_now, 0);
}

#[test]
fn an_end_date_cuts_a_forecast_off() {
    let mut spec = campaign();
    spec.schedule.end_at = Some(Moment::parse("2026-12-03T09:00").unwrap());
    spec.enrollment = Enrollment::Continuous;
    let found = Case::default().look(&[spec], vec![people(60, &[WAITING])]);
    assert_eq!(
        summaries(&found),
        ["2026-12-01 to 2026-12-03, 3 days, 150 messages, 50 a day, done 12-03 08:00, AccountCap"]
    );
}

#[test]
fn pacing_limits_the_messages_of_a_day() {
    // A message every 2 minutes and 30 seconds on average makes 288 messages in 12 hours, more or less by chance.
    let pacing = Pacing { every: Period::minutes(2), jitter: Period::minutes(1), waves: vec![] };
    let case = Case { cap: None, pacing, ..Case::default() };
    let found = case.look(&[campaign()], vec![people(1_000, &[WAITING])]);
    let text = summary(&found[0]);
    assert!(
        text.starts_with("2026-12-01 to 2026-12-25, 25 days, 7000 messages, ") && text.ends_with(", Pace"),
        "{text}"
    );
    let full = found[0].messages.values().take(24);
    assert!(full.clone().all(|messages| (275..=301).contains(messages)), "{:?}", found[0].messages);
    assert!((6_850..=6_980).contains(&full.sum::<u32>()), "{:?}", found[0].messages);
}

#[test]
fn a_daily_enrollment_limit_ramps_up_the_messages() {
    let mut spec = campaign();
    spec.limits.daily_enrollments = Some(5);
    let found = Case::default().look(&[spec.clone()], vec![people(20, &[WAITING])]);
    assert_eq!(
        summaries(&found),
        ["2026-12-01 to 2026-12-10, 10 days, 140 messages, 20 a day, done 12-10 07:00, Enrollment"]
    );
    let days: Vec<u32> = found[0].messages.values().copied().collect();
    assert_eq!(days, [5, 10, 15, 20, 20, 20, 20, 15, 10, 5]);
    spec.limits.targets = Some(12);
    let found = Case::default().look(&[spec], vec![people(20, &[WAITING])]);
    assert_eq!(found[0].enrolled.values().copied().collect::<Vec<_>>(), [5, 5, 2]);
}

#[test]
fn people_excluded_by_another_campaign_are_enrolled_later() {
    let mut second = Campaign { priority: 20, enrollment: Enrollment::Continuous, ..campaign() };
    second.filter.exclude_current_targets = true;
    let found = Case { days: 2, ..Case::default() }.look(&[campaign(), second], vec![people(4, &[WAITING, WAITING])]);
    assert_eq!(
        summaries(&found),
        [
            "2026-12-01 to 2026-12-02, 2 days, 8 messages, 4 a day, done 12-02 07:00, Cadence",
            "2026-12-03 to 2026-12-04, 2 days, 8 messages, 4 a day, never: Continuous, Cadence"
        ]
    );
}

#[test]
fn recent_registrations_are_forecast_from_their_minimum_age() {
    let young = people(3, &[Place::Waiting { from: at("2026-12-02T10:00:00Z") }]);
    let found = Case::default().look(&[campaign()], vec![people(2, &[WAITING]), young.clone()]);
    assert_eq!(found[0].enrolled.values().copied().collect::<Vec<_>>(), [2, 3]);
    // Without other people, the run begins with these.
    let found = Case::default().look(&[campaign()], vec![young.clone()]);
    assert_eq!(found[0].enrolled, [("2026-12-02".parse().unwrap(), 3)].into());
    assert!(summary(&found[0]).contains("done 12-08 11:00"), "{}", summary(&found[0]));
    // A default campaign that enrolls until it is drained does not wait for them.
    let default = Campaign { kind: CampaignType::Default, ..campaign() };
    let found = Case::default().look(&[default], vec![young]);
    assert_eq!((found[0].enrolled.values().sum::<u64>(), found[0].finish), (0, Finish::At(now())));
}

#[test]
fn a_filtered_campaign_without_people_waits_and_a_default_one_is_done_at_once() {
    let found = Case::default().look(&[campaign()], vec![]);
    assert_eq!(summaries(&found), ["nothing, 0 days, 0 messages, 0 a day, never: WaitingForPeople, Cadence"]);
    let default = Campaign { kind: CampaignType::Default, ..campaign() };
    let found = Case::default().look(&[default], vec![]);
    assert_eq!(summaries(&found), ["nothing, 0 days, 0 messages, 0 a day, done 12-01 05:00, Cadence"]);
}

#[test]
fn people_who_are_due_at_one_instant_go_in_the_order_of_their_ids_whatever_their_groups() {
    let due = Place::Active { day: 1, due_at: now() };
    let group = |ids: &[i64], registered_at: &str| Group {
        referrals: ids.to_vec(),
        registered_at: at(registered_at),
        ..people(0, &[due])
    };
    let groups = [group(&[1, 4, 5], "2026-11-01T00:00:00Z"), group(&[2, 3, 6], "2026-11-02T00:00:00Z")];
    let (sequence, spec) = (sequence(1), campaign());
    let cadence = Cadence::of(&spec, &sequence);
    let run = Run { started: true, phase: Phase::Active, ..Run::new(CampaignId(1), &spec, &cadence) };
    let two_a_day = Case { cap: Some(2), ..Case::default() };
    for (id, day) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3)] {
        let next = two_a_day.next_message(&[run], groups.to_vec(), id);
        assert_eq!(next.at.map(|at| at.format("%d").to_string()), Some(format!("{day:02}")), "{id}");
    }
}

#[test]
fn an_endless_forecast_states_its_reason() {
    let never = |case: Case, spec: Campaign, group: Group| case.look(&[spec], vec![group])[0].finish;
    let waiting = || people(3, &[WAITING]);
    let state = |state| Campaign { state, ..campaign() };
    let mut shut = campaign();
    shut.schedule.windows.windows.clear();
    let unsure = Group { consent: None, ..people(1, &[Place::Active { day: 2, due_at: now() }]) };
    let slow = Case { cap: Some(1), ..Case::default() };
    for (expected, found) in [
        (Endless::Paused, never(Case::default(), state(DesiredState::Paused), waiting())),
        (Endless::Draft, never(Case::default(), state(DesiredState::Draft), waiting())),
        (Endless::NoWindow, never(Case::default(), shut, waiting())),
        (Endless::Disconnected, never(Case { connected: false, ..Case::default() }, campaign(), waiting())),
        (
            Endless::Continuous,
            never(Case::default(), Campaign { enrollment: Enrollment::Continuous, ..campaign() }, waiting()),
        ),
        (Endless::ConsentMissing, never(Case::default(), campaign(), unsure)),
        (Endless::TooFar, never(slow, campaign(), people(600, &[WAITING]))),
    ] {
        assert_eq!(found, Finish::Never(expected));
    }
}

#[test]
fn a_forecast_continues_from_the_progress_of_a_run() {
    let spec = Campaign { limits: Limits { messages_per_day: Some(4), ..Limits::default() }, ..campaign() };
    let sequence = sequence(3);
    let cadence = Cadence::of(&spec, &sequence);
    let run = Run { phase: Phase::Active, started: true, sent: 3, ..Run::new(CampaignId(1), &spec, &cadence) };
    let today = "2026-12-01".parse().unwrap();
    let due = |day| Place::Active { day, due_at: at("2026-12-01T08:00:00Z") };
    let groups = vec![
        people(3, &[due(3)]),
        Group { last_written_on: Some(today), ..people(2, &[due(2)]) },
        Group { paid: true, ..people(1, &[due(1)]) },
        // The sequence was longer before.
        people(1, &[due(9)]),
    ];
    let found = Case { now: at("2026-12-01T09:00:00Z"), ..Case::default() }.look_at(&[run], groups);
    assert_eq!(found[0].messages.values().copied().collect::<Vec<_>>(), [1, 4, 2]);
    assert_eq!(found[0].limit, Limit::CampaignCap);
}
