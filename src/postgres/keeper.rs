//! The keeper: the process that outlives commands and keeps their server running.
//!
//! It starts the server or adopts a running one, restarts it after a crash, and stops it after a time without users. A
//! user is a process that holds `users.lock` or has a connection. The kernel releases the lock however its holder ends.
//! Killing the keeper is harmless: the next command finds the server and starts another keeper for it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};
use tokio::signal::unix::{SignalKind, signal};

use super::binaries::Binaries;
use super::cluster;
use super::durability::Durability;
use super::error::Error;
use super::place::Place;
use super::postmaster;
use super::postmaster::{PAUSE, SILENCE, State};

/// The pause between two looks at a running server.
const TICK: Duration = Duration::from_millis(250);

/// The lifetime within which repeated crashes make the keeper give up.
const SHORT_LIFE: Duration = Duration::from_secs(10);
const SHORT_LIVES: u32 = 3;

/// Postgres's message while processes of a killed server are still ending.
const STILL_LEAVING: &str = "pre-existing shared memory block";

/// The settings of a keeper.
#[derive(Debug, Clone)]
pub struct Keeper {
    /// The folder of the server, which exists and has a cluster.
    pub dir: PathBuf,
    /// The folder of the server programs.
    pub bin: PathBuf,
    /// The time for which the server waits for its next user.
    pub grace: Duration,
    pub durability: Durability,
}

impl Keeper {
    /// Keeps the server until it is no longer wanted, or until a `SIGTERM`.
    ///
    /// Returns at once if another keeper lives.
    pub async fn keep(self) -> Result<(), Error> {
        // The call fails for a group leader, which gets no signals from a terminal either.
        rustix::process::setsid().ok();
        let place = Place::choose(&self.dir)?;
        let alone = place.keeper_lock()?;
        if alone.try_lock().is_err() {
            return Ok(());
        }
        let handling = |kind| signal(kind).map_err(Error::io("handle signals in", &self.dir));
        let (_interrupt, _hangup) = (handling(SignalKind::interrupt())?, handling(SignalKind::hangup())?);
        let mut terminate = handling(SignalKind::terminate())?;

        let mut kept = Kept::of(self, place)?;
        loop {
            let next = kept.tick().await?;
            let Next::After(pause) = next else { break };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = terminate.recv() => { kept.stop()?; break }
            }
        }
        // The keeper lock goes first: a process that waits for the server must not take this one for its keeper.
        drop(alone);
        drop(kept);
        Ok(())
    }
}

/// The server, and the keeper's memory from tick to tick.
#[derive(Debug)]
struct Kept {
    place: Place,
    binaries: Binaries,
    grace: Duration,
    durability: Durability,
    users: File,
    child: Option<Child>,
    launched: Option<Launch>,
    idle_since: Option<Instant>,
    silent_since: Option<Instant>,
    short_lives: u32,
}

#[derive(Debug, Clone, Copy)]
struct Launch {
    at: Instant,
    log_bytes: u64,
    was_ready: bool,
}

#[derive(Debug)]
enum Next {
    After(Duration),
    Over,
}

impl Kept {
    fn of(keeper: Keeper, place: Place) -> Result<Self, Error> {
        let major = cluster::major(&place)?.unwrap_or_default();
        Ok(Self {
            users: place.users_lock()?,
            binaries: Binaries { dir: keeper.bin, major },
            place,
            grace: keeper.grace,
            durability: keeper.durability,
            child: None,
            launched: None,
            idle_since: None,
            silent_since: None,
            short_lives: 0,
        })
    }

    async fn tick(&mut self) -> Result<Next, Error> {
        let ended = self.reap();
        let state = State::of(&self.place);
        if !matches!(state, State::Silent(_)) {
            self.silent_since = None;
        }
        match state {
            State::Ready(_) => self.while_ready().await,
            State::Starting(_) | State::Stopping(_) => Ok(Next::After(PAUSE)),
            State::Silent(_) => self.while_silent(),
            State::Replaced => self.forget_pid(),
            // Another process stopped the server in good order.
            State::Stopped if self.was_ready() || ended.is_some_and(|ended| ended.success()) => {
                self.end_child();
                Ok(Next::Over)
            }
            State::Stopped | State::Crashed => self.while_down(),
        }
    }

