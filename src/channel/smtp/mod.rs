//! The channel for mail by SMTP.
//!
//! It speaks the protocol step by step, because the meaning of a lost connection depends on the step. Before the text
//! has left, the mail is tried again; afterwards its outcome is unknown. Module `reply` defines the reaction to each
//! reply code.

mod mail;
mod reply;
mod session;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use lettre::transport::smtp::authentication::Credentials;
use tokio::time::Instant;

use self::mail::Mail;
use self::reply::Failure;
use self::session::Session;
use super::concurrency::CallSlots;
use super::{Channel, Outcome, Reaction};
use crate::channel::secret;
use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::{Callback, InstallationId, Timestamp};
use crate::core::manifest::desired::Smtp as Spec;

/// The longest time that an idle connection is kept. Most servers close idle connections later than this.
const IDLE: Duration = Duration::from_secs(30);

pub struct Smtp {
    spec: Spec,
    turns: CallSlots,
    /// The idle connections, each with the instant at which it became idle.
    idle: Mutex<Vec<(Session, Instant)>>,
    mark: Option<InstallationId>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Smtp {
    pub fn new(spec: Spec) -> Self {
        let turns = CallSlots::new(spec.concurrency, spec.timeout.into());
        Self { spec, turns, idle: Mutex::default(), mark: None }
    }

    /// Adds the installation id, so that no two installations use the same `Message-ID`.
    #[must_use]
    pub fn under(self, mark: InstallationId) -> Self {
        Self { mark: Some(mark), ..self }
    }

    /// Hands over one message. No exchange begins that could outlast the hand-over.
    async fn send(
        &self,
        message: &OutgoingMessage,
        credentials: Option<&Credentials>,
        now: Timestamp,
        latest: Instant,
    ) -> Outcome {
        let callback = Callback::new(self.mark.as_ref(), message.key);
        let mail = match Mail::of((message, &callback), &self.spec, now) {
            Ok(mail) => mail,
            Err(outcome) => return outcome,
        };
        let _turn = match self.turns.take(latest).await {
            Ok(turn) => turn,
            Err(outcome) => return outcome,
        };
        match self.exchange(&mail, credentials).await {
            Ok(()) => Outcome::accepted(mail.id),
            Err(failure) => failure.outcome(mail.has_own_sender, mail.to.as_ref()),
        }
    }

    async fn exchange(&self, mail: &Mail, credentials: Option<&Credentials>) -> Result<(), Failure> {
        let by = Instant::now() + Duration::from(self.spec.timeout);
        let mut session = match self.parked().await {
            Some(session) => session,
            None => Session::open(&self.spec, credentials, by).await?,
        };
        match session.deliver(mail, by).await {
            Ok(()) => {
                self.idle().push((session, Instant::now()));
                Ok(())
            }
            Err(failure) => {
                session.close().await;
                Err(failure)
            }
        }
    }

    /// Takes an idle connection that still answers, if there is one.
    async fn parked(&self) -> Option<Session> {
        loop {
            let (mut session, since) = self.idle().pop()?;
            if since.elapsed() < IDLE && session.answers().await {
                return Some(session);
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Session, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Channel for Smtp {
    async fn hand_over(&self, messages: &[OutgoingMessage], now: Timestamp) -> Vec<Outcome> {
        let latest = self.turns.latest();
        // The password is read once per batch, so a renewed one takes effect at the next batch.
        let credentials = match &self.spec.credentials {
            None => None,
            Some(auth) => match secret::read(&auth.password) {
                Ok(password) => Some(Credentials::new(auth.username.clone(), password)),
                Err(error) => {
                    let refused = Outcome::refused(format!("`password`: {error}"), Reaction::PauseChannel);
                    return vec![refused; messages.len()];
                }
            },
        };
        join_all(messages.iter().map(|message| self.send(message, credentials.as_ref(), now, latest))).await
    }
}
