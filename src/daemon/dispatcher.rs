//! Sending as daemons do: lanes side by side, so that a slow answer holds up one lane and nobody else, and outcomes saved
//! together as they come in.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::join_all;
use tokio::sync::{Notify, Semaphore, mpsc};

use super::adaptive_batch::AdaptiveBatch;
use super::failure::log_failure;
use super::send::{Sent, lease, save};
use crate::channel::{Channels, Outcome};
use crate::core::dispatch::OutgoingMessage;
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, Timestamp};
use crate::core::lifecycle::outcome::{Consequence, OutcomeEffects};
use crate::store;
use crate::store::{Batch, Span, Speed, Store, Terms};

/// Messages on their way at most: with more, the channels are slower than what is due, and claiming more helps nobody.
const MOST: usize = 8_192;
/// Messages of one lane that are handed over side by side, where the channels call out: whoever dies in the middle leaves
/// so many of which nobody knows.
const TOGETHER: u32 = 32;
/// Outcomes saved in one transaction, at most by much.
const SAVED_TOGETHER: usize = 1_024;
/// Transactions that save outcomes at a time, of each kind.
const SAVES: usize = 2;

/// Everything of one process that is on its way.
#[derive(Clone)]
pub struct Dispatcher {
    store: Store,
    state: Arc<State>,
    savers: Savers,
}

/// Where what completed is saved. What needs the lock of its account may have to wait for it, and who is suppressed for an
/// enrollment under way; neither holds up anything else.
#[derive(Clone)]
struct Savers {
    messages: mpsc::UnboundedSender<Completed>,
    lanes: mpsc::UnboundedSender<Completed>,
    suppressions: mpsc::UnboundedSender<Completed>,
}

/// What claims and landings share.
#[derive(Default)]
struct State {
    in_flight: Mutex<InFlight>,
    /// Something completed.
    changed: Notify,
}

#[derive(Default)]
struct InFlight {
    lanes: HashSet<AccountId>,
    messages: usize,
    reach: AdaptiveBatch,
}

/// Hand-overs that came to an end.
struct Completed {
    outcomes: Vec<(OutgoingMessage, Outcome)>,
    at: Timestamp,
    /// Frees the lanes when the outcomes are saved.
    hold: Hold,
}

impl Completed {
    fn settled(&self) -> impl Iterator<Item = OutcomeEffects> {
        self.outcomes.iter().map(|(claimed, outcome)| claimed.judge(outcome, self.at))
    }

    /// Whether nothing has to be saved but what became of the messages.
    fn is_of_messages_only(&self) -> bool {
        self.settled().all(|settlement| settlement.is_of_message_only())
    }

    /// Whether somebody is to be suppressed.
    fn suppresses(&self) -> bool {
        self.settled().any(|settlement| settlement.consequence == Some(Consequence::Suppress))
    }
}

impl Savers {
    fn spawn(store: &Store) -> Self {
        let saver = || {
            let (completed, arrivals) = mpsc::unbounded_channel();
            tokio::spawn(save_all(store.clone(), arrivals));
            completed
        };
        Self { messages: saver(), lanes: saver(), suppressions: saver() }
    }

    fn save(&self, completed: Completed) {
        let saver = match (completed.is_of_messages_only(), completed.suppresses()) {
            (true, _) => &self.messages,
            (false, false) => &self.lanes,
            (false, true) => &self.suppressions,
        };
        // Whoever saves ends with the process; then the lease tells.
        drop(saver.send(completed));
    }
}

/// Lanes and messages that count as being on their way as long as it lives, whatever becomes of whoever has it.
struct Hold {
    state: Arc<State>,
    lanes: Vec<AccountId>,
    messages: usize,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut in_flight = self.state.in_flight();
        for lane in &self.lanes {
            in_flight.lanes.remove(lane);
        }
        in_flight.messages -= self.messages;
        drop(in_flight);
        self.state.changed.notify_waiters();
    }
}

impl State {
    /// A lock whose holder panicked guards plain data all the same.
    fn in_flight(&self) -> MutexGuard<'_, InFlight> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").field("messages", &self.state.in_flight().messages).finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// Nothing is on its way yet. It needs a runtime, on which outcomes are saved.
    pub fn new(store: Store) -> Self {
        let savers = Savers::spawn(&store);
        Self { store, state: Arc::default(), savers }
    }