    /// Stops the server after the time of grace without a user.
    async fn while_ready(&mut self) -> Result<Next, Error> {
        match &mut self.launched {
            Some(launch) => launch.was_ready = true,
            adopted @ None => *adopted = Some(Launch { at: Instant::now(), log_bytes: 0, was_ready: true }),
        }
        if self.users.try_lock().is_err() {
            self.idle_since = None;
            return Ok(Next::After(TICK));
        }
        let idle_for = self.idle_since.get_or_insert_with(Instant::now).elapsed();
        if idle_for >= self.grace {
            if !is_connected_to(&self.place).await {
                self.stop()?;
                return Ok(Next::Over);
            }
            self.idle_since = None;
        }
        self.users.unlock().map_err(Error::io("unlock", &self.place.dir))?;
        Ok(Next::After(TICK.min(self.grace)))
    }

    fn while_silent(&mut self) -> Result<Next, Error> {
        if self.silent_since.get_or_insert_with(Instant::now).elapsed() > SILENCE && self.child.is_none() {
            return self.forget_pid();
        }
        Ok(Next::After(PAUSE))
    }

    /// Removes a pid file with which Postgres would refuse to start. No other keeper can have caused it.
    fn forget_pid(&mut self) -> Result<Next, Error> {
        let pid_file = self.place.data().join("postmaster.pid");
        fs::remove_file(&pid_file).map_err(Error::io("remove", &pid_file))?;
        self.while_down()
    }

    /// Starts the server, or reports why it did not start.
    fn while_down(&mut self) -> Result<Next, Error> {
        if self.child.is_some() {
            return Ok(Next::After(PAUSE));
        }
        if let Some(launch) = self.launched {
            if !launch.was_ready && !self.place.log_since(launch.log_bytes).contains(STILL_LEAVING) {
                return Err(self.place.not_ready(launch.log_bytes));
            }
            if launch.was_ready {
                if self.users.try_lock().is_ok() {
                    return Ok(Next::Over);
                }
                self.short_lives = if launch.at.elapsed() < SHORT_LIFE { self.short_lives + 1 } else { 0 };
                if self.short_lives > SHORT_LIVES {
                    return Err(self.place.not_ready(launch.log_bytes));
                }
            }
        }
        self.launched = Some(Launch { at: Instant::now(), log_bytes: self.place.log_bytes(), was_ready: false });
        self.child = Some(postmaster::spawn(&self.place, &self.binaries, self.durability)?);
        Ok(Next::After(PAUSE))
    }

    fn reap(&mut self) -> Option<ExitStatus> {
        let ended = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(ended)
    }

    fn was_ready(&self) -> bool {
        self.launched.is_some_and(|launch| launch.was_ready)
    }

    fn stop(&mut self) -> Result<(), Error> {
        postmaster::stop(&self.place)?;
        self.end_child();
        self.place.tidy();
        Ok(())
    }

    /// Waits for the end of a child that removed its pid file, or whose folder was removed.
    fn end_child(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let leaving = Instant::now();
        while matches!(child.try_wait(), Ok(None)) {
            if leaving.elapsed() > SILENCE {
                kill_process(Pid::from_child(&child), Signal::QUIT).ok();
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Returns true if another client is connected. A server that does not answer counts as unused.
async fn is_connected_to(place: &Place) -> bool {
    let ask = async {
        let mut connection = PgConnection::connect(&place.url("postgres")).await?;
        let others: bool = sqlx::query_scalar(
            "select exists (select from pg_stat_activity
             where backend_type = 'client backend' and pid <> pg_backend_pid())",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(others)
    };
    ask.await.unwrap_or(false)
}
