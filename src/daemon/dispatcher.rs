//! The dispatcher of a daemon. Lanes are handed over side by side, so that a slow answer delays only its own lane.
//! Outcomes that arrive together are saved together.

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
use crate::channel::{Channels, Outcome, Reaction};
use crate::core::dispatch::OutgoingMessage;
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, Timestamp};
use crate::core::lifecycle::outcome::{Consequence, OutcomeEffects};
use crate::store;
use crate::store::{Batch, Span, Speed, Store, Terms};

/// The number of messages in flight above which no claim starts. Beyond it the channels are slower than the due
/// messages, and another claim gains nothing.
const MOST: usize = 8_192;
/// The largest number of messages of one lane that are in flight where the channels call out. A process that dies in
/// the middle leaves up to that many of them uncertain.
const TOGETHER: u32 = 32;
/// The wait for earlier messages of a lane. A hand-over after it still ends within the lease.
const TURN: Duration = Duration::from_secs(20);
/// The number of outcomes at which a saving transaction takes no further group. The last group may exceed it.
const SAVED_TOGETHER: usize = 1_024;
/// The number of concurrent saving transactions of each kind.
const SAVES: usize = 2;

/// The messages in flight of one process.
#[derive(Clone)]
pub struct Dispatcher {
    store: Store,
    state: Arc<State>,
    savers: Savers,
}

/// The queues of completed hand-overs, one for each kind of save. A save that needs an account's lock may wait for it.
/// A suppression may wait for an enrollment. Neither delays the other kinds.
#[derive(Clone)]
struct Savers {
    messages: mpsc::UnboundedSender<Completed>,
    lanes: mpsc::UnboundedSender<Completed>,
    suppressions: mpsc::UnboundedSender<Completed>,
}

/// The state that claims and completions share.
#[derive(Default)]
struct State {
    in_flight: Mutex<InFlight>,
    /// Signals that messages completed and were released.
    changed: Notify,
}

#[derive(Default)]
struct InFlight {
    lanes: HashSet<AccountId>,
    messages: usize,
    adaptive_batch: AdaptiveBatch,
}

/// Completed hand-overs whose outcomes are not saved yet.
struct Completed {
    outcomes: Vec<(OutgoingMessage, Outcome)>,
    at: Timestamp,
    /// Releases the lanes once the outcomes are saved.
    hold: Hold,
}

impl Completed {
    fn settled(&self) -> impl Iterator<Item = OutcomeEffects> {
        self.outcomes.iter().map(|(claimed, outcome)| claimed.judge(outcome, self.at))
    }

    /// Returns whether the outcomes change nothing but the messages themselves.
    fn is_of_messages_only(&self) -> bool {
        self.settled().all(|settlement| settlement.is_of_message_only())
    }

    /// Returns whether an outcome suppresses a person.
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
        // The saver ends only with the process. The lease of the messages then expires, which makes them uncertain.
        drop(saver.send(completed));
    }
}

/// A guard that counts lanes and messages as in flight while it lives. Dropping it releases them, even when the task
/// that owns it panics.
struct Hold {
    state: Arc<State>,
    lanes: Vec<AccountId>,
    messages: usize,
}

impl Hold {
    /// Takes `lane`, unless another hand-over has it: two loops may claim a lane one after the other before either of them
    /// is seen to have it. Claims skip a lane that is taken, until the guard is dropped.
    fn take(&mut self, lane: AccountId) -> bool {
        let is_free = self.state.in_flight().lanes.insert(lane);
        self.lanes.extend(is_free.then_some(lane));
        is_free
    }

    /// Waits until no other hand-over has `lane`, and takes it.
    async fn take_in_turn(&mut self, lane: AccountId) {
        let state = Arc::clone(&self.state);
        loop {
            let changed = state.changed.notified();
            if self.take(lane) {
                return;
            }
            changed.await;
        }
    }
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
    /// Locks the counts. It ignores poisoning, because a panic of the holder leaves plain data usable.
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
    /// Creates a dispatcher with nothing in flight. It must be called within a Tokio runtime, which runs the savers.
    pub fn new(store: Store) -> Self {
        let savers = Savers::spawn(&store);
        Self { store, state: Arc::default(), savers }
    }

