//! A seeded walk through twelve days of edits, payments, faults and crashes: what must hold holds after every step.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Timelike};
use relance::channel::Outcome;
use relance::domain::{MessageKey, Timestamp, Zone};
use relance::store::Claim;

use crate::sending::tree;
use crate::world::{Fault, Person, World};

const SEEDS: u64 = 40;
/// Of 18 hours on the average: twelve days.
const STEPS: u64 = 16;
const SEQUENCE: i16 = 4;
const PEOPLE: usize = 6;
const ACCOUNTS: [(&str, &str); 3] = [("a1", "Africa/Douala"), ("a2", "Europe/Paris"), ("a3", "Pacific/Kiritimati")];
/// Two campaigns with the hours of their windows.
const CAMPAIGNS: [(&str, u32, u32); 2] = [("first", 8, 20), ("second", 6, 11)];

/// What must not be, and a query that would find it.
const NEVER: [(&str, &str); 9] = [
    (
        "a counter of an account differs from its messages",
        "select concat_ws(' ', l.account_id, l.taken_on, l.taken, count(m)) from lane l
         left join message m on m.account_id = l.account_id and m.counts_on = l.taken_on
         group by l.account_id having l.taken <> count(m)",
    ),
    (
        "a counter of a run differs from its messages",
        "select concat_ws(' ', r.account_id, r.campaign_id, r.taken_on, r.taken, count(m)) from run r
         left join message m on (m.account_id, m.campaign_id, m.counts_on) = (r.account_id, r.campaign_id, r.taken_on)
         group by r.account_id, r.campaign_id having r.taken <> count(m)",
    ),
    (
        "the events of a run do not lead to where it is",
        "select concat_ws(' ', r.account_id, r.campaign_id, r.phase, r.reason, e.phase_after, e.reason) from run r
         left join lateral (
           select * from event e where (e.account_id, e.campaign_id) = (r.account_id, r.campaign_id)
           order by e.id desc limit 1) e on true
         where (r.phase, r.reason) is distinct from (e.phase_after, e.reason)",
    ),
    (
        "an event does not follow from the one before, or changes nothing",
        "select concat_ws(' ', id, phase_before, phase_after, reason) from (
           select *, lag(phase_after) over run as last_phase, lag(reason) over run as last_reason from event
           window run as (partition by account_id, campaign_id order by id)) e
         where phase_before is distinct from last_phase or (phase_after, reason) = (last_phase, last_reason)",
    ),
    (
        "two messages of one day for one person",
        "select concat_ws(' ', account_id, referral_id, counts_on) from message where counts_on is not null
         group by account_id, referral_id, counts_on having count(*) > 1",
    ),
    (
        "somebody waits for nothing",
        "select concat_ws(' ', t.account_id, t.campaign_id, t.referral_id) from target t
         where t.state = 'active' and t.due_at is null and not exists (
           select from message m
           join lease l on exists (
             select from unnest(l.account_ids, l.campaign_ids, l.referral_ids, l.days) as k (a, c, r, d)
             where (k.a, k.c, k.r, k.d) = (m.account_id, m.campaign_id, m.referral_id, m.day))
           where (m.account_id, m.campaign_id, m.referral_id, m.day) = (t.account_id, t.campaign_id, t.referral_id, t.day)
             and m.state = 'sending')",
    ),
    (
        "a message is on its way with nobody to ask",
        "select concat_ws(' ', m.account_id, m.campaign_id, m.referral_id, m.day) from message m
         where m.state = 'sending' and not exists (
           select from lease l, unnest(l.account_ids, l.campaign_ids, l.referral_ids, l.days) as k (a, c, r, d)
           where (k.a, k.c, k.r, k.d) = (m.account_id, m.campaign_id, m.referral_id, m.day))",
    ),
    (
        "somebody is active in a run that is over",
        "select concat_ws(' ', t.account_id, t.campaign_id, t.referral_id) from target t
         join run r on (r.account_id, r.campaign_id) = (t.account_id, t.campaign_id)
         where t.state = 'active' and r.finished_at is not null",
    ),
    (
        "a day was skipped",
        "select concat_ws(' ', t.account_id, t.campaign_id, t.referral_id, t.day) from target t
         where t.state = 'active' and t.day - 1 + (t.due_at is null)::int <> (
           select count(*) from message m
           where (m.account_id, m.campaign_id, m.referral_id) = (t.account_id, t.campaign_id, t.referral_id)
             and m.state <> 'queued')",
    ),
];

