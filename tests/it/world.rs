//! The production rooms on a real database, with time as a field and a channel that can be told to fail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use relance::channel::{Channel, Channels, Open, Outcome};
use relance::domain::{MessageKey, Timestamp};
use relance::manifest::{self, SourceFile, Sources};
use relance::plan;
use relance::program::Program;
use relance::runner::{self, BATCH, Loaded};
use relance::store::{Applied, Batch, Claim, Claimed, Origin, Speed, Store};

use crate::support::{TestDatabase, database};

/// What a scripted channel does with the next hand-overs to a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// All is well, this time.
    Fine,
    /// Nothing left; try again.
    Busy,
    /// Nothing left; never will.
    NoSuchNumber,
    /// It left, but the answer was lost.
    NoAnswer,
}

/// A message that reached a phone.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) key: MessageKey,
    pub(crate) phone: String,
    pub(crate) text: String,
    pub(crate) at: Timestamp,
}

/// A channel that keeps what it was handed, and fails as told.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// Everything that reached the phone, in order.
    delivered: Mutex<Vec<Delivery>>,
    faults: Mutex<HashMap<String, Vec<Fault>>>,
}

impl Script {
    /// The next hand-overs to `phone` end like this, one each; then all is well again.
    pub(crate) fn fail(&self, phone: &str, faults: &[Fault]) {
        self.faults.lock().unwrap().insert(phone.to_owned(), faults.iter().rev().copied().collect());
    }

    /// Phone and text of everything that arrived.
    pub(crate) fn delivered(&self) -> Vec<(String, String)> {
        self.deliveries().into_iter().map(|delivery| (delivery.phone, delivery.text)).collect()
    }

    /// The keys of everything that arrived.
    pub(crate) fn keys(&self) -> Vec<MessageKey> {
        self.deliveries().into_iter().map(|delivery| delivery.key).collect()
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.delivered.lock().unwrap().clone()
    }

    fn accept(&self, message: &Claimed, at: Timestamp) -> Outcome {
        let fault = self.faults.lock().unwrap().get_mut(message.phone.as_str()).and_then(Vec::pop);
        let arrive = || {
            let phone = message.phone.as_str().to_owned();
            self.delivered.lock().unwrap().push(Delivery { key: message.key, phone, text: message.text.clone(), at });
        };
        match fault {
            None | Some(Fault::Fine) => {
                arrive();
                Outcome::Accepted { provider_id: "script".to_owned() }
            }
            Some(Fault::NoAnswer) => {
                arrive();
                Outcome::Unknown { error: "no answer".to_owned() }
            }
            Some(Fault::Busy) => Outcome::Postponed { error: "busy".to_owned(), after: None },
            Some(Fault::NoSuchNumber) => Outcome::Refused { error: "no such number".to_owned() },
        }
    }
}

#[derive(Debug, Clone)]
struct Scripted(Arc<Script>);

#[async_trait]
impl Channel for Scripted {
    async fn hand_over(&self, messages: &[Claimed], now: Timestamp) -> Vec<Outcome> {
        messages.iter().map(|message| self.0.accept(message, now)).collect()
    }
}

/// One referral as a test needs it; the rest is made up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person<'a> {
    pub(crate) id: &'a str,
    pub(crate) account: &'a str,
    pub(crate) phone: &'a str,
    pub(crate) language: Option<&'a str>,
    pub(crate) registered_at: &'a str,
}

impl<'a> Person<'a> {
    /// Somebody of account `a1` who registered on 20 November 2026 and agreed to be written to.
    pub(crate) fn new(id: &'a str, phone: &'a str) -> Self {
        Self { id, account: "a1", phone, language: Some("fr"), registered_at: "2026-11-20T10:00:00Z" }
    }
}

pub(crate) struct World {
    database: TestDatabase,
    pub(crate) now: Timestamp,
    pub(crate) channel: Arc<Script>,
    loaded: Loaded,
}

