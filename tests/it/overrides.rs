//! What operators order: it counts at once, over restarts and edits, until it is taken back or its time is over.

use std::sync::Arc;

use chrono::TimeDelta;
use relance::core::domain::{AccountId, Name};
use relance::core::lifecycle::overrides::{Action, Override, Scope};
use relance::daemon::{BATCH, send};
use relance::store::query::{HistoryOf, LogOf};
use relance::store::{Batch, Ordered, Outcome, Span, Speed};

use crate::support::facts::Person;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

const MONDAY: &str = "2026-11-30T08:00:00Z";
const A1: AccountId = AccountId(1);
const A2: AccountId = AccountId(2);

/// Two days, and campaigns of a state and a priority.
fn campaigns(states: &[(&str, &str)]) -> String {
    let specs: Vec<(&str, String)> =
        states.iter().map(|(name, state)| (*name, format!("state: {state}, {ALWAYS}"))).collect();
    let specs: Vec<(&str, &str)> = specs.iter().map(|(name, spec)| (*name, spec.as_str())).collect();
    tree(2, NO_PACE, &specs)
}

/// Two accounts of two people each, and `yaml` in force; nobody is enrolled yet.
async fn world(yaml: &str) -> World {
    let mut world = World::at(MONDAY).await;
    for account in ["a1", "a2"] {
        world.account(account).await;
        for n in 1..=2 {
            let (id, phone) = (format!("{account}-{n}"), format!("+2376710{}00{n}", &account[1..]));
            world.person(Person { account, ..Person::new(&id, &phone) }).await;
        }
    }
    world.apply(yaml).await;
    world
}

async fn scope(world: &World, campaign: &str, account: Option<AccountId>) -> Scope {
    let name = Name::parse(campaign).unwrap();
    let campaign = world.store().in_force().await.unwrap().campaigns[&name];
    Scope::of(account, Some(campaign)).unwrap()
}

fn order(scope: Scope, action: Action) -> Override {
    Override { scope, action, actor: "maria".to_owned(), reason: "audit".to_owned(), until: None }
}

