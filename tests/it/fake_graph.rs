//! The stand-in for the Graph API itself: what it posts, and that it can live in a process of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Stdio};

use hmac::{Hmac, KeyInit, Mac};
use relance::channel::fake_graph::{Behaviour, Clock, FakeGraph, Hook, Order};
use relance::channel::outgoing::{Call, Outgoing};
use relance::core::domain::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::daemon::{folder, relancectl};
use crate::support::receiver::{Answer, Receiver, Request};

const NUMBER: &str = "106540352242922";
const PHONE: &str = "+237671000001";
const APP_SECRET: &str = "the secret of an app";

fn now() -> Timestamp {
    "2026-11-30T08:00:00Z".parse().unwrap()
}

async fn fake_graph() -> FakeGraph {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    FakeGraph::start(anywhere, Clock::new(now(), 1.0), Behaviour::default()).await.unwrap()
}

/// Posts JSON and brings the status with the answer.
async fn post(url: &str, path: &str, body: &Value) -> (u16, Value) {
    let (url, body) = (format!("{url}{path}"), body.to_string());
    let call = Call::json(&url, &[], &body, std::time::Duration::from_secs(10));
    let reply = Outgoing::new().exchange(&call).await.unwrap();
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

fn template(key: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": PHONE, "biz_opaque_callback_data": key, "type": "template",
        "template": {"name": "t", "language": {"code": "fr"}}})
}

/// The changes of posts whose signatures are right.
fn changes(requests: &[Request]) -> Vec<Value> {
    let mut all = Vec::new();
    for request in requests {
        let mut mac = Hmac::<Sha256>::new_from_slice(APP_SECRET.as_bytes()).unwrap();
        mac.update(request.body.as_bytes());
        let hex = mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(request.headers["x-hub-signature-256"], format!("sha256={hex}"));
        assert!(request.body.is_ascii());
        all.extend(request.json()["entry"][0]["changes"].as_array().unwrap().clone());
    }
    all
}

#[tokio::test]
async fn the_fake_graph_signs_duplicates_and_retries_webhooks() {
    let (fake_graph, receiver) = (fake_graph().await, Receiver::start());
    let hook =
        Hook { read: 1.0, doubled: 1.0, shuffled: true, delay_ms: [0, 60], ..Hook::new(receiver.url(), APP_SECRET) };
    fake_graph.order(Order::Tell(hook));
    receiver.answer(&[Answer::Status(500), Answer::Status(404)]);
    for key in ["a", "b", "c"] {
        assert_eq!(post(&fake_graph.url(), &format!("/v26.0/{NUMBER}/messages"), &template(key)).await.0, 200);
    }
    let (number, phone) = (NUMBER.to_owned(), PHONE.to_owned());
    fake_graph.order(Order::Inbound { number: number.clone(), phone: phone.clone(), text: "Arrêt".to_owned() });
    fake_graph.order(Order::Prefers { number, phone, value: "stop".to_owned() });
    fake_graph.drained().await;
    let mut requests = receiver.take();
    // Those that were refused came again, as they were.
    let refused: Vec<Request> = requests.drain(..2).collect();
    assert!(refused.iter().all(|one| requests.iter().any(|other| one.body == other.body)));
    let (mut told, mut order) = (BTreeMap::new(), Vec::new());
    for change in changes(&requests) {
        let value = &change["value"];
        assert_eq!(value["metadata"]["phone_number_id"], NUMBER);
        for status in value["statuses"].as_array().into_iter().flatten() {
            let what = (status["biz_opaque_callback_data"].as_str().unwrap(), status["status"].as_str().unwrap());
            order.push(what.1.to_owned());
            *told.entry((what.0.to_owned(), what.1.to_owned())).or_insert(0) += 1;
            assert_eq!((&status["recipient_id"], status["timestamp"].is_string()), (&json!("237671000001"), true));
        }
        for (list, expected) in [("messages", json!("Arrêt")), ("user_preferences", json!("stop"))] {
            for one in value[list].as_array().into_iter().flatten() {
                let said = if list == "messages" { &one["text"]["body"] } else { &one["value"] };
                assert_eq!((said, &value["contacts"][0]["wa_id"]), (&expected, &json!("237671000001")));
                *told.entry((list.to_owned(), String::new())).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(told.len(), 3 * 3 + 2);
    assert!(told.values().all(|times| *times == 2), "{told:?}");
    let sent = order.iter().rposition(|status| status == "sent").unwrap();
    assert!(order[..sent].iter().any(|status| status != "sent"), "nothing was out of order");
}

#[tokio::test]
async fn free_text_is_allowed_for_a_day_after_an_inbound_message() {
    let fake_graph = fake_graph().await;
    let text = json!({"messaging_product": "whatsapp", "to": PHONE, "text": {"body": "a"}});
    let path = format!("/v26.0/{NUMBER}/messages");
    assert_eq!(post(&fake_graph.url(), &path, &text).await.1["error"]["code"], 131_047);
    let (number, phone) = (NUMBER.to_owned(), PHONE.to_owned());
    fake_graph.order(Order::Inbound { number, phone, text: "Bonjour".to_owned() });
    for (hours, code) in [(0, Value::Null), (23, Value::Null), (24, json!(131_047))] {
        fake_graph.set_clock(Clock::new(now() + chrono::TimeDelta::hours(hours) + chrono::TimeDelta::minutes(1), 1.0));
        assert_eq!(post(&fake_graph.url(), &path, &text).await.1["error"]["code"], code, "{hours}");
    }
    // To another number of ours they have not written.
    assert_eq!(post(&fake_graph.url(), "/v26.0/1/messages", &text).await.1["error"]["code"], 131_047);
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn the_fake_graph_runs_in_its_own_process() {
    let dir = folder();
    let behaviour = r#"{"templates": {"t": 0}}"#;
    let args = ["fake-graph", "--now", "2026-11-30T08:00:00Z", "--behaviour", behaviour];
    let mut process = Process(relancectl(dir.path(), None, &args).stdout(Stdio::piped()).spawn().unwrap());
    let mut url = String::new();
    BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let url = url.trim();
    let path = format!("/v26.0/{NUMBER}/messages");
    assert_eq!(post(url, &path, &template("a")).await.0, 200);
    let order = json!({"failNext": {"calls": 1, "fault": {"error": {"code": 131_026, "status": 404}}}});
    assert_eq!(post(url, "/_order", &order).await, (200, json!({})));
    let (status, said) = post(url, &path, &template("b")).await;
    assert_eq!((status, &said["error"]["code"]), (404, &json!(131_026)));
    assert_eq!(post(url, "/_order", &json!({"failNext": {}})).await.0, 400);
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.write_all(b"GET /_ledger HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let ledger: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let keys: Vec<_> = ledger.as_array().unwrap().iter().map(|one| (&one["key"], &one["number"], &one["to"])).collect();
    assert_eq!(keys, [(&json!("a"), &json!(NUMBER), &json!(PHONE))]);
}
