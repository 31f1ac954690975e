//! A door that providers post to, on a real port, with the world behind it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use relance::core::domain::Timestamp;
use relance::daemon::{SenderDirectory, receive};
use relance::server::{Limits, Server};
use relance::store::Speed;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::daemon::folder;
use crate::support::trees::{NO_PACE, tree};
use crate::support::world::World;

pub(crate) const MONDAY: &str = "2026-11-30T08:00:00Z";
pub(crate) const SECRET: &str = "the secret of the app";
pub(crate) const TOKEN: &str = "the token of the team";
/// Of a world that is filled.
pub(crate) const ACCOUNTS: u64 = 8;

/// The channel `wa`, with its secrets in a folder.
pub(crate) fn channel(dir: &TempDir) -> String {
    let secret = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        format!("{{fromFile: {}}}", path.display())
    };
    let (app, verify, access) = (secret("app", SECRET), secret("verify", TOKEN), secret("access", "a token"));
    format!(
        "---
apiVersion: relance/v1
kind: Channel
metadata: {{name: wa}}
spec: {{type: whatsapp-cloud, phoneNumberId: '100', accessToken: {access}, appSecret: {app}, verifyToken: {verify}}}
"
    )
}

/// An account with a number of its own.
pub(crate) fn account(name: &str, sender: &str) -> String {
    format!(
        "---
apiVersion: relance/v1
kind: Account
metadata: {{name: {name}}}
spec: {{accounts: {{names: [{name}]}}, sender: '{sender}'}}
"
    )
}

/// A world that is posted to.
pub(crate) struct House {
    pub(crate) world: World,
    /// Where the secrets are.
    _dir: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) sender_directory: SenderDirectory,
    /// Told of every post.
    pub(crate) posted: Arc<Notify>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl House {
    /// Opens the door of a world to which its manifests were applied. Its clock stands still.
    pub(crate) async fn open(world: World, dir: TempDir) -> Self {
        Self::open_within(world, dir, Limits::default()).await
    }

    pub(crate) async fn open_within(world: World, dir: TempDir, limits: Limits) -> Self {
        world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let posted = Arc::new(Notify::new());
        let server = Server::bind(address, world.store().clone(), Arc::clone(&posted)).await.unwrap();
        let server = server.within(limits);
        let (address, stop) = (server.address(), CancellationToken::new());
        let serving = tokio::spawn({
            let stop = stop.clone();
            async move { server.run(&stop).await }
        });
        Self { world, _dir: dir, address, sender_directory: SenderDirectory::default(), posted, stop, serving }
    }

    pub(crate) async fn close(self) -> World {
        self.stop.cancel();
        self.serving.await.unwrap();
        self.world
    }

    /// Moves the clock.
    pub(crate) async fn at(&mut self, now: &str) {
        self.world.now = now.parse().unwrap();
        self.world.store().set_clock(self.world.now, Speed(0.0)).await.unwrap();
    }

    pub(crate) fn post(&self, value: &Value) {
        let body = envelope("messages", value);
        assert_eq!(post(self.address, body.as_bytes(), SECRET).0, 200);
    }

    /// One tick; how many posts it looked at.
    pub(crate) async fn tick(&mut self) -> usize {
        let store = self.world.store();
        receive(store, &mut self.sender_directory, store.now().await.unwrap()).await.unwrap().posts
    }

    /// Ticks until nothing waits that is due.
    pub(crate) async fn receive(&mut self) {
        while self.tick().await > 0 {}
    }

    /// Posts and processes one change.
    pub(crate) async fn tell(&mut self, field: &str, value: &Value) {
        assert_eq!(post(self.address, envelope(field, value).as_bytes(), SECRET).0, 200);
        self.receive().await;
    }
}

/// Fills a world with people who were all written to; every tenth message is one of which nobody knows whether it left.
pub(crate) async fn fill(mut world: World, people: u64) -> House {
    for n in 1..=ACCOUNTS {
        world.account(&format!("a{n}")).await;
    }
    let dir = folder();
    let accounts: String = (1..=ACCOUNTS).map(|n| account(&format!("a{n}"), &(900 + n).to_string())).collect();
    world.apply(&(tree(2, NO_PACE, &[("c", "state: draft")]) + &channel(&dir) + &accounts)).await;
    for statement in [
        format!(
            "insert into referral (account_id, external_id, name, phone, country, registered_at, consent, as_of, is_current)
             select 1 + n % {ACCOUNTS}, 'r' || n, 'Paul', '+237' || (670000000 + n), 'CM', '2026-11-20Z', 'opted_in',
                    '2026-11-20Z', true
             from generate_series(1, {people}) n"
        ),
        "insert into run (account_id, campaign_id, phase, reason, detail, created_at, revision_id)
         select id, 1, 'active', 'running', '{}', '2026-11-30Z', 1 from account on conflict do nothing"
            .to_owned(),
        "insert into target (account_id, campaign_id, referral_id, state, day, due_at, enrolled_at, revision_id)
         select account_id, 1, id, 'active', 2, '2026-12-01Z', '2026-11-29Z', 1 from referral"
            .to_owned(),
        "insert into message (account_id, referral_id, campaign_id, day, state, attempts, quota_date, phone, language, text,
                              revision_id, queued_at, sent_at, provider_id, error)
         select account_id, id, 1, 1, case when id % 10 = 0 then 'uncertain' else 'sent' end, 1, '2026-11-29', phone, 'fr',
                'Bonjour', 1, '2026-11-29T08:00Z', case when id % 10 <> 0 then timestamptz '2026-11-29T08:00:00.5Z' end,
                case when id % 10 <> 0 then 'wamid.' || id end, case when id % 10 = 0 then 'no answer' end
         from referral"
            .to_owned(),
    ] {
        world.sql(&statement).await;
    }
    House::open(world, dir).await
}

/// A post with one change.
pub(crate) fn envelope(field: &str, value: &Value) -> String {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "7", "changes": [{"field": field, "value": value}]}]})
        .to_string()
}

pub(crate) fn seconds(at: &str) -> String {
    at.parse::<Timestamp>().unwrap().timestamp().to_string()
}

pub(crate) fn signature(body: &[u8], secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Posts to the channel `wa`; status and body of the answer.
pub(crate) fn post(address: SocketAddr, body: &[u8], secret: &str) -> (u16, String) {
    let head = format!("X-Hub-Signature-256: {}\r\nContent-Length: {}\r\n", signature(body, secret), body.len());
    call(address, "POST /webhooks/wa", &head, body)
}

/// Makes one request, with the body as it is on the wire.
pub(crate) fn call(address: SocketAddr, what: &str, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{what} HTTP/1.1\r\nHost: relance\r\nConnection: close\r\n{head}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}
