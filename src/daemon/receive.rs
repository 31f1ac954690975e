//! One receiving tick: claims stored webhooks, parses them and applies their effects.
//!
//! STOPs come before everything else: they are in force before the locks of the other effects are free. While a tick waits
//! for such locks, a [`Listener`] puts the STOPs of later webhooks in force too.
//!
//! Every effect is idempotent, and webhooks are marked as processed last. If a process dies in between, another process
//! repeats its webhooks.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;

use super::provider_updates::{Read, Totals};
use super::send_resources::SenderDirectory;
use crate::core::domain::Timestamp;
use crate::store;
use crate::store::{Processed, Speed, Store};

/// The lease of claimed webhooks, in real time.
const LEASE: Duration = Duration::from_mins(1);

/// The result of one receiving tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// The number of webhooks claimed.
    pub posts: usize,
    /// Replies or notices changed who may be written to.
    pub words: bool,
}

/// Processes the webhooks that wait at `now`, at most one batch.
///
/// A webhook that cannot be processed is postponed and delays no other.
///
/// # Errors
///
/// An unavailable database leaves the webhooks claimed; they return once their lease expires.
pub async fn receive(
    store: &Store,
    sender_directory: &mut SenderDirectory,
    (now, speed): (Timestamp, Speed),
) -> Result<Received, store::Error> {
    let lease = TimeDelta::from_std(LEASE.mul_f64(speed.0.max(1.0))).unwrap_or(TimeDelta::MAX);
    let webhooks = store.claim_webhooks(now, now + lease).await?;
    let mut posts: Vec<Read<'_>> = webhooks.iter().map(|webhook| Read::of(webhook, now)).collect();
    let gone = store.erased_among(&posts.iter().flat_map(Read::people).collect::<Vec<_>>()).await?;
    for post in &mut posts {
        let names_one = post.people().any(|name| gone.contains(name));
        post.erase = names_one;
    }
    stop_at_once(store, sender_directory, &posts, now).await?;
    let mut received = Received { posts: posts.len(), words: false };
    match process(store, sender_directory, &posts, now).await {
        Ok(words) => received.words = words,
        // The webhooks are not at fault. They return once their lease expires.
        Err(error @ store::Error::Unavailable { .. }) => return Err(error),
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "cannot process webhooks together");
            for post in &posts {
                match process(store, sender_directory, std::slice::from_ref(post), now).await {
                    Ok(words) => received.words |= words,
                    Err(error @ store::Error::Unavailable { .. }) => return Err(error),
                    Err(error) => put_off(store, post, &chain(&error), now).await?,
                }
            }
        }
    }
    Ok(received)
}

/// Reads webhooks that wait while this process is busy with earlier ones, and puts their STOPs in force. It claims none,
/// so that any process may go on to process them.
#[derive(Debug, Default)]
pub struct Listener {
    sender_directory: SenderDirectory,
    /// The webhooks that were read. A STOP of an unknown sender waits for its turn.
    heard: BTreeSet<i64>,
}

impl Listener {
    /// Reads the webhooks that wait at `now` and were not read yet, at most one batch. Returns their number.
    pub async fn listen(&mut self, store: &Store, now: Timestamp) -> Result<usize, store::Error> {
        let heard: Vec<i64> = self.heard.iter().copied().collect();
        let webhooks = store.waiting_webhooks(&heard, now).await?;
        let posts: Vec<Read<'_>> = webhooks.iter().map(|webhook| Read::of(webhook, now)).collect();
        stop_at_once(store, &mut self.sender_directory, &posts, now).await?;
        self.heard.extend(webhooks.iter().map(|webhook| webhook.id));
        Ok(webhooks.len())
    }

    /// Forgets what it read: the tick that it listened beside is over.
    pub(super) fn forget(&mut self) {
        self.heard.clear();
    }
}

