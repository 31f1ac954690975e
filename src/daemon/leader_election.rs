//! The leader election among the daemons that may reconcile. One daemon holds the lease and renews it. The others keep
//! trying to take it until it is free.

use std::time::Duration;

use rustix::process::getpid;
use rustix::system::uname;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::failure::log_failure;
use crate::core::domain::SourceId;
use crate::daemon::reconcile::Foreign;
use crate::store;
use crate::store::{Holder, Store, Token};

/// The time between two attempts or renewals. The lease lasts six seconds, so another daemon takes over within eight
/// seconds of the leader's death.
const PERIOD: Duration = Duration::from_secs(2);

/// A process that reconciles while it has the lease.
#[derive(Debug)]
pub(super) struct LeaderElection {
    store: Store,
    me: Holder,
    /// The source that this process would have the database follow.
    source: SourceId,
    held: watch::Sender<Option<Token>>,
}

/// The last facts logged about other daemons; each is logged once.
#[derive(Debug, Default)]
struct Reported {
    /// The daemon that reconciles.
    other: Option<Holder>,
    /// The reason why no daemon of this source may reconcile.
    foreign: Option<Foreign>,
}

impl LeaderElection {
    pub(super) fn new(store: Store, source: SourceId) -> Self {
        let host = uname().nodename().to_string_lossy().into_owned();
        let me = Holder { host, pid: getpid().as_raw_nonzero().get() };
        Self { store, me, source, held: watch::Sender::new(None) }
    }

    /// Returns the name of this process, for people.
    pub(super) fn me(&self) -> &Holder {
        &self.me
    }

    /// Returns a receiver of the token under which to reconcile; the value is `None` while this process does not hold
    /// the lease.
    pub(super) fn held(&self) -> watch::Receiver<Option<Token>> {
        self.held.subscribe()
    }

    /// Takes the lease when it is free and renews it, until `stop` is cancelled.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        let mut reported = Reported::default();
        while !stop.is_cancelled() {
            if let Err(error) = self.tick(&mut reported).await {
                // The token stays: the store rejects it if another daemon took the lease.
                log_failure("lease", &error);
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    /// Releases the lease, so that another daemon need not wait for it to expire.
    pub(super) async fn step_down(&self) {
        let held = self.held.send_replace(None);
        if let Some(token) = held
            && let Err(error) = self.store.step_down(token).await
        {
            log_failure("lease", &error);
        }
    }

    /// Makes one attempt to take or renew the lease.
    async fn tick(&self, reported: &mut Reported) -> Result<(), store::Error> {
        let foreign = Foreign::to(self.store.owner().await?.as_ref(), &self.source);
        if let Some(foreign) = &foreign {
            // The lease belongs to a daemon of the source that the database follows.
            self.step_down().await;
            if reported.foreign.as_ref() != Some(foreign) {
                tracing::error!("{foreign}; until then this daemon does not reconcile");
            }
        }
        reported.foreign = foreign;
        if reported.foreign.is_some() {
            return Ok(());
        }
        let held = *self.held.borrow();
        if let Some(token) = held {
            if self.store.renew(token).await? {
                return Ok(());
            }
            self.held.send_replace(None);
            tracing::warn!("the lease on reconciling was lost (token {token})");
        }
        if let Some(token) = self.store.take_over(&self.me).await? {
            reported.other = None;
            tracing::info!("reconciling from here on (token {token})");
            self.held.send_replace(Some(token));
        } else if let Some(other) = self.store.reconciler().await?
            && reported.other.as_ref() != Some(&other)
        {
            tracing::info!("another daemon reconciles ({other}); this one takes over when it is gone");
            reported.other = Some(other);
        }
        Ok(())
    }
}
