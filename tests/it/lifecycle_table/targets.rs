//! The table of targets.

use chrono::TimeDelta;
use relance::channel::{Outcome, Reaction};
use relance::core::dispatch::OutgoingMessage;
use relance::core::domain::Timestamp;
use relance::core::lifecycle::target::{Event, Exit, State, step};
use relance::store::ReceiptStatus;

use super::{CAMPAIGN, Cells, LAST_DAY, TUESDAY, Table, accepted, accounts, failed, postponed, unanswered};
use crate::support::trees::{NO_PACE, tree};

/// The day of a cell that is in flight.
#[derive(Clone, Copy)]
enum InFlight {
    FirstDay,
    LastDay,
}
use InFlight::{FirstDay, LastDay};

const STATES: [&str; 4] = ["waiting", "last day out", "completed", "exited"];

/// A target in each state.
type Line = [(State, OutgoingMessage); 4];

fn messages(line: &Line) -> Vec<OutgoingMessage> {
    line.iter().map(|(_, claimed)| claimed.clone()).collect()
}

fn waiting(day: u16, due_at: Timestamp) -> State {
    State::Waiting { day, due_at }
}

fn kind(state: State) -> &'static str {
    match state {
        State::Waiting { .. } => STATES[0],
        State::LastDayOut { .. } => STATES[1],
        State::Completed => STATES[2],
        State::Exited(_) => STATES[3],
    }
}

fn pair(state: State, event: Event) -> String {
    let event = match event {
        Event::Claimed { next: Some(_) } => "Claimed, a day follows".to_owned(),
        Event::Claimed { next: None } => "Claimed, the last day".to_owned(),
        Event::GivenBack { .. } => "GivenBack".to_owned(),
        Event::Held { .. } => "Held".to_owned(),
        Event::Finished | Event::Left(_) => format!("{event:?}"),
    };
    format!("{} + {event}", kind(state))
}

/// A state after another, in a few words.
fn words(before: State, after: State) -> String {
    match after {
        _ if before == after => "-".to_owned(),
        State::Waiting { day, .. } => format!("waiting, day {day}"),
        State::LastDayOut { day } => format!("last day out, day {day}"),
        State::Completed => "completed".to_owned(),
        State::Exited(exit) => format!("exited {exit}"),
    }
}

impl Cells {
    /// Takes a cell for each state. The one that waits is in the state given.
    fn line(&mut self, in_flight: InFlight, waits: State) -> Line {
        let cells = match in_flight {
            FirstDay => &mut self.first_day,
            LastDay => &mut self.last_day,
        };
        let states = [waits, State::LastDayOut { day: LAST_DAY }, State::Completed, State::Exited(Exit::Cancelled)];
        states.map(|state| (state, cells.pop().unwrap()))
    }

    async fn put_all(&self, line: &Line) {
        for (state, claimed) in line {
            self.put(std::slice::from_ref(claimed), *state).await;
        }
    }

    /// Returns a line whose targets are in their states. The second day is due on the next day.
    async fn targets_in_every_state(&mut self, in_flight: InFlight) -> Line {
        let line = self.line(in_flight, waiting(2, self.world.now + TimeDelta::days(1)));
        self.put_all(&line).await;
        line
    }

    /// Returns a line whose target that waits is due now.
    async fn with_one_due(&mut self, in_flight: InFlight, day: u16) -> Line {
        let line = self.line(in_flight, waiting(day, self.world.now));
        self.put_all(&line).await;
        line
    }

    async fn state(&self, claimed: &OutgoingMessage) -> State {
        let query = "select state, exit_reason, day, due_at from target
                     where (account_id, campaign_id, referral_id) = ($1, $2, $3)";
        let target = claimed.key.target;
        let row: (String, Option<String>, i16, Option<Timestamp>) = sqlx::query_as(query)
            .bind(target.account.0)
            .bind(target.campaign.0)
            .bind(target.referral.0)
            .fetch_one(self.world.pool())
            .await
            .unwrap();
        let day = row.2.unsigned_abs();
        match (row.0.as_str(), row.1, row.3) {
            ("active", None, Some(due_at)) => State::Waiting { day, due_at },
            ("active", None, None) => State::LastDayOut { day },
            ("completed", None, None) => State::Completed,
            ("exited", Some(exit), None) => State::Exited(Exit::parse(&exit).unwrap()),
            other => panic!("no target is {other:?}"),
        }
    }

