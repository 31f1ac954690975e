//! What follows from a refused hand-over: who waits, who stops, who goes on, and that nothing is lost by it.

use chrono::TimeDelta;
use relance::channel::Refusal;
use relance::core::domain::{AccountId, CampaignId, MessageKey, ReferralId, TargetKey};
use relance::core::lifecycle::outcome::Reaction;
use relance::core::lifecycle::overrides::{Action, Override, Scope};
use relance::store::{Receipt, ReceiptStatus, RestrictedRun};

use crate::replies::said;
use crate::support::facts::Person;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::{Fault, World};

const MONDAY: &str = "2026-11-30T08:00:00Z";

fn phone(account: usize, n: usize) -> String {
    format!("+2376710{account}{n:04}")
}

/// Two accounts with so many people each, and campaign `c` of two days, enrolled and due.
async fn world_of(people: usize, channel: &str) -> World {
    let mut world = World::at(MONDAY).await;
    for account in 1..=2 {
        world.account(&format!("a{account}")).await;
        for n in 1..=people {
            let (id, account_id) = (format!("a{account}r{n}"), format!("a{account}"));
            let phone = phone(account, n);
            world.person(Person { account: &account_id, ..Person::new(&id, &phone) }).await;
        }
    }
    world.apply(&campaigns(channel)).await;
    world.settle().await;
    // Within this second, day 1 is due for everybody.
    world.now += TimeDelta::seconds(1);
    world
}

fn campaigns(channel: &str) -> String {
    let wa = "---\napiVersion: relance/v1\nkind: Channel\nmetadata: {name: wa}\nspec: {type: sandbox}\n";
    tree(2, NO_PACE, &[("c", &format!("{ALWAYS}{channel}"))]) + wa
}

/// The next hand-over to each of `people` of an account ends so.
fn all_ask(world: &World, account: usize, people: usize, reaction: Reaction) {
    for n in 1..=people {
        world.channel.fail(&phone(account, n), &[Fault::Asks(reaction)]);
    }
}

/// Messages by account and state.
async fn messages(world: &World) -> Vec<String> {
    let query = "select concat_ws(' ', a.external_id, 'day', m.day, m.state, 'attempts', m.attempts, count(*))
                 from message m join account a on a.id = m.account_id group by a.external_id, m.day, m.state, m.attempts
                 order by 1";
    world.column(query).await
}

/// What was counted against the caps of accounts and runs is what left.
async fn counters_are_exact(world: &World) {
    let wrong = "select count(*) from lane l join run r using (account_id)
                 where l.taken <> r.taken or l.taken <> (
                   select count(*) from message m where m.account_id = l.account_id and m.quota_date = l.taken_on)";
    assert_eq!(world.one::<i64>(wrong).await, 0);
}

async fn resume(world: &mut World, account: i32) {
    let (actor, reason) = ("maria".to_owned(), "spoke to the provider".to_owned());
    let scope = Scope::Account(AccountId(account));
    world.order(&Override { scope, action: Action::Resume, actor, reason, until: None }).await;
}

#[tokio::test]
async fn a_throttled_account_slows_alone_and_uses_no_attempt() {
    let mut world = world_of(5, "").await;
    all_ask(&world, 1, 5, Reaction::Throttle { after: None });
    world.settle().await;
    assert_eq!(messages(&world).await, ["a1 day 1 queued attempts 0 5", "a2 day 1 sent attempts 1 5"]);
    counters_are_exact(&world).await;
    world.run_for(TimeDelta::seconds(1)).await;
    assert_eq!(world.channel.delivered().len(), 5);
    world.run_for(TimeDelta::seconds(1)).await;
    assert_eq!(messages(&world).await, ["a1 day 1 sent attempts 1 5", "a2 day 1 sent attempts 1 5"]);
    // As long as the provider asks for, when it says so; again and again costs nobody their day.
    world.run_for(TimeDelta::hours(23)).await;
    for n in 1..=5 {
        let slow = Fault::Asks(Reaction::Throttle { after: Some(TimeDelta::minutes(30)) });
        world.channel.fail(&phone(1, n), &[slow; 6]);
    }
    world.run_for(TimeDelta::hours(4)).await;
    assert_eq!(
        messages(&world).await,
        [
            "a1 day 1 sent attempts 1 5",
            "a1 day 2 sent attempts 1 5",
            "a2 day 1 sent attempts 1 5",
            "a2 day 2 sent attempts 1 5"
        ]
    );
    let waited = "select extract(epoch from max(sent_at) - min(due_at))::int / 60 from message
                  where day = 2 and account_id = 1";
    assert_eq!(world.one::<i32>(waited).await, 180);
    counters_are_exact(&world).await;
}

