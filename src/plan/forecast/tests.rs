//! Cases in which everybody can count along.

use chrono::TimeDelta;

use super::{Account, Endless, Finish, Group, Limit, Outlook, Place, Run, forecast};
use crate::cadence::Cadence;
use crate::domain::{Consent, NaiveDate, Timestamp, Zone};
use crate::gate;
use crate::manifest::desired::Desired;
use crate::manifest::{SourceFile, Sources, check};
use crate::pacing::Pace;

/// Monday, 1 December 2025, 00:00 in Douala.
const NOW: &str = "2025-11-30T23:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day(number: i64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 12, 1).unwrap() + TimeDelta::days(number - 1)
}

/// A campaign of so many days from 8:00 to 20:00, unless `more`, the rest of its spec, has another schedule.
fn campaign(name: &str, days: u16, more: &str) -> String {
    let mut texts = String::new();
    for day in 1..=days {
        texts += "    - {day: ";
        texts += &day.to_string();
        texts += ", text: {fr: 'Jour ";
        texts += &day.to_string();
        texts += ". {{ optOutHint }}'}}\n";
    }
    let usual = if more.contains("schedule:") {
        ""
    } else {
        "  schedule: {firstAfter: 0s, windows: [{from: '08:00', to: '20:00'}]}\n"
    };
    format!(
        "apiVersion: relance/v1\nkind: Campaign\nmetadata: {{name: {name}}}\nspec:\n  type: filtered\n  \
         sequenceRef: {name}\n{usual}  {more}\n---\napiVersion: relance/v1\nkind: Sequence\n\
         metadata: {{name: {name}}}\nspec:\n  fallbackLanguage: fr\n  days:\n{texts}"
    )
}

/// Messages an account may send a day, and how far apart.
fn defaults(cap: u32, every: &str) -> String {
    format!(
        "apiVersion: relance/v1\nkind: Defaults\nmetadata: {{name: defaults}}\n\
         spec: {{limits: {{messagesPerDay: {cap}}}, pacing: {{every: {every}, jitter: 0s}}}}\n"
    )
}

fn tree(documents: &[String]) -> Desired {
    let bytes = documents.join("---\n").into_bytes();
    let checked = check(&Sources { files: vec![SourceFile { path: "tree.yaml".to_owned(), bytes }] });
    assert!(!checked.has_errors(), "{:#?}", checked.diagnostics);
    checked.desired
}

fn people(count: u32, places: Vec<Place>) -> Group {
    Group {
        people: count,
        registered_at: at("2025-11-01T10:00:00Z"),
        paid: false,
        consent: Some(Consent::OptedIn),
        suppressed: false,
        last_written_on: None,
        places,
    }
}

fn waiting() -> Place {
    Place::Waiting { from: at(NOW) }
}

/// The outlooks of the campaigns in order of their names, for an account in Douala.
fn look(desired: &Desired, groups: Vec<Group>) -> Vec<Outlook> {
    let zone = Zone::parse("Africa/Douala").unwrap();
    let account = Account {
        zone: &zone,
        policy: &desired.accounts,
        facts: gate::Account { subscription_ends_at: None, connected: true },
        taken: 0,
        pace: Pace::default(),
    };
    let cadences: Vec<Cadence> =
        desired.campaigns.values().map(|spec| Cadence::of(spec, &desired.sequences[&spec.sequence])).collect();
    let runs: Vec<Run<'_>> =
        desired.campaigns.values().zip(&cadences).map(|(spec, cadence)| Run::new(spec, cadence)).collect();
    forecast(&account, &runs, groups, at(NOW))
}

/// The outlook of the only campaign for so many people who match it.
fn alone(documents: &[String], count: u32) -> Outlook {
    look(&tree(documents), vec![people(count, vec![waiting()])]).remove(0)
}

fn finish(outlook: &Outlook) -> NaiveDate {
    Zone::parse("Africa/Douala").unwrap().date(outlook.finish.at().unwrap())
}

#[test]
fn five_hundred_people_a_week_at_fifty_a_day_take_seventy_days() {
    let outlook = alone(&[defaults(50, "0s"), campaign("a", 7, "")], 500);
    assert_eq!((outlook.enrolled_now, outlook.messages_total()), (500, 3_500));
    assert!(outlook.messages.values().all(|count| *count == 50), "{:?}", outlook.messages);
    assert_eq!(outlook.messages.len(), 70);
    assert_eq!(outlook.first_at, Some(at("2025-12-01T07:00:00Z")));
    assert_eq!((finish(&outlook), outlook.limit), (day(70), Limit::AccountCap));
}

#[test]
fn without_limits_it_takes_as_many_days_as_the_sequence_has() {
    let outlook = alone(&[campaign("a", 7, ""), defaults(1_000, "0s")], 10);
    assert_eq!((finish(&outlook), outlook.messages_total(), outlook.limit), (day(7), 70, Limit::Cadence));
}

