//! The verbs of the daemon, and the queries of people about one account, read no large table as a whole.
//!
//! Covers statements that macros build. The server counts its sequential scans; each verb runs once, with real
//! parameters, on the seeded database of the plans.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;
use std::time::Duration;

use chrono::TimeDelta;
use relance::channel::{Outcome, Reaction, Refusal};
use relance::core::dispatch::OutgoingMessage;
use relance::core::domain::{AccountId, CampaignId, MessageKey, Phone, ReferralId, TargetKey, Timestamp};
use relance::core::lifecycle::outcome::Finding;
use relance::daemon::BATCH;
use relance::store::query::{HistoryOf, LogOf, TargetName, Wanted};
use relance::store::{
    Chosen, Claim, FactEvent, InboundMessage, Listed, Receipt, ReceiptStatus, Resolved, Senders, Span, Store, Terms,
    Via,
};
use sqlx::PgPool;

use crate::query_plans::{LARGE, seeded};
use crate::support::rows;
use crate::support::world::World;

const CAMPAIGN: CampaignId = CampaignId(1);

/// The sequential scans of large tables, verb by verb.
struct Scans {
    pool: PgPool,
    before: BTreeMap<String, i64>,
    found: BTreeSet<(&'static str, String)>,
}

impl Scans {
    /// Counts on the only connection to the database.
    async fn of(pool: &PgPool) -> Self {
        // A closed connection reports its scans when its process ends.
        let others = "pg_stat_activity where datname = current_database() and backend_type = 'client backend'
                      and pid <> pg_backend_pid()";
        while rows::count(pool, others).await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut scans = Self { pool: pool.clone(), before: BTreeMap::new(), found: BTreeSet::new() };
        scans.before = scans.counts().await;
        scans
    }

    async fn counts(&self) -> BTreeMap<String, i64> {
        // A connection otherwise reports its scans once per second.
        rows::execute(&self.pool, "select pg_stat_force_next_flush()").await;
        let counts = "select relname::text, seq_scan from pg_stat_user_tables where relname = any($1)";
        let rows: Vec<(String, i64)> = sqlx::query_as(counts).bind(&LARGE[..]).fetch_all(&self.pool).await.unwrap();
        assert_eq!(rows.len(), LARGE.len());
        rows.into_iter().collect()
    }

    /// Ignores the scans since the last call: the test itself looked for its parameters.
    async fn skip(&mut self) {
        self.before = self.counts().await;
    }

