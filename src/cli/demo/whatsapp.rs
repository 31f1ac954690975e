//! `relancectl run --demo=whatsapp`: the sample campaigns over the whole WhatsApp path, with a fake Graph API at its
//! end.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::SPEED;
use crate::channel::fake_graph::{Behaviour, Clock, FakeGraph, Hook, Order};
use crate::store::Store;

/// The folder of the manifests and secrets that the demo adds to the user's tree.
const FOLDER: &str = ".relance/demo-whatsapp";
const CHANNEL: &str = "demo-whatsapp";
/// Secrets of a server that ends with this process.
const SECRETS: [(&str, &str); 2] = [("token", "a-token-of-the-demo"), ("app-secret", "an-app-secret-of-the-demo")];

/// The handle of the fake Graph API, which stops when this is dropped.
#[derive(Debug)]
pub(in crate::cli) struct Guest {
    _standin: FakeGraph,
}

impl Guest {
    /// Starts the fake Graph API, which reports receipts to `webhooks`. Writes manifests that make every account send
    /// to it, and returns their folder too.
    pub(in crate::cli) async fn invite(store: &Store, webhooks: SocketAddr) -> anyhow::Result<(Self, PathBuf)> {
        let [(_, token), (_, app_secret)] = SECRETS;
        // One call in fifty is cut off: half of them before the message is accepted, half after it. A receipt resolves
        // the accepted ones.
        let behaviour = Behaviour {
            seed: 1,
            token: Some(token.to_owned()),
            latency_ms: [20, 200],
            cut_before: 0.01,
            cut_after: 0.01,
            ..Behaviour::default()
        };
        let (now, _) = store.now().await?;
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let fake_graph = FakeGraph::start(anywhere, Clock::new(now, SPEED.0), behaviour).await;
        let fake_graph = fake_graph.context("cannot listen on this machine")?;
        let url = format!("http://{webhooks}/webhooks/{CHANNEL}");
        let hook =
            Hook { read: 0.6, delay_ms: [50, 2_000], doubled: 0.1, shuffled: true, ..Hook::new(url, app_secret) };
        fake_graph.order(Order::Tell(hook));
        let folder = write(&fake_graph.url(), &store.account_names().await?)?;
        Ok((Self { _standin: fake_graph }, folder))
    }
}

/// Writes the manifests of the channel and of the accounts that send by it.
fn write(base_url: &str, accounts: &[String]) -> anyhow::Result<PathBuf> {
    let folder = Path::new(FOLDER);
    let secret = |name: &str| folder.join(name).display().to_string();
    let (token, app_secret) = (secret(SECRETS[0].0), secret(SECRETS[1].0));
    let accounts = serde_json::to_string(accounts)?;
    let manifests = format!(
        "# Made by `relancectl run --demo=whatsapp`, anew each time.
apiVersion: relance/v1
kind: Channel
metadata: {{name: {CHANNEL}}}
spec:
  type: whatsapp-cloud
  baseUrl: {base_url}
  phoneNumberId: '106540352242922'
  accessToken: {{fromFile: {token}}}
  appSecret: {{fromFile: {app_secret}}}
  verifyToken: {{fromFile: {token}}}
---
apiVersion: relance/v1
kind: Account
metadata: {{name: {CHANNEL}}}
spec: {{accounts: {{names: {accounts}}}, channelRef: {CHANNEL}}}
"
    );
    let manifests_folder = folder.join("campaigns");
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(&manifests_folder)?;
        for (name, text) in SECRETS {
            fs::write(folder.join(name), text)?;
        }
        fs::write(manifests_folder.join("whatsapp.yaml"), manifests)
    };
    write().with_context(|| format!("cannot write to `{FOLDER}`"))?;
    Ok(manifests_folder)
}
