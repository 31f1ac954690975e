//! The memory budget for webhooks: limits the bytes that arrive at once and the webhooks that are stored at once.

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::refusals::Reason;

/// The size of the largest webhook that a provider sends, in bytes.
pub(super) const LARGEST: usize = 3 * 1024 * 1024;
/// The size of small webhooks, in bytes. Replies and receipts of a few people are small.
const SMALL: usize = 64 * 1024;
/// The memory for webhooks that are not stored yet, in KiB: a share for small ones alone, and the rest for larger ones.
const SMALL_KIB: usize = 8 * 1024;
const LARGE_KIB: usize = 40 * 1024;
/// The time that a webhook waits for memory.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(150);
/// The number of webhooks stored at once: other work needs Postgres too. One place is for small webhooks alone.
const WRITERS: usize = 4;
const LARGE_WRITERS: usize = 3;

/// The memory available for webhooks that are not stored yet.
#[derive(Debug)]
pub(super) struct Room {
    small_kib: Semaphore,
    large_kib: Semaphore,
    writers: Semaphore,
    large_writers: Semaphore,
}

/// The memory that a webhook has.
#[derive(Debug, Default)]
pub(super) struct Held<'a>(Option<SemaphorePermit<'a>>);

/// A place among the concurrent writes to the store.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _writer: Option<SemaphorePermit<'a>>,
    _large: Option<SemaphorePermit<'a>>,
}

impl Room {
    pub(super) fn new() -> Self {
        Self::of(SMALL_KIB, LARGE_KIB)
    }

    fn of(small_kib: usize, large_kib: usize) -> Self {
        let [small_kib, large_kib, writers, large_writers] =
            [small_kib, large_kib, WRITERS, LARGE_WRITERS].map(Semaphore::new);
        Self { small_kib, large_kib, writers, large_writers }
    }

    /// Extends `held` to cover `bytes`; `was` bytes are covered. Returns `Reason::Busy` if the memory is not free within
    /// `WAIT_FOR_ROOM`. A webhook that becomes large leaves the share of the small ones.
    async fn grow<'a>(&'a self, Held(held): &mut Held<'a>, was: usize, bytes: usize) -> Result<(), Reason> {
        let (is_large, was_large) = (bytes > SMALL, was > SMALL);
        let covered = held.as_ref().filter(|_| is_large == was_large).map_or(0, SemaphorePermit::num_permits);
        let missing = u32::try_from(bytes.div_ceil(1024).saturating_sub(covered)).unwrap_or(u32::MAX);
        if missing == 0 {
            return Ok(());
        }
        let share = if is_large { &self.large_kib } else { &self.small_kib };
        let Ok(Ok(more)) = tokio::time::timeout(WAIT_FOR_ROOM, share.acquire_many(missing)).await else {
            return Err(Reason::Busy);
        };
        match held {
            Some(held) if is_large == was_large => held.merge(more),
            _ => *held = Some(more),
        }
        Ok(())
    }

    /// Reads a body. It reserves memory only for the bytes that have arrived.
    pub(super) async fn read(&self, body: Body) -> Result<(Vec<u8>, Held<'_>), Reason> {
        let (mut whole, mut held) = (Vec::new(), Held::default());
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Reason::Broken)?;
            if whole.len() + chunk.len() > LARGEST {
                return Err(Reason::TooLarge);
            }
            self.grow(&mut held, whole.len(), whole.len() + chunk.len()).await?;
            whole.extend_from_slice(&chunk);
        }
        Ok((whole, held))
    }

    /// Waits for a place to write `bytes`. Large webhooks never have all places.
    pub(super) async fn turn(&self, bytes: usize) -> Turn<'_> {
        let large = if bytes > SMALL { self.large_writers.acquire().await.ok() } else { None };
        Turn { _writer: self.writers.acquire().await.ok(), _large: large }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, Bytes};
    use futures_util::stream;

    use super::{LARGE_WRITERS, LARGEST, Reason, Room, SMALL};

    fn body(bytes: usize) -> Body {
        Body::from(vec![b' '; bytes])
    }

    fn free(room: &Room) -> (usize, usize) {
        (room.small_kib.available_permits(), room.large_kib.available_permits())
    }

    #[tokio::test]
    async fn a_webhook_body_uses_the_memory_budget_until_it_is_dropped() {
        let room = Room::of(4, 80);
        let (first, held) = room.read(body(3_000)).await.unwrap();
        assert_eq!((first.len(), free(&room)), (3_000, (1, 80)));
        assert_eq!(room.read(body(1_025)).await.unwrap_err(), Reason::Busy);
        let (_, small) = room.read(body(1_024)).await.unwrap();
        assert_eq!(free(&room), (0, 80));
        drop((held, small));
        assert_eq!(free(&room), (4, 80));
        assert!(room.read(body(0)).await.unwrap().1.0.is_none());
    }

    #[tokio::test]
    async fn large_posts_leave_the_share_of_the_small_ones_alone() {
        let room = Room::of(64, 100);
        let chunks = [SMALL / 2, SMALL / 2, 1_024].map(|bytes| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; bytes])));
        let (_, large) = room.read(Body::from_stream(stream::iter(chunks))).await.unwrap();
        assert_eq!(free(&room), (64, 35));
        assert_eq!(room.read(body(SMALL + 1)).await.unwrap_err(), Reason::Busy);
        let small = room.read(body(SMALL)).await.unwrap();
        assert_eq!((small.0.len(), free(&room)), (SMALL, (0, 35)));
        drop((large, small));
        assert_eq!(free(&room), (64, 100));
    }

    #[tokio::test]
    async fn a_small_post_is_stored_while_large_ones_wait() {
        let room = Room::new();
        let mut large = Vec::new();
        for _ in 0..LARGE_WRITERS {
            large.push(room.turn(SMALL + 1).await);
        }
        assert!(tokio::time::timeout(Duration::from_millis(20), room.turn(SMALL + 1)).await.is_err());
        drop(room.turn(SMALL).await);
        drop(large);
        drop(room.turn(SMALL + 1).await);
    }

    #[tokio::test]
    async fn a_body_above_the_size_limit_is_refused() {
        let room = Room::new();
        assert_eq!(room.read(body(LARGEST)).await.unwrap().0.len(), LARGEST);
        assert_eq!(room.read(body(LARGEST + 1)).await.unwrap_err(), Reason::TooLarge);
    }
}
