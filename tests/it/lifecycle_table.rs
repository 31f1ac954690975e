//! Every transition of targets and messages on a real database, beside the pure machines that own them.
//!
//! A cell is a target alone in its account, with a message in flight. A line of a table is one verb of the store, which
//! acts on one cell in each state. Each cell must end where `step` says; an illegal event must change nothing. A pair
//! that `step` allows must have a verb that causes it.

mod messages;
mod targets;

use std::fmt::Write as _;

use chrono::TimeDelta;
use relance::channel::{Outcome, Reaction, Refusal};
use relance::core::dispatch::OutgoingMessage;
use relance::core::lifecycle::overrides::{Action, Override, Scope};
use relance::core::lifecycle::target;
use relance::store::{Batch, FactEvent, Listed, Ordered, Receipt, ReceiptStatus, Span, Terms};

use crate::support::trees::{NO_PACE, tree};
use crate::support::world::World;

/// The daily sequence has three days.
const LAST_DAY: u16 = 3;
const CAMPAIGN: &str = "enrollment: continuous, schedule: {firstAfter: 1h, windows: [{from: '00:00', to: '24:00'}]}";
/// Half an hour into the second local day, before the second day of anybody is due.
const TUESDAY: &str = "2026-12-01T00:30:00Z";

/// The cells that no line has used yet. A day of each is in flight.
struct Cells {
    world: World,
    first_day: Vec<OutgoingMessage>,
    last_day: Vec<OutgoingMessage>,
}

impl Cells {
    /// Claims the first day of so many people, and the last day of so many others.
    async fn claimed(first_day: usize, last_day: usize) -> Self {
        let mut world = World::at("2026-11-30T08:00:00Z").await;
        world
            .sql(&format!(
                "insert into account (external_id, name, language, country, timezone, as_of)
                 select 'a' || n, 'Aminata', 'fr', 'CM', 'Africa/Douala', '2026-11-01Z'
                 from generate_series(1, {}) n order by n",
                first_day + last_day
            ))
            .await;
        world
            .sql(
                "insert into referral (account_id, external_id, name, phone, language, country, registered_at, consent,
                                       as_of, is_current)
                 select id, 'r' || id, 'Paul', '+237' || (670000000 + id), 'fr', 'CM', '2026-11-20Z', 'opted_in',
                        '2026-11-01Z', true
                 from account order by id",
            )
            .await;
        world.facts_changed().await;
        world.apply(&tree(LAST_DAY, NO_PACE, &[("c", CAMPAIGN)])).await;
        world.settle().await;
        world.sql(&format!("update target set day = {LAST_DAY} where account_id > {first_day}")).await;
        // The newest people are due first, each by a fraction of a second.
        world.now += TimeDelta::minutes(61);
        let mut cells = Self { world, first_day: vec![], last_day: vec![] };
        let claimed = cells.claim().await;
        (cells.last_day, cells.first_day) = claimed.into_iter().partition(|message| message.last);
        assert_eq!((cells.first_day.len(), cells.last_day.len()), (first_day, last_day));
        cells
    }

    /// Claims everything that is due, with a lease for each lane.
    async fn claim(&mut self) -> Vec<OutgoingMessage> {
        let (program, _) = self.world.program().await;
        let terms = Terms { until: self.world.now + TimeDelta::seconds(90), apart: true, busy: &[] };
        let batch = Batch { lanes: 10_000, people: 10, messages: 10_000 };
        let claim = self.world.store().claim(&program, batch, Span::now(self.world.now), terms).await.unwrap();
        assert!(!claim.stale);
        claim.messages
    }

    async fn save<'a>(&self, cells: impl IntoIterator<Item = &'a OutgoingMessage>, outcome: &Outcome) {
        let outcomes: Vec<_> = cells.into_iter().map(|claimed| (claimed.clone(), outcome.clone())).collect();
        self.world.store().save_outcomes(&outcomes, self.world.now).await.unwrap();
    }

    async fn tell<'a>(&self, cells: impl IntoIterator<Item = &'a OutgoingMessage>, status: &ReceiptStatus) {
        let now = self.world.now;
        let receipts: Vec<_> =
            cells.into_iter().map(|claimed| Receipt::new(claimed.key, status.clone(), now)).collect();
        self.world.store().receipts(&receipts, now).await.unwrap();
    }

    /// Expires every lease that is over.
    async fn expire(&self) {
        while self.world.store().next_due().await.unwrap().expire.is_some_and(|at| at <= self.world.now) {
            self.world.store().expire_leases(self.world.now).await.unwrap();
        }
    }

    async fn suppress(&self, cells: &[OutgoingMessage]) {
        let phones = cells.iter().map(|claimed| claimed.phone.clone()).collect();
        self.world.store().suppress(&phones, Listed::ByHand, None, self.world.now).await.unwrap();
    }

    async fn forget(&self, cells: &[OutgoingMessage]) {
        for claimed in cells {
            self.world.store().forget(&claimed.phone, "asked for it", self.world.now).await.unwrap();
        }
    }

    async fn cancel(&mut self, cells: &[OutgoingMessage]) {
        for claimed in cells {
            let order = Override {
                scope: Scope::Run(claimed.key.target.account, claimed.key.target.campaign),
                action: Action::Cancel,
                actor: "maria".to_owned(),
                reason: "a test".to_owned(),
                until: None,
            };
            assert!(matches!(self.world.order(&order).await, Ordered::Done(_)));
        }
    }

    async fn pay(&self, cells: &[OutgoingMessage]) {
        let paid = |claimed: &OutgoingMessage| FactEvent::Paid {
            account: claimed.key.target.account,
            referral: claimed.key.target.referral,
            at: self.world.now,
        };
        let events: Vec<_> = cells.iter().map(paid).collect();
        self.world.store().record(&events, self.world.now).await.unwrap();
    }

    /// Puts targets into a state, whatever they are in.
    async fn put(&self, cells: &[OutgoingMessage], state: target::State) {
        let (text, exit, day, due_at) = match state {
            target::State::Waiting { day, due_at } => ("active", None, Some(day), Some(due_at)),
            target::State::LastDayOut { day } => ("active", None, Some(day), None),
            target::State::Completed => ("completed", None, None, None),
            target::State::Exited(exit) => ("exited", Some(exit.as_str()), None, None),
        };
        sqlx::query(
            "with put as (
               update target set state = $2, exit_reason = $3, day = coalesce($4, day), due_at = $5,
                                 ended_at = case when $2 <> 'active' then $6 end
               where account_id = any($1))
             update lane set wake_at = least(wake_at, $5) where account_id = any($1)",
        )
        .bind(accounts(cells))
        .bind(text)
        .bind(exit)
        .bind(day.map(|day| i16::try_from(day).unwrap()))
        .bind(due_at)
        .bind(self.world.now)
        .execute(self.world.pool())
        .await
        .unwrap();
    }

    /// Puts targets before this day, due now.
    async fn due(&self, cells: &[OutgoingMessage], day: u16) {
        self.put(cells, target::State::Waiting { day, due_at: self.world.now }).await;
    }
}

