//! The signals of a daemon: the first SIGINT or SIGTERM asks it to stop, the second one ends it at once.
//!
//! They are handled on a thread and a runtime of their own, so that nothing that blocks the daemon delays them.

use std::process;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The longest time from the first signal to the end of the process.
const LONGEST: Duration = Duration::from_secs(29);
/// The exit code of a daemon that did not stop in time.
const LATE: i32 = 2;

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// Returns a token that the first SIGINT or SIGTERM cancels. After it the process ends within 30 seconds, whatever it
/// waits for. A SIGHUP changes nothing: edits of files take effect without it.
pub(super) fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let (listening, listens) = mpsc::channel();
    let handle = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let signals = Signals::listen();
            let heard = signals.as_ref().map(|_| ()).map_err(ToString::to_string);
            // The other end waits for this.
            listening.send(heard).ok();
            if let Ok(signals) = signals {
                signals.obey(&token).await;
            }
        });
        Ok::<_, std::io::Error>(())
    };
    thread::Builder::new().name("signals".to_owned()).spawn(handle).context("cannot start a thread for signals")?;
    listens
        .recv()
        .context("cannot listen for signals")?
        .map_err(anyhow::Error::msg)
        .context("cannot listen for signals")?;
    Ok(stop)
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGINT or SIGTERM, and returns its number.
    async fn next(&mut self) -> i32 {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return SignalKind::interrupt().as_raw_value(),
                _ = self.terminate.recv() => return SignalKind::terminate().as_raw_value(),
                _ = self.hangup.recv() => tracing::info!("SIGHUP changes nothing: edits of files take effect by themselves"),
            }
        }
    }

    /// Ends the process although parts of it may be blocked for ever.
    async fn obey(mut self, stop: &CancellationToken) {
        self.next().await;
        stop.cancel();
        if let Ok(number) = tokio::time::timeout(LONGEST, self.next()).await {
            tracing::warn!("stopped at once by a second signal; messages that were being handed over are uncertain");
            // The code with which shells report the signal.
            process::exit(128 + number);
        }
        tracing::error!("not stopped within {} s; ended all the same", LONGEST.as_secs());
        process::exit(LATE);
    }
}
