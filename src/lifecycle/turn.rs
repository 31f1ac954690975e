//! Whose turn it is: whom a run waits for among the other runs of its account.
//!
//! A campaign that has no run for the account, was cancelled, removed or completed there is over, and nobody waits for
//! it. One that never began, a draft too, holds those behind it.

use super::run::Phase;
use crate::domain::CampaignId;

/// What comes before a campaign, in every account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// `runAfter`.
    pub after: Option<CampaignId>,
    /// Those before it in its queue.
    pub ahead: Vec<CampaignId>,
    /// How many of its queue may be unfinished at once.
    pub parallelism: u32,
}

impl Turn {
    /// Every campaign that it may have to wait for.
    pub fn parents(&self) -> impl Iterator<Item = CampaignId> + '_ {
        self.after.into_iter().chain(self.ahead.iter().copied())
    }

    /// The campaign that it waits for, if it does; `unfinished` knows the phase of the runs that are not over.
    pub fn behind(&self, unfinished: impl Fn(CampaignId) -> Option<Phase>) -> Option<(CampaignId, Phase)> {
        let open = |id: CampaignId| Some((id, unfinished(id)?));
        self.after.and_then(open).or_else(|| {
            let mut before = self.ahead.iter().filter_map(|id| open(*id));
            // Once so many are unfinished, the last of them is the one to wait for.
            let last = usize::try_from(self.parallelism.saturating_sub(1)).unwrap_or(usize::MAX);
            before.nth(last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Turn;
    use crate::domain::CampaignId;
    use crate::lifecycle::run::Phase;

    const A: CampaignId = CampaignId(1);
    const B: CampaignId = CampaignId(2);
    const C: CampaignId = CampaignId(3);

    #[test]
    fn a_queue_lets_as_many_run_as_it_says() {
        let queue = |parallelism| Turn { after: None, ahead: vec![A, B], parallelism };
        let runs = |open: &'static [(CampaignId, Phase)]| {
            move |id: CampaignId| open.iter().find(|(other, _)| *other == id).map(|(_, phase)| *phase)
        };
        let both = &[(A, Phase::Active), (B, Phase::Scheduled)];
        assert_eq!(queue(1).behind(runs(both)), Some((A, Phase::Active)));
        assert_eq!(queue(2).behind(runs(both)), Some((B, Phase::Scheduled)));
        assert_eq!(queue(3).behind(runs(both)), None);
        assert_eq!(queue(1).behind(runs(&[(B, Phase::Draft)])), Some((B, Phase::Draft)));
        assert_eq!(queue(2).behind(runs(&[(B, Phase::Draft)])), None);
        assert_eq!(queue(1).behind(runs(&[])), None);
    }

    #[test]
    fn a_parent_holds_whatever_the_queue_says() {
        let turn = Turn { after: Some(C), ahead: vec![A], parallelism: 5 };
        assert_eq!(turn.behind(|id| (id == C).then_some(Phase::Paused)), Some((C, Phase::Paused)));
        assert_eq!(turn.behind(|id| (id == A).then_some(Phase::Active)), None);
        assert_eq!(turn.parents().collect::<Vec<_>>(), [C, A]);
    }
}
