//! A seeded walk through a month of edits, orders, payments, opt-outs, receipts, faults, crashes and restarts, over the
//! days on which clocks change: what must hold holds after every step.
//!
//! CI walks 250 seeds, everybody else a hundred.

mod orders;
mod people;
mod promises;

use std::collections::{BTreeSet, HashMap};

use chrono::TimeDelta;
use relance::channel::{Outcome, Reaction, Refusal};
use relance::core::domain::{AccountId, CampaignId, MessageKey, ReferralId, TargetKey, Timestamp, Zone};
use relance::core::lifecycle::overrides::Override;
use relance::store::{Claim, FactEvent, InboundMessage, Receipt, ReceiptStatus};

use self::people::{dialled, phone};
use crate::dice::Dice;
use crate::support::trees::tree;
use crate::support::world::{Fault, World};

/// Clocks change in New York on 14 March, in Paris on the 28th, in Santiago and on Lord Howe Island on 4 April.
const BEGIN: &str = "2027-03-10T06:00:00Z";
const DAYS: i64 = 30;
const SEQUENCE: i16 = 4;
const PEOPLE: usize = 3;
const ACCOUNTS: [&str; 2] = ["a1", "a2"];
const ZONES: [&str; 6] = [
    "Africa/Douala",
    "Europe/Paris",
    "Pacific/Kiritimati",
    "America/New_York",
    "America/Santiago",
    "Australia/Lord_Howe",
];
/// Two campaigns with the hours of their windows.
const CAMPAIGNS: [(&str, u32, u32); 2] = [("first", 8, 20), ("second", 6, 11)];

/// What an account has for itself.
#[derive(Debug, Clone, Copy)]
struct Own {
    cap: u32,
    sends: bool,
    enrolls: bool,
}

/// What the manifests ask for.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// Of the whole account.
    cap: u32,
    /// What the first account has instead.
    own: Option<Own>,
    campaigns: [Option<(&'static str, u32)>; 2],
    /// The second is a default campaign, and makes way for the first.
    makes_way: bool,
}

impl Own {
    fn yaml(self) -> String {
        let switch = |on: bool| if on { "on" } else { "off" };
        format!(
            "---\napiVersion: relance/v1\nkind: Account\nmetadata: {{name: own}}\nspec: {{accounts: {{names: [{}]}}, \
             limits: {{messagesPerDay: {}}}, sending: {}, enrollment: {}}}\n",
            ACCOUNTS[0],
            self.cap,
            switch(self.sends),
            switch(self.enrolls)
        )
    }
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
        let yaml =
            tree(days, &format!("limits: {{messagesPerDay: {}}}, pacing: {{every: 0s, jitter: 0s}}", self.cap), &specs);
        let filtered = "{name: second}\nspec: {type: filtered";
        let default = "{name: second}\nspec: {type: default, enrollment: untilDrained, enrollAfter: 0s";
        let yaml = yaml.replace("{fr: 'Jour", "{fr: '{{ name }}, jour");
        let yaml = if self.makes_way { yaml.replace(filtered, default) } else { yaml };
        yaml + &self.own.map(Own::yaml).unwrap_or_default()
    }

    /// What holds for the account with this number.
    fn of(&self, account: i32) -> Own {
        self.own.filter(|_| account == 1).unwrap_or(Own { cap: self.cap, sends: true, enrolls: true })
    }
}

struct Walk {
    seed: u64,
    world: World,
    dice: Dice,
    wanted: Wanted,
    /// What was wanted, from when on.
    history: Vec<(Timestamp, Wanted)>,
    /// Accounts and phones of people who paid or opted out, and how much had been delivered by then.
    stopped: HashMap<(i32, String), usize>,
    /// Rows of exports: their ids, and the people.
    rows: Vec<(String, usize)>,
    /// Everything that people wrote.
    written: Vec<InboundMessage>,
    /// Phones whose user id the provider has told us.
    users: BTreeSet<String>,
    /// People whose reply waits for a reader.
    reviews: BTreeSet<usize>,
    /// All keys that messages ever had: rows of one person become one, and receipts still name the old one.
    keys: BTreeSet<MessageKey>,
    /// What operators ordered, and how much had been delivered by then.
    orders: Vec<(usize, Vec<Override>)>,
    /// Claims whose sender died, or is very slow.
    lost: Vec<Claim>,
    /// The zone of each account.
    zones: [Zone; ACCOUNTS.len()],
    /// What every run, target and message was when it was last looked at.
    before: HashMap<String, String>,
    story: Vec<String>,
}