#[tokio::test]
async fn a_refused_template_pauses_its_run_until_the_next_revision() {
    let mut world = world_of(3, "").await;
    all_ask(&world, 1, 3, Reaction::PauseRun);
    world.settle().await;
    assert_eq!(world.runs().await, ["c a1 paused template-error", "c a2 active running"]);
    assert_eq!(messages(&world).await, ["a1 day 1 queued attempts 0 3", "a2 day 1 sent attempts 1 3"]);
    world.run_for(TimeDelta::hours(5)).await;
    assert_eq!(world.channel.delivered().len(), 3);
    world.apply(&campaigns("").replace("Jour 1.", "Premier jour.")).await;
    world.settle().await;
    assert_eq!(messages(&world).await, ["a1 day 1 sent attempts 1 3", "a2 day 1 sent attempts 1 3"]);
    let told = "select count(*) from event where reason = 'template-error' and detail ->> 'text' = 'refused'";
    assert_eq!(world.one::<i64>(told).await, 1);
    counters_are_exact(&world).await;
}

#[tokio::test]
async fn an_operator_resume_retries_a_refused_template() {
    let mut world = world_of(2, "").await;
    all_ask(&world, 1, 2, Reaction::PauseRun);
    world.settle().await;
    resume(&mut world, 1).await;
    world.settle().await;
    assert_eq!(messages(&world).await, ["a1 day 1 sent attempts 1 2", "a2 day 1 sent attempts 1 2"]);
    // Refused once more, it pauses once more.
    all_ask(&world, 1, 2, Reaction::PauseRun);
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(world.runs().await, ["c a1 paused template-error", "c a2 completed drained"]);
    counters_are_exact(&world).await;
}

#[tokio::test]
async fn an_account_restricted_by_its_provider_waits_for_an_operator() {
    let mut world = world_of(3, "").await;
    all_ask(&world, 1, 3, Reaction::PauseAccount);
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.runs().await, ["c a1 paused channel-unhealthy", "c a2 completed drained"]);
    assert_eq!(messages(&world).await[..1], ["a1 day 1 queued attempts 0 3"]);
    resume(&mut world, 1).await;
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.runs().await, ["c a1 completed drained", "c a2 completed drained"]);
    assert_eq!(world.channel.delivered().len(), 12);
    counters_are_exact(&world).await;
}

#[tokio::test]
async fn a_failing_channel_pauses_all_its_runs_and_retries_with_backoff() {
    let mut world = world_of(1, ", channelRef: wa").await;
    for account in 1..=2 {
        world.channel.fail(&phone(account, 1), &[Fault::Asks(Reaction::PauseChannel); 2]);
    }
    world.run_for(TimeDelta::minutes(1)).await;
    assert_eq!(world.runs().await, ["c a1 paused channel-unhealthy", "c a2 paused channel-unhealthy"]);
    let sentences = world.sentences("select distinct detail from run").await;
    assert_eq!(sentences, ["channel `wa`: refused"]);
    // After ten minutes both try once more, and after twenty further ones they get through.
    world.run_for(TimeDelta::minutes(28)).await;
    assert_eq!(world.channel.delivered().len(), 0);
    assert_eq!(world.one::<i32>("select times from channel_halt").await, 2);
    world.run_for(TimeDelta::minutes(2)).await;
    assert_eq!(world.channel.delivered().len(), 2);
    assert_eq!(world.runs().await, ["c a1 active running", "c a2 active running"]);
    counters_are_exact(&world).await;
}

