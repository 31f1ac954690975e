//! The table of messages.

use std::io::Cursor;

use chrono::TimeDelta;
use relance::channel::{Outcome, Reaction};
use relance::core::dispatch::OutgoingMessage;
use relance::core::lifecycle::message::{Event, State, step};
use relance::core::lifecycle::outcome::Finding;
use relance::facts::{Source, import};
use relance::store::{Age, Chosen, ReceiptStatus};

use super::{CAMPAIGN, Cells, LAST_DAY, TUESDAY, Table, accepted, failed, postponed, unanswered};
use crate::support::facts::Person;
use crate::support::trees::{NO_PACE, tree};
use crate::support::world::{Fault, World};

/// The moment of an outcome: while the lease is held, or after another outcome or the end of the lease.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    InTime,
    Late,
}

/// A message, and the state that it is in before the verb.
type Cell = (State, OutgoingMessage);

fn messages(line: &[Cell]) -> Vec<OutgoingMessage> {
    line.iter().map(|(_, claimed)| claimed.clone()).collect()
}

impl Cells {
    /// Brings one message into each state.
    ///
    /// A receipt may come before the outcome, so the lease of most is still held. A late outcome finds no message in
    /// flight: another outcome or the end of the lease was first.
    async fn messages_in_every_state(&mut self, when: When) -> Vec<Cell> {
        let states = State::ALL.into_iter().filter(|state| when == When::InTime || *state != State::Sending);
        let line: Vec<Cell> = states.map(|state| (state, self.first_day.pop().unwrap())).collect();
        for (state, claimed) in &line {
            let claimed = [claimed];
            let receipt = match state {
                State::Sending => continue,
                State::Queued => {
                    self.save(claimed, &postponed()).await;
                    continue;
                }
                State::Uncertain => {
                    self.save(claimed, &unanswered()).await;
                    continue;
                }
                State::Sent => ReceiptStatus::Sent,
                State::Delivered => ReceiptStatus::Delivered,
                State::Read => ReceiptStatus::Read,
                State::Failed => failed(Reaction::FailDay),
            };
            if when == When::Late {
                self.save(claimed, &accepted()).await;
            }
            self.tell(claimed, &receipt).await;
        }
        assert_eq!(self.states(&line).await, line.iter().map(|(state, _)| *state).collect::<Vec<_>>());
        line
    }

    async fn states(&self, line: &[Cell]) -> Vec<State> {
        let mut states = Vec::new();
        for (_, claimed) in line {
            let query = "select state from message
                         where (account_id, referral_id, campaign_id, day) = ($1, $2, $3, $4)";
            let target = claimed.key.target;
            let state: String = sqlx::query_scalar(query)
                .bind(target.account.0)
                .bind(target.referral.0)
                .bind(target.campaign.0)
                .bind(claimed.key.day)
                .fetch_one(self.world.pool())
                .await
                .unwrap();
            states.push(State::parse(&state).unwrap());
        }
        states
    }

    /// Compares what became of a line with what `step` says after `events`.
    async fn compare_messages(&self, table: &mut Table, verb: &str, line: &[Cell], events: &[Event]) {
        let now = self.states(line).await;
        for ((before, _), after) in line.iter().zip(&now) {
            let expected = events.iter().fold(*before, |state, event| step(state, *event).unwrap_or(state));
            if *after != expected {
                table.wrong.push(format!("{verb}: {before} became {after}, but {expected} follows"));
            }
            table.walked.push(pair(*before, events[0]));
        }
        let column = |state: State| match line.iter().zip(&now).find(|((before, _), _)| *before == state) {
            None => "never".to_owned(),
            Some(((before, _), after)) if before == after => "-".to_owned(),
            Some((_, after)) => after.to_string(),
        };
        table.line(verb, State::ALL.into_iter().map(column));
    }

    async fn resolve(&self, line: &[Cell], finding: Finding) {
        for (_, claimed) in line {
            let account = claimed.key.target.account.0;
            let ids = [format!("c/a{account}/r{account}/1")];
            self.world.store().resolve(Chosen::Ids(&ids), finding, None, self.world.now).await.unwrap();
        }
    }
}

fn pair(state: State, event: Event) -> String {
    format!("{state} + {event:?}")
}

async fn outcomes(cells: &mut Cells, table: &mut Table) {
    let refused = Outcome::refused("a bad text", Reaction::FailDay);
    for (verb, outcome, event) in [
        ("accepted", accepted(), Event::Accepted),
        ("postponed", postponed(), Event::Postponed),
        ("refused", refused, Event::Refused),
        ("no answer", unanswered(), Event::LeaseExpired),
    ] {
        for (when, ending) in [(When::InTime, ""), (When::Late, ", late")] {
            let line = cells.messages_in_every_state(when).await;
            cells.save(&messages(&line), &outcome).await;
            cells.compare_messages(table, &format!("{verb}{ending}"), &line, &[event]).await;
        }
    }
    // A batch with another outcome in it goes by another statement.
    let line = cells.messages_in_every_state(When::InTime).await;
    let mut batch: Vec<_> = messages(&line).into_iter().map(|claimed| (claimed, accepted())).collect();
    batch.push((cells.first_day.pop().unwrap(), postponed()));
    cells.world.store().save_outcomes(&batch, cells.world.now).await.unwrap();
    cells.compare_messages(table, "accepted, beside others", &line, &[Event::Accepted]).await;
}

