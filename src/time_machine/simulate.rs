//! A simulation: the production code run over a period of days, with random draws instead of people's actions.

use std::sync::Arc;

use chrono::TimeDelta;
use thiserror::Error;

use super::chance::{Actor, Chance};
use super::notes::notes;
use super::report::Report;
use super::script::Script;
use super::settings::Settings;
use super::tally::{Found, Observed, report};
use super::world;
use super::world::World;
use crate::core::dispatch::program::Program;
use crate::core::domain::{Phone, Timestamp};
use crate::core::manifest::Sources;
use crate::daemon::reconcile::{By, Outcome};
use crate::store;
use crate::store::{FactEvent, Inbound, Store};

/// The interval at which people's actions are drawn and recorded. Lanes are taken at most this far ahead of the clock.
const STRIDE: TimeDelta = TimeDelta::hours(1);

/// The progress of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub now: Timestamp,
    /// Messages that left so far.
    pub messages: u64,
}

/// The reasons why a simulation returns no report.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    World(#[from] world::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The files have errors; `manifest::check` returns them.
    #[error("the files have errors")]
    Broken,
}

/// Applies `sources` to the database and simulates the period of `settings`.
///
/// The database must have no other user; it keeps its state at the end. If time stops passing, the simulation ends
/// there and the report's notes say so.
pub async fn simulate(
    store: &Store,
    sources: &Sources,
    settings: &Settings,
    progress: impl FnMut(Progress),
) -> Result<Report, Error> {
    let script = Script::refusing(settings.rates.failure, settings.seed).remembering();
    let world = World::begin(store.clone(), Arc::new(script), settings.from).with_stride(STRIDE);
    let mut simulation = Simulation::begin(world, sources, *settings).await?;
    let end = simulation.play(progress).await;
    let mut first = simulation.first;
    match end {
        Ok(()) => {}
        Err(Error::World(endless @ world::Error::Endless { .. })) => {
            first.push(format!("The simulation stopped before its end: {endless}."));
        }
        Err(error) => return Err(error),
    }
    let Simulation { world, program, seen, .. } = simulation;
    let found = Found::read(store, &program, settings.from, world.now()).await?;
    let mut report = report(&found, &program, settings, &seen);
    report.notes = first.into_iter().chain(notes(&found, &program, &report)).collect();
    Ok(report)
}

/// A world in the course of a simulation, with what was counted in it.
struct Simulation {
    world: World,
    settings: Settings,
    program: Arc<Program>,
    chance: Chance,
    seen: Observed,
    /// Notes that precede all others in the report.
    first: Vec<String>,
    messages: u64,
    /// The value of `messages` when the database was last analyzed.
    analyzed: u64,
}

impl Simulation {
    /// Starts a simulation and applies the files.
    async fn begin(mut world: World, sources: &Sources, settings: Settings) -> Result<Self, Error> {
        world.store().analyze().await?;
        let plan = world.compare(sources.clone()).await?;
        let refusal = plan.guard();
        let first =
            refusal.err().map(|refusal| format!("The daemon would not apply these files by itself: {refusal}."));
        let by = By::Person { mass_change: true, digest: None };
        if let Outcome::Broken(_) = world.reconcile(sources, by).await?.outcome {
            return Err(Error::Broken);
        }
        let (program, _) = world.in_force().await?;
        let chance = Chance::new(settings.seed, settings.rates, &program);
        let (seen, first) = (Observed::default(), first.into_iter().collect());
        Ok(Self { world, settings, program, chance, seen, first, messages: 0, analyzed: 0 })
    }

    async fn play(&mut self, mut progress: impl FnMut(Progress)) -> Result<(), Error> {
        // The end is exclusive: what is due at that instant belongs to a day that is not simulated.
        let end = self.settings.until() - TimeDelta::microseconds(1);
        while self.world.now() < end {
            let hour = (self.world.now() + STRIDE).min(end);
            self.world.run_until(hour).await?;
            let arrived = self.world.script().drain();
            self.messages += arrived.len() as u64;
            self.chance.draw(arrived);
            self.hear().await?;
            self.look().await?;
            progress(Progress { now: hour, messages: self.messages });
        }
        Ok(())
    }

    /// Records the payments and replies of the last hour in the store.
    async fn hear(&mut self) -> Result<(), Error> {
        let now = self.world.now();
        let (payments, stops) = (self.chance.payments(now), self.chance.stops(now));
        let store = self.world.store();
        if !payments.is_empty() {
            let paid =
                |(at, actor): (_, Actor)| FactEvent::Paid { account: actor.account, referral: actor.referral, at };
            self.seen.paid += store.record(&payments.into_iter().map(paid).collect::<Vec<_>>(), now).await?;
        }
        if !stops.is_empty() {
            let reply = |(_, actor): (_, Actor)| Inbound {
                account: actor.account,
                phone: Phone::trusted(actor.phone),
                text: "STOP".to_owned(),
            };
            let heard = store.reply(&stops.into_iter().map(reply).collect::<Vec<_>>(), now).await?;
            self.seen.stopped += heard.stopped.len() as u64;
        }
        self.world.touch();
        Ok(())
    }

    /// Notes full lanes, which no later query can tell, and analyzes the database as it grows to keep its plans good.
    async fn look(&mut self) -> Result<(), Error> {
        let store = self.world.store();
        self.seen.note(store.full_lanes(&self.program.policies, self.world.now()).await?);
        if self.messages > self.analyzed * 2 {
            store.analyze().await?;
            self.analyzed = self.messages;
        }
        Ok(())
    }
}
