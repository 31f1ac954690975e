//! A connection to a mail server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use super::mail::Mail;
use super::reply::Failure;
use super::table::Stage;
use crate::core::manifest::desired::{Encryption, Smtp as Spec};

/// The time limit of optional commands: the check of an idle connection, and the goodbye.
const COURTESY: Duration = Duration::from_secs(1);

pub(super) struct Session(AsyncSmtpConnection);

impl Session {
    /// Connects, encrypts and logs in before the deadline `by`.
    pub(super) async fn open(spec: &Spec, credentials: Option<&Credentials>, by: Instant) -> Result<Self, Failure> {
        let connected_by = by.min(Instant::now() + Duration::from(spec.connect_timeout));
        let greeting = within(Stage::Connect, connected_by, connect(spec)).await?;
        let mut session = Self(greeting);
        if let Some(credentials) = credentials {
            within(Stage::Login, by, session.0.auth(DEFAULT_MECHANISMS, credentials)).await?;
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
                return Err(Failure::not_ascii(stage));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        // The commands get half of the time. The text keeps the other half, because its transfer cannot be undone.
        let half = by - by.saturating_duration_since(Instant::now()) / 2;
        let from = MailFrom::new(Some(mail.from.clone()), parameters);
        within(Stage::Sender, half, self.0.command(from)).await?;
        within(Stage::Recipient, half, self.0.command(Rcpt::new(mail.to.clone(), Vec::new()))).await?;
        within(Stage::Data, half, self.0.command(Data)).await?;
        within(Stage::Text, by, self.0.message(&mail.bytes)).await?;
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
    let name = match &spec.helo_name {
        Some(name) => client_id(name),
        None => own_name(spec).await,
    };
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

/// Returns the full name of this machine, else its address towards the server. Servers refuse a name without a dot,
/// such as the id of a container; an address is always allowed (RFC 5321, 4.1.4).
async fn own_name(spec: &Spec) -> ClientId {
    match ClientId::default() {
        ClientId::Domain(name) if !name.contains('.') => own_address(spec).await.map_or_else(local, of_ip),
        name => name,
    }
}

/// Returns the address from which this machine reaches the server. Nothing is sent.
async fn own_address(spec: &Spec) -> Option<IpAddr> {
    let server = lookup_host((spec.host.as_str(), spec.port)).await.ok()?.next()?;
    let any = if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.ok()?;
    socket.connect(server).await.ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn local() -> ClientId {
    ClientId::Ipv4(Ipv4Addr::LOCALHOST)
}

fn of_ip(address: IpAddr) -> ClientId {
    match address {
        IpAddr::V4(address) => ClientId::Ipv4(address),
        IpAddr::V6(address) => ClientId::Ipv6(address),
    }
}

/// Reads a host name, or an address in brackets.
fn client_id(name: &str) -> ClientId {
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = address.map(|address| address.trim_start_matches("IPv6:"));
    address.and_then(|address| address.parse().ok()).map_or_else(|| ClientId::Domain(name.to_owned()), of_ip)
}

/// Awaits a step until the deadline `by` and returns its result.
async fn within<T>(stage: Stage, by: Instant, step: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    match timeout_at(by, step).await {
        Ok(result) => result.map_err(|error| Failure::of(stage, &error)),
        Err(_) => Err(Failure::timeout(stage)),
    }
}
