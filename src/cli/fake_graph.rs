//! `relancectl fake-graph`: a fake Graph API in its own process, whose ledger outlives the daemons that tests kill.

use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;

use super::{Exit, print};
use crate::channel::fake_graph::{Behaviour, Clock, FakeGraph};
use crate::core::domain::Timestamp;

#[derive(Debug, Args)]
pub struct FakeGraphArgs {
    /// Address to listen at; port 0 takes a free one, and the first line printed shows it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Start time of its clock
    #[arg(long, value_name = "TIME")]
    now: Timestamp,
    /// Speed of its clock, as a multiple of real time
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    speed: f64,
    /// Its behaviour, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = behaviour)]
    behaviour: Behaviour,
}

fn behaviour(text: &str) -> Result<Behaviour, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

pub(super) async fn run(args: FakeGraphArgs) -> anyhow::Result<Exit> {
    let clock = Clock::new(args.now, args.speed);
    let fake_graph = FakeGraph::start(args.listen, clock, args.behaviour)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    print::line(&fake_graph.url());
    tokio::signal::ctrl_c().await.context("cannot listen for SIGINT")?;
    Ok(Exit::Fine)
}
