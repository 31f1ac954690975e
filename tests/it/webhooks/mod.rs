//! What providers post: over real HTTP into a real Postgres, and what comes of it.

mod crowd;
mod door;
mod lifts;
mod people;
mod statuses;
mod stops;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use relance::core::domain::Timestamp;
use relance::daemon::{Addressees, receive};
use relance::server::{Limits, Server};
use relance::store::Speed;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::daemon::folder;
use crate::world::World;

const MONDAY: &str = "2026-11-30T08:00:00Z";
const SECRET: &str = "the secret of the app";
const TOKEN: &str = "the token of the team";

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
fn account(name: &str, sender: &str) -> String {
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
struct House {
    world: World,
    /// Where the secrets are.
    _dir: TempDir,
    address: SocketAddr,
    addressees: Addressees,
    /// Told of every post.
    posted: Arc<Notify>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl House {
    /// Opens the door of a world to which its manifests were applied. Its clock stands still.
    async fn open(world: World, dir: TempDir) -> Self {
        Self::open_within(world, dir, Limits::default()).await
    }

    async fn open_within(world: World, dir: TempDir, limits: Limits) -> Self {
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
        Self { world, _dir: dir, address, addressees: Addressees::default(), posted, stop, serving }
    }

    async fn close(self) -> World {
        self.stop.cancel();
        self.serving.await.unwrap();
        self.world
    }

    /// Moves the clock.
    async fn at(&mut self, now: &str) {
        self.world.now = now.parse().unwrap();
        self.world.store().set_clock(self.world.now, Speed(0.0)).await.unwrap();
    }

    fn post(&self, value: &Value) {
        let body = envelope("messages", value);
        assert_eq!(post(self.address, body.as_bytes(), SECRET).0, 200);
    }

    /// One tick; how many posts it looked at.
    async fn tick(&mut self) -> usize {
        let store = self.world.store();
        receive(store, &mut self.addressees, store.now().await.unwrap()).await.unwrap().posts
    }

    /// Ticks until nothing waits that is due.
    async fn receive(&mut self) {
        while self.tick().await > 0 {}
    }

    /// Posts and processes one change.
    async fn tell(&mut self, field: &str, value: &Value) {
        assert_eq!(post(self.address, envelope(field, value).as_bytes(), SECRET).0, 200);
        self.receive().await;
    }
}

/// A post with one change.
pub(crate) fn envelope(field: &str, value: &Value) -> String {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "7", "changes": [{"field": field, "value": value}]}]})
        .to_string()
}

fn seconds(at: &str) -> String {
    at.parse::<Timestamp>().unwrap().timestamp().to_string()
}

fn signature(body: &[u8], secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Posts to the channel `wa`; status and body of the answer.
fn post(address: SocketAddr, body: &[u8], secret: &str) -> (u16, String) {
    let head = format!("X-Hub-Signature-256: {}\r\nContent-Length: {}\r\n", signature(body, secret), body.len());
    call(address, "POST /webhooks/wa", &head, body)
}

/// Makes one request, with the body as it is on the wire.
fn call(address: SocketAddr, what: &str, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{what} HTTP/1.1\r\nHost: relance\r\nConnection: close\r\n{head}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}
