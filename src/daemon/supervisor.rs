//! The daemon's loops. Each loop ticks, then sleeps until its own work is due, a wake-up arrives or a short period
//! ends.
//! A wake-up carries no data. A failed tick is logged and repeated.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::failure::log_failure;
use super::last_pass::Settled;
use super::leader_election::LeaderElection;
use super::maintenance::tick;
use super::{
    BATCH, Chore, Dispatcher, Kept, Listener, Loaded, Pulse, Received, Reported, SenderDirectory, Watermark, confirm,
    deliver, receive,
};
use crate::channel::Open;
use crate::channel::notify::Courier;
use crate::core::domain::Timestamp;
use crate::daemon::reconcile;
use crate::daemon::reconcile::{By, Outcome, Pass, reconcile};
use crate::source;
use crate::source::{Claim, Commit, ReadError, Source, Tree, Watch};
use crate::store;
use crate::store::{NextDue, Speed, Store, Token};

/// The longest sleep of a loop, and so the longest delay before it sees the changes of another process.
const PERIOD: Duration = Duration::from_secs(1);
/// The longest time between two readings of the files. Some changes raise no event.
const RESCAN: Duration = Duration::from_secs(30);
/// The pause after a failed tick.
const RETRY: Duration = Duration::from_secs(1);
/// The time that a receiving tick may take before STOPs of later webhooks no longer wait for it.
const LISTEN: Duration = Duration::from_millis(200);
/// The number of sending loops. While one waits for the database or the channel, the other claims.
const SENDERS: usize = 2;

/// The loops that a process runs.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    pub reconcile: bool,
    pub enroll: bool,
    pub send: bool,
    /// The process also serves webhooks.
    pub serve: bool,
}

impl Roles {
    pub const ALL: Self = Self { reconcile: true, enroll: true, send: true, serve: true };

    /// Returns whether this process handles the webhooks that the server stored.
    fn receive(self) -> bool {
        self.send || self.serve
    }
}