#[tokio::test]
async fn other_channels_keep_sending_while_one_is_paused() {
    let mut world = world_of(1, ", channelRef: wa").await;
    let two = tree(2, NO_PACE, &[("c", &format!("{ALWAYS}, channelRef: wa")), ("d", ALWAYS)]);
    let wa = campaigns("").split_once("---\napiVersion: relance/v1\nkind: Channel").unwrap().1.to_owned();
    world.apply(&format!("{two}---\napiVersion: relance/v1\nkind: Channel{wa}")).await;
    for account in 1..=2 {
        world.channel.fail(&phone(account, 1), &[Fault::Asks(Reaction::PauseChannel)]);
    }
    world.run_for(TimeDelta::minutes(1)).await;
    let campaigns =
        "select distinct c.name from message m join campaign c on c.id = m.campaign_id where m.state = 'sent'";
    assert_eq!(world.column(campaigns).await, ["d"]);
}

#[tokio::test]
async fn a_high_failure_rate_pauses_an_account_for_longer_each_time() {
    let mut world = world_of(25, "").await;
    // Three in twenty-five: more than a tenth. Two of the other account: less.
    all_ask(&world, 1, 3, Reaction::Leave);
    all_ask(&world, 2, 2, Reaction::Leave);
    world.settle().await;
    assert_eq!(world.runs().await, ["c a1 paused failure-rate", "c a2 active running"]);
    let sentences = world.sentences("select detail from run where account_id = 1").await;
    assert_eq!(sentences, ["3 of its last 25 messages failed"]);
    world.run_for(TimeDelta::minutes(59)).await;
    assert_eq!(world.runs().await, ["c a1 paused failure-rate", "c a2 active running"]);
    world.run_for(TimeDelta::minutes(1)).await;
    assert_eq!(world.runs().await, ["c a1 active running", "c a2 active running"]);
    // What led to it is not counted again; a day later it is.
    for n in 4..=6 {
        world.channel.fail(&phone(1, n), &[Fault::Asks(Reaction::FailDay)]);
    }
    world.run_for(TimeDelta::hours(23)).await;
    assert_eq!(world.one::<i32>("select times from account_halt").await, 2);
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.runs().await, ["c a1 completed drained", "c a2 completed drained"]);
    counters_are_exact(&world).await;
}

#[tokio::test]
async fn an_opt_out_from_the_provider_suppresses_the_person_everywhere() {
    let mut world = world_of(2, "").await;
    // The same person in the other account.
    let other = phone(1, 1);
    world.person(Person { account: "a2", ..Person::new("again", &other) }).await;
    world.run_for(TimeDelta::hours(2)).await;
    world.channel.fail(&phone(1, 1), &[Fault::Asks(Reaction::Suppress)]);
    world.run_for(TimeDelta::days(2)).await;
    let left = "select r.external_id || ' ' || t.exit_reason from target t join referral r on r.id = t.referral_id
                where t.state = 'exited' order by 1";
    assert_eq!(world.column(left).await, ["a1r1 opted-out", "again opted-out"]);
    let said = "select source || ': ' || reason from suppression where phone = (select phone from referral where external_id = 'a1r1')";
    assert_eq!(world.column(said).await, ["channel: refused"]);
    counters_are_exact(&world).await;
}

#[tokio::test]
async fn throttled_attempts_do_not_dilute_the_failure_rate() {
    let mut world = world_of(25, "").await;
    for n in 1..=25 {
        let last = if n <= 3 { Fault::Asks(Reaction::Leave) } else { Fault::Fine };
        let busy = Fault::Asks(Reaction::Throttle { after: Some(TimeDelta::seconds(5)) });
        world.channel.fail(&phone(1, n), &[busy, busy, last]);
    }
    world.run_for(TimeDelta::minutes(1)).await;
    assert_eq!(world.runs().await[0], "c a1 paused failure-rate");
    let sentences = world.sentences("select detail from run where account_id = 1").await;
    assert_eq!(sentences, ["3 of its last 25 messages failed"]);
    assert_eq!(world.one::<i32>("select handed from lane where account_id = 2").await, 25);
}

