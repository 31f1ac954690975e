//! The check of the tokens of requests.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use chrono::TimeDelta;

use super::damping::Damping;
use crate::core::access::Token;
use crate::core::domain::Timestamp;
use crate::server::problem::{Kind, Problem};
use crate::store::{Bearer, Store};

/// The interval at which the use of a token is recorded: a write per request would cost more than it tells.
const USES: TimeDelta = TimeDelta::minutes(5);
const REFUSAL: &str = "the request has no token that is valid here";

/// The address of the client of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Checks tokens against the database, at each request: a revoked token is refused at once.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    readers: Store,
    /// For the record of uses, the only write here.
    store: Store,
    damping: Damping,
}

impl Gate {
    pub(crate) fn new(store: Store, readers: Store) -> Self {
        Self(Arc::new(Inner { readers, store, damping: Damping::new() }))
    }

    /// Forgets clients that were quiet.
    pub(crate) fn forget(&self) {
        self.0.damping.forget();
    }

    /// Returns the token that a request presents, and the instant.
    ///
    /// The answer is the same for a malformed, unknown, expired and revoked token. Guesses from the same address do not
    /// lock out a token that is right.
    pub(super) async fn bearer(&self, headers: &HeaderMap, peer: Option<Peer>) -> Result<(Bearer, Timestamp), Problem> {
        let inner = &self.0;
        let Some(presented) = headers.get(AUTHORIZATION) else {
            return Err(Problem::new(Kind::Unauthorized, REFUSAL));
        };
        let (now, _) = inner.readers.now().await?;
        let text = presented.to_str().ok().and_then(|text| text.split_once(' '));
        let bearer = text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        // Only a token with the right checksum is worth a query.
        let found = match bearer.and_then(|(_, token)| Token::parse(token.trim()).ok()) {
            Some(token) => inner.readers.bearer(&token.hash(), now).await?,
            None => None,
        };
        let Some(found) = found else {
            let guessed = peer.map_or(Ok(()), |Peer(address)| inner.damping.guessed(address));
            return Err(match guessed {
                Ok(()) => Problem::new(Kind::Unauthorized, REFUSAL),
                Err(seconds) => Problem::new(Kind::TooManyRequests, "too many wrong tokens").retry_after(seconds),
            });
        };
        if let Err(seconds) = inner.damping.requested(found.id) {
            return Err(Problem::of(Kind::TooManyRequests).retry_after(seconds));
        }
        if found.last_used_at.is_none_or(|used| now - used >= USES) {
            let (store, id) = (inner.store.clone(), found.id);
            // The request does not wait for a connection of the daemon.
            tokio::spawn(async move {
                if let Err(error) = store.token_used(id, now).await {
                    let error: &dyn std::error::Error = &error;
                    tracing::debug!(error, "the use of a token was not recorded");
                }
            });
        }
        Ok((found, now))
    }
}
