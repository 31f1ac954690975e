//! The people of a walk: rows of exports in every spelling of their phones, and messages that they write.

use std::io::Cursor;

use chrono::TimeDelta;
use relance::core::domain::{AccountId, Country, Phone};
use relance::facts::{Source, import};
use relance::store::{Age, Inbound, InboundMessage, Senders, Via};

use super::{ACCOUNTS, PEOPLE, Walk};

/// One handset: its normal form, and how exports and the provider write its number.
struct Handset {
    normal: &'static str,
    written: [&'static str; 3],
    reported: [&'static str; 2],
}

const HANDSETS: [Handset; 5] = [
    // Cameroon, 2014: `6` before mobile numbers.
    Handset {
        normal: "+237671000000",
        written: ["+237671000000", "671 00 00 00", "00237 71000000"],
        reported: ["237671000000", "23771000000"],
    },
    // Mexico, 2019: no `1` before mobile numbers.
    Handset {
        normal: "+525512345678",
        written: ["+525512345678", "+52 1 55 1234 5678", "005215512345678"],
        reported: ["5215512345678", "525512345678"],
    },
    // Argentina: the `9` is dialled from abroad only.
    Handset {
        normal: "+541123456789",
        written: ["+5491123456789", "+54 11 2345-6789", "+541123456789"],
        reported: ["5491123456789", "541123456789"],
    },
    // Benin, 2024: `01` before all numbers.
    Handset {
        normal: "+2290197123456",
        written: ["+2290197123456", "+229 97 12 34 56", "00229\u{a0}97123456"],
        reported: ["22997123456", "2290197123456"],
    },
    // Brazil, 2012 to 2016: a ninth digit.
    Handset {
        normal: "+5511987654321",
        written: ["+5511987654321", "+55 (11) 8765-4321", "\u{200e}+5511987654321"],
        reported: ["551187654321", "5511987654321"],
    },
];

/// Names as exports have them; the last is longer than a provider takes as a parameter.
const NAMES: [&str; 5] = ["Paul", "Émilie-Ngo 🌍", "\u{202b}محمد علي\u{202c}", "{{ 7 * 7 }} <b>'; --", ""];
const LONG: usize = 300;

const STOPS: [&str; 6] = ["STOP", "Arrêt", "arretez", "توقف", "Stop please 🙏", "UNSUB"];
const ORDINARY: [&str; 3] = ["ok merci", "Where is the bus stop?", "👍"];

/// A row of an export.
#[derive(Debug, Clone, Copy)]
struct Row<'a> {
    id: &'a str,
    n: usize,
    phone: &'a str,
    registered_at: &'a str,
    consent: &'a str,
}

/// The first of each account have one phone: two accounts know the same person.
fn handset(n: usize) -> &'static Handset {
    &HANDSETS[if n < ACCOUNTS.len() { 0 } else { n - 1 }]
}

/// The normal form of a person's phone.
pub(super) fn phone(n: usize) -> &'static str {
    handset(n).normal
}

/// The numbers under which the channel may be asked to reach a person.
pub(super) fn dialled(n: usize) -> impl Iterator<Item = String> {
    let dialled =
        |written: &&str| Phone::parse(written, Country::parse("CM").ok()).map(|phone| phone.dialled().to_owned());
    let mut all: Vec<String> = handset(n).written.iter().filter_map(|written| dialled(written).ok()).collect();
    all.sort();
    all.dedup();
    all.into_iter()
}

fn registered_at(day: usize) -> String {
    format!("2027-02-{:02}T10:00:00Z", 1 + day)
}

impl Walk {
    /// Imports the first row of everybody but the last of each account, who come later.
    pub(super) async fn import_people(&mut self) {
        for n in 0..ACCOUNTS.len() * (PEOPLE - 1) {
            self.import(n, "").await;
        }
    }

    /// Somebody is in an export for the first time, or again with another spelling, or as another row.
    pub(super) async fn export(&mut self) -> String {
        let n = self.dice.below(ACCOUNTS.len() * PEOPLE);
        let suffix = self.dice.pick(&["", "b", "c"]);
        self.import(n, suffix).await
    }

    /// Rows that are in no export yet come at last.
    pub(super) async fn import_the_rest(&mut self) {
        for n in 0..ACCOUNTS.len() * PEOPLE {
            if !self.rows.iter().any(|(_, of)| *of == n) {
                self.import(n, "").await;
            }
        }
    }

    async fn import(&mut self, n: usize, suffix: &str) -> String {
        let id = format!("r{n}{suffix}");
        let spelling = self.dice.pick(&handset(n).written);
        // A row keeps its registration; another row of the person may be older or newer.
        let registered_at = registered_at((n * 7 + suffix.len() * suffix.bytes().map(usize::from).sum::<usize>()) % 28);
        let row = Row { id: &id, n, phone: spelling, registered_at: &registered_at, consent: "opted_in" };
        let refused = self.upload(row).await;
        assert_eq!(refused, 0, "seed {}: {row:?}", self.seed);
        format!("an export has {id} as {spelling}")
    }