#[tokio::test]
async fn failures_of_messages_from_before_a_restriction_do_not_count_after_it() {
    let mut world = world_of(25, "").await;
    world.settle().await;
    for referral in 1..=3 {
        fails_later(&world, referral, Reaction::FailDay).await;
    }
    world.settle().await;
    assert_eq!(world.runs().await, ["c a1 paused failure-rate", "c a2 active running"]);
    resume(&mut world, 1).await;
    for referral in 4..=10 {
        fails_later(&world, referral, Reaction::FailDay).await;
    }
    world.run_for(TimeDelta::days(1)).await;
    for referral in 11..=20 {
        fails_later(&world, referral, Reaction::FailDay).await;
    }
    let tally = "select concat_ws(' ', handed, failed, handed_before, failed_before) from lane where account_id = 1";
    assert_eq!(world.one::<String>(tally).await, "25 0 0 0");
    // Of what was sent since, two in twenty-five fail.
    for referral in 1..=2 {
        of_day_fails_later(&world, 2, referral, Reaction::FailDay).await;
    }
    world.settle().await;
    assert_eq!(world.one::<String>(tally).await, "25 2 0 0");
    assert_eq!(world.column("select account_id::text from account_halt").await, Vec::<String>::new());
    of_day_fails_later(&world, 2, 3, Reaction::FailDay).await;
    assert_eq!(world.column("select account_id::text from account_halt").await, ["1"]);
}

async fn says_stop(world: &World, account: i32, n: usize) {
    let phone = phone(usize::try_from(account).unwrap(), n);
    world.store().reply(&[said(account, &phone, "STOP")], world.now).await.unwrap();
}

/// Accounts that are stopped, with the sentences, and what was told before.
async fn stops_and_warnings(world: &World) -> (Vec<String>, Vec<String>) {
    let halts = "select detail, concat_ws(' ', account_id, reason) from account_halt order by account_id";
    let told = "select detail, account_id::text from event where kind = 'opt-out-rate' order by id";
    (world.told(halts).await, world.told(told).await)
}

#[tokio::test]
async fn a_rising_opt_out_rate_warns_and_then_pauses_the_account() {
    let mut world = world_of(50, "").await;
    // Somebody to whom both write.
    let both = phone(1, 3);
    world.person(Person { account: "a2", ..Person::new("again", &both) }).await;
    world.run_for(TimeDelta::minutes(1)).await;
    assert_eq!(world.channel.delivered().len(), 101);
    says_stop(&world, 1, 1).await;
    assert_eq!(stops_and_warnings(&world).await, (vec![], vec![]));
    // Whoever blocks counts as well, as soon as the provider says so, and nobody twice.
    fails_later(&world, 2, Reaction::Suppress).await;
    says_stop(&world, 1, 2).await;
    let told = "1 2 people ask for no more messages, of the last 50".to_owned();
    assert_eq!(stops_and_warnings(&world).await, (vec![], vec![told.clone()]));
    says_stop(&world, 2, 1).await;
    says_stop(&world, 1, 3).await;
    world.settle().await;
    // For the other account two are more than two in a hundred, though not more than five.
    let others = "2 2 people ask for no more messages, of the last 51".to_owned();
    let stop = "1 opt-out-rate 3 people ask for no more messages, of the last 50".to_owned();
    assert_eq!(stops_and_warnings(&world).await, (vec![stop], vec![told, others]));
    assert_eq!(world.runs().await, ["c a1 paused opt-out-rate", "c a2 active running"]);
    // What was sent before is not counted again, and it goes on by itself.
    for n in 4..=9 {
        says_stop(&world, 1, n).await;
    }
    world.run_for(TimeDelta::minutes(59)).await;
    assert_eq!(world.runs().await, ["c a1 paused opt-out-rate", "c a2 active running"]);
    world.run_for(TimeDelta::minutes(1)).await;
    assert_eq!(world.runs().await, ["c a1 active running", "c a2 active running"]);
    let tally = "select concat_ws(' ', handed, opted_out, opted_out_before) from lane where account_id = 1";
    assert_eq!(world.one::<String>(tally).await, "0 0 0");
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(world.one::<String>(tally).await, "41 0 0");
    counters_are_exact(&world).await;
}

