//! The examples of the guide: every `curl` line is answered as the guide says.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::desk::{Ask, Desk};
use crate::look;

const ORIGIN: &str = "http://127.0.0.1:8080";

/// The arguments of every `curl` line of the guide, as a shell makes them.
fn examples(token: &str) -> Vec<Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/guides/api.md");
    let page = fs::read_to_string(page).unwrap().replace("\\\n", " ");
    let words = |line: &str| {
        let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}; {line}");
        let output = Command::new("/bin/sh").arg("-c").arg(script).env("TOKEN", token).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    };
    page.lines().filter(|line| line.starts_with("curl ")).map(words).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_guide_work() {
    let desk = Desk::open(look::world().await).await;
    let examples = examples(&desk.operator);
    assert!(examples.len() >= 3, "{examples:?}");
    for example in examples {
        let mut ask = Ask::get("");
        let mut words = example.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-H" => ask = ask.with(words.next().unwrap()),
                "-d" => (ask.method, ask.body) = ("POST", words.next().unwrap().clone().into_bytes()),
                url => ask.path = url.strip_prefix(ORIGIN).unwrap().to_owned(),
            }
        }
        let answer = super::desk::ask(desk.house.address, &ask);
        assert_eq!(answer.status, 200, "{example:?}: {answer:?}");
        assert!(answer.json().is_object());
    }
    assert!(desk.world().runs().await.iter().all(|run| run.ends_with("paused operator")));
}