    /// Attributes the scans since the last call to `verb`.
    async fn after(&mut self, verb: &'static str) {
        let counts = self.counts().await;
        let rose = counts.iter().filter(|(table, scans)| self.before[*table] < **scans);
        self.found.extend(rose.map(|(table, _)| (verb, table.clone())));
        self.before = counts;
    }
}

/// A store on the seeded database, whose only connection counts, and the instant.
async fn counted() -> (World, Store, Scans) {
    let (world, pool) = seeded().await;
    world.pool().close().await;
    let scans = Scans::of(&pool).await;
    (world, Store::of(pool), scans)
}

fn key(account: i32, referral: i64, day: i16) -> MessageKey {
    let target = TargetKey { account: AccountId(account), campaign: CAMPAIGN, referral: ReferralId(referral) };
    MessageKey { target, day }
}

/// Every tenth message has each of these outcomes; the others are accepted.
fn outcomes(claim: Claim) -> Vec<(OutgoingMessage, Outcome)> {
    let outcome = |n: usize| match n % 10 {
        0 => Outcome::refused("busy", Reaction::Retry { after: None }),
        1 => Outcome::refused("no such number", Reaction::Leave),
        2 => Outcome::Unknown { error: "no answer".to_owned() },
        _ => Outcome::accepted(format!("wamid.new.{n}")),
    };
    claim.messages.into_iter().enumerate().map(|(n, message)| (message, outcome(n))).collect()
}

fn incoming(id: &str, phone: &str, text: &str, at: Timestamp) -> InboundMessage {
    InboundMessage {
        id: id.to_owned(),
        channel: "whatsapp".to_owned(),
        number: None,
        phone: Some(phone.trim_start_matches('+').to_owned()),
        user: None,
        context: None,
        text: text.to_owned(),
        via: Via::Message,
        undoes: None,
        at,
    }
}

#[tokio::test]
async fn a_large_table_scan_is_detected() {
    let (_world, _store, mut scans) = counted().await;
    let deliberate = rows::count(&scans.pool, "message where text = 'nobody wrote this'").await;
    scans.after("a deliberate scan").await;
    assert_eq!(deliberate, 0);
    assert_eq!(scans.found, BTreeSet::from([("a deliberate scan", "message".to_owned())]));
    rows::count(&scans.pool, "message where account_id = 1 and referral_id = 1").await;
    scans.after("a look at one person").await;
    assert_eq!(scans.found.len(), 1);
}

#[tokio::test]
async fn daemon_verbs_never_scan_a_large_table() {
    let (mut world, pool) = seeded().await;
    let (program, _) = world.program().await;
    let now = world.now;
    rows::execute(
        world.pool(),
        "insert into referral (account_id, external_id, name, phone, language, country, registered_at, consent, as_of,
                               is_current)
         select 1, 'new' || n, 'Paul', '+2377000000' || (10 + n), 'fr', 'CM', '2026-11-29Z', 'opted_in', '2026-11-29Z', true
         from generate_series(1, 9) n",
    )
    .await;
    let due = "with lanes as (update lane set wake_at = '2026-11-30T08:00:00Z')
               update run set check_at = '2026-11-30T08:00:00Z',
                              enroll_at = case when account_id <= 3 then timestamptz '2026-11-30T08:00:00Z' end";
    rows::execute(world.pool(), due).await;
    world.pool().close().await;
    let (store, mut scans) = (Store::of(pool.clone()), Scans::of(&pool).await);

    store.advance_runs(&program, now).await.unwrap();
    scans.after("advance runs").await;
    assert_eq!(rows::count(&pool, "run where check_at <= '2026-11-30T08:00:00Z'").await, 0);
    assert!(store.next_due().await.unwrap().earliest().is_some());
    scans.after("next due").await;

    assert_eq!(store.campaigns_to_enroll(now).await.unwrap(), [CAMPAIGN]);
    assert_eq!(store.enroll(&program, CAMPAIGN, now).await.unwrap().people, 9);
    scans.after("enroll").await;

    let terms = Terms::until(now + TimeDelta::minutes(2));
    // A claim looks at as many lanes as may fill a batch; most of them have nobody due.
    let mut claim = Claim::default();
    loop {
        let mut next = store.claim(&program, BATCH, Span::now(now), terms).await.unwrap();
        if next.lanes == 0 {
            break;
        }
        claim.messages.append(&mut next.messages);
    }
    assert!(claim.messages.len() > 100, "{} messages", claim.messages.len());
    scans.after("claim").await;
    store.save_outcomes(&outcomes(claim), now).await.unwrap();
    scans.after("save outcomes").await;

    let later = now + TimeDelta::hours(2);
    let retries = store.claim(&program, BATCH, Span::now(later), Terms::until(later)).await.unwrap();
    assert!(!retries.messages.is_empty());
    scans.after("claim retries").await;
    assert_eq!(store.expire_leases(later).await.unwrap(), retries.messages.len() as u64);
    scans.after("expire leases").await;

    let failed = ReceiptStatus::Failed(Refusal { error: "131026".to_owned(), reaction: Reaction::Leave });
    let people: Vec<i64> =
        rows::column(&pool, "select referral_id from message where account_id = 1 and day = 1 order by 1 limit 52")
            .await;
    scans.skip().await;
    let delivered = people[2..].iter().map(|id| Receipt::new(key(1, *id, 1), ReceiptStatus::Delivered, now));
    let receipts: Vec<Receipt> = delivered.chain([Receipt::new(key(1, people[0], 1), failed, now)]).collect();
    assert_eq!(store.receipts(&receipts, later).await.unwrap(), 51);
    scans.after("receipts").await;
    let named = Receipt { is_certain: false, ..Receipt::new(key(1, people[1], 1), ReceiptStatus::Read, now) };
    store.receipts(slice::from_ref(&named), later).await.unwrap();
    scans.after("receipts without an installation id").await;

