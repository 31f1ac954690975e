//! The pulse of the reconciler: it tells a loop that goes round from one that is stuck.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// The duration of a pass after which the reconciler counts as stuck. A pass over 10,000 campaigns takes a second.
const STUCK: Duration = Duration::from_mins(1);
/// The interval between two looks.
const LOOK: Duration = Duration::from_secs(5);

/// The pulse of one loop, shared with those that report it.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Mutex<Beat>>);

#[derive(Debug, Default)]
struct Beat {
    /// The begin of the pass under way.
    begun: Option<Instant>,
    /// The source did not answer the last pass.
    silent: bool,
}

impl Pulse {
    /// Notes that a pass begins.
    pub(super) fn begin(&self) {
        self.beat().begun = Some(Instant::now());
    }

    /// Notes that a pass ended; `silent` says that its source did not answer.
    pub(super) fn end(&self, silent: bool) {
        *self.beat() = Beat { begun: None, silent };
    }

    /// Returns a sentence while the reconciler is stuck.
    pub fn complaint(&self) -> Option<String> {
        self.complaint_at(Instant::now())
    }

    fn complaint_at(&self, now: Instant) -> Option<String> {
        let beat = self.beat();
        match beat.begun.map(|begun| now.saturating_duration_since(begun)) {
            Some(busy) if busy > STUCK => {
                let seconds = busy.as_secs();
                Some(format!("the reconciler has been in one pass for {seconds} s: edits do not take effect meanwhile"))
            }
            _ if beat.silent => Some("the files do not answer: edits do not take effect meanwhile".to_owned()),
            _ => None,
        }
    }

    /// Logs a stuck reconciler, once for each time, until `stop` is cancelled.
    pub(super) async fn watch(&self, stop: &CancellationToken) {
        let mut said = false;
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            // The loop itself logs that its source does not answer.
            let stuck = self.beat().begun.is_some_and(|begun| begun.elapsed() > STUCK);
            if let Some(complaint) = self.complaint().filter(|_| stuck && !said) {
                tracing::error!("{complaint}");
            }
            said = stuck;
        }
    }

    /// Locks the beat. It ignores poisoning, because a panic of the holder leaves plain data usable.
    fn beat(&self) -> MutexGuard<'_, Beat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Pulse, STUCK};

    #[test]
    fn a_pass_that_does_not_end_and_files_that_do_not_answer_are_complaints() {
        let pulse = Pulse::default();
        let later = |seconds| Instant::now() + STUCK + Duration::from_secs(seconds);
        assert_eq!(pulse.complaint_at(later(1_000)), None);
        pulse.begin();
        assert_eq!(pulse.complaint(), None);
        assert!(pulse.complaint_at(later(5)).is_some_and(|text| text.contains("in one pass for 65 s")));
        pulse.end(true);
        assert!(pulse.complaint().is_some_and(|text| text.contains("do not answer")));
        pulse.begin();
        pulse.end(false);
        assert_eq!(pulse.complaint_at(later(5)), None);
    }
}
