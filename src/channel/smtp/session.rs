//! A connection to a mail server.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::time::{Instant, timeout, timeout_at};

use super::mail::Mail;
use super::reply::{Failure, Stage};
use crate::core::manifest::desired::{Encryption, Smtp as Spec};

/// The time limit of optional commands: the check of an idle connection, and the goodbye.
const COURTESY: Duration = Duration::from_secs(1);

pub(super) struct Session(AsyncSmtpConnection);

impl Session {
    /// Connects, encrypts and logs in before the deadline `by`.
    pub(super) async fn open(spec: &Spec, credentials: Option<&Credentials>, by: Instant) -> Result<Self, Failure> {
        let connected_by = by.min(Instant::now() + Duration::from(spec.connect_timeout));
        let greeting = said(Stage::Greeting, connected_by, connect(spec)).await?;
        let mut session = Self(greeting);
        if let Some(credentials) = credentials {
            said(Stage::Login, by, session.0.auth(DEFAULT_MECHANISMS, credentials)).await?;
        }
        Ok(session)
    }

    /// Hands over one mail before the deadline `by`.
    pub(super) async fn deliver(&mut self, mail: &Mail, by: Instant) -> Result<(), Failure> {
        let mut parameters = Vec::new();
        let odd = |address: &Address| !AsRef::<str>::as_ref(address).is_ascii();
        let odd = [(Stage::Sender, odd(&mail.from)), (Stage::Recipient, odd(&mail.to))];
        if let Some((stage, _)) = odd.into_iter().find(|(_, odd)| *odd) {
            if !self.0.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Failure::odd_address(stage));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        // The commands get half of the time. The text keeps the other half, because its transfer cannot be undone.
        let half = by - by.saturating_duration_since(Instant::now()) / 2;
        let from = MailFrom::new(Some(mail.from.clone()), parameters);
        said(Stage::Sender, half, self.0.command(from)).await?;
        said(Stage::Recipient, half, self.0.command(Rcpt::new(mail.to.clone(), Vec::new()))).await?;
        said(Stage::Data, half, self.0.command(Data)).await?;
        said(Stage::Text, by, self.0.message(&mail.bytes)).await?;
        Ok(())
    }

    /// Returns true if the server still answers.
    pub(super) async fn answers(&mut self) -> bool {
        timeout(COURTESY, self.0.test_connected()).await.unwrap_or(false)
    }

    pub(super) async fn close(mut self) {
        // The result does not matter: the connection is dropped in any case.
        drop(timeout(COURTESY, self.0.abort()).await);
    }
}

async fn connect(spec: &Spec) -> Result<AsyncSmtpConnection, Error> {
    let name = ClientId::default();
    let tls = || TlsParameters::new(spec.host.clone());
    let at_once = if spec.encryption == Encryption::Tls { Some(tls()?) } else { None };
    let server = (spec.host.as_str(), spec.port);
    let mut connection =
        AsyncSmtpConnection::connect_tokio1(server, Some(spec.connect_timeout.into()), &name, at_once, None).await?;
    if spec.encryption == Encryption::Starttls {
        connection.starttls(tls()?, &name).await?;
    }
    Ok(connection)
}

/// Awaits a step until the deadline `by` and returns its result.
async fn said<T>(stage: Stage, by: Instant, step: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    match timeout_at(by, step).await {
        Ok(result) => result.map_err(|error| Failure::of(stage, &error)),
        Err(_) => Err(Failure::timeout(stage)),
    }
}