fn accounts(cells: &[OutgoingMessage]) -> Vec<i32> {
    cells.iter().map(|claimed| claimed.key.target.account.0).collect()
}

fn accepted() -> Outcome {
    Outcome::accepted("an id")
}

fn postponed() -> Outcome {
    Outcome::refused("busy", Reaction::Retry { after: None })
}

fn unanswered() -> Outcome {
    Outcome::Unknown { error: "no answer".to_owned() }
}

fn failed(reaction: Reaction) -> ReceiptStatus {
    ReceiptStatus::Failed(Refusal { error: "the provider says no".to_owned(), reaction })
}

/// The lines of a table, and what is wrong with them.
#[derive(Default)]
struct Table {
    text: String,
    /// The events that met a state, as `state + event`.
    walked: Vec<String>,
    wrong: Vec<String>,
}

impl Table {
    fn titled<'a>(columns: impl Iterator<Item = &'a str>) -> Self {
        let mut table = Self::default();
        table.line("", columns.map(str::to_owned));
        table
    }

    fn line(&mut self, name: &str, columns: impl Iterator<Item = String>) {
        let line = columns.fold(format!("{name:<38}"), |line, column| line + &format!(" {column:<20}"));
        writeln!(self.text, "{}", line.trim_end()).unwrap();
    }

    /// Fails if a cell ended elsewhere than `step` says, or if no verb causes one of these transitions.
    fn check(&self, legal: &[String]) {
        assert!(self.wrong.is_empty(), "{}\n{}", self.text, self.wrong.join("\n"));
        let without_verb: Vec<_> = legal.iter().filter(|pair| !self.walked.contains(pair)).collect();
        assert!(without_verb.is_empty(), "no verb causes {without_verb:?}");
    }
}