    /// Compares what became of a line with what `step` says. `event` says what the verb is to a target in that state;
    /// nothing where it does not concern it.
    async fn compare_targets(
        &self,
        table: &mut Table,
        verb: &str,
        line: &Line,
        event: impl Fn(State) -> Option<Event>,
    ) {
        let mut columns = Vec::new();
        for (before, claimed) in line {
            let after = self.state(claimed).await;
            let expected = event(*before).and_then(|event| step(*before, event).ok()).unwrap_or(*before);
            if after != expected {
                table.wrong.push(format!("{verb}: {before:?} became {after:?}, but {expected:?} follows"));
            }
            table.walked.extend(event(*before).map(|event| pair(*before, event)));
            columns.push(words(*before, after));
        }
        table.line(verb, columns.into_iter());
    }
}

/// The verb concerns only targets that wait: a claim reads nobody else.
fn if_waiting(event: Event) -> impl Fn(State) -> Option<Event> {
    move |state| matches!(state, State::Waiting { .. }).then_some(event)
}

fn always(event: Event) -> impl Fn(State) -> Option<Event> {
    move |_| Some(event)
}

fn never(_: State) -> Option<Event> {
    None
}

async fn outcomes(cells: &mut Cells, table: &mut Table) {
    // The first backoff is two minutes.
    let due_at = cells.world.now + TimeDelta::minutes(2);
    let refused = |reaction| Outcome::refused("no", reaction);
    for (verb, in_flight, outcome, event) in [
        ("accepted, days follow", FirstDay, accepted(), None),
        ("accepted, the last day", LastDay, accepted(), Some(Event::Finished)),
        ("no answer, days follow", FirstDay, unanswered(), None),
        ("no answer, the last day", LastDay, unanswered(), Some(Event::Finished)),
        ("postponed, days follow", FirstDay, postponed(), Some(Event::GivenBack { day: 1, due_at })),
        ("postponed, the last day", LastDay, postponed(), Some(Event::GivenBack { day: LAST_DAY, due_at })),
        ("refused, days follow", FirstDay, refused(Reaction::FailDay), None),
        ("refused, the last day", LastDay, refused(Reaction::FailDay), Some(Event::Finished)),
        ("unreachable", FirstDay, refused(Reaction::Leave), Some(Event::Left(Exit::Undeliverable))),
        ("refuses messages", FirstDay, refused(Reaction::Suppress), Some(Event::Left(Exit::OptedOut))),
    ] {
        let line = cells.targets_in_every_state(in_flight).await;
        cells.save(&messages(&line), &outcome).await;
        cells.compare_targets(table, verb, &line, |_| event).await;
    }
    let line = cells.targets_in_every_state(FirstDay).await;
    let after_a_failed_day: Vec<_> =
        messages(&line).into_iter().map(|claimed| OutgoingMessage { failed_days: 1, ..claimed }).collect();
    cells.save(&after_a_failed_day, &refused(Reaction::FailDay)).await;
    cells.compare_targets(table, "refused, the second day in a row", &line, always(Event::Left(Exit::Failed))).await;
    let line = cells.targets_in_every_state(LastDay).await;
    cells.save(&messages(&line), &accepted()).await;
    cells.put_all(&line).await;
    cells.save(&messages(&line), &postponed()).await;
    cells.compare_targets(table, "postponed, late", &line, never).await;
}

async fn receipts(cells: &mut Cells, table: &mut Table) {
    let (unreachable, unwilling) = (failed(Reaction::Leave), failed(Reaction::Suppress));
    for (verb, receipts, event) in [
        ("receipt: delivered, read", [ReceiptStatus::Delivered, ReceiptStatus::Read], None),
        ("receipt: unreachable", [ReceiptStatus::Sent, unreachable.clone()], Some(Event::Left(Exit::Undeliverable))),
        ("receipt: refuses messages", [ReceiptStatus::Sent, unwilling.clone()], Some(Event::Left(Exit::OptedOut))),
        ("receipt: delivered, unreachable", [ReceiptStatus::Delivered, unreachable.clone()], None),
        ("receipt: read, unreachable", [ReceiptStatus::Read, unreachable], None),
        ("receipt: read, refuses messages", [ReceiptStatus::Read, unwilling], Some(Event::Left(Exit::OptedOut))),
    ] {
        let line = cells.targets_in_every_state(FirstDay).await;
        for receipt in &receipts {
            cells.tell(&messages(&line), receipt).await;
        }
        cells.compare_targets(table, verb, &line, |_| event).await;
    }
}

async fn orders(cells: &mut Cells, table: &mut Table) {
    let line = cells.targets_in_every_state(FirstDay).await;
    cells.suppress(&messages(&line)).await;
    cells.compare_targets(table, "the person is suppressed", &line, always(Event::Left(Exit::OptedOut))).await;
    let line = cells.targets_in_every_state(FirstDay).await;
    cells.forget(&messages(&line)).await;
    cells.compare_targets(table, "the person is erased", &line, always(Event::Left(Exit::Removed))).await;
    let line = cells.targets_in_every_state(FirstDay).await;
    cells.cancel(&messages(&line)).await;
    cells.compare_targets(table, "the run is cancelled", &line, always(Event::Left(Exit::Cancelled))).await;
}

