//! Limits of rates: wrong tokens by address, requests by token.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Wrong tokens of one address: so many at once, and one more each [`GUESS_EVERY`].
const GUESSES: NonZeroU32 = NonZeroU32::new(10).expect("it is not zero");
const GUESS_EVERY: Duration = Duration::from_secs(6);
/// Requests of one token: so many at once, and so many more each second.
const BURST: NonZeroU32 = NonZeroU32::new(200).expect("it is not zero");
const PER_SECOND: NonZeroU32 = NonZeroU32::new(100).expect("it is not zero");

/// The rates seen so far. Each process counts for itself.
#[derive(Debug)]
pub(super) struct Damping {
    guesses: DefaultKeyedRateLimiter<IpAddr>,
    requests: DefaultKeyedRateLimiter<i32>,
    clock: DefaultClock,
}

impl Damping {
    pub(super) fn new() -> Self {
        let guesses = Quota::with_period(GUESS_EVERY).expect("the period is not zero").allow_burst(GUESSES);
        let requests = Quota::per_second(PER_SECOND).allow_burst(BURST);
        Self {
            guesses: RateLimiter::keyed(guesses),
            requests: RateLimiter::keyed(requests),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a wrong token. Returns the seconds to wait if there were too many.
    pub(super) fn guessed(&self, address: IpAddr) -> Result<(), u64> {
        self.count(&self.guesses, &address)
    }

    /// Counts a request. Returns the seconds to wait if there were too many.
    pub(super) fn requested(&self, token: i32) -> Result<(), u64> {
        self.count(&self.requests, &token)
    }

    /// Forgets addresses and tokens that were quiet for long enough.
    pub(super) fn forget(&self) {
        self.guesses.retain_recent();
        self.requests.retain_recent();
    }

    fn count<K: Hash + Eq + Clone>(&self, limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), u64> {
        let until = limiter.check_key(key).err();
        until.map_or(Ok(()), |until| Err(until.wait_time_from(self.clock.now()).as_secs() + 1))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Damping, GUESS_EVERY, GUESSES};

    #[test]
    fn an_address_that_guesses_waits_and_another_one_does_not() {
        let damping = Damping::new();
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().unwrap());
        assert!((0..GUESSES.get()).all(|_| damping.guessed(one).is_ok()));
        let wait = damping.guessed(one).unwrap_err();
        assert!((1..=GUESS_EVERY.as_secs()).contains(&wait), "{wait}");
        assert!(damping.guessed(other).is_ok());
        damping.forget();
        assert!(damping.guessed(one).is_err());
    }
}
