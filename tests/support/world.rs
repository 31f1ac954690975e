//! The production world of the time machine, with what tests want besides: facts in one line, faults by phone, SQL.

use std::sync::Arc;

use chrono::TimeDelta;
use relance::channel::Channels;
use relance::core::dispatch::program::Program;
use relance::core::domain::{MessageKey, Timestamp};
use relance::core::lifecycle::detail::Detail;
use relance::core::lifecycle::outcome as settlement;
use relance::core::lifecycle::overrides::Override;
use relance::core::manifest::{SourceFile, Sources};
use relance::daemon::BATCH;
use relance::daemon::reconcile::{By, Outcome, Pass};
use relance::store::{Batch, Claim, Ordered, Span, Store, Terms};
use relance::time_machine;
use relance::time_machine::{Delivery, Reaction, Script};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use crate::support::database::{TestDatabase, database};
use crate::support::rows;

/// What the channel does with the next hand-overs to a phone.
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
    /// Nothing left; the provider asks for this.
    Asks(settlement::Reaction),
    /// It left, and the daemon died.
    Crash,
}

/// The channel of a world.
#[derive(Debug)]
pub(crate) struct Phones(Arc<Script>);

impl Phones {
    /// The next hand-overs to `phone` end like this, one each; then all is well again.
    pub(crate) fn fail(&self, phone: &str, faults: &[Fault]) {
        self.0.edit_faults(|all| {
            all.retain(|fault| fault.phone.as_deref() != Some(phone));
            all.extend(faults.iter().map(|fault| time_machine::Fault {
                referral: None,
                campaign: None,
                day: None,
                phone: Some(phone.to_owned()),
                times: Some(1),
                reaction: match fault {
                    Fault::Fine => Reaction::Accepted,
                    Fault::Busy => Reaction::Throttled,
                    Fault::NoSuchNumber => Reaction::Rejected("no such number".to_owned()),
                    Fault::NoAnswer => Reaction::Timeout,
                    Fault::Asks(reaction) => Reaction::Refused(*reaction),
                    Fault::Crash => Reaction::CrashBeforeOutcome,
                },
            }));
        });
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
        self.0.deliveries()
    }
}

pub(crate) struct World {
    database: TestDatabase,
    pub(crate) now: Timestamp,
    pub(crate) channel: Phones,
    machine: time_machine::World,
}

impl World {
    /// An empty world at an instant.
    pub(crate) async fn at(now: &str) -> Self {
        Self::on(database().await, now)
    }

    /// An empty world at an instant, in place of this one.
    pub(crate) async fn again(self, now: &str) -> Self {
        self.database.empty().await;
        Self::on(self.database, now)
    }

    fn on(database: TestDatabase, now: &str) -> Self {
        let (script, now) = (Arc::new(Script::keeping()), now.parse().unwrap());
        let machine = time_machine::World::begin(database.store.clone(), Arc::clone(&script), now);
        Self { database, now, channel: Phones(script), machine }
    }

    /// The daemon, at the instant of the test and unaware of what the test changed.
    fn machine(&mut self) -> &mut time_machine::World {
        self.machine.sleep_until(self.now);
        self.machine.touch();
        &mut self.machine
    }

