//! Delivery of updates to a webhook: signed, in batches, with the configured delays, duplicates and shuffling. A post
//! is repeated until the webhook accepts it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::behaviour::share;
use crate::channel::outgoing::{Call, Outgoing};
use crate::core::domain::mix;

/// The largest number of updates in one post.
const POST: usize = 1_000;
/// The largest number of concurrent posts.
const POSTS: usize = 8;
/// The time for which an update waits for others to share its post.
const LINGER: Duration = Duration::from_millis(20);
const ANSWER: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The address of a webhook, and the quality of the delivery.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hook {
    pub url: String,
    /// The key that signs the posts.
    pub app_secret: String,
    #[serde(default)]
    pub seed: u64,
    /// The share of messages that are delivered.
    #[serde(default = "all")]
    pub delivered: f64,
    /// The share of delivered messages that are read.
    #[serde(default)]
    pub read: f64,
    /// The shortest and the longest delay of an update, in milliseconds.
    #[serde(default)]
    pub delay_ms: [u64; 2],
    /// The share of updates that are delivered twice.
    #[serde(default)]
    pub doubled: f64,
    /// True if the updates of a message have independent delays, so that they may arrive out of order.
    #[serde(default)]
    pub shuffled: bool,
}

fn all() -> f64 {
    1.0
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Hook {
    pub fn new(url: impl Into<String>, app_secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            app_secret: app_secret.into(),
            seed: 0,
            delivered: 1.0,
            read: 0.0,
            delay_ms: [0; 2],
            doubled: 0.0,
            shuffled: false,
        }
    }
}

/// One update for the webhook.
#[derive(Debug, Clone)]
pub(super) struct Update {
    /// The field of the change: `messages` or `user_preferences`.
    pub(super) field: &'static str,
    pub(super) number: String,
    /// The list in the change that contains the update: `statuses`, `messages`…
    pub(super) list: &'static str,
    pub(super) value: Value,
    /// The contact of the person, for updates that have one beside them.
    pub(super) contact: Option<Value>,
}

/// A webhook with the updates in flight to it.
#[derive(Debug)]
pub(super) struct Post {
    hook: Hook,
    queue: UnboundedSender<(Instant, Update)>,
    pending: Arc<Pending>,
    drawn: AtomicU64,
    _task: JoinSet<()>,
}

/// The count of updates that the webhook has not accepted yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    count: AtomicU64,
    changed: Notify,
}