    /// Claims what is due at `now`, at most a batch and nothing of lanes whose last messages are on their way, and has it
    /// handed over. Waits only while too much is on its way already.
    pub async fn send(
        &self,
        program: &Program,
        channels: &Arc<Channels>,
        batch: Batch,
        (now, speed): (Timestamp, Speed),
    ) -> Result<Sent, store::Error> {
        let clock = Clock { now, speed, read: Instant::now() };
        self.room().await;
        let apart = channels.call_out();
        let batch = if apart { Batch { people: batch.people.min(TOGETHER), ..batch } } else { batch };
        let (busy, reach): (Vec<AccountId>, _) = {
            let in_flight = self.state.in_flight();
            (in_flight.lanes.iter().copied().collect(), in_flight.reach)
        };
        let (now, until) = (clock.now(), clock.now() + lease(speed));
        let claim =
            self.store.claim(program, reach.within(batch), Span::now(now), Terms { until, apart, busy: &busy }).await?;
        let sent = Sent { messages: claim.messages.len(), lanes: claim.lanes };
        self.state.in_flight().reach = reach.after(&claim, batch);
        for messages in groups(claim.messages, apart) {
            let hold = self.hold(&messages, apart);
            let (channels, savers) = (Arc::clone(channels), self.savers.clone());
            tokio::spawn(async move {
                let outcomes = channels.hand_over(&messages, now).await;
                let outcomes = messages.into_iter().zip(outcomes).collect();
                savers.save(Completed { outcomes, at: clock.now(), hold });
            });
        }
        Ok(sent)
    }

    /// Waits until there is room for another batch.
    pub async fn room(&self) {
        self.wait_until(|in_flight| in_flight.messages < MOST).await;
    }

    /// Waits until everything has completed and is saved.
    pub async fn land(&self) {
        self.wait_until(|in_flight| in_flight.messages == 0).await;
    }

    /// Waits until something lands, from the moment of the call on.
    pub fn landing(&self) -> impl Future<Output = ()> {
        self.state.changed.notified()
    }

    async fn wait_until(&self, so: impl Fn(&InFlight) -> bool) {
        loop {
            let changed = self.state.changed.notified();
            if so(&self.state.in_flight()) {
                return;
            }
            changed.await;
        }
    }

    /// Counts `messages` as being on their way; their lanes are left alone when they are `apart`.
    fn hold(&self, messages: &[OutgoingMessage], apart: bool) -> Hold {
        let lanes =
            if apart { messages.first().map(|one| one.key.target.account).into_iter().collect() } else { vec![] };
        let mut in_flight = self.state.in_flight();
        in_flight.lanes.extend(&lanes);
        in_flight.messages += messages.len();
        Hold { state: Arc::clone(&self.state), lanes, messages: messages.len() }
    }
}

/// What is handed over together: each lane when they are `apart`, else all.
fn groups(messages: Vec<OutgoingMessage>, apart: bool) -> Vec<Vec<OutgoingMessage>> {
    if !apart {
        return if messages.is_empty() { vec![] } else { vec![messages] };
    }
    let mut lanes: BTreeMap<AccountId, Vec<OutgoingMessage>> = BTreeMap::new();
    for message in messages {
        lanes.entry(message.key.target.account).or_default().push(message);
    }
    lanes.into_values().collect()
}

/// Saves what lands, what came in meanwhile together, until nobody sends any more.
async fn save_all(store: Store, mut arrivals: mpsc::UnboundedReceiver<Completed>) {
    let turns = Arc::new(Semaphore::new(SAVES));
    while let Ok(turn) = Arc::clone(&turns).acquire_owned().await {
        let Some(first) = arrivals.recv().await else { return };
        let mut messages = first.outcomes.len();
        let mut together = vec![first];
        while messages < SAVED_TOGETHER
            && let Ok(next) = arrivals.try_recv()
        {
            messages += next.outcomes.len();
            together.push(next);
        }
        let store = store.clone();
        tokio::spawn(async move {
            save_together(&store, together).await;
            drop(turn);
        });
    }
}

/// Saves in one transaction. Where that fails for all alike, it is tried again as it is; else each is saved on its own, so
/// that one that cannot be saved takes no other with it.
async fn save_together(store: &Store, together: Vec<Completed>) {
    let (mut outcomes, mut parts, mut holds) = (Vec::new(), Vec::new(), Vec::new());
    let mut latest = None;
    for Completed { outcomes: part, at, hold } in together {
        let from = outcomes.len();
        outcomes.extend(part);
        parts.push((from..outcomes.len(), at));
        holds.push(hold);
        latest = latest.max(Some(at));
    }
    if let (Some(at), 2..) = (latest, parts.len()) {
        match store.save_outcomes(&outcomes, at).await {
            Ok(()) => return,
            Err(error) => {
                if let store::Error::Unavailable { .. } | store::Error::Serialization { .. } = error {
                    parts = vec![(0..outcomes.len(), at)];
                }
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, messages = outcomes.len(), "outcomes could not be saved together");
            }
        }
    }
    let each = parts.into_iter().map(|(part, at)| save(store, &outcomes[part], at));
    for error in join_all(each).await.into_iter().filter_map(Result::err) {
        log_failure("save outcomes", &error);
    }
}

/// The clock of the database, read once and gone on with by that of this process.
#[derive(Clone, Copy)]
struct Clock {
    now: Timestamp,
    speed: Speed,
    read: Instant,
}

impl Clock {
    fn now(self) -> Timestamp {
        let passed: Duration = self.read.elapsed().mul_f64(self.speed.0.max(0.0));
        self.now + TimeDelta::from_std(passed).unwrap_or_default()
    }
}