#[tokio::test]
async fn manifests_set_the_safety_thresholds_of_an_account() {
    let mut world = world_of(10, "").await;
    let lenient = ", safety: {failurePercent: 40, optOutWarnPercent: 20, optOutPausePercent: 40}";
    let strict = "---\napiVersion: relance/v1\nkind: Account\nmetadata: {name: strict}\n\
                  spec: {accounts: {names: [a2]}, safety: {floor: 10, window: 2h}}\n";
    world.apply(&(tree(2, &format!("{NO_PACE}{lenient}"), &[("c", ALWAYS)]) + strict)).await;
    world.settle().await;
    for account in 1..=2 {
        for n in 1..=5 {
            says_stop(&world, account, n).await;
        }
    }
    // The first has fewer than twenty; the second counts from ten on, by what is usual.
    let stop = "2 opt-out-rate 1 person asks for no more messages, of the last 10".to_owned();
    assert_eq!(stops_and_warnings(&world).await, (vec![stop], vec![]));
    world.sql("delete from account_halt").await;
    world.sql("update lane set handed = 30 where account_id = 1").await;
    fails_later(&world, 6, Reaction::FailDay).await;
    assert_eq!(stops_and_warnings(&world).await.0, Vec::<String>::new());
    // Half a window after half a window nothing is left of it.
    world.sql("update lane set handed = 30, failed = 30 where account_id = 2").await;
    world.run_for(TimeDelta::days(1)).await;
    let tally = "select concat_ws(' ', failed, failed_before) from lane where account_id = 2";
    assert_eq!(world.one::<String>(tally).await, "0 0");
}

/// What the provider says of day 1 of somebody of the first account, after it took the message.
async fn fails_later(world: &World, referral: i64, reaction: Reaction) {
    of_day_fails_later(world, 1, referral, reaction).await;
}

async fn of_day_fails_later(world: &World, day: i16, referral: i64, reaction: Reaction) {
    let target = TargetKey { account: AccountId(1), campaign: CampaignId(1), referral: ReferralId(referral) };
    let status = ReceiptStatus::Failed(Refusal { error: "refused later".to_owned(), reaction });
    let receipt =
        Receipt { channel: Some("wa".to_owned()), ..Receipt::new(MessageKey { target, day }, status, world.now) };
    // Told twice, it happens once.
    world.store().receipts(&[receipt.clone(), receipt.clone()], world.now).await.unwrap();
    world.store().receipts(&[receipt], world.now).await.unwrap();
}

#[tokio::test]
async fn a_failure_after_acceptance_triggers_its_reaction_without_a_resend() {
    let mut world = world_of(5, "").await;
    world.settle().await;
    assert_eq!(messages(&world).await, ["a1 day 1 sent attempts 1 5", "a2 day 1 sent attempts 1 5"]);
    fails_later(&world, 1, Reaction::Leave).await;
    fails_later(&world, 2, Reaction::Suppress).await;
    fails_later(&world, 3, Reaction::Retry { after: None }).await;
    let targets = world.targets().await;
    assert_eq!(
        targets[..3],
        ["a1r1 c exited undeliverable day 2", "a1r2 c exited opted-out day 2", "a1r3 c active day 2"]
    );
    assert_eq!(world.column("select source || ': ' || reason from suppression").await, ["channel: refused later"]);
    assert_eq!(messages(&world).await[..2], ["a1 day 1 failed attempts 1 3", "a1 day 1 sent attempts 1 2"]);
    // Trouble that passes says nothing against the account.
    assert_eq!(world.one::<i32>("select failed from lane where account_id = 1").await, 1);
    // It left the house: what it took of the day stays taken.
    counters_are_exact(&world).await;
    fails_later(&world, 4, Reaction::PauseAccount).await;
    world.settle().await;
    assert_eq!(world.runs().await, ["c a1 paused channel-unhealthy", "c a2 active running"]);
    fails_later(&world, 5, Reaction::PauseChannel).await;
    assert_eq!(world.column("select channel from channel_halt").await, ["wa"]);
    resume(&mut world, 1).await;
    world.run_for(TimeDelta::days(1)).await;
    let day_2 = ["a1 day 2 sent attempts 1 3", "a2 day 2 sent attempts 1 5"];
    assert_eq!(messages(&world).await.into_iter().filter(|line| line.contains("day 2")).collect::<Vec<_>>(), day_2);
    counters_are_exact(&world).await;
}