#[test]
fn a_campaign_of_its_own_cap_says_so() {
    let capped = campaign("a", 2, "limits: {messagesPerDay: 10}");
    let outlook = alone(&[defaults(1_000, "0s"), capped], 50);
    assert_eq!((finish(&outlook), outlook.limit), (day(10), Limit::CampaignCap));
}

#[test]
fn two_campaigns_share_the_cap_of_the_account_by_priority() {
    let desired = tree(&[defaults(10, "0s"), campaign("a", 1, "priority: 1"), campaign("b", 1, "priority: 2")]);
    let groups = vec![people(50, vec![waiting(), Place::Outside]), people(50, vec![Place::Outside, waiting()])];
    let outlooks = look(&desired, groups);
    assert_eq!(outlooks.iter().map(finish).collect::<Vec<_>>(), [day(5), day(10)]);
    assert_eq!(outlooks[1].first_at, Some(at("2025-12-06T07:00:00Z")));
    assert_eq!(outlooks[1].limit, Limit::AccountCap);
}

#[test]
fn a_weekday_window_leaves_the_weekend_out() {
    let schedule =
        "schedule: {firstAfter: 0s, windows: [{days: [mon, tue, wed, thu, fri], from: '08:00', to: '20:00'}]}";
    let outlook = alone(&[defaults(10, "0s"), campaign("a", 1, schedule)], 60);
    assert_eq!(outlook.messages.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 8].map(day));
}

#[test]
fn nothing_leaves_before_the_start() {
    let schedule = "schedule: {firstAfter: 0s, startAt: '2025-12-10', windows: [{from: '08:00', to: '20:00'}]}";
    let outlook = alone(&[defaults(100, "0s"), campaign("a", 3, schedule)], 10);
    assert_eq!((outlook.enrolled_now, outlook.enrolled_total()), (0, 10));
    assert_eq!(outlook.first_at, Some(at("2025-12-10T07:00:00Z")));
    assert_eq!(finish(&outlook), day(12));
}

#[test]
fn the_end_cuts_off_what_has_not_left() {
    let schedule = "schedule: {firstAfter: 0s, endAt: '2025-12-03', windows: [{from: '08:00', to: '20:00'}]}";
    let outlook = alone(&[defaults(100, "0s"), campaign("a", 7, schedule)], 10);
    assert_eq!(outlook.messages_total(), 20);
    assert_eq!(outlook.finish, Finish::At(at("2025-12-02T23:00:00Z")));
}

#[test]
fn the_pace_bounds_a_day_when_the_cap_does_not() {
    // One a quarter of an hour from 8 to 20: 48.
    let outlook = alone(&[defaults(1_000, "15m"), campaign("a", 1, "")], 100);
    assert_eq!(outlook.messages.values().copied().collect::<Vec<_>>(), [48, 48, 4]);
    assert_eq!(outlook.limit, Limit::Pace);
}

#[test]
fn daily_enrollments_ramp_up() {
    let ramp = campaign("a", 3, "limits: {dailyEnrollments: 5}");
    let outlook = alone(&[defaults(1_000, "0s"), ramp], 12);
    assert_eq!(outlook.enrolled_now, 5);
    assert_eq!(outlook.enrolled.into_values().collect::<Vec<_>>(), [5, 5, 2]);
    assert_eq!(outlook.messages.into_values().collect::<Vec<_>>(), [5, 10, 12, 7, 2]);
    assert_eq!(outlook.limit, Limit::Enrollment);
}

#[test]
fn who_is_in_two_campaigns_gets_one_message_a_day() {
    let desired = tree(&[defaults(1_000, "0s"), campaign("a", 3, "priority: 1"), campaign("b", 2, "priority: 2")]);
    let outlooks = look(&desired, vec![people(10, vec![waiting(), waiting()])]);
    assert_eq!(outlooks[0].messages.keys().copied().collect::<Vec<_>>(), [1, 2, 3].map(day));
    assert_eq!(outlooks.iter().map(Outlook::messages_total).collect::<Vec<_>>(), [30, 20]);
    let together: Vec<_> = outlooks.iter().flat_map(|outlook| outlook.messages.keys()).collect();
    assert_eq!(together.len(), 5, "{outlooks:#?}");
    assert_eq!(outlooks[1].limit, Limit::OtherRun);
}

#[test]
fn where_nobody_matches_it_is_over_at_once() {
    let desired = tree(&[defaults(50, "0s"), campaign("a", 7, "")]);
    let outlook = look(&desired, vec![]).remove(0);
    assert_eq!((outlook.finish, outlook.messages_total()), (Finish::At(at(NOW)), 0));
}

#[test]
fn what_does_not_end_says_why() {
    let endless = |more: &str, people: u32| alone(&[defaults(50, "0s"), campaign("a", 2, more)], people).finish;
    assert_eq!(endless("state: draft", 1), Finish::Never(Endless::Draft));
    assert_eq!(endless("state: paused", 1), Finish::Never(Endless::Paused));
    assert_eq!(endless("enrollment: continuous", 1), Finish::Never(Endless::Continuous));
}