/// The finaliser of splitmix64: small, and the same for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// What the manifests ask for.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// Of the whole account.
    cap: u32,
    campaigns: [Option<(&'static str, u32)>; 2],
}

impl Wanted {
    fn yaml(&self) -> String {
        let specs: Vec<(&str, String)> = (CAMPAIGNS.iter().zip(&self.campaigns).enumerate())
            .filter_map(|(at, ((name, from, to), wanted))| {
                let (state, cap) = (*wanted)?;
                let schedule = format!("{{firstAfter: 1h, windows: [{{from: '{from:02}:00', to: '{to:02}:00'}}]}}");
                let priority = 10 - at;
                Some((
                    *name,
                    format!(
                        "state: {state}, priority: {priority}, limits: {{messagesPerDay: {cap}}}, schedule: {schedule}"
                    ),
                ))
            })
            .collect();
        let specs: Vec<(&str, &str)> = specs.iter().map(|(name, spec)| (*name, spec.as_str())).collect();
        let days = u16::try_from(SEQUENCE).unwrap();
        tree(days, &format!("limits: {{messagesPerDay: {}}}, pacing: {{every: 0s, jitter: 0s}}", self.cap), &specs)
    }
}

struct Walk {
    seed: u64,
    world: World,
    dice: Dice,
    wanted: Wanted,
    /// What was wanted, from when on.
    history: Vec<(Timestamp, Wanted)>,
    /// Referrals who paid or opted out, and how much had been delivered by then.
    stopped: HashMap<i64, usize>,
    /// Claims whose sender died, or is very slow.
    lost: Vec<Claim>,
    story: Vec<String>,
}

impl Walk {
    async fn begin(seed: u64) -> Self {
        let world = World::at("2027-03-22T06:00:00Z").await;
        for (id, zone) in ACCOUNTS {
            world.account(id).await;
            world.sql(&format!("update account set timezone = '{zone}' where external_id = '{id}'")).await;
        }
        for n in 0..ACCOUNTS.len() * PEOPLE {
            let (account, _) = ACCOUNTS[n % ACCOUNTS.len()];
            let registered_at = format!("2027-03-{:02}T10:00:00Z", 1 + n);
            world
                .person(Person { account, registered_at: &registered_at, ..Person::new(&format!("r{n}"), &phone(n)) })
                .await;
        }
        let wanted = Wanted { cap: 4, campaigns: [Some(("active", 3)), Some(("active", 2))] };
        let mut walk = Self {
            seed,
            dice: Dice(seed),
            history: vec![],
            wanted,
            world,
            stopped: HashMap::new(),
            lost: vec![],
            story: vec![],
        };
        walk.edit(wanted).await;
        walk
    }

    async fn edit(&mut self, wanted: Wanted) {
        self.wanted = wanted;
        self.history.push((self.world.now, wanted));
        self.world.apply(&wanted.yaml()).await;
    }

    /// One thing that happens, then some hours.
    async fn step(&mut self) {
        let happened = match self.dice.below(12) {
            0 | 1 => self.edit_something().await,
            2 => self.stop_somebody("paid").await,
            3 => self.stop_somebody("stop").await,
            4..=6 => self.break_a_phone(),
            7 | 8 => self.die().await,
            9 => self.answer_late().await,
            10 => {
                let hours = 1 + self.dice.below(30);
                self.world.now += TimeDelta::hours(i64::try_from(hours).unwrap());
                format!("nothing runs for {hours} h")
            }
            _ => "nothing".to_owned(),
        };
        self.story.push(format!("{} {happened}", self.world.now.format("%d %H:%M")));
        self.check().await;
        let minutes = 30 + self.dice.below(35 * 60);
        self.world.run_for(TimeDelta::minutes(i64::try_from(minutes).unwrap())).await;
        self.check().await;
        self.check_wakes().await;
    }

    async fn edit_something(&mut self) -> String {
        let mut wanted = self.wanted;
        let at = self.dice.below(2);
        match self.dice.below(5) {
            0 => wanted.cap = self.dice.pick(&[2, 4, 5]),
            1 => wanted.campaigns[at] = None,
            // A cancelled run is over for ever; removed and written again it is another campaign.
            2 => wanted.campaigns[at] = Some((self.dice.pick(&["active", "active", "active", "cancelled"]), 3)),
            _ => {
                let cap = self.dice.pick(&[1, 2, 3]);
                wanted.campaigns[at] = Some((self.dice.pick(&["active", "paused", "active"]), cap));
            }
        }
        self.edit(wanted).await;
        format!("edit {wanted:?}")
    }

    async fn stop_somebody(&mut self, how: &str) -> String {
        let n = self.dice.below(ACCOUNTS.len() * PEOPLE);
        let now = self.world.now.to_rfc3339();
        let statement = if how == "paid" {
            format!("update referral set paid_at = coalesce(paid_at, '{now}') where external_id = 'r{n}'")
        } else {
            format!("insert into suppression values ('{}', 'stop', '{now}') on conflict do nothing", phone(n))
        };
        self.world.sql(&statement).await;
        self.world.facts_changed().await;
        let id: i64 = self.world.one(&format!("select id from referral where external_id = 'r{n}'")).await;
        let so_far = self.world.channel.deliveries().len();
        self.stopped.entry(id).or_insert(so_far);
        format!("r{n} {how}")
    }

    fn break_a_phone(&mut self) -> String {
        let n = self.dice.below(ACCOUNTS.len() * PEOPLE);
        let faults: Vec<Fault> = (0..=self.dice.below(5))
            .map(|_| {
                self.dice.pick(&[
                    Fault::Busy,
                    Fault::Busy,
                    Fault::Busy,
                    Fault::NoAnswer,
                    Fault::Fine,
                    Fault::NoSuchNumber,
                ])
            })
            .collect();
        self.world.channel.fail(&phone(n), &faults);
        format!("r{n} {faults:?}")
    }

    /// Somebody claims and dies, before or after the hand-over; perhaps it is only very slow, see [`Walk::answer_late`].
    async fn die(&mut self) -> String {
        let after = self.dice.below(2) == 0;
        let claimed = if after {
            self.world.die_after_the_hand_over().await
        } else {
            let most = 1 + self.dice.below(4);
            let claim = self.world.claim(most).await;
            let claimed = claim.messages.len();
            self.lost.push(claim);
            claimed
        };
        format!("dies {} handing {claimed} over", if after { "after" } else { "before" })
    }

    /// The outcomes of an old claim are saved after all: its lease may be over or not.
    async fn answer_late(&mut self) -> String {
        let Some(claim) = self.lost.pop() else { return "nobody is late".to_owned() };
        let Some(lease) = claim.lease else { return "late with nothing".to_owned() };
        let busy = || Outcome::Postponed { error: "busy".to_owned(), after: None };
        let outcomes: Vec<_> = claim.messages.into_iter().map(|message| (message, busy())).collect();
        self.world.store().save_outcomes(lease, &outcomes, self.world.now).await.unwrap();
        format!("{} answered late", outcomes.len())
    }

    /// Asserts that a query, of what must not be, finds nothing.
    async fn never(&self, what: &str, query: &str) {
        let found = self.world.column(query).await;
        assert!(found.is_empty(), "seed {}: {what}: {found:?}\n{}", self.seed, self.story.join("\n"));
    }

    async fn check(&self) {
        // One question to the database, not nine.
        let all = NEVER.map(|(what, query)| format!("select '{what}: ' || found from ({query}) as q (found)"));
        self.never("a promise is broken", &all.join(" union all ")).await;
        self.check_deliveries().await;
    }

    async fn check_deliveries(&self) {
        let story = || self.story.join("\n");
        let names: HashMap<i32, String> = self
            .world
            .column("select id || ' ' || name from campaign")
            .await
            .into_iter()
            .map(|row| row.split_once(' ').map(|(id, name)| (id.parse().unwrap(), name.to_owned())).unwrap())
            .collect();
        let mut keys: HashSet<MessageKey> = HashSet::new();
        let mut people: HashSet<(i64, NaiveDate)> = HashSet::new();
        let mut days: HashMap<(i32, i32, i64), i16> = HashMap::new();
        let mut accounts: BTreeMap<(i32, NaiveDate), Vec<Timestamp>> = BTreeMap::new();
        let mut runs: BTreeMap<(i32, i32, NaiveDate), Vec<Timestamp>> = BTreeMap::new();
        for (place, delivery) in self.world.channel.deliveries().into_iter().enumerate() {
            let (key, target) = (delivery.key, delivery.key.target);
            let (account, campaign, referral) = (target.account.0, target.campaign.0, target.referral.0);
            let seed = self.seed;
            assert!(keys.insert(key), "seed {seed}: {key:?} was delivered twice\n{}", story());
            assert!(
                self.stopped.get(&referral).is_none_or(|so_far| place < *so_far),
                "seed {seed}: {key:?} left after a payment or opt-out\n{}",
                story()
            );
            let last = days.insert((account, campaign, referral), key.day).unwrap_or_default();
            assert!(last < key.day, "seed {seed}: {key:?} came after day {last}\n{}", story());
            let local = zone(account).local(delivery.at);
            let (_, from, to) = CAMPAIGNS.into_iter().find(|(name, ..)| *name == names[&campaign]).unwrap();
            assert!((from..to).contains(&local.hour()), "seed {seed}: {key:?} left at {local}\n{}", story());
            assert!(
                people.insert((referral, local.date())),
                "seed {seed}: {key:?} is the second of the day\n{}",
                story()
            );
            accounts.entry((account, local.date())).or_default().push(delivery.at);
            runs.entry((account, campaign, local.date())).or_default().push(delivery.at);
        }
        for ((account, day), sent) in accounts {
            let cap = self.highest(&sent, |wanted| Some(wanted.cap));
            assert!(
                sent.len() <= cap,
                "seed {}: {} on {day} for account {account}, cap {cap}\n{}",
                self.seed,
                sent.len(),
                story()
            );
        }
        for ((account, campaign, day), sent) in runs {
            let at = CAMPAIGNS.iter().position(|(name, ..)| *name == names[&campaign]).unwrap();
            let cap = self.highest(&sent, |wanted| wanted.campaigns[at].map(|(_, cap)| cap));
            assert!(
                sent.len() <= cap,
                "seed {}: {} on {day} for {account} {campaign}, cap {cap}\n{}",
                self.seed,
                sent.len(),
                story()
            );
        }
    }

    /// The highest cap in force while these were sent.
    fn highest(&self, sent: &[Timestamp], cap: impl Fn(&Wanted) -> Option<u32>) -> usize {
        let (first, last) = (*sent.first().unwrap(), *sent.last().unwrap());
        let before = self.history.iter().rposition(|(at, _)| *at <= first).unwrap_or_default();
        let caps = self.history[before..].iter().filter(|(at, _)| *at <= last).filter_map(|(_, wanted)| cap(wanted));
        caps.max().unwrap_or_default() as usize
    }

    /// Nobody who could be written to at some instant is slept through.
    async fn check_wakes(&self) {
        type Row = (i32, String, Timestamp, Option<Timestamp>, Option<NaiveDate>, i32, Option<NaiveDate>, i32);
        let rows: Vec<Row> = sqlx::query_as(
            "select l.account_id, c.name, min(t.due_at), l.wake_at, l.taken_on, l.taken, r.taken_on, r.taken
             from target t join run r on (r.account_id, r.campaign_id) = (t.account_id, t.campaign_id)
             join campaign c on c.id = r.campaign_id join lane l on l.account_id = r.account_id
             where t.state = 'active' and t.due_at is not null and r.phase = 'active'
             group by l.account_id, c.name, r.account_id, r.campaign_id",
        )
        .fetch_all(self.world.pool())
        .await
        .unwrap();
        for (account, name, due_at, wake_at, lane_on, lane_taken, run_on, run_taken) in rows {
            let zone = zone(account);
            let at = CAMPAIGNS.iter().position(|campaign| campaign.0 == name).unwrap();
            let (_, from, to) = CAMPAIGNS[at];
            let mut earliest = due_at.max(self.world.now);
            let today = zone.date(self.world.now);
            let spent = |on: Option<NaiveDate>, taken: i32, cap: u32| on == Some(today) && taken.unsigned_abs() >= cap;
            let run_cap = self.wanted.campaigns[at].map_or(0, |(_, cap)| cap);
            if spent(lane_on, lane_taken, self.wanted.cap) || spent(run_on, run_taken, run_cap) {
                earliest = earliest.max(zone.next_day(self.world.now));
            }
            // The first minute of the window from there.
            while !(from..to).contains(&zone.local(earliest).hour()) {
                let minute = earliest.timestamp() / 60 + 1;
                earliest = DateTime::from_timestamp(minute * 60, 0).unwrap();
            }
            assert!(
                wake_at.is_some_and(|wake_at| wake_at <= earliest),
                "seed {}: account {account} sleeps until {wake_at:?}, but {name} could send at {earliest}\n{}",
                self.seed,
                self.story.join("\n")
            );
        }
    }

    /// Everything works again and runs: in the end nobody is left behind.
    async fn end(mut self) {
        for n in 0..ACCOUNTS.len() * PEOPLE {
            self.world.channel.fail(&phone(n), &[]);
        }
        self.edit(Wanted { cap: 5, campaigns: [Some(("active", 3)), Some(("active", 3))] }).await;
        self.world.run_for(TimeDelta::days(40)).await;
        self.check().await;
        self.never("somebody is left behind", "select concat_ws(' ', t.*) from target t where state = 'active'").await;
        self.never("a lease is left behind", "select id::text from lease").await;
        self.never("a run is left behind", "select concat_ws(' ', r.*) from run r where finished_at is null").await;
        self.never(
            "somebody completed without all days",
            &format!(
                "select concat_ws(' ', t.account_id, t.campaign_id, t.referral_id) from target t where state = 'completed'
                 and {SEQUENCE} <> (select count(*) from message m where (m.account_id, m.campaign_id, m.referral_id)
                                    = (t.account_id, t.campaign_id, t.referral_id) and m.state in ('sent', 'uncertain', 'failed'))"
            ),
        )
        .await;
    }
}

fn zone(account: i32) -> Zone {
    let (_, name) = ACCOUNTS[usize::try_from(account).unwrap() - 1];
    Zone::parse(name).unwrap()
}

fn phone(n: usize) -> String {
    format!("+237671{n:06}")
}

async fn walk(seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        let mut walk = Walk::begin(seed).await;
        for _ in 0..STEPS {
            walk.step().await;
        }
        walk.end().await;
    }
}

// Two tests, so that two processors have something to do.

#[tokio::test]
async fn whatever_happens_the_promises_hold_even_seeds() {
    walk((0..SEEDS).step_by(2)).await;
}

#[tokio::test]
async fn whatever_happens_the_promises_hold_odd_seeds() {
    walk((1..SEEDS).step_by(2)).await;
}
