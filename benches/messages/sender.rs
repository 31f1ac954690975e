//! Daemons in processes of their own, which only send.
//!
//! Each process runs this benchmark again with a database URL. It prints `ready` and begins when its input has a line.
//! It prints the number of messages of each hand-over. When its input ends, it stops and prints `saved` with its CPU
//! seconds.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use relance::daemon::Roles;
use relance::store::Store;
use tokio_util::sync::CancellationToken;

use crate::{daemon, null, usage};

/// The first argument of a sending process.
pub(crate) const SENDER: &str = "sender";

/// The longest silence of the processes; any claim takes less.
const PATIENCE: Duration = Duration::from_mins(1);

/// The sending processes, all ready to send.
pub(crate) struct Senders {
    children: Vec<Child>,
    said: Receiver<String>,
}

/// The joint result of the processes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) messages: u64,
    /// The time from the start signal until the last outcome was saved.
    pub(crate) took: Duration,
    pub(crate) cpu: f64,
}

impl Senders {
    pub(crate) fn start(url: &str, processes: usize) -> Self {
        let (say, said) = mpsc::channel();
        let child = |_| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let mut child = command.args([SENDER, url]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let (lines, say) = (BufReader::new(child.stdout.take().unwrap()).lines(), say.clone());
            thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| say.send(line)));
            child
        };
        let children = (0..processes).map(child).collect();
        let this = Self { children, said };
        for _ in 0..processes {
            assert_eq!(this.listen(), "ready");
        }
        this
    }

    /// Starts sending and waits until `expected` messages are handed over and all outcomes are saved.
    pub(crate) fn send(mut self, expected: u64) -> Sent {
        let begun = Instant::now();
        for child in &mut self.children {
            child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        }
        let mut messages = 0;
        while messages < expected {
            messages += self.listen().parse::<u64>().unwrap();
        }
        for child in &mut self.children {
            drop(child.stdin.take());
        }
        let (mut saved, mut cpu) = (0, 0.0);
        while saved < self.children.len() {
            let line = self.listen();
            match line.strip_prefix("saved ") {
                Some(seconds) => {
                    saved += 1;
                    cpu += seconds.parse::<f64>().unwrap();
                }
                None => messages += line.parse::<u64>().unwrap(),
            }
        }
        let took = begun.elapsed();
        for mut child in self.children {
            assert!(child.wait().unwrap().success());
        }
        Sent { messages, took, cpu }
    }

    fn listen(&self) -> String {
        self.said.recv_timeout(PATIENCE).expect("a sender that says nothing for a minute sends nothing")
    }
}

/// Runs one sending process.
pub(crate) async fn run(url: &str) {
    let store = Store::open(url, 8).await.unwrap();
    let roles = Roles { reconcile: false, enroll: false, send: true, serve: false };
    let daemon = daemon::daemon(&store, null::null(|messages| say(&messages.to_string())), roles);
    let stop = CancellationToken::new();
    let mut input = std::io::stdin();
    say("ready");
    input.read_exact(&mut [0; 3]).unwrap();
    let cpu = usage::own_cpu();
    let told = stop.clone();
    thread::spawn(move || {
        // The parent sends no more data, so the read fails only when the input ends.
        input.read_exact(&mut [0]).unwrap_err();
        told.cancel();
    });
    daemon.run(&stop).await;
    say(&format!("saved {}", usage::own_cpu() - cpu));
    store.close().await;
}

fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).unwrap();
}
