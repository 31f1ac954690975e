//! The channel for mail by SMTP.
//!
//! It speaks the protocol step by step, because the meaning of a lost connection depends on the step. Before the text
//! has left, the mail is tried again; afterwards its outcome is unknown. Module `table` defines the reaction to each
//! refusal.
//!
//! A server may end a connection after some mails. A mail that meets the end of a kept connection goes out by a new
//! one at once. A refusal that every mail would meet is not asked for again by the rest of its batch: many failed
//! logins would lock the account.

mod mail;
mod reply;
mod session;
mod table;
mod words;

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use lettre::transport::smtp::authentication::Credentials;
use tokio::time::Instant;

use self::mail::Mail;
use self::reply::Failure;
use self::session::Session;
use self::table::Attempt;
use super::concurrency::CallSlots;
use super::masking::{plain, without};
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
    installation: Option<InstallationId>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Smtp {
    pub fn new(spec: Spec) -> Self {
        let turns = CallSlots::new(spec.concurrency, spec.timeout.into());
        Self { spec, turns, idle: Mutex::default(), installation: None }
    }

    /// Adds the installation id, so that no two installations use the same `Message-ID`.
    #[must_use]
    pub fn for_installation(self, installation: InstallationId) -> Self {
        Self { installation: Some(installation), ..self }
    }

    /// Hands over one message. No exchange begins that could outlast the hand-over.
    async fn send(&self, message: &OutgoingMessage, batch: &Batch, now: Timestamp) -> Outcome {
        let callback = Callback::new(self.installation.as_ref(), message.key);
        let mail = match Mail::of((message, &callback), &self.spec, now) {
            Ok(mail) => mail,
            Err(outcome) => return outcome,
        };
        let _turn = match self.turns.take(batch.latest).await {
            Ok(turn) => turn,
            Err(outcome) => return outcome,
        };
        if let Some(refused) = batch.refused.get() {
            return refused.clone();
        }
        let attempt = Attempt { has_own_sender: mail.has_own_sender, number: message.attempts };
        match self.exchange(&mail, batch.credentials.as_ref()).await {
            Ok(()) => Outcome::accepted(mail.id),
            Err(failure) => {
                let outcome = failure.outcome(attempt, mail.to.as_ref());
                let outcome = without(outcome, batch.secrets.iter().map(String::as_str));
                if concerns_all(&outcome, attempt) {
                    // The first refusal serves as well as a later one.
                    drop(batch.refused.set(outcome.clone()));
                }
                outcome
            }
        }
    }

    async fn exchange(&self, mail: &Mail, credentials: Option<&Credentials>) -> Result<(), Failure> {
        let by = Instant::now() + Duration::from(self.spec.timeout);
        if let Some(session) = self.parked().await {
            match self.deliver(session, mail, by).await {
                Err(failure) if failure.is_of_connection() => {}
                other => return other,
            }
        }
        let session = Session::open(&self.spec, credentials, by).await?;
        self.deliver(session, mail, by).await
    }

    /// Delivers the mail by a connection, and keeps the connection if it worked.
    async fn deliver(&self, mut session: Session, mail: &Mail, by: Instant) -> Result<(), Failure> {
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

/// The state that the messages of one hand-over share.
struct Batch {
    credentials: Option<Credentials>,
    /// The texts that no error may repeat.
    secrets: Vec<String>,
    latest: Instant,
    /// The refusal that every mail of the batch would meet.
    refused: OnceLock<Outcome>,
}

/// Returns true if every other mail of the batch would be refused as well.
fn concerns_all(outcome: &Outcome, attempt: Attempt) -> bool {
    match outcome {
        Outcome::Refused(refusal) => match refusal.reaction {
            Reaction::PauseChannel => true,
            Reaction::Throttle { .. } => !attempt.has_own_sender,
            Reaction::Retry { .. }
            | Reaction::SkipDay
            | Reaction::FailDay
            | Reaction::Unfit
            | Reaction::Leave
            | Reaction::NoAddress
            | Reaction::Suppress
            | Reaction::PauseRun
            | Reaction::PauseAccount => false,
        },
        Outcome::Accepted { .. } | Outcome::Unknown { .. } => false,
    }
}

#[async_trait]
impl Channel for Smtp {
    async fn hand_over(&self, messages: &[OutgoingMessage], now: Timestamp) -> Vec<Outcome> {
        let latest = self.turns.latest();
        // The password is read once per batch, so a renewed one takes effect at the next batch.
        let mut secrets = Vec::new();
        let credentials = match &self.spec.credentials {
            None => None,
            Some(auth) => match secret::read(&auth.password).await {
                Ok(password) => {
                    secrets = vec![plain(&auth.username, &password), password.clone()];
                    Some(Credentials::new(auth.username.clone(), password))
                }
                Err(error) => {
                    let refused = Outcome::refused(format!("`password`: {error}"), Reaction::PauseChannel);
                    return vec![refused; messages.len()];
                }
            },
        };
        let batch = Batch { credentials, secrets, latest, refused: OnceLock::new() };
        join_all(messages.iter().map(|message| self.send(message, &batch, now))).await
    }
}
