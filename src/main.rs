//! `relancectl`: see the library's documentation and `relancectl --help`.

use std::time::Duration;

use relance::cli;
use relance::cli::Exit;

/// The wait for threads that still block when the command is done; a file system that is away may block them for ever.
const LINGER: Duration = Duration::from_secs(1);

fn main() -> Exit {
    let cli = cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a process can start threads");
    let exit = runtime.block_on(cli::run(cli));
    runtime.shutdown_timeout(LINGER);
    exit
}