    /// Imports one row, and returns how many were refused.
    async fn upload(&mut self, row: Row<'_>) -> usize {
        let Row { id, n, phone, registered_at, consent } = row;
        let account = ACCOUNTS[n % ACCOUNTS.len()];
        let name = match self.dice.below(NAMES.len() + 1) {
            at if at < NAMES.len() => NAMES[at].to_owned(),
            _ => "x".repeat(LONG),
        };
        let file = format!(
            "id,account_id,name,phone,country,language,registered_at,consent\n\
             {id},{account},\"{name}\",{phone},CM,fr,{registered_at},{consent}\n"
        );
        let age = Age { as_of: self.world.now, now: self.world.now };
        let source = Source::stream("walk", Cursor::new(file.into_bytes()));
        let report = import::referrals(self.world.store(), source, age).await.unwrap();
        let refused = report.rejected.len();
        if refused == 0 && !self.rows.iter().any(|(known, _)| known == id) {
            self.rows.push((id.to_owned(), n));
        }
        refused
    }

    /// Somebody says STOP, or an export says that they did, even in a row that is refused. It counts for every account
    /// that has their phone.
    pub(super) async fn opt_out(&mut self) -> String {
        let (id, n, account, _) = self.somebody().await;
        let spelling = self.dice.pick(&handset(n).written);
        let way = match self.dice.below(3) {
            0 => {
                let phone = Phone::parse(spelling, Country::parse("CM").ok()).unwrap();
                let stop = Inbound { account, phone, text: self.dice.pick(&STOPS).to_owned() };
                self.world.store().reply(&[stop], self.world.now).await.unwrap();
                "by a reply"
            }
            way => {
                let known = registered_at((n * 7) % 28);
                let registered_at = if way == 1 { known.as_str() } else { "the day before yesterday" };
                let row = Row { id: &id, n, phone: spelling, registered_at, consent: "opted_out" };
                let refused = self.upload(row).await;
                assert_eq!(refused, way - 1, "seed {}: {row:?}", self.seed);
                if way == 1 { "by an export" } else { "by a refused row" }
            }
        };
        self.silence(n);
        format!("{id} opts out {way}, as {spelling}")
    }

    /// Somebody writes to us, perhaps before the first message, in a group, or by a user id alone.
    pub(super) async fn write(&mut self) -> String {
        let n = self.dice.below(ACCOUNTS.len() * PEOPLE);
        let user = format!("CM.{}", phone(n));
        let is_known = self.users.contains(phone(n));
        let digits = self.dice.pick(&handset(n).reported);
        let (phone, user) = match self.dice.below(4) {
            0 if is_known => (None, Some(user)),
            1 => (Some(digits.to_owned()), Some(user)),
            2 => (Some(format!("+{digits}")), None),
            _ => (Some(digits.to_owned()), None),
        };
        let is_stop = self.dice.below(3) == 0;
        let mut text = self.dice.pick(if is_stop { &STOPS[..] } else { &ORDINARY[..] });
        let via = self.dice.pick(&[Via::Message, Via::Message, Via::Edit, Via::Group]);
        if via == Via::Group && !is_stop && self.dice.below(2) == 0 {
            // No consent: anybody may have meant anything.
            text = "START";
        }
        let minutes = i64::try_from(self.dice.below(200)).unwrap();
        let message = InboundMessage {
            id: format!("in-{}", self.written.len()),
            channel: "sandbox".to_owned(),
            number: None,
            phone,
            user,
            context: None,
            text: text.to_owned(),
            via,
            undoes: None,
            at: self.world.now - TimeDelta::minutes(minutes),
        };
        self.written.push(message.clone());
        // The provider repeats an earlier message beside it.
        let again = self.dice.pick(&(0..self.written.len()).collect::<Vec<_>>());
        let batch = [message.clone(), self.written[again].clone()];
        let result = self.world.store().hear(&batch, &Senders::default(), self.world.now).await.unwrap();
        assert!(result.unresolved.is_empty(), "seed {}: {message:?} is a riddle", self.seed);
        if message.phone.is_some() && message.user.is_some() {
            self.users.insert(super::people::phone(n).to_owned());
        }
        // In a group the words may be meant for others: only the account that wrote last waits until somebody has read them.
        match via {
            Via::Group if is_stop => drop(self.reviews.insert(n)),
            _ if is_stop => self.silence(n),
            _ => {}
        }
        format!("r{n} writes {text:?} via {via:?} as {:?} {:?}", message.phone, message.user)
    }

    /// Somebody reads what was held, and takes it for the STOP that it was.
    pub(super) async fn read_reviews(&mut self) {
        for n in std::mem::take(&mut self.reviews) {
            let phone = Phone::parse(phone(n), None).unwrap();
            let stop = Inbound { account: AccountId(1), phone, text: "STOP".to_owned() };
            self.world.store().reply(&[stop], self.world.now).await.unwrap();
        }
    }

    /// From here on no account writes to this person.
    fn silence(&mut self, n: usize) {
        for account in 1..=i32::try_from(ACCOUNTS.len()).unwrap() {
            self.stop(account, phone(n));
        }
    }
}
