//! What must hold after every step, whatever happened.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Timelike};
use relance::core::domain::{Phone, Timestamp, Zone};
use relance::core::lifecycle::overrides::Action;

use super::{CAMPAIGNS, Walk, Wanted};

/// What must not be, and a query that would find it.
const NEVER: [(&str, &str); 13] = [
    (
        "a counter of an account differs from its messages",
        "select concat_ws(' ', l.account_id, l.taken_on, l.taken, count(m)) from lane l
         left join message m on m.account_id = l.account_id and m.quota_date = l.taken_on
         group by l.account_id having l.taken <> count(m)",
    ),
    (
        "a counter of a run differs from its messages",
        "select concat_ws(' ', r.account_id, r.campaign_id, r.taken_on, r.taken, count(m)) from run r
         left join message m on (m.account_id, m.campaign_id, m.quota_date) = (r.account_id, r.campaign_id, r.taken_on)
         group by r.account_id, r.campaign_id having r.taken <> count(m)",
    ),
    (
        "what certainly did not leave takes quota",
        "select concat_ws(' ', account_id, campaign_id, referral_id, day, quota_date) from message
         where state = 'queued' and quota_date is not null",
    ),
    (
        "the events of a run do not lead to where it is",
        "select concat_ws(' ', r.account_id, r.campaign_id, r.phase, r.reason, e.after, e.reason) from run r
         left join lateral (
           select * from event e where (e.account_id, e.campaign_id) = (r.account_id, r.campaign_id)
             and e.kind in ('run-created', 'run-phase')
           order by e.id desc limit 1) e on true
         where (r.phase, r.reason) is distinct from (e.after, e.reason)",
    ),
    (
        "an event does not follow from the one before, or changes nothing",
        "select concat_ws(' ', id, before, after, reason) from (
           select *, lag(after) over run as last_phase, lag(reason) over run as last_reason,
                     lag(detail) over run as last_detail from event
           where kind in ('run-created', 'run-phase')
           window run as (partition by account_id, campaign_id order by id)) e
         where before is distinct from last_phase
            or (after, reason, detail - 'order') = (last_phase, last_reason, last_detail - 'order')",
    ),
    (
        "two messages of one day for one person",
        "select concat_ws(' ', m.account_id, r.phone, m.quota_date) from message m
         join referral r on (r.account_id, r.id) = (m.account_id, m.referral_id) where m.quota_date is not null
         group by m.account_id, r.phone, m.quota_date having count(*) > 1",
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
             and m.state <> 'queued')",
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
        "a default run is active beside a filtered one",
        "with active as (
           select r.account_id, r.reason, m.body->>'type' as type from run r join campaign c on c.id = r.campaign_id
           join manifest m on m.kind = 'Campaign' and m.name = c.name
           where r.phase = 'active' and c.removed_at is null)
         select concat_ws(' ', d.account_id) from active d join active f on f.account_id = d.account_id
         where d.type = 'default' and d.reason <> 'operator' and f.type = 'filtered'",
    ),
    (
        "somebody had to leave a run that has no end",
        "select concat_ws(' ', account_id, campaign_id, referral_id) from target where exit_reason = 'expired'",
    ),
    (
        "a day was skipped",
        "select concat_ws(' ', t.account_id, t.campaign_id, t.referral_id, t.day) from target t
         where t.state = 'active' and t.day - 1 + (t.due_at is null)::int <> (
           select count(*) from message m
           where (m.account_id, m.campaign_id, m.referral_id) = (t.account_id, t.campaign_id, t.referral_id)
             and m.state <> 'queued')",
    ),
    (
        "a day was given up before its third attempt",
        "select concat_ws(' ', m.account_id, m.campaign_id, m.referral_id, m.day, m.attempts) from message m
         join target t on (t.account_id, t.campaign_id, t.referral_id) = (m.account_id, m.campaign_id, m.referral_id)
         where m.state = 'failed' and m.error = 'throttled' and m.attempts < 3 and t.state <> 'exited'",
    ),
];