    let active = "select r.phone from target t join referral r on (r.account_id, r.id) = (t.account_id, t.referral_id)
                  where t.account_id = 20 and t.state = 'active' order by r.id";
    let phones: Vec<String> = rows::column(&pool, active).await;
    scans.skip().await;
    let heard = [incoming("in.1", &phones[0], "STOP", now), incoming("in.2", &phones[1], "merci", now)];
    let heard = store.hear(&heard, &Senders::default(), later).await.unwrap();
    assert_eq!((heard.new, heard.replies.exited), (2, 1));
    scans.after("hear").await;
    let confirmations = store.claim_confirmations(&program.policies, later).await.unwrap();
    let told: Vec<_> =
        confirmations.into_iter().map(|one| (one, Outcome::refused("busy", Reaction::FailDay))).collect();
    store.settle_confirmations(&told, later).await.unwrap();
    scans.after("confirmations").await;
    let listed = BTreeSet::from([Phone::trusted(phones[2].clone())]);
    assert_eq!(store.suppress(&listed, Listed::ByHand, Some("asked"), later).await.unwrap().exited, 1);
    store.unsuppress(&listed, "asked again", later).await.unwrap();
    scans.after("suppress").await;

    let payer: i64 = rows::one(&pool, "select id from referral where external_id = 'r3-1'").await;
    let paid = FactEvent::Paid { account: AccountId(3), referral: ReferralId(payer), at: now };
    assert_eq!(store.record(&[paid], later).await.unwrap(), 1);
    scans.after("record facts").await;
    let uncertain: Vec<String> = rows::column(
        &pool,
        "select concat_ws('/', c.name, a.external_id, r.external_id, m.day)
         from (select * from message where state = 'uncertain' limit 5) m join campaign c on c.id = m.campaign_id
         join account a on a.id = m.account_id join referral r on (r.account_id, r.id) = (m.account_id, m.referral_id)",
    )
    .await;
    scans.skip().await;
    let resolved = store.resolve(Chosen::Ids(&uncertain), Finding::Failed, None, later).await.unwrap();
    assert_eq!(resolved, Resolved::Done(uncertain.len() as u64));
    assert!(!uncertain.is_empty());
    scans.after("resolve").await;
    store.look_ahead(&program, later).await.unwrap();
    scans.after("look ahead").await;
    store.collect_notifications(later).await.unwrap();
    scans.after("collect notifications").await;

    assert_eq!(scans.found, BTreeSet::new());
}

#[tokio::test]
async fn the_erasure_of_a_person_and_the_stops_of_a_busy_process_read_no_large_table_as_a_whole() {
    let (world, store, mut scans) = counted().await;
    let phone: String = rows::one(&scans.pool, "select phone from referral where external_id = 'r7-9'").await;
    scans.skip().await;
    let stop = incoming("in.stop", &phone, "STOP", world.now);
    store.stop_at_once(slice::from_ref(&stop), &Senders::default(), world.now).await.unwrap();
    scans.after("stop at once").await;
    assert_eq!(store.waiting_webhooks(&[], world.now).await.unwrap().len(), 0);
    let (seen, _) = store.stopped_since(None).await.unwrap();
    store.stopped_since(Some(&seen)).await.unwrap();
    scans.after("what stopped since a snapshot").await;
    let erased = store.forget(&Phone::trusted(phone), "a letter", world.now).await.unwrap();
    assert_eq!((erased.referrals, erased.messages), (1, 2));
    scans.after("contact forget").await;
    // Text that people typed is searched as a whole, after the locks are free.
    let searched = [("contact forget", "event"), ("contact forget", "message")];
    assert_eq!(scans.found, searched.map(|(verb, table)| (verb, table.to_owned())).into());
}

