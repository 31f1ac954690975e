//! `/webhooks/{channel}`: the handshake, and posts. A post is answered as soon as it is written down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Shared;
use super::refusals::Reason;
use crate::channel::secret;
use crate::channel::webhook;
use crate::core::manifest::desired::Secret;

/// The largest post that a provider sends.
const LARGEST: usize = 3 * 1024 * 1024;
/// What may be arriving at once.
const ROOM_KIB: usize = 48 * 1024;
/// How long a post waits for room, and how long it may take to arrive.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(150);
const WAIT_FOR_BODY: Duration = Duration::from_secs(10);
/// Posts that are written down at once: others need Postgres too.
const WRITERS: usize = 4;
const WAIT_FOR_STORE: Duration = Duration::from_secs(5);

/// The room there is for posts that are not written down yet.
#[derive(Debug)]
pub(super) struct Room {
    kib: Semaphore,
    writers: Semaphore,
}

impl Room {
    pub(super) fn new() -> Self {
        Self { kib: Semaphore::new(ROOM_KIB), writers: Semaphore::new(WRITERS) }
    }

    /// Makes `held` room for so many bytes, soon or not at all.
    async fn grow<'a>(&'a self, held: &mut Option<SemaphorePermit<'a>>, bytes: usize) -> Result<(), Reason> {
        let missing = bytes.div_ceil(1024).saturating_sub(held.as_ref().map_or(0, SemaphorePermit::num_permits));
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        if missing == 0 {
            return Ok(());
        }
        let Ok(Ok(more)) = tokio::time::timeout(WAIT_FOR_ROOM, self.kib.acquire_many(missing)).await else {
            return Err(Reason::Busy);
        };
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }

    /// Reads a body, in no more room than what has arrived of it takes.
    async fn read(&self, body: Body) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Reason> {
        let (mut whole, mut held) = (Vec::new(), None);
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Reason::Broken)?;
            if whole.len() + chunk.len() > LARGEST {
                return Err(Reason::TooLarge);
            }
            self.grow(&mut held, whole.len() + chunk.len()).await?;
            whole.extend_from_slice(&chunk);
        }
        Ok((whole, held))
    }
}

/// Why a post is refused, and what the log may know beside that.
struct Refused(Reason, Option<String>);

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self(reason, None)
    }
}

type Answer = (StatusCode, String);

/// Tells a provider that subscribes that we are who we say.
pub(super) async fn shake_hands(
    State(shared): State<Arc<Shared>>,
    Path(channel): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Answer {
    answer(&shared, &channel, welcome(&shared, &channel, &asked))
}

fn welcome(shared: &Shared, channel: &str, asked: &BTreeMap<String, String>) -> Result<String, Refused> {
    let door = shared.doors.of(channel).ok_or(Reason::UnknownChannel)?;
    let said = |key: &str| asked.get(key).map_or("", String::as_str);
    let expected = key(door.verify_token.as_ref(), "verifyToken")?;
    if said("hub.mode") == "subscribe" && webhook::is_same(said("hub.verify_token"), &expected) {
        Ok(said("hub.challenge").to_owned())
    } else {
        Err(Reason::WrongToken.into())
    }
}

/// Takes a post.
pub(super) async fn post(State(shared): State<Arc<Shared>>, Path(channel): Path<String>, request: Request) -> Answer {
    let taken = take(&shared, &channel, request).await;
    answer(&shared, &channel, taken.map(|()| String::new()))
}

async fn take(shared: &Shared, channel: &str, request: Request) -> Result<(), Refused> {
    let door = shared.doors.of(channel).ok_or(Reason::UnknownChannel)?;
    let (head, body) = request.into_parts();
    let signature = head.headers.get("x-hub-signature-256").ok_or(Reason::NoSignature)?;
    let signature = signature.to_str().map_err(|_| Reason::WrongSignature)?;
    if length(&head.headers).is_some_and(|length| length > LARGEST) {
        return Err(Reason::TooLarge.into());
    }
    let arrived = tokio::time::timeout(WAIT_FOR_BODY, shared.room.read(body)).await;
    let (body, _room) = arrived.map_err(|_| Reason::TooSlow)??;
    if !webhook::is_signed(&key(door.app_secret.as_ref(), "appSecret")?, signature, &body) {
        return Err(Reason::WrongSignature.into());
    }
    if !webhook::is_json(&body) {
        return Err(Reason::NotJson.into());
    }
    keep(shared, channel, &body).await?;
    shared.posted.notify_one();
    Ok(())
}

/// How long the body is, if that is said.
fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Writes a post down. That it was though nobody said so in time does no harm: it comes again, and changes nothing.
async fn keep(shared: &Shared, channel: &str, body: &[u8]) -> Result<(), Refused> {
    let write = async {
        let _turn = shared.room.writers.acquire().await;
        let (now, _) = shared.store.now().await?;
        shared.store.keep_webhook(channel, body, now).await
    };
    match tokio::time::timeout(WAIT_FOR_STORE, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Refused(Reason::NotKept, Some(error.to_string()))),
        Err(_) => Err(Refused(Reason::NotKept, Some("Postgres does not answer".to_owned()))),
    }
}

/// What `secret` is at this moment.
fn key(secret: Option<&Secret>, name: &str) -> Result<String, Refused> {
    let read = secret.map_or_else(|| Err(format!("the channel has no `{name}`")), secret::read);
    read.map_err(|error| Refused(Reason::NoSecret, Some(error)))
}

fn answer(shared: &Shared, channel: &str, result: Result<String, Refused>) -> Answer {
    match result {
        Ok(text) => (StatusCode::OK, text),
        Err(Refused(reason, detail)) => {
            shared.refusals.note(channel, reason, detail.as_deref());
            (reason.status(), format!("{}\n", reason.sentence()))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tokio::sync::Semaphore;

    use super::{LARGEST, Reason, Room};

    fn room(kib: usize) -> Room {
        Room { kib: Semaphore::new(kib), writers: Semaphore::new(1) }
    }

    #[tokio::test]
    async fn what_arrives_takes_room_until_it_is_done_with() {
        let room = room(4);
        let body = |bytes: usize| Body::from(vec![b' '; bytes]);
        let (first, held) = room.read(body(3_000)).await.unwrap();
        assert_eq!((first.len(), room.kib.available_permits()), (3_000, 1));
        assert_eq!(room.read(body(1_025)).await.unwrap_err(), Reason::Busy);
        let (_, small) = room.read(body(1_024)).await.unwrap();
        assert_eq!(room.kib.available_permits(), 0);
        drop((held, small));
        assert_eq!(room.kib.available_permits(), 4);
        assert!(room.read(body(0)).await.unwrap().1.is_none());
    }

    #[tokio::test]
    async fn nothing_larger_than_the_largest_is_read() {
        let room = Room::new();
        assert_eq!(room.read(Body::from(vec![b' '; LARGEST])).await.unwrap().0.len(), LARGEST);
        assert_eq!(room.read(Body::from(vec![b' '; LARGEST + 1])).await.unwrap_err(), Reason::TooLarge);
    }
}