    /// Claims the messages due at `now`, at most one batch, and starts their hand-over. The claim skips lanes with
    /// messages in flight where the channels call out.
    ///
    /// Waits first while too many messages are in flight; it never waits for the hand-over.
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
        let (busy, adaptive_batch): (Vec<AccountId>, _) = {
            let in_flight = self.state.in_flight();
            (in_flight.lanes.iter().copied().collect(), in_flight.adaptive_batch)
        };
        let (now, until) = (clock.now(), clock.now() + lease(speed));
        let claim = self
            .store
            .claim(program, adaptive_batch.within(batch), Span::now(now), Terms { until, apart, busy: &busy })
            .await?;
        let sent = Sent { messages: claim.messages.len(), lanes: claim.lanes };
        self.state.in_flight().adaptive_batch = adaptive_batch.after(&claim, batch);
        for messages in groups(claim.messages, apart) {
            let mut hold = self.hold(&messages);
            let lane = messages.first().map(|one| one.key.target.account).filter(|_| apart);
            let taken = lane.filter(|lane| !hold.take(*lane));
            let (channels, savers) = (Arc::clone(channels), self.savers.clone());
            tokio::spawn(async move {
                let is_in_time = match taken {
                    Some(lane) => tokio::time::timeout(TURN, hold.take_in_turn(lane)).await.is_ok(),
                    None => true,
                };
                let outcomes = if is_in_time {
                    channels.hand_over(&messages, now).await
                } else {
                    let error = "earlier messages of the account are still on their way";
                    vec![Outcome::refused(error, Reaction::Throttle { after: None }); messages.len()]
                };
                let outcomes = messages.into_iter().zip(outcomes).collect();
                savers.save(Completed { outcomes, at: clock.now(), hold });
            });
        }
        Ok(sent)
    }

    /// Waits until the dispatcher has room for another batch.
    pub async fn room(&self) {
        self.wait_until(|in_flight| in_flight.messages < MOST).await;
    }

    /// Waits until all messages in flight have completed and their outcomes are saved or given up.
    pub async fn drain(&self) {
        self.wait_until(|in_flight| in_flight.messages == 0).await;
    }

    /// Waits for the next completion after this call.
    pub fn next_completion(&self) -> impl Future<Output = ()> {
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

    /// Counts `messages` as in flight until the guard is dropped.
    fn hold(&self, messages: &[OutgoingMessage]) -> Hold {
        self.state.in_flight().messages += messages.len();
        Hold { state: Arc::clone(&self.state), lanes: Vec::new(), messages: messages.len() }
    }
}

/// Groups messages for one hand-over each: by lane when `apart`, else all together.
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

/// Saves completed hand-overs until all senders are gone. Hand-overs that arrived meanwhile are saved together.
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

/// Saves several completed hand-overs in one transaction. After a failure that concerns all alike, the whole is saved
/// again. After any other failure each part is saved on its own, so that one bad part takes no other with it.
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

/// A reading of the database clock, advanced by the monotonic clock of this process.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Hold, State};
    use crate::core::domain::AccountId;

    #[tokio::test]
    async fn a_lane_that_two_loops_claimed_is_handed_over_by_one_after_the_other() {
        let state = Arc::new(State::default());
        let hold = || Hold { state: Arc::clone(&state), lanes: Vec::new(), messages: 0 };
        let (mut first, mut second, lane) = (hold(), hold(), AccountId(1));
        assert!(first.take(lane) && !second.take(lane) && second.take(AccountId(2)));
        let waiting = tokio::spawn(async move {
            second.take_in_turn(lane).await;
            second
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        let second = waiting.await.unwrap();
        assert_eq!(second.lanes, [AccountId(2), lane]);
        drop(second);
        assert!(hold().take(lane));
    }
}
