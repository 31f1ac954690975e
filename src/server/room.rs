//! The memory budget for webhooks: limits the bytes that arrive at once and the webhooks that are stored at once.

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::refusals::Reason;

/// The size of the largest webhook that a provider sends, in bytes.
pub(super) const LARGEST: usize = 3 * 1024 * 1024;
/// The memory for all webhooks that are not stored yet, in KiB.
const ROOM_KIB: usize = 48 * 1024;
/// The time that a webhook waits for memory.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(150);
/// The number of webhooks stored at once: other work needs Postgres too.
const WRITERS: usize = 4;

/// The memory available for webhooks that are not stored yet.
#[derive(Debug)]
pub(super) struct Room {
    kib: Semaphore,
    /// Limits the concurrent writes to the store.
    pub(super) writers: Semaphore,
}

impl Room {
    pub(super) fn new() -> Self {
        Self { kib: Semaphore::new(ROOM_KIB), writers: Semaphore::new(WRITERS) }
    }

    /// Extends `held` to cover `bytes`. Returns `Reason::Busy` if the memory is not free within `WAIT_FOR_ROOM`.
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

    /// Reads a body. It reserves memory only for the bytes that have arrived.
    pub(super) async fn read(&self, body: Body) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Reason> {
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