impl World {
    /// An empty world at an instant.
    pub(crate) async fn at(now: &str) -> Self {
        let channel = Arc::new(Script::default());
        let scripted: Arc<dyn Channel> = Arc::new(Scripted(Arc::clone(&channel)));
        let open: Open = Arc::new(move |_| Arc::clone(&scripted));
        Self { database: database().await, now: now.parse().unwrap(), channel, loaded: Loaded::new(open) }
    }

    /// For programs that the test starts.
    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.database.store
    }

    /// An account in Douala (UTC+1), in French.
    pub(crate) async fn account(&self, id: &str) {
        self.sql(&format!(
            "insert into account (external_id, name, language, country, timezone, as_of)
             values ('{id}', 'Aminata', 'fr', 'CM', 'Africa/Douala', '2026-11-01Z')"
        ))
        .await;
    }

    pub(crate) async fn person(&self, person: Person<'_>) {
        let Person { id, account, phone, language, registered_at } = person;
        let language = language.map_or("null".to_owned(), |tag| format!("'{tag}'"));
        self.sql(&format!(
            "insert into referral (account_id, external_id, name, phone, language, country, registered_at, consent,
                                   as_of, is_current)
             select id, '{id}', 'Paul', '{phone}', {language}, 'CM', '{registered_at}', 'opted_in', '2026-11-01Z', true
             from account where external_id = '{account}'"
        ))
        .await;
        self.facts_changed().await;
    }

    /// What an import leaves behind for the loops.
    pub(crate) async fn facts_changed(&self) {
        let now = self.now.to_rfc3339();
        self.sql("update facts_generation set facts = facts + 1").await;
        self.sql(&format!("update run set enroll_at = '{now}' where finished_at is null")).await;
        self.sql(&format!("update lane set wake_at = '{now}'")).await;
    }

    pub(crate) async fn sql(&self, statement: &str) {
        sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&self.database.pool).await.unwrap();
    }

    pub(crate) fn pool(&self) -> &sqlx::PgPool {
        &self.database.pool
    }

    /// The first column of every row, as text.
    pub(crate) async fn column(&self, query: &str) -> Vec<String> {
        sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_all(&self.database.pool).await.unwrap()
    }

    pub(crate) async fn one<T>(&self, query: &str) -> T
    where
        T: Send + Unpin,
        for<'r> T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_one(&self.database.pool).await.unwrap()
    }

    /// Makes `yaml` the whole tree; it must be without errors.
    pub(crate) async fn apply(&self, yaml: &str) {
        let files = vec![SourceFile { path: "tree.yaml".to_owned(), bytes: yaml.as_bytes().to_vec() }];
        let checked = manifest::check(&Sources { files });
        let errors: Vec<_> = checked.diagnostics.iter().filter(|found| found.is_error()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let in_force = self.store().in_force().await.unwrap();
        let plan = plan::plan(&checked.desired.to_objects(), &in_force.objects);
        if plan.is_empty() {
            return;
        }
        let origin = Origin { digest: "test".to_owned(), ..Origin::default() };
        let applied =
            self.store().apply(&plan, &checked.desired, in_force.generation, &origin, self.now).await.unwrap();
        assert!(matches!(applied, Applied::Revision(_)), "{applied:?}");
    }

    /// How many people a plan for `yaml` says it enrolls.
    pub(crate) async fn count(&self, yaml: &str) -> u64 {
        let files = vec![SourceFile { path: "tree.yaml".to_owned(), bytes: yaml.as_bytes().to_vec() }];
        let desired = manifest::check(&Sources { files }).desired;
        let in_force = self.store().in_force().await.unwrap();
        let mut plan = plan::plan(&desired.to_objects(), &in_force.objects);
        self.store().count_effects(&mut plan, &desired, &in_force, self.now).await.unwrap();
        plan.changes.iter().filter_map(|change| change.effect).map(|effect| effect.enroll).sum()
    }

    pub(crate) async fn program(&mut self) -> (Arc<Program>, Arc<Channels>) {
        self.loaded.in_force(&self.database.store).await.unwrap()
    }

    /// Everything that is due now, until nothing is.
    pub(crate) async fn settle(&mut self) {
        let (program, channels) = self.program().await;
        let store = self.store();
        store.ensure_runs(&program, self.now).await.unwrap();
        for _ in 0..1_000 {
            let lost = store.expire_leases(self.now).await.unwrap();
            let moved = store.advance_runs(&program, self.now).await.unwrap();
            let taken = runner::enroll(store, &program, self.now).await.unwrap();
            let clock = (self.now, Speed(1.0));
            let sent = runner::send(store, &program, &channels, BATCH, clock).await.unwrap();
            let due = store.next_due().await.unwrap().earliest().is_some_and(|at| at <= self.now);
            if lost + moved + taken == 0 && sent.messages == 0 && !due {
                return;
            }
        }
        panic!("something is always due: {:?}", self.store().next_due().await.unwrap());
    }

    /// Jumps from one due instant to the next until `end`.
    pub(crate) async fn run_until(&mut self, end: Timestamp) {
        loop {
            self.settle().await;
            match self.store().next_due().await.unwrap().earliest() {
                Some(at) if at <= end => self.now = at.max(self.now + TimeDelta::microseconds(1)),
                _ => break,
            }
        }
        self.now = end;
        self.settle().await;
    }

    pub(crate) async fn run_for(&mut self, time: TimeDelta) {
        self.run_until(self.now + time).await;
    }

    /// Claims what is due and hands it over, then dies before any outcome is saved.
    pub(crate) async fn die_after_the_hand_over(&mut self) -> usize {
        let (program, channels) = self.program().await;
        let lease_until = self.now + TimeDelta::seconds(90);
        let claim = self.store().claim(&program, BATCH, self.now, lease_until).await.unwrap();
        channels.hand_over(&program, &claim.messages, self.now).await.len()
    }

    /// Claims what is due, at most `messages`, for 90 seconds.
    pub(crate) async fn claim(&mut self, messages: usize) -> Claim {
        let (program, _) = self.program().await;
        let batch = Batch { messages, ..BATCH };
        self.store().claim(&program, batch, self.now, self.now + TimeDelta::seconds(90)).await.unwrap()
    }

    /// Claims what is due and dies before anything is handed over.
    pub(crate) async fn die_before_the_hand_over(&mut self) -> usize {
        let (program, _) = self.program().await;
        let batch = Batch { lanes: 100, people: 100, messages: 1_000 };
        let claim = self.store().claim(&program, batch, self.now, self.now + TimeDelta::seconds(90)).await.unwrap();
        claim.messages.len()
    }

    /// Every target as `referral campaign state day`, in order.
    pub(crate) async fn targets(&self) -> Vec<String> {
        sqlx::query_scalar(
            "select concat_ws(' ', r.external_id, c.name, t.state, t.exit_reason, 'day', t.day)
             from target t join referral r on (r.account_id, r.id) = (t.account_id, t.referral_id)
             join campaign c on c.id = t.campaign_id order by 1",
        )
        .fetch_all(&self.database.pool)
        .await
        .unwrap()
    }

    /// Every message as `referral campaign day state attempts`, in order.
    pub(crate) async fn messages(&self) -> Vec<String> {
        sqlx::query_scalar(
            "select concat_ws(' ', r.external_id, c.name, 'day', m.day, m.state, 'attempt', m.attempts)
             from message m join referral r on (r.account_id, r.id) = (m.account_id, m.referral_id)
             join campaign c on c.id = m.campaign_id order by 1",
        )
        .fetch_all(&self.database.pool)
        .await
        .unwrap()
    }

    /// Every run as `campaign account phase reason`, in order.
    pub(crate) async fn runs(&self) -> Vec<String> {
        sqlx::query_scalar(
            "select concat_ws(' ', c.name, a.external_id, r.phase, r.reason)
             from run r join account a on a.id = r.account_id join campaign c on c.id = r.campaign_id order by r.campaign_id, 1",
        )
        .fetch_all(&self.database.pool)
        .await
        .unwrap()
    }
}