impl Pending {
    fn done(&self, updates: usize) {
        self.count.fetch_sub(u64::try_from(updates).unwrap_or_default(), Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// Waits until the webhook has accepted every update.
    pub(super) async fn drained(&self) {
        loop {
            let changed = self.changed.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Post {
    pub(super) fn start(hook: Hook) -> Self {
        let (queue, updates) = mpsc::unbounded_channel();
        let pending = Arc::new(Pending::default());
        let mut task = JoinSet::new();
        task.spawn(deliver(hook.clone(), updates, Arc::clone(&pending)));
        Self { hook, queue, pending, drawn: AtomicU64::new(0), _task: task }
    }

    pub(super) fn pending(&self) -> Arc<Pending> {
        Arc::clone(&self.pending)
    }

    /// Reports the statuses of a message: sent, and perhaps delivered and read.
    pub(super) fn statuses(&self, number: &str, status: &dyn Fn(&str) -> Value) {
        let mut delay = Duration::ZERO;
        let chance = self.draw();
        let steps = [("sent", 1.0), ("delivered", self.hook.delivered), ("read", self.hook.delivered * self.hook.read)];
        for (name, _) in steps.into_iter().filter(|(_, part)| share(chance) < *part) {
            let own = self.delay();
            delay = if self.hook.shuffled { own } else { delay + own };
            let (number, value) = (number.to_owned(), status(name));
            self.tell(delay, Update { field: "messages", number, list: "statuses", value, contact: None });
        }
    }

    /// Reports an update after a delay, and perhaps a duplicate after a longer one.
    pub(super) fn tell(&self, delay: Duration, update: Update) {
        if share(self.draw()) < self.hook.doubled {
            self.enqueue(delay + self.delay(), update.clone());
        }
        self.enqueue(delay, update);
    }

    fn enqueue(&self, delay: Duration, update: Update) {
        self.pending.count.fetch_add(1, Ordering::AcqRel);
        if self.queue.send((Instant::now() + delay, update)).is_err() {
            self.pending.done(1);
        }
    }

    fn delay(&self) -> Duration {
        let [from, to] = self.hook.delay_ms;
        Duration::from_millis(from + self.draw() % (to.saturating_sub(from) + 1))
    }

    fn draw(&self) -> u64 {
        mix(mix(self.hook.seed) ^ self.drawn.fetch_add(1, Ordering::Relaxed))
    }
}

/// The due time and the number of an update. At equal times, the lower number goes first.
type Due = Reverse<(Instant, u64)>;

/// Posts due updates concurrently, and each post again until the webhook accepts it.
async fn deliver(hook: Hook, mut updates: UnboundedReceiver<(Instant, Update)>, pending: Arc<Pending>) {
    let (hook, outgoing, room) = (Arc::new(hook), Outgoing::new(), Arc::new(Semaphore::new(POSTS)));
    let (mut order, mut waiting, mut number) = (BinaryHeap::<Due>::new(), BTreeMap::new(), 0_u64);
    let mut posts = JoinSet::new();
    loop {
        let next = order.peek().map(|Reverse((at, _))| *at + LINGER);
        tokio::select! {
            biased;
            () = async { sleep_until(next.unwrap_or_else(Instant::now)).await }, if next.is_some() => {
                let mut due = Vec::new();
                while due.len() < POST && order.peek().is_some_and(|Reverse((at, _))| *at <= Instant::now()) {
                    let update = order.pop().and_then(|Reverse((_, number))| waiting.remove(&number));
                    due.extend(update);
                }
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
                let (hook, outgoing, pending) = (Arc::clone(&hook), outgoing.clone(), Arc::clone(&pending));
                posts.spawn(async move {
                    let body = ascii(&envelope(&due).to_string());
                    post(&outgoing, &hook, &body).await;
                    pending.done(due.len());
                    drop(permit);
                });
            }
            update = updates.recv() => {
                let Some((at, update)) = update else { return };
                number += 1;
                order.push(Reverse((at, number)));
                waiting.insert(number, update);
            }
        }
        while posts.try_join_next().is_some() {}
    }
}

/// Posts until the webhook answers 200.
async fn post(outgoing: &Outgoing, hook: &Hook, body: &str) {
    let headers = [("x-hub-signature-256", signature(&hook.app_secret, body.as_bytes()))];
    let mut pause = FIRST_PAUSE;
    loop {
        let call = Call::json(&hook.url, &headers, body, ANSWER);
        if outgoing.exchange(&call).await.is_ok_and(|reply| reply.status == 200) {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Returns `sha256=` and the HMAC-SHA256 of the body in hexadecimal.
pub fn signature(app_secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Returns the post for some updates, with one change for each number and field.
fn envelope(updates: &[Update]) -> Value {
    let mut changes: BTreeMap<(&str, &str), Value> = BTreeMap::new();
    for update in updates {
        let value = changes.entry((update.field, update.number.as_str())).or_insert_with(|| {
            let metadata = json!({"display_phone_number": "15550000000", "phone_number_id": update.number});
            json!({"messaging_product": "whatsapp", "metadata": metadata})
        });
        let lists = [(update.list, Some(&update.value)), ("contacts", update.contact.as_ref())];
        for (list, item) in lists.into_iter().filter_map(|(list, item)| Some((list, item?))) {
            match value.get_mut(list).and_then(Value::as_array_mut) {
                Some(items) => items.push(item.clone()),
                None => value[list] = json!([item]),
            }
        }
    }
    let changes: Vec<Value> =
        changes.into_iter().map(|((field, _), value)| json!({"field": field, "value": value})).collect();
    json!({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": changes}]})
}

/// Escapes all characters beyond ASCII in JSON, as Meta does.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for letter in json.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut units) {
                write!(text, "\\u{unit:04x}").expect("a text takes everything");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Update, ascii, envelope, signature};

    #[test]
    fn a_fake_graph_signature_matches_openssl() {
        // printf '{"a":1}' | openssl dgst -sha256 -hmac app
        let expected = "sha256=814634749e1ce1a2cf7adbd84cc0eaefbe20da82ee4138d59f067f1947eaeb73";
        assert_eq!(signature("app", br#"{"a":1}"#), expected);
    }

    #[test]
    fn ascii_escaping_keeps_the_json_value() {
        let value = json!({"text": "Désinscrire 🛑 \"stop\" إيقاف"});
        let text = ascii(&value.to_string());
        assert!(text.is_ascii() && text.contains("\\u00e9") && text.contains("\\ud83d\\uded1"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn updates_of_one_number_are_grouped_in_one_change() {
        let update = |number: &str, list, contact: Option<Value>| Update {
            field: "messages",
            number: number.to_owned(),
            list,
            value: json!({"id": "x"}),
            contact,
        };
        let post = envelope(&[
            update("1", "statuses", None),
            update("2", "statuses", None),
            update("1", "messages", Some(json!({"wa_id": "237"}))),
            update("1", "statuses", None),
        ]);
        let changes = &post["entry"][0]["changes"];
        assert_eq!(changes.as_array().unwrap().len(), 2);
        let value = &changes[0]["value"];
        assert_eq!(value["metadata"]["phone_number_id"], "1");
        assert_eq!(value["statuses"].as_array().unwrap().len(), 2);
        assert_eq!((&value["messages"][0]["id"], &value["contacts"][0]["wa_id"]), (&json!("x"), &json!("237")));
    }
}
