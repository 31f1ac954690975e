//! Those who connect and take their time, or take all there is.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use relance::server::Limits;

use crate::support::daemon::folder;
use crate::support::house::{House, MONDAY, SECRET, call, channel, signature};
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

const SOON: Duration = Duration::from_millis(200);

async fn house(limits: Limits) -> House {
    let dir = folder();
    let mut world = World::at(MONDAY).await;
    world.apply(&(tree(2, NO_PACE, &[("c", ALWAYS)]) + &channel(&dir))).await;
    House::open_within(world, dir, limits).await
}

/// A connection on which so much was said. Whoever waits for an answer waits for a minute.
fn begun(house: &House, said: &str) -> TcpStream {
    let mut stream = TcpStream::connect(house.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.write_all(said.as_bytes()).unwrap();
    stream
}

/// All that is said until the server closes the connection.
fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it is still open: {error}"),
    }
    String::from_utf8(answer).unwrap()
}

/// Asks how the server is, and reads the answer.
fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: relance\r\n\r\n").unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\nok\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&answer));
        answer.push(byte[0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_without_a_request_is_closed() {
    let house = house(Limits { head: SOON, ..Limits::default() }).await;
    assert_eq!(rest(begun(&house, "")), "");
    assert_eq!(rest(begun(&house, "GET /healthz HTTP/1.1\r\nHost: rel")), "");
    // Nor is whoever was answered and asks nothing more.
    let mut idle = begun(&house, "");
    ask(&mut idle);
    assert_eq!(rest(idle), "");
    assert_eq!(call(house.address, "GET /healthz", "", b"").0, 200);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_request_times_out() {
    let house = house(Limits { request: SOON, ..Limits::default() }).await;
    let head = format!(
        "POST /webhooks/wa HTTP/1.1\r\nHost: relance\r\nX-Hub-Signature-256: {}\r\nContent-Length: 100\r\n\r\n{{",
        signature(b"", SECRET)
    );
    let answer = rest(begun(&house, &head));
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.ends_with("it took too long\n"), "{answer}");
    assert_eq!(house.world.count("webhook").await, 0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_closes_after_its_maximum_lifetime() {
    let house = house(Limits { life: SOON, head: Duration::from_hours(1), ..Limits::default() }).await;
    let mut kept = begun(&house, "");
    ask(&mut kept);
    assert_eq!(rest(kept), "");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_above_the_limit_waits_for_a_free_slot() {
    let house = house(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = begun(&house, "");
    ask(&mut first);
    let second = begun(&house, "GET /healthz HTTP/1.1\r\nHost: relance\r\nConnection: close\r\n\r\n");
    for _ in 0..200 {
        ask(&mut first);
    }
    second.set_nonblocking(true).unwrap();
    assert_eq!(second.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    second.set_nonblocking(false).unwrap();
    drop(first);
    assert!(rest(second).starts_with("HTTP/1.1 200 "));
    house.close().await;
}