/// Puts the STOPs of `posts` in force. A post that cannot be used keeps no other from its turn.
async fn stop_at_once(
    store: &Store,
    sender_directory: &mut SenderDirectory,
    posts: &[Read<'_>],
    now: Timestamp,
) -> Result<(), store::Error> {
    let incoming: Vec<_> = posts.iter().flat_map(Read::incoming).filter(store::InboundMessage::is_stop).collect();
    if incoming.is_empty() {
        return Ok(());
    }
    let stopped = match sender_directory.senders(store).await {
        Ok(senders) => store.stop_at_once(&incoming, senders, now).await,
        Err(error) => Err(error),
    };
    match stopped {
        Err(error) if !error.is_transient() => {
            tracing::debug!(error = &error as &dyn std::error::Error, "cannot put STOPs in force together");
            Ok(())
        }
        stopped => stopped,
    }
}

/// Applies the effects of `posts`. Returns whether replies or notices changed who may be written to.
async fn process(
    store: &Store,
    sender_directory: &mut SenderDirectory,
    posts: &[Read<'_>],
    now: Timestamp,
) -> Result<bool, store::Error> {
    if posts.is_empty() {
        return Ok(false);
    }
    // Receipts come first: they carry the provider ids of the messages that people answer.
    sender_directory.learn(store, posts.iter().flat_map(Read::senders).collect()).await?;
    let unnamed: Vec<&str> = posts.iter().flat_map(Read::unnamed).collect();
    let called = store.called(&unnamed).await?;
    // Only failures depend on the number that a message went by.
    let nobody = store::Senders::default();
    let senders = if posts.iter().any(Read::has_failures) { sender_directory.senders(store).await? } else { &nobody };
    let ours = store.installation_id().await?;
    let receipts: Vec<_> = posts.iter().flat_map(|post| post.receipts(&called, &ours, senders)).collect();
    let progress = store.receipts(&receipts, now).await?;
    let renames: Vec<_> = posts.iter().flat_map(Read::renames).collect();
    let held = store.rename_people(&renames, now).await?;
    let incoming: Vec<_> = posts.iter().flat_map(Read::incoming).collect();
    let inbound_result = if incoming.is_empty() {
        store::InboundResult::default()
    } else {
        store.hear(&incoming, sender_directory.senders(store).await?, now).await?
    };
    let notices: Vec<_> = posts.iter().flat_map(Read::notices).collect();
    let new = match notices.as_slice() {
        [] => Vec::new(),
        notices => store.note_notices(notices, sender_directory.by_what(store).await?, now).await?,
    };
    for place in &new {
        tracing::warn!("{}", notices[*place].detail);
    }
    let unresolved: BTreeSet<&str> = inbound_result.unresolved.iter().map(String::as_str).collect();
    let (puzzling, plain): (Vec<&Read<'_>>, Vec<&Read<'_>>) =
        posts.iter().partition(|post| post.incoming().any(|one| unresolved.contains(one.id.as_str())));
    let processed = |post: &&Read<'_>| Processed { id: post.webhook.id, problem: post.problem(), erase: post.erase };
    store.settle_webhooks(&plain.iter().map(processed).collect::<Vec<_>>(), now).await?;
    for post in puzzling {
        put_off(store, post, "nothing tells who somebody is that answers a message", now).await?;
    }
    Totals { receipts: receipts.len(), progress, inbound_result: &inbound_result }.tell(&plain);
    Ok(held > 0
        || inbound_result.replies != store::ReplyEffects::default()
        || new.iter().any(|place| notices[*place].stop.is_some()))
}

/// Postpones a webhook. After its last attempt it is kept with its error for a month. Both are logged.
async fn put_off(store: &Store, post: &Read<'_>, error: &str, now: Timestamp) -> Result<(), store::Error> {
    let webhook = post.webhook;
    let (id, channel) = (webhook.id, webhook.channel.as_str());
    if let Some(at) = store.put_webhook_off(webhook, (error, post.erase), now).await? {
        tracing::warn!(webhook.id = id, channel.name = channel, again = %at, "cannot process a webhook: {error}");
    } else {
        let attempts = webhook.attempts;
        tracing::error!(webhook.id = id, channel.name = channel, attempts, "gave up a webhook, which is kept: {error}");
    }
    Ok(())
}

/// Joins an error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
