//! A world: one database and one virtual clock, on which the daemon's work is done when it is due.

use std::io::Cursor;
use std::sync::Arc;

use chrono::TimeDelta;
use thiserror::Error;

use super::script::Script;
use crate::channel::Channels;
use crate::core::dispatch::program::Program;
use crate::core::domain::Timestamp;
use crate::core::manifest::Sources;
use crate::daemon::reconcile;
use crate::daemon::reconcile::{By, Comparison, Pass, compare};
use crate::daemon::{BATCH, Loaded, Watermark, maintenance, send};
use crate::facts::Source;
use crate::facts::import;
use crate::facts::import::Report;
use crate::store;
use crate::store::{Age, NextDue, Span, Speed, Store};

/// The number of rounds at one instant after which the world is considered stuck.
const PATIENCE: u32 = 10_000;
/// The limit for consecutive rounds that do nothing. Waiting lanes need some of them, one batch of lanes a round.
const IDLE: u32 = 1_000;

/// A database with a daemon whose clock the caller controls.
#[derive(Debug)]
pub struct World {
    store: Store,
    script: Arc<Script>,
    now: Timestamp,
    /// The distance that lanes may be taken ahead of the clock in one step; see [`Span`].
    stride: TimeDelta,
    loaded: Loaded,
    in_force: Option<(Arc<Program>, Arc<Channels>)>,
    seen: Watermark,
    crashes: u32,
}

/// The reasons why a world cannot continue.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Reconcile(#[from] reconcile::Error),
    #[error(transparent)]
    Import(#[from] import::Error),
    /// Something is due at the same instant again and again, so that time would never pass.
    #[error("at {} something is due again and again: {}", .now.to_rfc3339(), what(.due, *.now))]
    Endless { now: Timestamp, due: NextDue },
}

impl World {
    /// Creates a world at an instant, on a database without other users.
    pub fn begin(store: Store, script: Arc<Script>, now: Timestamp) -> Self {
        let loaded = Loaded::new(Arc::clone(&script).opens());
        let (stride, seen) = (TimeDelta::zero(), Watermark::default());
        Self { store, script, now, stride, loaded, in_force: None, seen, crashes: 0 }
    }

    /// Lets lanes be taken up to `stride` ahead in one step. Each account's events keep their instants. Events that
    /// affect several accounts, such as a suppressed phone, must not occur within a stride, so the caller chooses its
    /// length.
    #[must_use]
    pub fn with_stride(self, stride: TimeDelta) -> Self {
        Self { stride, ..self }
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Returns the number of hand-overs that crashed the daemon.
    pub fn crashes(&self) -> u32 {
        self.crashes
    }

    /// Returns the plan of a reconcile pass over `sources`, with its effects counted, without applying it.
    pub async fn compare(&self, sources: Sources) -> Result<Comparison, Error> {
        let mut comparison = compare(sources.into(), &self.store).await?;
        let Comparison { desired, in_force, plan, .. } = &mut comparison;
        self.store.count_effects(plan, desired, in_force, self.now).await?;
        Ok(comparison)
    }

    /// Runs one reconcile pass, on behalf of the daemon or of a person.
    pub async fn reconcile(&mut self, sources: &Sources, by: By<'_>) -> Result<Pass, Error> {
        let pass = reconcile::reconcile(sources.clone().into(), &self.store, by, self.now).await?;
        self.touch();
        Ok(pass)
    }

    /// Imports accounts from an export in memory, CSV or NDJSON.
    pub async fn import_accounts(&mut self, export: Vec<u8>) -> Result<Report, Error> {
        self.touch();
        let source = Source::stream("accounts", Cursor::new(export));
        Ok(import::accounts(&self.store, source, self.age()).await?)
    }

    /// Imports referrals from an export in memory, CSV or NDJSON.
    pub async fn import_referrals(&mut self, export: Vec<u8>) -> Result<Report, Error> {
        self.touch();
        let source = Source::stream("referrals", Cursor::new(export));
        Ok(import::referrals(&self.store, source, self.age()).await?)
    }

    /// Makes the world reload its state. Call it after facts or manifests change other than through the world.
    pub fn touch(&mut self) {
        self.in_force = None;
    }

    /// Restarts the daemon: all its in-memory state is lost.
    pub fn restart(&mut self) {
        self.loaded = Loaded::new(Arc::clone(&self.script).opens());
        self.seen = Watermark::default();
        self.touch();
    }

    /// Returns the compiled program in force and its channels.
    pub async fn in_force(&mut self) -> Result<(Arc<Program>, Arc<Channels>), Error> {
        Ok(self.loaded.in_force(&self.store).await?)
    }

    /// Moves the clock without doing any work, as if every daemon had been down.
    pub fn sleep_until(&mut self, instant: Timestamp) {
        self.now = instant;
    }

    /// Does all work that is due until `end`, jumping from one due instant to the next.
    pub async fn run_until(&mut self, end: Timestamp) -> Result<(), Error> {
        while let Some(next) = self.settle_within(end).await?.filter(|next| *next <= end) {
            self.now = next;
        }
        if self.now < end {
            self.now = end;
            self.settle_within(end).await?;
        }
        Ok(())
    }

    /// Does all work that is due now. Returns the next due instant.
    pub async fn settle(&mut self) -> Result<Option<Timestamp>, Error> {
        self.settle_within(self.now).await
    }

    async fn settle_within(&mut self, end: Timestamp) -> Result<Option<Timestamp>, Error> {
        let mut idle = 0;
        for _ in 0..PATIENCE {
            let looks_anew = self.in_force.is_none();
            let (program, channels) = match self.in_force.take() {
                Some(held) => held,
                None => self.loaded.in_force(&self.store).await?,
            };
            self.in_force = Some((Arc::clone(&program), Arc::clone(&channels)));
            let due = self.store.next_due().await?;
            let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= self.now);
            let did = if looks_anew || is_due(due.maintenance()) {
                !maintenance(&self.store, &program, &mut self.seen, self.now).await?.is_nothing()
            } else if is_due(due.send) {
                // Maintenance comes first at its instants, so lanes stop just before the next one.
                let quiet = due.maintenance().map_or(end, |at| end.min(at - TimeDelta::microseconds(1)));
                let span = Span::new(self.now, quiet.min(self.now + self.stride));
                self.send(&program, &channels, span).await?
            } else {
                return Ok(due.earliest());
            };
            idle = if did { 0 } else { idle + 1 };
            if idle == IDLE {
                break;
            }
        }
        Err(Error::Endless { now: self.now, due: self.store.next_due().await? })
    }

    /// Sends one batch. If a hand-over crashes the daemon, the daemon restarts without its state. Returns true if
    /// messages were handed over or the daemon crashed.
    async fn send(&mut self, program: &Program, channels: &Channels, span: Span) -> Result<bool, Error> {
        let crash = self.script.crashed();
        tokio::select! {
            sent = send(&self.store, program, channels, BATCH, (span, Speed(1.0))) => Ok(sent?.messages > 0),
            () = crash => {
                self.crashes += 1;
                self.restart();
                Ok(true)
            }
        }
    }

    fn age(&self) -> Age {
        Age { as_of: self.now, now: self.now }
    }
}

fn what(due: &NextDue, now: Timestamp) -> String {
    let all = [("sending", due.send), ("enrollment", due.enroll), ("a phase", due.advance), ("a lease", due.expire)];
    let now = all.iter().filter(|(_, at)| at.is_some_and(|at| at <= now));
    now.map(|(what, _)| *what).collect::<Vec<_>>().join(", ")
}