impl Walk {
    async fn begin(seed: u64, world: World) -> Self {
        let mut dice = Dice::new(seed);
        let zones = ACCOUNTS.map(|_| dice.pick(&ZONES));
        for (id, zone) in ACCOUNTS.iter().zip(zones) {
            world.account(id).await;
            world.sql(&format!("update account set timezone = '{zone}' where external_id = '{id}'")).await;
        }
        let makes_way = dice.below(2) == 0;
        let wanted = Wanted { cap: 4, own: None, campaigns: [Some(("active", 3)), Some(("active", 2))], makes_way };
        let zones = zones.map(|name| Zone::parse(name).unwrap());
        let (history, stopped, orders, lost) = (vec![], HashMap::new(), vec![], vec![]);
        let mut walk = Self {
            seed,
            dice,
            history,
            wanted,
            world,
            stopped,
            rows: vec![],
            written: vec![],
            users: BTreeSet::new(),
            reviews: BTreeSet::new(),
            keys: BTreeSet::new(),
            orders,
            lost,
            zones,
            before: HashMap::new(),
            story: vec![],
        };
        walk.import_people().await;
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
        let happened = match self.dice.below(26) {
            0..=2 => self.edit_something().await,
            3 => self.pay().await,
            4 => self.opt_out().await,
            5..=7 => self.break_a_phone(),
            8 | 9 => self.die().await,
            10 => self.answer_late().await,
            11 => {
                let hours = 1 + self.dice.below(30);
                self.world.now += TimeDelta::hours(i64::try_from(hours).unwrap());
                format!("nothing runs for {hours} h")
            }
            12 => self.connect().await,
            13..=15 => self.hear_of_messages().await,
            16..=18 => self.order().await,
            19 => self.take_back().await,
            20..=22 => self.write().await,
            23 | 24 => self.export().await,
            _ => {
                self.world.restart();
                "restart".to_owned()
            }
        };
        self.story.push(format!("{} {happened}", self.world.now.format("%m-%d %H:%M")));
        self.check().await;
        let minutes = 30 + self.dice.below(47 * 60);
        self.world.run_for(TimeDelta::minutes(i64::try_from(minutes).unwrap())).await;
        self.check().await;
        self.check_wakes().await;
    }

