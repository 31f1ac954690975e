//! The calls: cut, late, in parallel, without a token.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use relance::channel::fake_graph::{Fault, Order};
use relance::channel::{Channel, Outcome, Reaction};
use relance::core::dispatch::OutgoingMessage;
use relance::core::domain::Period;

use super::{Meta, NUMBER, TOKEN, asks_for, error, is_accepted, is_unknown, message, now, phone};

#[tokio::test]
async fn a_call_that_was_cut_has_an_unknown_outcome() {
    let mut meta = Meta::new().await;
    meta.spec.timeout = Period::seconds(1);
    let channel = meta.channel();
    // The second time the connection is one that was used before.
    for _ in 0..2 {
        assert!(is_accepted(&channel.hand_over(&[message(0)], now()).await[0]));
        for (fault, was_accepted) in [
            (Fault::CutBefore, 0),
            (Fault::CutAfter, 1),
            (Fault::Garbled, 1),
            (Fault::Hang, 1),
            (Fault::Stranger(502), 0),
        ] {
            let before = meta.fake_graph.ledger().len();
            meta.fail_next(fault.clone());
            let outcomes = channel.hand_over(&[message(1)], now()).await;
            assert!(is_unknown(&outcomes[0]), "{fault:?}: {outcomes:?}");
            assert_eq!(meta.fake_graph.ledger().len() - before, was_accepted, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn an_endless_answer_has_an_unknown_outcome() {
    let mut meta = Meta::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    meta.spec.base_url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _request = stream.read(&mut [0; 4_096]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(&[b' '; 4_096]).is_ok() {}
    });
    assert!(is_unknown(&meta.one(message(1)).await));
    // Not on this thread: the connection is yet to be closed by it.
    tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_message_that_never_left_is_retried() {
    let mut meta = Meta::new().await;
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let speaks_no_tls = meta.fake_graph.url().replace("http", "https");
    let retry = Some(Reaction::Retry { after: None });
    for url in [format!("http://{nobody}"), speaks_no_tls, "https://nobody.invalid".to_owned(), "nonsense".to_owned()] {
        meta.spec.base_url.clone_from(&url);
        let outcome = meta.one(message(1)).await;
        assert_eq!(asks_for(&outcome), retry, "{url}: {outcome:?}");
        let Outcome::Refused(refusal) = outcome else { panic!() };
        assert!(!refusal.error.contains(TOKEN) && !refusal.error.contains(NUMBER), "{}", refusal.error);
    }
    assert_eq!(meta.fake_graph.traffic().calls, 0);
}

#[tokio::test]
async fn a_renewed_token_takes_effect_and_is_never_shown() {
    let meta = Meta::new().await;
    let channel = meta.channel();
    let token = meta.dir.path().join("token");
    fs::write(&token, "an-old-token").unwrap();
    let outcome = channel.hand_over(&[message(1)], now()).await.remove(0);
    assert_eq!(outcome, Outcome::refused("190: Malformed access token …", Reaction::PauseChannel));
    fs::write(&token, TOKEN).unwrap();
    assert!(is_accepted(&channel.hand_over(&[message(1)], now()).await[0]));
    fs::remove_file(&token).unwrap();
    let outcomes = channel.hand_over(&[message(1), message(2)], now()).await;
    assert!(outcomes.iter().all(|one| asks_for(one) == Some(Reaction::PauseChannel)), "{outcomes:?}");
    assert_eq!(meta.fake_graph.traffic().calls, 2);
}

#[tokio::test]
async fn calls_run_in_parallel_within_the_limit_and_answers_keep_their_order() {
    let mut meta = Meta::new().await;
    meta.spec.concurrency = 4;
    meta.behave(|behaviour| behaviour.latency_ms = [1, 20]);
    for person in (0..100).step_by(7) {
        meta.fake_graph.order(Order::FailFor { phone: phone(person), fault: error(131_026) });
    }
    let channel = meta.channel();
    let batches: Vec<Vec<OutgoingMessage>> =
        (0..2).map(|half| (half * 50..(half + 1) * 50).map(message).collect()).collect();
    // The limit is one of the channel, not of each batch.
    let (first, second) = tokio::join!(channel.hand_over(&batches[0], now()), channel.hand_over(&batches[1], now()));
    let ledger = meta.fake_graph.ledger();
    for (message, outcome) in batches.concat().iter().zip(first.into_iter().chain(second)) {
        let id = ledger.iter().find(|one| one.key == message.key.to_string()).map(|one| one.id.clone());
        match outcome {
            Outcome::Accepted { provider_id, .. } => assert_eq!(Some(provider_id), id),
            other => assert_eq!((asks_for(&other), id), (Some(Reaction::Leave), None)),
        }
    }
    assert_eq!(ledger.len(), 100 - 15);
    assert_eq!(meta.fake_graph.traffic().most_at_once, 4);
}

#[tokio::test]
async fn a_message_without_time_left_is_no_attempt() {
    let mut meta = Meta::new().await;
    // Nothing is left of a hand-over: only what need not wait for its turn begins.
    (meta.spec.timeout, meta.spec.concurrency) = (Period::seconds(18), 1);
    meta.behave(|behaviour| behaviour.latency_ms = [5, 5]);
    let outcomes = meta.hand_over(&[message(1), message(2)]).await;
    assert!(is_accepted(&outcomes[0]), "{outcomes:?}");
    assert_eq!(asks_for(&outcomes[1]), Some(Reaction::Throttle { after: None }));
    assert_eq!(meta.fake_graph.traffic().calls, 1);
}

#[tokio::test]
async fn random_faults_never_make_an_accepted_message_count_as_refused() {
    let meta = Meta::new().await;
    meta.behave(|behaviour| {
        (behaviour.seed, behaviour.cut_before, behaviour.cut_after) = (4, 0.1, 0.1);
        behaviour.latency_ms = [0, 3];
    });
    let messages: Vec<OutgoingMessage> = (0..1_000).map(message).collect();
    let outcomes = meta.hand_over(&messages).await;
    let ledger: HashSet<String> = meta.fake_graph.ledger().into_iter().map(|one| one.key).collect();
    let (mut cut, mut kept) = (0, 0);
    for (message, outcome) in messages.iter().zip(&outcomes) {
        let is_there = ledger.contains(&message.key.to_string());
        match outcome {
            Outcome::Accepted { .. } => assert!(is_there),
            Outcome::Unknown { .. } if is_there => kept += 1,
            Outcome::Unknown { .. } => cut += 1,
            Outcome::Refused(refusal) => panic!("{}", refusal.error),
        }
    }
    assert!((50..150).contains(&cut) && (50..150).contains(&kept), "{cut} {kept}");
}
