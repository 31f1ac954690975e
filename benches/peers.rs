//! The same drip on job queues. Runs `benches/peers/run` on the Postgres of the other benchmarks.
//!
//! `cargo bench --bench peers -- [MESSAGES]` (default: 20000).
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

#[path = "common/server.rs"]
mod server;

use std::path::Path;
use std::process::Command;

const DATABASE: &str = "peers";

fn main() {
    let messages = std::env::args().skip(1).find_map(|argument| argument.parse::<u32>().ok()).unwrap_or(20_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = server::start();
    runtime.block_on(async {
        server.drop_database(DATABASE).await.unwrap();
        server.create_database(DATABASE, None).await.unwrap();
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/run");
    let status = Command::new(script).arg(messages.to_string()).env("DATABASE_URL", server.url(DATABASE)).status();
    assert!(status.unwrap().success());
    server.close().unwrap();
}