async fn receipts(cells: &mut Cells, table: &mut Table) {
    for (verb, status, event) in [
        ("receipt: sent", ReceiptStatus::Sent, Event::Accepted),
        ("receipt: delivered", ReceiptStatus::Delivered, Event::DeliveryReceipt),
        ("receipt: read", ReceiptStatus::Read, Event::ReadReceipt),
        ("receipt: failed", failed(Reaction::Leave), Event::FailureReceipt),
    ] {
        let line = cells.messages_in_every_state(When::InTime).await;
        cells.tell(&messages(&line), &status).await;
        cells.compare_messages(table, verb, &line, &[event]).await;
    }
}

async fn ends_of_targets(cells: &mut Cells, table: &mut Table) {
    let line = cells.messages_in_every_state(When::InTime).await;
    cells.suppress(&messages(&line)).await;
    cells.compare_messages(table, "the person is suppressed", &line, &[Event::TargetEnded]).await;
    let line = cells.messages_in_every_state(When::InTime).await;
    cells.forget(&messages(&line)).await;
    cells.compare_messages(table, "the person is erased", &line, &[Event::TargetEnded]).await;
    let line = cells.messages_in_every_state(When::InTime).await;
    cells.cancel(&messages(&line)).await;
    cells.compare_messages(table, "the run is cancelled", &line, &[Event::TargetEnded]).await;
    let line = cells.messages_in_every_state(When::InTime).await;
    cells.due(&messages(&line), 1).await;
    cells.pay(&messages(&line)).await;
    cells.claim().await;
    cells.compare_messages(table, "the person has paid", &line, &[Event::TargetEnded]).await;
    let line = cells.messages_in_every_state(When::InTime).await;
    cells.suppress(&messages(&line)).await;
    cells.save(&messages(&line), &postponed()).await;
    // The suppression closes the message that waits, the outcome the one in flight.
    let queued: Vec<Cell> = line.iter().filter(|(state, _)| *state == State::Queued).cloned().collect();
    assert_eq!(cells.states(&queued).await, [State::Failed]);
    let others: Vec<Cell> = line.into_iter().filter(|(state, _)| *state != State::Queued).collect();
    cells
        .compare_messages(table, "postponed, and the person left", &others, &[Event::Postponed, Event::TargetEnded])
        .await;
}

#[tokio::test]
async fn stored_messages_follow_the_state_machine() {
    let mut cells = Cells::claimed(7 * 23, 0).await;
    let mut table = Table::titled(State::ALL.into_iter().map(State::as_str));
    outcomes(&mut cells, &mut table).await;
    receipts(&mut cells, &mut table).await;
    for (verb, finding, event) in [
        ("found: it was sent", Finding::Sent, Event::FoundSent),
        ("found: it never left", Finding::Failed, Event::FoundUnsent),
    ] {
        let line = cells.messages_in_every_state(When::InTime).await;
        cells.resolve(&line, finding).await;
        cells.compare_messages(&mut table, verb, &line, &[event]).await;
    }
    ends_of_targets(&mut cells, &mut table).await;
    // Nobody gets two messages on one day, so the day that was in flight is due again tomorrow.
    cells.world.now = TUESDAY.parse().unwrap();
    let line = cells.messages_in_every_state(When::InTime).await;
    cells.due(&messages(&line), 1).await;
    cells.claim().await;
    cells.compare_messages(&mut table, "claimed", &line, &[Event::Claimed]).await;
    let line = cells.messages_in_every_state(When::InTime).await;
    cells.expire().await;
    cells.compare_messages(&mut table, "the lease ends", &line, &[Event::LeaseExpired]).await;
    assert_eq!(cells.world.wrong_counters().await, 0);
    let pairs = State::ALL.into_iter().flat_map(|state| Event::ALL.map(|event| (state, event)));
    let legal = pairs.filter(|(state, event)| step(*state, *event).is_ok());
    table.check(&legal.map(|(state, event)| pair(state, event)).collect::<Vec<_>>());
    insta::assert_snapshot!(table.text);
}

#[tokio::test]
async fn a_retry_is_closed_when_a_duplicate_replaces_its_row() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    world.account("a1").await;
    for (id, phone) in [("r1", "+237671000001"), ("r2", "+237671000002")] {
        world.person(Person::new(id, phone)).await;
        world.channel.fail(phone, &[Fault::Busy]);
    }
    world.apply(&tree(LAST_DAY, NO_PACE, &[("c", CAMPAIGN)])).await;
    world.run_for(TimeDelta::minutes(61)).await;
    assert_eq!(world.messages().await, ["r1 c day 1 queued attempt 1", "r2 c day 1 queued attempt 1"]);
    let row = "id,account_id,name,phone,country,registered_at,consent
r1,a1,Paul,+237671000002,CM,2026-11-20T10:00:00Z,opted_in\n";
    let source = Source::stream("test", Cursor::new(row.as_bytes().to_vec()));
    let age = Age { as_of: world.now, now: world.now };
    import::referrals(world.store(), source, age).await.unwrap();
    assert_eq!(world.targets().await, ["r1 c exited removed day 1", "r2 c active day 1"]);
    assert_eq!(world.messages().await, ["r1 c day 1 failed attempt 1", "r2 c day 1 queued attempt 1"]);
}