/// Gives an order that nothing stands against.
async fn give(world: &mut World, order: Override) -> Outcome {
    match world.order(&order).await {
        Ordered::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

async fn clear(world: &mut World, scope: Scope) {
    let (program, _) = world.program().await;
    let cleared = world.store().clear_override(&program, scope, "joe", world.now).await.unwrap();
    assert!(matches!(cleared, Ordered::Done(_)), "{cleared:?}");
}

async fn history(world: &World, account: &str) -> Vec<String> {
    let run = HistoryOf::Run { campaign: "welcome", account };
    let entries = world.store().history(run, 100).await.unwrap();
    entries.iter().map(|entry| format!("{} {}", entry.at.format("%d %H:%M"), entry.sentence)).collect()
}

#[tokio::test]
async fn a_run_override_wins_before_the_strictest_other_override() {
    let mut world = world(&campaigns(&[("first", "active"), ("second", "paused")])).await;
    let first = scope(&world, "first", None).await;
    let second = scope(&world, "second", None).await;
    give(&mut world, order(Scope::Account(A1), Action::Pause)).await;
    give(&mut world, order(second, Action::Resume)).await;
    // The account is paused though its campaign is resumed; in the other account nothing stands against it.
    let of = |runs: &[&str]| runs.iter().map(|&run| run.to_owned()).collect::<Vec<_>>();
    let runs = ["first a1 paused operator", "first a2 active running", "second a1 paused operator"];
    assert_eq!(world.runs().await, of(&[&runs[..], &["second a2 active operator"]].concat()));
    // What is said of a run itself counts, whatever is said of the rest.
    let (run, other) = (scope(&world, "first", Some(A1)).await, scope(&world, "first", Some(A2)).await);
    give(&mut world, order(run, Action::Resume)).await;
    give(&mut world, order(other, Action::Pause)).await;
    give(&mut world, order(first, Action::Resume)).await;
    world.run_for(TimeDelta::hours(1)).await;
    let runs = ["first a1 active running", "first a2 paused operator", "second a1 paused operator"];
    assert_eq!(world.runs().await, of(&[&runs[..], &["second a2 active operator"]].concat()));
    let sent = ["a1-1 first", "a1-2 first", "a2-1 second", "a2-2 second"];
    assert_eq!(world.messages().await, sent.map(|who| format!("{who} day 1 sent attempt 1")));
    // Taken back one by one, what is beneath comes up.
    clear(&mut world, other).await;
    clear(&mut world, Scope::Account(A1)).await;
    clear(&mut world, second).await;
    let runs = ["first a1 active running", "first a2 active running", "second a1 paused manifest"];
    assert_eq!(world.runs().await, of(&[&runs[..], &["second a2 paused manifest"]].concat()));
}

#[tokio::test]
async fn a_pause_survives_restarts_and_edits_and_ends_on_time() {
    let mut world = world(&campaigns(&[("welcome", "active")])).await;
    world.run_for(TimeDelta::hours(1)).await;
    assert_eq!(world.channel.delivered().len(), 4);
    let begin = world.now;
    let until = begin + TimeDelta::hours(36);
    let pause = Override { until: Some(until), ..order(scope(&world, "welcome", None).await, Action::Pause) };
    let outcome = give(&mut world, pause).await;
    assert_eq!((outcome.runs[0].runs, outcome.runs[0].people, outcome.exited), (2, 4, 0));

    world.restart();
    world.run_for(TimeDelta::hours(30)).await;
    world.apply(&campaigns(&[("welcome", "active")]).replace("Jour 2", "Jour deux")).await;
    world.facts_changed().await;
    world.settle().await;
    assert_eq!(world.channel.delivered().len(), 4);
    assert_eq!(world.runs().await, ["welcome a1 paused operator", "welcome a2 paused operator"]);
    // Nobody looks every few minutes whether it is over: it is an instant like any other.
    assert_eq!(world.store().next_due().await.unwrap().earliest(), Some(until));

    world.run_until(until - TimeDelta::microseconds(1)).await;
    assert_eq!(world.channel.delivered().len(), 4);
    world.run_until(until).await;
    assert_eq!(world.channel.delivered().len(), 8);
    assert_eq!(world.store().overrides(world.now).await.unwrap(), []);
    insta::assert_snapshot!(history(&world, "a1").await.join("\n"), @"
    30 08:00 the run was made as draft (manifest): just created
    30 08:00 the run became active (running): enrolling and sending
    30 09:00 the run became paused (operator): paused by maria: audit (until 2026-12-01 21:00 UTC)
    01 21:00 the run became active (running): the time of the order is over; enrolling and sending
    01 21:00 the run became completed (drained): everybody was written to, and nobody is left to enroll
    ");
}

#[tokio::test]
async fn new_runs_of_a_paused_campaign_start_paused() {
    let mut world = world(&campaigns(&[("welcome", "active")])).await;
    let campaign = scope(&world, "welcome", None).await;
    give(&mut world, order(campaign, Action::Pause)).await;
    world.account("a3").await;
    world.person(Person { account: "a3", ..Person::new("r9", "+237671000099") }).await;
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(world.runs().await[2], "welcome a3 paused operator");
    assert_eq!(world.targets().await, Vec::<String>::new());
    clear(&mut world, campaign).await;
    world.run_for(TimeDelta::days(3)).await;
    assert_eq!(world.runs().await[2], "welcome a3 completed drained");
}

#[tokio::test]
async fn a_cancelled_run_never_restarts() {
    let mut world = world(&campaigns(&[("welcome", "active")])).await;
    world.run_for(TimeDelta::hours(1)).await;
    let run = scope(&world, "welcome", Some(A1)).await;
    let outcome = give(&mut world, order(run, Action::Cancel)).await;
    assert_eq!((outcome.runs[0].runs, outcome.runs[0].people, outcome.exited), (1, 0, 2));
    assert_eq!(
        world.targets().await[..2],
        ["a1-1 welcome exited cancelled day 2", "a1-2 welcome exited cancelled day 2"]
    );
    clear(&mut world, run).await;
    give(&mut world, order(run, Action::Start)).await;
    world.apply(&campaigns(&[("welcome", "active")]).replace("Jour 2", "Jour deux")).await;
    world.run_for(TimeDelta::days(3)).await;
    assert_eq!(world.runs().await, ["welcome a1 cancelled operator", "welcome a2 completed drained"]);
    assert_eq!(world.channel.delivered().len(), 6);
    // Of a whole account nothing is cancelled, and an order says for how long only where it can end.
    let refused = [
        order(Scope::Account(A2), Action::Cancel),
        Override { until: Some(world.now + TimeDelta::hours(1)), ..order(run, Action::Cancel) },
        Override { until: Some(world.now), ..order(run, Action::Pause) },
    ];
    for order in refused {
        assert!(matches!(world.order(&order).await, Ordered::Refused(_)), "{order:?}");
    }
}

#[tokio::test]
async fn a_resume_override_keeps_a_run_active_despite_a_paused_manifest() {
    let mut world = world(&campaigns(&[("welcome", "paused")])).await;
    world.run_for(TimeDelta::hours(1)).await;
    assert_eq!(world.channel.delivered().len(), 0);
    let campaign = scope(&world, "welcome", None).await;
    give(&mut world, order(campaign, Action::Resume)).await;
    world.run_for(TimeDelta::hours(1)).await;
    assert_eq!(world.channel.delivered().len(), 4);
    world.apply(&campaigns(&[("welcome", "paused")]).replace("Jour 2", "Jour deux")).await;
    world.run_for(TimeDelta::hours(1)).await;
    assert_eq!(world.runs().await, ["welcome a1 active operator", "welcome a2 active operator"]);
    clear(&mut world, campaign).await;
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.runs().await, ["welcome a1 paused manifest", "welcome a2 paused manifest"]);
    assert_eq!(world.channel.delivered().len(), 4);
    // A resume does not begin what is a draft; a start does, at the count that the plan shows.
    let draft = campaigns(&[("welcome", "paused"), ("later", "draft")]);
    world.apply(&draft).await;
    let later = scope(&world, "later", None).await;
    give(&mut world, order(later, Action::Resume)).await;
    assert_eq!(world.runs().await[2..], ["later a1 draft manifest", "later a2 draft manifest"]);
    assert_eq!(
        world
            .would_enroll(&draft.replace("Jour 1", "Jour un").replace("state: draft", "priority: 3, state: draft"))
            .await,
        0
    );
    give(&mut world, order(later, Action::Start)).await;
    let edited = draft.replace("state: draft", "priority: 3, state: draft");
    assert_eq!(world.would_enroll(&edited).await, 4);
    world.run_for(TimeDelta::days(3)).await;
    assert_eq!(world.runs().await[2..], ["later a1 completed drained", "later a2 completed drained"]);
}

#[tokio::test]
async fn an_override_is_removed_with_its_campaign() {
    let mut world = world(&campaigns(&[("welcome", "active"), ("zeal", "active")])).await;
    let campaign = scope(&world, "welcome", None).await;
    give(&mut world, order(campaign, Action::Pause)).await;
    world.apply(&campaigns(&[("zeal", "active")])).await;
    assert_eq!(world.runs().await[..2], ["welcome a1 cancelled pruned", "welcome a2 cancelled pruned"]);
    assert_eq!(world.store().overrides(world.now).await.unwrap(), []);
    // What comes under the same name is another campaign.
    world.apply(&campaigns(&[("welcome", "active"), ("zeal", "active")])).await;
    world.settle().await;
    assert_eq!(world.runs().await[4..], ["welcome a1 active running", "welcome a2 active running"]);
}

#[tokio::test]
async fn a_run_history_shows_each_override_and_its_author() {
    let mut world = world(&campaigns(&[("welcome", "active")])).await;
    let run = scope(&world, "welcome", Some(A1)).await;
    world.settle().await;
    for (hours, next) in [
        (1, Some(order(run, Action::Pause))),
        // The same again by somebody else.
        (
            2,
            Some(Override {
                actor: "joe".to_owned(),
                reason: "the audit goes on".to_owned(),
                ..order(run, Action::Pause)
            }),
        ),
        (3, Some(Override { reason: "all is well".to_owned(), ..order(run, Action::Resume) })),
        (4, Some(Override { reason: "or not".to_owned(), ..order(run, Action::Pause) })),
        (5, None),
    ] {
        world.run_until(MONDAY.parse::<relance::core::domain::Timestamp>().unwrap() + TimeDelta::hours(hours)).await;
        match next {
            Some(order) => drop(give(&mut world, order).await),
            None => clear(&mut world, run).await,
        }
    }
    insta::assert_snapshot!(history(&world, "a1").await.join("\n"), @"
    30 08:00 the run was made as draft (manifest): just created
    30 08:00 the run became active (running): enrolling and sending
    30 09:00 the run became paused (operator): paused by maria: audit
    30 10:00 the run stays paused (operator): paused by joe: the audit goes on
    30 11:00 the run became active (running): resumed by maria: all is well; enrolling and sending
    30 12:00 the run became paused (operator): paused by maria: or not
    30 13:00 the run became active (running): joe took the order back; enrolling and sending
    ");
    assert_eq!(history(&world, "a2").await.len(), 2, "an order for one run is not told of another");
}

#[tokio::test]
async fn a_repeated_override_is_logged_once_under_its_new_id() {
    let mut world = world(&campaigns(&[("welcome", "active")])).await;
    let run = scope(&world, "welcome", Some(A1)).await;
    world.settle().await;
    for hours in [1, 2] {
        world.run_for(TimeDelta::hours(hours)).await;
        give(&mut world, order(run, Action::Pause)).await;
    }
    let followed = "select detail ->> 'order' = (select max(id) from override)::text from run where account_id = 1";
    assert!(world.one::<bool>(followed).await, "the run follows the later order");
    clear(&mut world, run).await;
    let history = history(&world, "a1").await;
    insta::assert_snapshot!(history[2..].join("\n"), @"
    30 09:00 the run became paused (operator): paused by maria: audit
    30 11:00 the run became active (running): joe took the order back; enrolling and sending
    ");
}

/// A newer version may have written them, or a hand.
#[tokio::test]
async fn a_stored_detail_of_an_unknown_code_never_stops_a_pass() {
    let mut world = world(&campaigns(&[("welcome", "active")])).await;
    let run = scope(&world, "welcome", Some(A1)).await;
    world.settle().await;
    give(&mut world, order(run, Action::Pause)).await;
    let strange = r#"'{"code": "teleported", "to": "Mars"}'"#;
    for statement in [
        format!("update run set detail = {strange}, check_at = '{}'", world.now),
        format!("update event set detail = {strange}"),
        format!(
            "insert into account_halt (account_id, reason, detail, halted_at, times)
             values (2, 'channel-unhealthy', {strange}, '{}', 1)",
            world.now
        ),
    ] {
        world.sql(&statement).await;
    }
    world.settle().await;
    assert_eq!(world.runs().await, ["welcome a1 paused operator", "welcome a2 paused channel-unhealthy"]);
    let unknown = r#"this version does not know the stored detail {"to":"Mars","code":"teleported"}"#;
    let runs = world.sentences("select detail from run order by account_id").await;
    assert_eq!(runs, ["paused by maria: audit", unknown]);
    let same = format!("run where detail = {strange}::jsonb");
    assert_eq!(world.count(&same).await, 1, "an unknown detail is saved as it was found");
    let (lines, _) = world.store().log(&LogOf::default(), None).await.unwrap();
    assert!(lines.iter().any(|line| line.sentence == unknown));
    clear(&mut world, run).await;
    assert_eq!(world.runs().await[0], "welcome a1 active running");
}

#[tokio::test]
async fn an_override_from_an_outdated_program_changes_nothing() {
    let mut world = world(&campaigns(&[("welcome", "active")])).await;
    let pause = order(Scope::Account(A1), Action::Pause);
    let (old, _) = world.program().await;
    world.apply(&campaigns(&[("welcome", "active")]).replace("Jour 2", "Jour deux")).await;
    assert_eq!(world.store().set_override(&old, &pause, world.now).await.unwrap(), Ordered::Outdated);
    assert_eq!(world.store().overrides(world.now).await.unwrap(), []);
    assert_eq!(world.runs().await[0], "welcome a1 active running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_claimed_after_an_account_is_paused() {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    for n in 0..400 {
        world.person(Person::new(&format!("r{n}"), &format!("+237671{n:06}"))).await;
    }
    world.apply(&campaigns(&[("welcome", "active")])).await;
    let (program, channels) = world.program().await;
    relance::daemon::enroll(world.store(), &program, world.now).await.unwrap();
    world.now += TimeDelta::seconds(1);
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let (store, program, channels) = (world.store().clone(), Arc::clone(&program), Arc::clone(&channels));
            let clock = (Span::now(world.now), Speed(1.0));
            let few = Batch { people: 2, messages: 2, ..BATCH };
            tokio::spawn(async move {
                for _ in 0..60 {
                    send(&store, &program, &channels, few, clock).await.unwrap();
                }
            })
        })
        .collect();
    let pause = order(Scope::Account(A1), Action::Pause);
    while world.count("message").await < 20 {
        tokio::task::yield_now().await;
    }
    give(&mut world, pause).await;
    let claimed = world.count("message").await;
    for sender in senders {
        sender.await.unwrap();
    }
    assert_eq!(world.count("message").await, claimed);
    assert!(claimed < 360, "the senders had nothing left to do: {claimed}");
}