/// Claims on the day of the first message: nobody gets a second one.
async fn claims_on_the_same_day(cells: &mut Cells, table: &mut Table) {
    let line = cells.with_one_due(FirstDay, 2).await;
    cells.claim().await;
    // Midnight in Douala.
    let until = "2026-11-30T23:00:00Z".parse().unwrap();
    cells.compare_targets(table, "claim: written to today", &line, if_waiting(Event::Held { until })).await;
    let line = cells.with_one_due(FirstDay, LAST_DAY + 1).await;
    cells.claim().await;
    cells.compare_targets(table, "claim: no such day any more", &line, if_waiting(Event::Finished)).await;
    let line = cells.with_one_due(FirstDay, 2).await;
    cells.pay(&messages(&line)).await;
    cells.claim().await;
    cells.compare_targets(table, "claim: has paid", &line, if_waiting(Event::Left(Exit::Paid))).await;
    let line = cells.with_one_due(FirstDay, 2).await;
    for account in accounts(&messages(&line)) {
        cells.world.consent(&format!("r{account}"), Some("opted_out")).await;
    }
    cells.claim().await;
    cells.compare_targets(table, "claim: has withdrawn consent", &line, if_waiting(Event::Left(Exit::OptedOut))).await;
}

async fn claims_on_the_next_day(cells: &mut Cells, table: &mut Table) {
    cells.world.now = TUESDAY.parse().unwrap();
    let line = cells.with_one_due(FirstDay, 2).await;
    cells.claim().await;
    let next = Some((LAST_DAY, cells.world.now + TimeDelta::days(1)));
    cells.compare_targets(table, "claimed, a day follows", &line, if_waiting(Event::Claimed { next })).await;
    let line = cells.with_one_due(FirstDay, LAST_DAY).await;
    cells.claim().await;
    cells.compare_targets(table, "claimed, the last day", &line, if_waiting(Event::Claimed { next: None })).await;
    let line = cells.with_one_due(LastDay, LAST_DAY).await;
    cells.claim().await;
    cells.compare_targets(table, "claim: the last day had left", &line, if_waiting(Event::Finished)).await;
}

async fn ends(cells: &mut Cells, table: &mut Table) {
    let first = cells.targets_in_every_state(FirstDay).await;
    let last = cells.targets_in_every_state(LastDay).await;
    let over = cells.targets_in_every_state(FirstDay).await;
    cells.save(&messages(&over), &accepted()).await;
    cells.expire().await;
    cells.compare_targets(table, "the lease ends, days follow", &first, never).await;
    let if_out = |state| matches!(state, State::LastDayOut { .. }).then_some(Event::Finished);
    cells.compare_targets(table, "the lease ends, the last day", &last, if_out).await;
    let end = "2026-12-01T00:45:00Z";
    let spec = CAMPAIGN.replace("schedule: {", &format!("schedule: {{endAt: '{end}', "));
    cells.world.apply(&tree(LAST_DAY, NO_PACE, &[("c", &spec)])).await;
    cells.world.run_until(end.parse().unwrap()).await;
    cells.compare_targets(table, "the run ends", &over, always(Event::Left(Exit::Expired))).await;
}

/// One event of each kind, and every reason to leave.
fn events() -> Vec<Event> {
    let at = TUESDAY.parse().unwrap();
    let mut events = vec![
        Event::Claimed { next: Some((2, at)) },
        Event::Claimed { next: None },
        Event::GivenBack { day: 1, due_at: at },
        Event::Held { until: at },
        Event::Finished,
    ];
    events.extend(Exit::ALL.map(Event::Left));
    events
}

#[tokio::test]
async fn stored_targets_follow_the_state_machine() {
    let mut cells = Cells::claimed(100, 40).await;
    let mut table = Table::titled(STATES.into_iter());
    outcomes(&mut cells, &mut table).await;
    receipts(&mut cells, &mut table).await;
    orders(&mut cells, &mut table).await;
    claims_on_the_same_day(&mut cells, &mut table).await;
    claims_on_the_next_day(&mut cells, &mut table).await;
    ends(&mut cells, &mut table).await;
    let at = TUESDAY.parse().unwrap();
    let states = [waiting(2, at), State::LastDayOut { day: LAST_DAY }, State::Completed, State::Exited(Exit::Paid)];
    let pairs = states.into_iter().flat_map(|state| events().into_iter().map(move |event| (state, event)));
    let legal = pairs.filter(|(state, event)| step(*state, *event).is_ok());
    table.check(&legal.map(|(state, event)| pair(state, event)).collect::<Vec<_>>());
    insta::assert_snapshot!(table.text);
}