/// The state that all loops share.
#[derive(Clone)]
pub struct Supervisor {
    pub store: Store,
    /// Opens the channels.
    pub open: Open,
    /// Delivers notifications; with `None` the process delivers none.
    pub courier: Option<Courier>,
    /// The source of the manifests.
    pub source: Source,
    /// The source identity under which the manifests take effect.
    pub claim: Claim,
    /// The wait between two readings of a source that raises no events. A random addition of up to a fifth is made.
    pub poll: Duration,
    pub roles: Roles,
    /// Wakes every loop.
    pub wake: Arc<Notify>,
    /// Signals that a webhook was stored.
    pub posted: Arc<Notify>,
    /// The pulse of the reconciler.
    pub pulse: Pulse,
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// Runs until `stop` is cancelled. After that no tick starts, and the running ticks finish.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut loops = JoinSet::new();
        if self.roles.reconcile {
            let (this, stop) = (self.clone(), stop.clone());
            loops.spawn(async move { this.reconcile_in_turn(&stop).await });
        }
        // All loops share one set of channels, so that the concurrency limits of a channel hold for the whole process.
        let loaded = Arc::new(Mutex::new(Loaded::new(Arc::clone(&self.open))));
        for chore in Chore::ALL.into_iter().filter(|_| self.roles.enroll) {
            let (this, loaded, stop) = (self.clone(), Arc::clone(&loaded), stop.clone());
            loops.spawn(async move { this.chore_loop(chore, &loaded, &stop).await });
        }
        let dispatcher = Dispatcher::new(self.store.clone());
        for _ in 0..if self.roles.send { SENDERS } else { 0 } {
            let (this, dispatcher, stop) = (self.clone(), dispatcher.clone(), stop.clone());
            let loaded = Arc::clone(&loaded);
            loops.spawn(async move { this.send_loop(&loaded, &dispatcher, &stop).await });
        }
        if self.roles.send {
            let (this, stop) = (self.clone(), stop.clone());
            loops.spawn(async move { this.confirm_loop(&loaded, &stop).await });
        }
        if let Some(courier) = self.courier.clone().filter(|_| self.roles.send) {
            let (this, stop) = (self.clone(), stop.clone());
            loops.spawn(async move { this.deliver_loop(&courier, &stop).await });
        }
        if self.roles.receive() {
            let (this, stop) = (self.clone(), stop.clone());
            loops.spawn(async move { this.receive_loop(&stop).await });
        }
        while let Some(ended) = loops.join_next().await {
            if let Err(error) = ended {
                tracing::error!(error = &error as &dyn StdError, "a loop died; stopping");
                stop.cancel();
            }
        }
    }

    /// Reconciles while this process holds the lease of the leader election.
    async fn reconcile_in_turn(&self, stop: &CancellationToken) {
        let election = LeaderElection::new(self.store.clone(), self.claim.source.clone());
        let me = election.me().to_string();
        let this = Self { store: self.store.acting(Some(&me)), ..self.clone() };
        tokio::join!(election.run(stop), this.reconcile_loop(election.held(), stop), this.pulse.watch(stop));
        election.step_down().await;
    }

    async fn reconcile_loop(&self, mut held: watch::Receiver<Option<Token>>, stop: &CancellationToken) {
        let changed = Arc::new(Notify::new());
        let mut watch = Watch::new(Arc::clone(&changed));
        let (mut reported, mut seen, mut settled) = (String::new(), None, Settled::default());
        while let Some(token) = granted(&mut held, stop).await {
            // The watch starts before the files are read: a change in between raises an event.
            self.pulse.begin();
            if let Source::Directories(named) = &self.source {
                let rearmed = stop.run_until_cancelled(source::rearmed(watch, named)).await;
                let Some(rearmed) = rearmed else { break };
                watch = rearmed;
            }
            let mut pause = self.until_next_look();
            // A remote repository may never answer, and stopping in the middle of a read loses nothing.
            let Some(tree) = stop.run_until_cancelled(self.source.read_at_rest()).await else { break };
            tell_commit(&tree, &mut seen);
            let pass = self.reconcile_tick(tree, token, &mut settled).await;
            self.pulse.end(matches!(pass, Err(reconcile::Error::Source(ReadError::Silent))));
            match pass {
                Ok(None) => {}
                Ok(Some(pass)) => {
                    // An approval raises no event, so local files are read again soon. A remote is not polled every
                    // second for that.
                    if matches!((&pass.outcome, &self.source), (Outcome::Refused(_), Source::Directories(_))) {
                        pause = PERIOD;
                    }
                    self.report(&pass, &mut reported);
                }
                Err(reconcile::Error::Outdated) => continue,
                Err(reconcile::Error::Store(error @ store::Error::Serialization { .. })) => {
                    log_failure("reconcile", &error);
                    continue;
                }
                Err(fenced @ reconcile::Error::Fenced) => tracing::warn!("{fenced} (token {token})"),
                Err(error) => {
                    // Only a full pass reports that the error is over, so the next one must not be skipped.
                    settled = Settled::default();
                    if !matches!(error, reconcile::Error::Source(ReadError::Git(_))) {
                        pause = RETRY;
                    }
                    let text = error.to_string();
                    if text != reported {
                        let seconds = pause.as_secs();
                        let error = &error as &dyn StdError;
                        tracing::error!(error, "cannot reconcile; what is in force stays; next try in {seconds} s");
                    }
                    reported = text;
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = changed.notified() => {}
                _ = held.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Makes a pass. Returns `None` without one when nothing changed since a pass that found everything in order.
    async fn reconcile_tick(
        &self,
        tree: Result<Tree, ReadError>,
        token: Token,
        settled: &mut Settled,
    ) -> Result<Option<Pass>, reconcile::Error> {
        let tree = tree?.claimed(self.claim.clone());
        let Some(news) = settled.news(&tree, &self.store).await? else { return Ok(None) };
        let (now, _) = self.store.now().await?;
        let pass = reconcile(tree, &self.store.fenced(token), By::Daemon, now).await?;
        settled.note(news, matches!(pass.outcome, Outcome::InSync) && pass.complaint().is_empty());
        Ok(Some(pass))
    }

    /// Returns the wait until the next reading when no event arrives. The random part of a remote's poll period keeps
    /// daemons that started together from polling it together.
    fn until_next_look(&self) -> Duration {
        match self.source {
            Source::Directories(_) => RESCAN,
            Source::Git(_) => {
                let part = u32::try_from(RandomState::new().hash_one(()) % 1_000).unwrap_or_default();
                self.poll + self.poll / 5 * part / 1_000
            }
        }
    }

    /// Logs the outcome of a pass. A complaint that persists is logged once.
    fn report(&self, pass: &Pass, reported: &mut String) {
        if let Outcome::Applied { revision, plan } = &pass.outcome {
            self.wake.notify_waiters();
            tracing::info!(revision, changes = plan.changes.len(), "applied a new revision");
            for change in &plan.changes {
                tracing::info!(revision, kind = change.kind.as_str(), name = %change.name, "{}", change.action.as_str());
            }
        }
        let text = pass.complaint();
        if text.is_empty() && !reported.is_empty() {
            tracing::info!("the files are in order again");
        }
        if text != *reported {
            for line in text.lines() {
                tracing::error!("{line}");
            }
        }
        *reported = text;
    }

    /// Does one chore of maintenance, apart from all other work.
    async fn chore_loop(&self, chore: Chore, loaded: &Mutex<Loaded>, stop: &CancellationToken) {
        let mut seen = Watermark::default();
        while !stop.is_cancelled() {
            match self.chore_tick(chore, loaded, &mut seen).await {
                Ok(kept) if kept.is_nothing() => self.rest(stop, |due| chore.due(due)).await,
                Ok(_) => self.wake.notify_waiters(),
                Err(error) => {
                    log_failure(chore.as_str(), &*error);
                    self.failed(&*error, stop).await;
                }
            }
        }
    }

    async fn chore_tick(
        &self,
        chore: Chore,
        loaded: &Mutex<Loaded>,
        seen: &mut Watermark,
    ) -> Result<Kept, Box<dyn StdError + Send + Sync>> {
        let (program, _) = loaded.lock().await.in_force(&self.store).await?;
        let (now, _) = self.store.now().await?;
        Ok(tick(chore, (&self.store, &program), seen, now).await?)
    }

    /// Claims and dispatches messages until `stop` is cancelled, then waits for the messages in flight.
    async fn send_loop(&self, loaded: &Mutex<Loaded>, dispatcher: &Dispatcher, stop: &CancellationToken) {
        while stop.run_until_cancelled(dispatcher.room()).await.is_some() {
            let next_completion = dispatcher.next_completion();
            match self.send_tick(loaded, dispatcher).await {
                // A lane whose message has completed since the claim may be due again.
                Ok(0) => tokio::select! {
                    () = self.rest(stop, |due| due.send) => {}
                    () = next_completion => {}
                },
                Ok(_) => {}
                Err(error) => {
                    log_failure("send", &*error);
                    self.failed(&*error, stop).await;
                }
            }
        }
        dispatcher.drain().await;
    }

    async fn send_tick(
        &self,
        loaded: &Mutex<Loaded>,
        dispatcher: &Dispatcher,
    ) -> Result<usize, Box<dyn StdError + Send + Sync>> {
        let (program, channels) = loaded.lock().await.in_force(&self.store).await?;
        let at = self.store.now().await?;
        let sent = dispatcher.send(&program, &channels, BATCH, at).await?;
        if sent.messages > 0 {
            tracing::info!(messages = sent.messages, lanes = sent.lanes, "handing over");
        }
        Ok(sent.lanes)
    }

    /// Confirms opt-outs, apart from all other work, so that a confirmation never waits for a lane.
    async fn confirm_loop(&self, loaded: &Mutex<Loaded>, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.confirm_tick(loaded).await {
                Ok(0) => tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.wake.notified() => {}
                    () = tokio::time::sleep(PERIOD) => {}
                },
                Ok(_) => {}
                Err(error) => {
                    log_failure("confirm", &*error);
                    self.failed(&*error, stop).await;
                }
            }
        }
    }

    async fn confirm_tick(&self, loaded: &Mutex<Loaded>) -> Result<usize, Box<dyn StdError + Send + Sync>> {
        let (program, channels) = loaded.lock().await.in_force(&self.store).await?;
        let (now, _) = self.store.now().await?;
        Ok(confirm(&self.store, &program, &channels, now).await?)
    }

    /// Delivers notifications, apart from all other work, so that a notifier that does not answer delays no other loop.
    async fn deliver_loop(&self, courier: &Courier, stop: &CancellationToken) {
        let mut reported = Reported::default();
        while !stop.is_cancelled() {
            match self.deliver_tick(courier, &mut reported).await {
                Ok(0) => tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(PERIOD) => {}
                },
                Ok(_) => {}
                Err(error) => {
                    log_failure("notify", &error);
                    self.failed(&error, stop).await;
                }
            }
        }
    }

    async fn deliver_tick(&self, courier: &Courier, reported: &mut Reported) -> Result<usize, store::Error> {
        let at = self.store.now().await?;
        deliver(&self.store, courier, reported, at).await
    }

    /// Processes the stored webhooks, apart from all other work.
    async fn receive_loop(&self, stop: &CancellationToken) {
        let (mut sender_directory, mut listener) = (SenderDirectory::default(), Listener::default());
        let mut has_freed = false;
        while !stop.is_cancelled() {
            let received = tokio::select! {
                received = self.receive_tick(&mut sender_directory, &mut has_freed) => received,
                never = self.listen_meanwhile(&mut listener) => match never {},
            };
            listener.forget();
            match received {
                Ok(Received { posts: 0, .. }) => tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.posted.notified() => {}
                    () = tokio::time::sleep(PERIOD) => {}
                },
                // An opt-out may end a run, so the other loops wake.
                Ok(Received { words: true, .. }) => self.wake.notify_waiters(),
                Ok(_) => {}
                Err(error) => {
                    log_failure("receive", &error);
                    self.failed(&error, stop).await;
                }
            }
        }
    }

    /// Makes a tick. The first one begins with the webhooks of a process that may have died.
    async fn receive_tick(
        &self,
        sender_directory: &mut SenderDirectory,
        has_freed: &mut bool,
    ) -> Result<Received, store::Error> {
        let at = self.store.now().await?;
        if !*has_freed {
            self.store.free_webhooks(at.0).await?;
            *has_freed = true;
        }
        receive(&self.store, sender_directory, at).await
    }

    /// Puts the STOPs of waiting webhooks in force until the caller drops it.
    async fn listen_meanwhile(&self, listener: &mut Listener) -> Infallible {
        loop {
            tokio::time::sleep(LISTEN).await;
            let result = match self.store.now().await {
                Ok((now, _)) => listener.listen(&self.store, now).await,
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                log_failure("listen", &error);
            }
        }
    }

    /// Waits after a failed tick until the next attempt. It does not wait after a serialization failure, which Postgres
    /// raises in favour of another transaction.
    async fn failed(&self, error: &(dyn StdError + Send + Sync + 'static), stop: &CancellationToken) {
        let pause = match store::Error::find(error) {
            Some(store::Error::Serialization { .. }) => Duration::ZERO,
            _ => RETRY,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// Sleeps until the time that `pick` selects, for at most [`PERIOD`], or until a wake-up or the stop signal.
    async fn rest(&self, stop: &CancellationToken, pick: impl Fn(NextDue) -> Option<Timestamp>) {
        let pause = match (self.store.next_due().await, self.store.now().await) {
            (Ok(due), Ok((now, speed))) => pick(due).map_or(PERIOD, |at| real_time(at, now, speed)),
            _ => PERIOD,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.wake.notified() => {}
            () = tokio::time::sleep(pause.min(PERIOD)) => {}
        }
    }
}

/// Logs the commit of the files once.
fn tell_commit(tree: &Result<Tree, ReadError>, seen: &mut Option<Commit>) {
    if let Ok(Tree { commit: Some(commit), .. }) = tree
        && seen.as_ref() != Some(commit)
    {
        tracing::info!(git.commit = commit.id, git.author = commit.author, "read the manifests of a commit");
        *seen = Some(commit.clone());
    }
}

/// Waits for the token under which to reconcile. Returns `None` when the process is to stop.
async fn granted(held: &mut watch::Receiver<Option<Token>>, stop: &CancellationToken) -> Option<Token> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        held = held.wait_for(Option::is_some) => held.ok().and_then(|held| *held),
    }
}

/// Returns the real time until the clock shows `at`, at most [`PERIOD`]. Work that is due but not done is usually held
/// by another process, which gets a moment to finish.
fn real_time(at: Timestamp, now: Timestamp, speed: Speed) -> Duration {
    const LEAST: Duration = Duration::from_millis(1);
    const BUSY: Duration = Duration::from_millis(50);
    if at <= now {
        return BUSY;
    }
    if speed.0 <= 0.0 {
        return PERIOD;
    }
    let ahead = (at - now).to_std().unwrap_or_default();
    ahead.div_f64(speed.0).clamp(LEAST, PERIOD)
}