    /// For programs that the test starts.
    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.database.store
    }

    pub(crate) async fn sql(&self, statement: &str) {
        rows::execute(self.pool(), statement).await;
    }

    pub(crate) fn pool(&self) -> &sqlx::PgPool {
        &self.database.pool
    }

    /// The first column of every row, as text.
    pub(crate) async fn column(&self, query: &str) -> Vec<String> {
        rows::column(self.pool(), query).await
    }

    /// The sentences of details, the first column of every row.
    pub(crate) async fn sentences(&self, query: &str) -> Vec<String> {
        let details: Vec<Json<Detail>> = rows::column(self.pool(), query).await;
        details.into_iter().map(|Json(detail)| detail.to_string()).collect()
    }

    /// The second column of every row, a text, and the sentence of the first.
    pub(crate) async fn told(&self, query: &str) -> Vec<String> {
        let rows: Vec<(Json<Detail>, String)> =
            sqlx::query_as(AssertSqlSafe(query.to_owned())).fetch_all(self.pool()).await.unwrap();
        rows.into_iter().map(|(Json(detail), text)| format!("{text} {detail}")).collect()
    }

    pub(crate) async fn one<T>(&self, query: &str) -> T
    where
        T: Send + Unpin,
        for<'r> T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        rows::one(self.pool(), query).await
    }

    /// How many rows of a table there are: `revision`, `message where state = 'sent'`.
    pub(crate) async fn count(&self, rows: &str) -> i64 {
        rows::count(self.pool(), rows).await
    }

    /// Makes `yaml` the whole tree; it must be without errors.
    pub(crate) async fn apply(&mut self, yaml: &str) {
        let by = By::Person { mass_change: true, digest: None };
        let outcome = self.machine().reconcile(&sources(yaml), by).await.unwrap().outcome;
        assert!(matches!(outcome, Outcome::Applied { .. } | Outcome::InSync), "{outcome:#?}");
    }

    /// Makes a reconcile pass over `sources`.
    pub(crate) async fn reconcile(&mut self, sources: &Sources, by: By<'_>) -> Pass {
        self.machine().reconcile(sources, by).await.unwrap()
    }

    /// How many people a plan for `yaml` says it enrolls.
    pub(crate) async fn would_enroll(&mut self, yaml: &str) -> u64 {
        let plan = self.machine().compare(sources(yaml)).await.unwrap().plan;
        plan.changes.iter().filter_map(|change| change.effect.as_ref()).map(|effect| effect.enroll).sum()
    }

    pub(crate) async fn program(&mut self) -> (Arc<Program>, Arc<Channels>) {
        self.machine().in_force().await.unwrap()
    }

    /// Everything that is due now, until nothing is.
    pub(crate) async fn settle(&mut self) {
        self.machine().settle().await.unwrap();
    }

    /// Has an operator order this.
    pub(crate) async fn order(&mut self, order: &Override) -> Ordered {
        let (program, _) = self.program().await;
        self.store().set_override(&program, order, self.now).await.unwrap()
    }

    /// Jumps from one due instant to the next until `end`.
    pub(crate) async fn run_until(&mut self, end: Timestamp) {
        self.machine().run_until(end).await.unwrap();
        self.now = end;
    }

    /// The daemon dies and comes back.
    pub(crate) fn restart(&mut self) {
        self.machine().restart();
    }

    pub(crate) async fn run_for(&mut self, time: TimeDelta) {
        self.run_until(self.now + time).await;
    }

    /// Claims what is due and hands it over, then dies before any outcome is saved.
    pub(crate) async fn die_after_the_hand_over(&mut self) -> usize {
        let (program, channels) = self.program().await;
        let lease_until = self.now + TimeDelta::seconds(90);
        let claim = self.store().claim(&program, BATCH, Span::now(self.now), Terms::until(lease_until)).await.unwrap();
        channels.hand_over(&claim.messages, self.now).await.len()
    }

    /// Claims what is due, at most `messages`, for 90 seconds.
    pub(crate) async fn claim(&mut self, messages: usize) -> Claim {
        self.claim_by(Batch { messages, ..BATCH }).await
    }

    /// Claims what is due, at most of so many people of each run, for 90 seconds.
    pub(crate) async fn claim_of(&mut self, people: u32) -> Claim {
        self.claim_by(Batch { people, ..BATCH }).await
    }

    async fn claim_by(&mut self, batch: Batch) -> Claim {
        let (program, _) = self.program().await;
        self.store()
            .claim(&program, batch, Span::now(self.now), Terms::until(self.now + TimeDelta::seconds(90)))
            .await
            .unwrap()
    }

    /// Claims what is due and dies before anything is handed over.
    pub(crate) async fn die_before_the_hand_over(&mut self) -> usize {
        let (program, _) = self.program().await;
        let batch = Batch { lanes: 100, people: 100, messages: 1_000 };
        let claim = self
            .store()
            .claim(&program, batch, Span::now(self.now), Terms::until(self.now + TimeDelta::seconds(90)))
            .await
            .unwrap();
        claim.messages.len()
    }

    /// How many messages count against the caps of the only account and of the only run.
    pub(crate) async fn taken(&self) -> (i32, i32) {
        (self.one("select taken from lane").await, self.one("select taken from run").await)
    }

    pub(crate) async fn wrong_counters(&self) -> i64 {
        rows::wrong_counters(self.pool()).await
    }

    pub(crate) async fn waiting_for_locks(&self) -> i64 {
        rows::waiting_for_locks(self.pool()).await
    }

    /// Every target as `referral campaign state day`, in order.
    pub(crate) async fn targets(&self) -> Vec<String> {
        self.column(
            "select concat_ws(' ', r.external_id, c.name, t.state, t.exit_reason, 'day', t.day)
             from target t join referral r on (r.account_id, r.id) = (t.account_id, t.referral_id)
             join campaign c on c.id = t.campaign_id order by 1",
        )
        .await
    }

    /// Every message as `referral campaign day state attempts`, in order.
    pub(crate) async fn messages(&self) -> Vec<String> {
        self.column(
            "select concat_ws(' ', r.external_id, c.name, 'day', m.day, m.state, 'attempt', m.attempts)
             from message m join referral r on (r.account_id, r.id) = (m.account_id, m.referral_id)
             join campaign c on c.id = m.campaign_id order by 1",
        )
        .await
    }

    /// Every run as `campaign account phase reason`, in order.
    pub(crate) async fn runs(&self) -> Vec<String> {
        self.column(
            "select concat_ws(' ', c.name, a.external_id, r.phase, r.reason)
             from run r join account a on a.id = r.account_id join campaign c on c.id = r.campaign_id order by r.campaign_id, 1",
        )
        .await
    }
}

pub(crate) fn sources(yaml: &str) -> Sources {
    Sources::from(vec![SourceFile { path: "tree.yaml".to_owned(), bytes: yaml.as_bytes().to_vec() }])
}