    async fn edit_something(&mut self) -> String {
        let mut wanted = self.wanted;
        let at = self.dice.below(2);
        match self.dice.below(7) {
            5 => wanted.own = None,
            6 => {
                let [sends, enrolls] = [0; 2].map(|_| self.dice.below(2) == 0);
                wanted.own = Some(Own { cap: self.dice.pick(&[1, 3, 6]), sends, enrolls });
            }
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

    async fn pay(&mut self) -> String {
        let (id, n, account, referral) = self.somebody().await;
        let paid = FactEvent::Paid { account, referral, at: self.world.now };
        self.world.store().record(&[paid], self.world.now).await.unwrap();
        self.stop(account.0, phone(n));
        format!("{id} pays")
    }

    /// From here on this person must get no message of this account.
    fn stop(&mut self, account: i32, phone: &str) {
        let so_far = self.world.channel.deliveries().len();
        self.stopped.entry((account, phone.to_owned())).or_insert(so_far);
    }

    /// A row, and the person whom it describes.
    async fn somebody(&mut self) -> (String, usize, AccountId, ReferralId) {
        let (id, n) = self.rows[self.dice.below(self.rows.len())].clone();
        let referral: i64 = self.world.one(&format!("select id from referral where external_id = '{id}'")).await;
        (id, n, AccountId(i32::try_from(n % ACCOUNTS.len()).unwrap() + 1), ReferralId(referral))
    }

    /// The provider tells what became of some messages, true or not, again or not.
    async fn hear_of_messages(&mut self) -> String {
        let rows: Vec<(i32, i32, i64, i16)> = sqlx::query_as(
            "select account_id, campaign_id, referral_id, day from message where state <> 'queued' order by 1, 2, 3, 4",
        )
        .fetch_all(self.world.pool())
        .await
        .unwrap();
        self.keys.extend(rows.into_iter().map(|(account, campaign, referral, day)| {
            let (account, campaign) = (AccountId(account), CampaignId(campaign));
            MessageKey { target: TargetKey { account, campaign, referral: ReferralId(referral) }, day }
        }));
        if self.keys.is_empty() {
            return "no message to hear of".to_owned();
        }
        let keys: Vec<MessageKey> = self.keys.iter().copied().collect();
        let mut receipts = Vec::new();
        for _ in 0..4 {
            let key = self.dice.pick(&keys);
            let status = match self.dice.below(4) {
                0 => ReceiptStatus::Failed(Refusal { error: "undeliverable".to_owned(), reaction: Reaction::Leave }),
                1 => ReceiptStatus::Read,
                _ => ReceiptStatus::Delivered,
            };
            receipts.push(Receipt::new(key, status, self.world.now));
        }
        let further = self.world.store().receipts(&receipts, self.world.now).await.unwrap();
        format!("{further} further by {receipts:?}")
    }

    /// An account loses its sending identity, or has it back.
    async fn connect(&mut self) -> String {
        let at = self.dice.below(ACCOUNTS.len());
        let connected = self.dice.below(2) == 0;
        let account = AccountId(i32::try_from(at).unwrap() + 1);
        self.world.store().record(&[FactEvent::Connection { account, connected }], self.world.now).await.unwrap();
        format!("{} {}", ACCOUNTS[at], if connected { "is connected" } else { "is disconnected" })
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
                    Fault::Crash,
                    Fault::Fine,
                    Fault::NoSuchNumber,
                ])
            })
            .collect();
        for number in dialled(n) {
            self.world.channel.fail(&number, &faults);
        }
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
        if claim.messages.is_empty() {
            return "late with nothing".to_owned();
        }
        let busy = || Outcome::refused("busy", Reaction::Retry { after: None });
        let outcomes: Vec<_> = claim.messages.into_iter().map(|message| (message, busy())).collect();
        self.world.store().save_outcomes(&outcomes, self.world.now).await.unwrap();
        format!("{} answered late", outcomes.len())
    }

    /// Everything works again and runs: in the end nobody is left behind.
    async fn end(mut self) -> World {
        for n in 0..ACCOUNTS.len() * PEOPLE {
            for number in dialled(n) {
                self.world.channel.fail(&number, &[]);
            }
        }
        self.import_the_rest().await;
        self.read_reviews().await;
        self.take_everything_back().await;
        let connected = [1, 2].map(|id| FactEvent::Connection { account: AccountId(id), connected: true });
        self.world.store().record(&connected, self.world.now).await.unwrap();
        self.edit(Wanted { cap: 5, own: None, campaigns: [Some(("active", 3)), Some(("active", 3))], ..self.wanted })
            .await;
        self.world.run_for(TimeDelta::days(14)).await;
        self.check().await;
        self.never("somebody is left behind", "select concat_ws(' ', t.*) from target t where state = 'active'").await;
        self.never("a lease is left behind", "select id::text from lease").await;
        self.never(
            "a run is left behind",
            "select concat_ws(' ', r.*) from run r
             where finished_at is null and reason <> 'waiting-for-people'",
        )
        .await;
        self.never(
            "somebody completed without all days",
            &format!(
                "select concat_ws(' ', t.account_id, t.campaign_id, t.referral_id) from target t where state = 'completed'
                 and {SEQUENCE} <> (select count(*) from message m where (m.account_id, m.campaign_id, m.referral_id)
                                    = (t.account_id, t.campaign_id, t.referral_id) and m.state not in ('queued', 'sending'))"
            ),
        )
        .await;
        self.world
    }
}

#[expect(clippy::disallowed_methods, reason = "how long to look is the business of whoever runs the tests")]
fn seeds() -> u64 {
    if std::env::var_os("CI").is_some() { 250 } else { 100 }
}

async fn walk(seeds: impl Iterator<Item = u64> + Send) {
    let end = BEGIN.parse::<Timestamp>().unwrap() + TimeDelta::days(DAYS);
    let mut world = World::at(BEGIN).await;
    for seed in seeds {
        let mut walk = Walk::begin(seed, world.again(BEGIN).await).await;
        while walk.world.now < end {
            walk.step().await;
        }
        world = walk.end().await;
    }
}

/// Two worlds at a time: while one waits for its database, the other goes on. Each has a thread, because a walk that
/// fails drops its database, and Postgres waits with that for a copy that the other has begun.
async fn walk_two(first: u64) {
    let walks = [first, first + 2].map(|first| tokio::spawn(walk((first..seeds()).step_by(4))));
    for walk in walks {
        walk.await.unwrap();
    }
}

// Two tests, so that two processors have something to do.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariants_hold_on_random_walks_with_even_seeds() {
    walk_two(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariants_hold_on_random_walks_with_odd_seeds() {
    walk_two(1).await;
}