#[tokio::test]
async fn provider_reactions_skip_a_day_fail_it_or_exit_the_person() {
    let mut world = world_of(3, "").await;
    world.channel.fail(&phone(1, 1), &[Fault::Asks(Reaction::SkipDay)]);
    world.channel.fail(&phone(1, 2), &[Fault::Asks(Reaction::FailDay); 2]);
    world.channel.fail(&phone(1, 3), &[Fault::Asks(Reaction::Leave)]);
    world.channel.fail(&phone(2, 1), &[Fault::Fine, Fault::Asks(Reaction::SkipDay)]);
    world.channel.fail(&phone(2, 2), &[Fault::Fine, Fault::Asks(Reaction::FailDay)]);
    world.run_for(TimeDelta::days(2)).await;
    let expected = [
        "a1r1 c completed day 2",
        "a1r2 c exited failed day 2",
        "a1r3 c exited undeliverable day 2",
        "a2r1 c completed day 2",
        "a2r2 c completed day 2",
        "a2r3 c completed day 2",
    ];
    assert_eq!(world.targets().await, expected);
    let expected = [
        "a1r1 c day 1 failed attempt 1",
        "a1r1 c day 2 sent attempt 1",
        "a1r2 c day 1 failed attempt 1",
        "a1r2 c day 2 failed attempt 1",
        "a1r3 c day 1 failed attempt 1",
        "a2r1 c day 1 sent attempt 1",
        "a2r1 c day 2 failed attempt 1",
        "a2r2 c day 1 sent attempt 1",
        "a2r2 c day 2 failed attempt 1",
        "a2r3 c day 1 sent attempt 1",
        "a2r3 c day 2 sent attempt 1",
    ];
    assert_eq!(world.messages().await, expected);
    counters_are_exact(&world).await;
}

#[tokio::test]
async fn early_opt_outs_count_once_enough_messages_are_sent() {
    let mut world = world_of(25, "").await;
    world.sql("update target set due_at = due_at + interval '1 hour' where account_id = 1 and referral_id > 15").await;
    world.settle().await;
    for n in 1..=3 {
        says_stop(&world, 1, n).await;
    }
    world.run_for(TimeDelta::minutes(10)).await;
    assert_eq!(stops_and_warnings(&world).await, (vec![], vec![]));
    // Nobody says anything more while the messages leave that make them twenty.
    world.run_for(TimeDelta::hours(1)).await;
    let (stops, _) = stops_and_warnings(&world).await;
    assert_eq!(stops.len(), 1, "{stops:?}");
    assert_eq!(world.column("select reason from account_halt").await, ["opt-out-rate"]);
}

#[tokio::test]
async fn a_stop_is_told_once_even_if_its_transaction_commits_after_a_later_one() {
    let world = World::at("2026-11-30T08:00:00Z").await;
    let paused = |reason: &str| {
        format!(
            "insert into event (account_id, campaign_id, at, kind, before, after, reason, detail, revision_id)
             values (1, 1, '2026-11-30Z', 'run-phase', 'active', 'paused', '{reason}', '{{\"code\": \"none\"}}', 1)"
        )
    };
    let (seen, _) = world.store().stopped_since(None).await.unwrap();
    // The first to get a number commits last.
    let mut slow = world.pool().begin().await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(paused("template-error"))).execute(&mut *slow).await.unwrap();
    world.sql(&paused("failure-rate")).await;
    let (seen, told) = world.store().stopped_since(Some(&seen)).await.unwrap();
    assert_eq!(told.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>(), ["failure-rate"]);
    slow.commit().await.unwrap();
    let (seen, told) = world.store().stopped_since(Some(&seen)).await.unwrap();
    assert_eq!(told.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>(), ["template-error"]);
    assert_eq!(world.store().stopped_since(Some(&seen)).await.unwrap().1, []);
}

#[tokio::test]
async fn unanswered_messages_count_as_failures() {
    let mut world = world_of(25, "").await;
    for n in 1..=25 {
        world.channel.fail(&phone(1, n), &[Fault::NoAnswer]);
    }
    let (last, none) = world.store().stopped_since(None).await.unwrap();
    assert_eq!(none, []);
    world.run_for(TimeDelta::minutes(10)).await;
    // Whoever watches a daemon is told, once.
    let (last, told) = world.store().stopped_since(Some(&last)).await.unwrap();
    let [RestrictedRun { reason, runs: 1, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(reason, "failure-rate");
    assert_eq!(world.store().stopped_since(Some(&last)).await.unwrap().1, []);
    assert_eq!(world.column("select account_id || ' ' || reason from account_halt").await, ["1 failure-rate"]);
    let uncertain = "select count(*) from message where state = 'uncertain'";
    assert_eq!(world.one::<i64>(uncertain).await, 25);
}