#[tokio::test]
async fn account_and_person_queries_never_scan_a_large_table() {
    let (mut world, pool) = seeded().await;
    let (program, _) = world.program().await;
    let now = world.now;
    world.pool().close().await;
    let (store, mut scans) = (Store::of(pool.clone()), Scans::of(&pool).await);

    let account = Wanted { account: Some("a7".to_owned()), limit: Some(50), ..Wanted::default() };
    let run = Wanted { campaign: Some("c".to_owned()), ..account.clone() };
    let referral = "r7-9".to_owned();
    let person = Wanted { referral: Some(referral.clone()), ..Wanted::default() };
    for (wanted, targets, messages) in [
        (&account, "targets of an account", "messages of an account"),
        (&run, "targets of a run", "messages of a run"),
        (&person, "targets of a person", "messages of a person"),
    ] {
        assert!(store.targets(&program, wanted, now).await.unwrap().total > 0);
        scans.after(targets).await;
        assert!(store.messages(wanted).await.unwrap().total > 0);
        scans.after(messages).await;
    }
    assert_eq!(store.runs(&run).await.unwrap().len(), 1);
    scans.after("one run").await;
    let all = Wanted { limit: Some(50), ..Wanted::default() };
    for (wanted, targets, messages) in [
        (&all, "a page of all targets", "a page of all messages"),
        (&account, "a page of an account's targets", "a page of an account's messages"),
        (&run, "a page of a run's targets", "a page of a run's messages"),
    ] {
        let page = store.targets_after(&program, wanted, None, now).await.unwrap();
        let (place, _) = page.last().unwrap();
        assert_eq!(
            (page.len(), store.targets_after(&program, wanted, Some(*place), now).await.unwrap().len()),
            (50, 50)
        );
        scans.after(targets).await;
        let page = store.messages_after(wanted, None).await.unwrap();
        let (place, _) = page.last().unwrap();
        assert_eq!((page.len(), store.messages_after(wanted, Some(*place)).await.unwrap().len()), (50, 50));
        scans.after(messages).await;
    }
    assert!(!store.messages_after(&person, None).await.unwrap().is_empty());
    scans.after("a page of a person's messages").await;
    let page = store.log_before(&LogOf::default(), None, 50).await.unwrap();
    let place = page.last().unwrap().place();
    assert_eq!(store.log_before(&LogOf::default(), place, 50).await.unwrap().len(), 50);
    scans.after("a page of the log").await;
    assert!(
        store
            .visible(Some(AccountId(7)), &Wanted { referral: Some(referral.clone()), ..run.clone() })
            .await
            .unwrap()
            .referral
    );
    scans.after("visible names").await;
    store.ends("c", "a7").await.unwrap();
    store.run_today(&program, ("c", "a7"), now).await.unwrap().unwrap();
    scans.after("quotas and ends of a run").await;
    let of = LogOf { account: Some("a7".to_owned()), ..LogOf::default() };
    let (lines, cursor) = store.log(&of, Some(50)).await.unwrap();
    assert_eq!(lines.len(), 50);
    scans.after("log of an account").await;
    store.log_after(&of, &cursor).await.unwrap();
    scans.after("log after a cursor").await;
    store.person(&referral).await.unwrap().unwrap();
    store.correspondence(&referral).await.unwrap().unwrap();
    let phone: String = rows::one(&pool, "select phone from referral where external_id = 'r7-9'").await;
    let phone = Phone::trusted(phone);
    store.contact(&phone).await.unwrap();
    scans.after("a person and their contact").await;
    assert!(!store.cases(&program, &referral, None, now).await.unwrap().is_empty());
    scans.after("explain").await;
    let name = TargetName { campaign: "c".to_owned(), account: "a7".to_owned(), referral: referral.clone() };
    for of in [HistoryOf::Referrals(slice::from_ref(&referral)), HistoryOf::Target(&name)] {
        assert!(!store.history(of, 50).await.unwrap().is_empty());
    }
    scans.after("history of a person").await;
    assert_eq!(store.find_referrals(&[referral.as_str()]).await.unwrap().len(), 1);
    assert!(store.find_target("c/a7/r7-9").await.unwrap().is_some());
    assert!(store.referral_names_near("r7-99").await.unwrap().len() > 100);
    scans.after("names").await;
    store.open_windows(&[(AccountId(7), &phone)], now).await.unwrap();
    scans.after("open windows").await;

    assert_eq!(scans.found, BTreeSet::new());
}