impl Walk {
    /// Asserts that a query, of what must not be, finds nothing.
    pub(super) async fn never(&self, what: &str, query: &str) {
        let found = self.world.column(query).await;
        assert!(found.is_empty(), "seed {}: {what}: {found:?}\n{}", self.seed, self.story.join("\n"));
    }

    pub(super) async fn check(&mut self) {
        // One question to the database, not one for each.
        let all = NEVER.map(|(what, query)| format!("select '{what}: ' || found from ({query}) as q (found)"));
        self.never("a promise is broken", &all.join(" union all ")).await;
        self.check_deliveries().await;
        self.check_enrollments().await;
        self.check_transitions().await;
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
        // A person is an account and a phone: the rows of one person become one, and the key of a message changes.
        let mut people: HashSet<(i32, String, NaiveDate)> = HashSet::new();
        let mut days: HashMap<(i32, i32, String), i16> = HashMap::new();
        let mut accounts: BTreeMap<(i32, NaiveDate), Vec<Timestamp>> = BTreeMap::new();
        let mut runs: BTreeMap<(i32, i32, NaiveDate), Vec<Timestamp>> = BTreeMap::new();
        for (place, delivery) in self.world.channel.deliveries().into_iter().enumerate() {
            let (key, target) = (delivery.key, delivery.key.target);
            let (account, campaign) = (target.account.0, target.campaign.0);
            let phone = Phone::dialled_as(&delivery.phone).as_str().to_owned();
            let seed = self.seed;
            assert!(
                self.stopped.get(&(account, phone.clone())).is_none_or(|so_far| place < *so_far),
                "seed {seed}: {key:?} left after a payment or opt-out\n{}",
                story()
            );
            let last = days.insert((account, campaign, phone.clone()), key.day).unwrap_or_default();
            assert!(last < key.day, "seed {seed}: {key:?} came after day {last}\n{}", story());
            let order = self.ordered((target.account, target.campaign), place, delivery.at);
            assert!(
                !matches!(order, Some(Action::Pause | Action::Cancel)),
                "seed {seed}: {key:?} left at {}, though its run was stopped: {order:?}\n{}",
                delivery.at,
                story()
            );
            assert!(
                self.wanted_at(delivery.at).any(|wanted| wanted.of(account).sends),
                "seed {seed}: {key:?} left at {}, though sending is off for its account\n{}",
                delivery.at,
                story()
            );
            let local = self.zone(account).local(delivery.at);
            let (_, from, to) = CAMPAIGNS.into_iter().find(|(name, ..)| *name == names[&campaign]).unwrap();
            assert!((from..to).contains(&local.hour()), "seed {seed}: {key:?} left at {local}\n{}", story());
            assert!(
                people.insert((account, phone, local.date())),
                "seed {seed}: {key:?} is the second of the day\n{}",
                story()
            );
            accounts.entry((account, local.date())).or_default().push(delivery.at);
            runs.entry((account, campaign, local.date())).or_default().push(delivery.at);
        }
        for ((account, day), sent) in accounts {
            let cap = self.highest(&sent, |wanted| Some(wanted.of(account).cap));
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

    /// Nobody is taken for an account that takes nobody.
    async fn check_enrollments(&self) {
        let taken: Vec<(i32, Timestamp)> = sqlx::query_as("select distinct account_id, enrolled_at from target")
            .fetch_all(self.world.pool())
            .await
            .unwrap();
        for (account, at) in taken {
            assert!(
                self.wanted_at(at).any(|wanted| wanted.of(account).enrolls),
                "seed {}: somebody was taken at {at} for account {account}, which takes nobody\n{}",
                self.seed,
                self.story.join("\n")
            );
        }
    }

    /// What was in force at an instant: of several, all.
    fn wanted_at(&self, at: Timestamp) -> impl Iterator<Item = &Wanted> {
        let before = self.history.iter().rposition(|(since, _)| *since < at).unwrap_or_default();
        self.history[before..].iter().take_while(move |(since, _)| *since <= at).map(|(_, wanted)| wanted)
    }

    /// The highest cap in force while these were sent; what is sent at the instant of an edit may be so before it.
    fn highest(&self, sent: &[Timestamp], cap: impl Fn(&Wanted) -> Option<u32>) -> usize {
        let (first, last) = (*sent.first().unwrap(), *sent.last().unwrap());
        let before = self.history.iter().rposition(|(at, _)| *at < first).unwrap_or_default();
        let caps = self.history[before..].iter().filter(|(at, _)| *at <= last).filter_map(|(_, wanted)| cap(wanted));
        caps.max().unwrap_or_default() as usize
    }

    /// Nobody who could be written to at some instant is slept through.
    pub(super) async fn check_wakes(&self) {
        type Row = (i32, String, Timestamp, Option<Timestamp>, Option<NaiveDate>, i32, Option<NaiveDate>, i32);
        let rows: Vec<Row> = sqlx::query_as(
            "select l.account_id, c.name, min(t.due_at), l.wake_at, l.taken_on, l.taken, r.taken_on, r.taken
             from target t join run r on (r.account_id, r.campaign_id) = (t.account_id, t.campaign_id)
             join campaign c on c.id = r.campaign_id join lane l on l.account_id = r.account_id
             join account a on a.id = r.account_id and a.whatsapp_status is distinct from 'disconnected'
             where t.state = 'active' and t.due_at is not null and r.phase = 'active'
             group by l.account_id, c.name, r.account_id, r.campaign_id",
        )
        .fetch_all(self.world.pool())
        .await
        .unwrap();
        for (account, name, due_at, wake_at, lane_on, lane_taken, run_on, run_taken) in rows {
            let own = self.wanted.of(account);
            if !own.sends {
                continue;
            }
            let zone = self.zone(account);
            let at = CAMPAIGNS.iter().position(|campaign| campaign.0 == name).unwrap();
            let (_, from, to) = CAMPAIGNS[at];
            let mut earliest = due_at.max(self.world.now);
            let today = zone.date(self.world.now);
            let spent = |on: Option<NaiveDate>, taken: i32, cap: u32| on == Some(today) && taken.unsigned_abs() >= cap;
            let run_cap = self.wanted.campaigns[at].map_or(0, |(_, cap)| cap);
            if spent(lane_on, lane_taken, own.cap) || spent(run_on, run_taken, run_cap) {
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

    /// What is final stays as it is, and what left the house never waits again.
    async fn check_transitions(&mut self) {
        const STATES: &str = "select concat_ws(' ', 'run', account_id, campaign_id) || '|' || phase from run
            union all select concat_ws(' ', 'target', account_id, campaign_id, referral_id) || '|'
                             || concat_ws(' ', state, exit_reason) from target
            union all select concat_ws(' ', 'message', account_id, campaign_id, referral_id, day) || '|' || state
            from message";
        for row in self.world.column(STATES).await {
            let (key, now) = row.split_once('|').map(|(key, state)| (key.to_owned(), state.to_owned())).unwrap();
            let allowed = match self.before.get(&key).map(String::as_str) {
                None | Some("queued" | "sending" | "draft" | "scheduled" | "active" | "paused") => true,
                // By the outcome that came late, or by a receipt.
                Some("uncertain") => ["uncertain", "sent", "delivered", "failed", "read"].contains(&now.as_str()),
                Some("sent") => ["sent", "delivered", "failed", "read"].contains(&now.as_str()),
                Some("delivered") => ["delivered", "read"].contains(&now.as_str()),
                Some("failed") => ["failed", "delivered", "read"].contains(&now.as_str()),
                Some(before) => before == now,
            };
            let before = self.before.insert(key.clone(), now.clone());
            let story = self.story.join("\n");
            assert!(allowed, "seed {}: {key} went from {before:?} to {now}\n{story}", self.seed);
        }
    }

    fn zone(&self, account: i32) -> &Zone {
        &self.zones[usize::try_from(account).unwrap() - 1]
    }
}
