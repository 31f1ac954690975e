//! The ordering among the runs of one account: which run waits for which, and which pauses while another is active.
//!
//! A campaign is over for an account if it has no run there, or the run was cancelled, removed or completed. Nothing
//! waits for a campaign that is over. A campaign that never began, a draft included, blocks the campaigns behind it. A
//! default run pauses while filtered runs are active.

use std::collections::{BTreeMap, BTreeSet};

use super::detail::Detail;
use super::overrides::Orders;
use super::run::{Phase, Reason, Status};
use crate::core::domain::{CampaignId, Name, Timestamp};
use crate::core::manifest::desired::CampaignType;
use crate::core::manifest::desired::policy::AccountPolicy;
use crate::core::manifest::{Desired, Kind};

/// The position of a campaign, the same in every account.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Turn {
    name: Name,
    kind: CampaignType,
    /// The campaign that `runAfter` names.
    after: Option<CampaignId>,
    /// The campaign's queue and its position there, as indexes.
    place: Option<(usize, usize)>,
}

/// Campaigns that run one after the other for each account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    pub campaigns: Vec<CampaignId>,
    /// The number of the queue's campaigns that may be unfinished at once.
    pub parallelism: usize,
}

/// The ordering of all campaigns. A campaign ranks after those that it may wait for or pause for.
#[derive(Debug, Clone, Default)]
pub struct Order {
    turns: BTreeMap<CampaignId, Turn>,
    queues: Vec<Queue>,
    ranks: BTreeMap<CampaignId, usize>,
    /// The campaigns with a `runAfter`, by the campaign that it names.
    children: BTreeMap<CampaignId, Vec<CampaignId>>,
    defaults: Vec<CampaignId>,
    /// A stored queue does not tell its campaigns. Any filtered campaign without a place may be one of them.
    hides_a_queue: bool,
}

impl Order {
    /// Returns the ordering that `desired` asks for, limited to the campaigns that have an id in `ids`.
    pub fn of(desired: &Desired, ids: &BTreeMap<Name, CampaignId>) -> Self {
        let mut order = Self::default();
        let mut places: BTreeMap<CampaignId, (usize, usize)> = BTreeMap::new();
        let unusable = |wanted| desired.unusable.iter().filter(move |((kind, _), _)| *kind == wanted);
        let stored: Vec<_> = unusable(Kind::Queue).map(|(_, queue)| queue.queue()).collect();
        order.hides_a_queue = stored.contains(&None);
        for queue in desired.queues.values().chain(stored.iter().flatten()) {
            let campaigns: Vec<CampaignId> = queue.campaigns.iter().filter_map(|name| ids.get(name)).copied().collect();
            places.extend(campaigns.iter().enumerate().map(|(at, id)| (*id, (order.queues.len(), at))));
            let parallelism = usize::try_from(queue.parallelism).unwrap_or(usize::MAX);
            order.queues.push(Queue { campaigns, parallelism });
        }
        for (name, campaign) in &desired.campaigns {
            let Some(id) = ids.get(name) else { continue };
            let after = campaign.run_after.as_ref().and_then(|name| ids.get(name)).copied();
            if let Some(parent) = after {
                order.children.entry(parent).or_default().push(*id);
            }
            let turn = Turn { name: name.clone(), kind: campaign.kind, after, place: places.get(id).copied() };
            order.turns.insert(*id, turn);
        }
        for ((_, name), campaign) in unusable(Kind::Campaign) {
            let Some(id) = ids.get(name) else { continue };
            let (kind, place) = (campaign.campaign_type(), places.get(id).copied());
            order.turns.insert(*id, Turn { name: name.clone(), kind, after: None, place });
        }
        order.defaults = order.of_kind(CampaignType::Default).collect();
        let mut seen = BTreeSet::new();
        for kind in [CampaignType::Filtered, CampaignType::Default] {
            let ids: Vec<CampaignId> = order.of_kind(kind).collect();
            for id in ids {
                order.rank_after_parents(id, &mut seen);
            }
        }
        order
    }

    fn rank_after_parents(&mut self, id: CampaignId, seen: &mut BTreeSet<CampaignId>) {
        // The stack of campaigns still to rank. Trees with cycles are refused earlier, but the loop ends for them too.
        let mut path = vec![(id, false)];
        while let Some((id, parents_done)) = path.pop() {
            if parents_done {
                let rank = self.ranks.len();
                self.ranks.entry(id).or_insert(rank);
            } else if seen.insert(id) {
                path.push((id, true));
                // The other campaigns of the queue rank before the next one ahead.
                let next = self.ahead(id).last().copied();
                let after = self.turns.get(&id).and_then(|turn| turn.after);
                path.extend(after.into_iter().chain(next).map(|parent| (parent, false)));
            }
        }
    }

    /// Returns the campaigns before this one in its queue.
    fn ahead(&self, id: CampaignId) -> &[CampaignId] {
        self.place(id).map_or(&[], |(queue, at)| &self.queues[queue].campaigns[..at])
    }

    /// Returns the rank in which the runs of an account are advanced, so that each run sees the new phase of those
    /// before it.
    pub fn rank(&self, id: CampaignId) -> usize {
        self.ranks.get(&id).copied().unwrap_or(usize::MAX)
    }

    pub fn kind(&self, id: CampaignId) -> Option<CampaignType> {
        self.turns.get(&id).map(|turn| turn.kind)
    }

    /// Returns every campaign that one of `ids` may have to wait for; some may occur several times.
    pub fn parents(&self, ids: impl Iterator<Item = CampaignId>) -> Vec<CampaignId> {
        let mut parents = Vec::new();
        let mut ahead: BTreeMap<usize, usize> = BTreeMap::new();
        for turn in ids.filter_map(|id| self.turns.get(&id)) {
            parents.extend(turn.after);
            if let Some((queue, at)) = turn.place {
                let most = ahead.entry(queue).or_default();
                *most = at.max(*most);
            }
        }
        // The longest prefix of a queue includes the shorter ones.
        parents.extend(ahead.into_iter().flat_map(|(queue, at)| &self.queues[queue].campaigns[..at]));
        parents
    }

    pub fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// Returns the queue of a campaign and its position there, as indexes.
    pub fn place(&self, id: CampaignId) -> Option<(usize, usize)> {
        self.turns.get(&id)?.place
    }

    /// Returns the campaigns outside its queue whose runs must be advanced again after a run of `id` changed its phase.
    pub fn concerned_by(&self, id: CampaignId) -> impl Iterator<Item = CampaignId> + '_ {
        let children = self.children.get(&id).into_iter().flatten().copied();
        // A removed campaign may have been a filtered one.
        let crowds = self.kind(id).is_none_or(|kind| kind == CampaignType::Filtered);
        children.chain(self.defaults.iter().copied().filter(move |_| crowds))
    }

    /// Returns the unfinished campaigns of the same queue that may run now; none unless the run of `id` is over in
    /// `peers`.
    pub fn freed_by(&self, id: CampaignId, peers: &Peers) -> impl Iterator<Item = CampaignId> {
        let is_over = !peers.0.contains_key(&id);
        let queue = self.place(id).filter(|_| is_over).map(|(queue, _)| &self.queues[queue]);
        let open = |id: &CampaignId| peers.0.contains_key(id);
        queue.into_iter().flat_map(move |queue| {
            let unfinished = queue.campaigns.iter().copied().filter(open);
            unfinished.take(queue.parallelism)
        })
    }

    /// Returns the campaigns for which a default run pauses.
    pub fn preempting(&self) -> impl Iterator<Item = CampaignId> + '_ {
        self.of_kind(CampaignType::Filtered)
    }

    fn of_kind(&self, kind: CampaignType) -> impl Iterator<Item = CampaignId> + '_ {
        self.turns.iter().filter(move |(_, turn)| turn.kind == kind).map(|(id, _)| *id)
    }

    /// Returns the detail about the campaign among `peers` that a run of `id` waits for.
    pub fn behind(&self, id: CampaignId, peers: &Peers) -> Option<Detail> {
        let open = |id: &CampaignId| peers.0.contains_key(id);
        let parent = self.turns.get(&id)?.after.filter(open);
        let Some(whom) = parent.or_else(|| self.next_in_queue(id, peers)) else {
            let turn = self.turns.get(&id)?;
            let may_be_queued = self.hides_a_queue && turn.place.is_none() && turn.kind == CampaignType::Filtered;
            return may_be_queued.then_some(Detail::BehindUnreadableQueue);
        };
        let (turn, peer) = (self.turns.get(&whom)?, peers.0.get(&whom)?);
        Some(Detail::QueuedBehind { campaign: turn.name.to_string(), phase: peer.phase })
    }

    /// Returns the campaign of its queue that a run of `id` waits for, if as many as may run come before it.
    ///
    /// Those are the unfinished campaigns ahead, and those after it that began while it waited for people.
    fn next_in_queue(&self, id: CampaignId, peers: &Peers) -> Option<CampaignId> {
        let (queue, at) = self.place(id)?;
        let Queue { campaigns, parallelism } = &self.queues[queue];
        let mut ahead = campaigns[..at].iter().copied().filter(|id| peers.0.contains_key(id));
        // Waits for the nearest campaign ahead, because a change of the others concerns only that one.
        let nearest = ahead.next_back();
        let before = usize::from(nearest.is_some()) + ahead.take(parallelism.saturating_sub(1)).count();
        let Some(free) = parallelism.checked_sub(before).filter(|free| *free > 0) else { return nearest };
        let begun = |id: &CampaignId| peers.0.get(id).is_some_and(|peer| peer.has_begun());
        let later: Vec<CampaignId> = campaigns[at + 1..].iter().copied().filter(begun).take(free).collect();
        (later.len() == free).then(|| later.last().copied())?
    }

    /// Returns the campaigns after each of `ids` in its queue: one may have begun while it waited for people.
    pub fn later(&self, ids: impl Iterator<Item = CampaignId>) -> BTreeSet<CampaignId> {
        let mut first: BTreeMap<usize, usize> = BTreeMap::new();
        for (queue, at) in ids.filter_map(|id| self.place(id)) {
            first.entry(queue).and_modify(|first| *first = at.min(*first)).or_insert(at);
        }
        first.into_iter().flat_map(|(queue, at)| &self.queues[queue].campaigns[at + 1..]).copied().collect()
    }

    /// Returns the detail about the one of `peers` that a run of `id` pauses for under this account policy.
    pub fn preempted(&self, id: CampaignId, peers: &Peers, policy: &AccountPolicy) -> Option<Detail> {
        if policy.allow_simultaneous_campaigns || self.turns.get(&id)?.kind != CampaignType::Default {
            return None;
        }
        let filtered = |id: &CampaignId| self.turns.get(id).filter(|turn| turn.kind == CampaignType::Filtered);
        let mut preempting = peers.0.iter().filter(|(_, peer)| peer.phase == Phase::Active || peer.returns);
        preempting.find_map(|(id, peer)| {
            let campaign = filtered(id)?.name.to_string();
            Some(Detail::MakesWay { campaign, returns: peer.returns })
        })
    }
}

/// A run of the same account that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub phase: Phase,
    /// The run is paused until a known time, or is about to begin.
    pub returns: bool,
    /// Nobody matches the run yet, so it is in nobody's way.
    pub waits_for_people: bool,
}

/// The runs of one account that others may wait for: those that are not over, and do not wait for people.
#[derive(Debug, Clone, Default)]
pub struct Peers(BTreeMap<CampaignId, Peer>);

impl Peer {
    /// Returns the view that other runs have of a run in `status` under `orders`.
    pub fn of(status: &Status, orders: Orders<'_>, now: Timestamp) -> Self {
        let ordered = status.phase == Phase::Paused && status.reason == Reason::Operator;
        let returns = ordered && orders.at(now).is_some_and(|order| order.order.until.is_some());
        // Another run must not begin beside this one before the look-ahead has decided about it.
        Self {
            phase: status.phase,
            returns: returns || status.reason == Reason::LookingAhead,
            waits_for_people: status.reason == Reason::WaitingForPeople,
        }
    }
}

impl Peer {
    /// Returns true if other runs may wait for this one, or pause for it.
    pub const fn is_in_the_way(self) -> bool {
        !self.phase.is_final() && !self.waits_for_people
    }

    /// Returns true if the run holds its place in a queue against those ahead of it.
    const fn has_begun(self) -> bool {
        matches!(self.phase, Phase::Active | Phase::Paused)
    }
}

impl Peers {
    /// Records the state of a run, and removes a run that is in nobody's way: it is over, or waits for people.
    pub fn set(&mut self, id: CampaignId, peer: Peer) {
        if peer.is_in_the_way() {
            self.0.insert(id, peer);
        } else {
            self.0.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{Detail, Order, Peer, Peers};
    use crate::core::domain::{CampaignId, Name};
    use crate::core::lifecycle::run::Phase;
    use crate::core::manifest::desired::policy::AccountPolicy;
    use crate::core::manifest::desired::{Defect, Unusable};
    use crate::core::manifest::{Desired, Kind, SourceFile, Sources, check};

    /// Builds an ordering in which `d` is the default campaign and `e` runs after `c`.
    fn order(more: &str) -> Order {
        let (desired, ids) = campaigns(more);
        Order::of(&desired, &ids)
    }

    fn campaigns(more: &str) -> (Desired, BTreeMap<Name, CampaignId>) {
        let campaign = |(name, spec): (&str, &str)| {
            format!(
                "---\napiVersion: relance/v1\nkind: Campaign\nmetadata: {{name: {name}}}\n\
                 spec: {{{spec}, days: [{{day: 1, text: {{fr: 'A {{{{ optOutHint }}}}'}}}}]}}\n"
            )
        };
        let campaigns = [
            ("a", "type: filtered"),
            ("b", "type: filtered"),
            ("c", "type: filtered"),
            ("d", "type: default"),
            ("e", "type: filtered, runAfter: c"),
        ];
        let yaml = campaigns.map(campaign).concat() + more;
        let checked = check(&Sources::from(vec![SourceFile { path: "a.yaml".to_owned(), bytes: yaml.into_bytes() }]));
        assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
        let ids = checked.desired.campaigns.keys().cloned().zip((1..).map(CampaignId)).collect();
        (checked.desired, ids)
    }

    /// Builds the same ordering beside a stored queue that cannot be used.
    fn stored_queue(body: serde_json::Value) -> Order {
        let (mut desired, ids) = campaigns("");
        let defect = Defect::UnknownField { field: "zeal".to_owned() };
        let queue = Unusable { defect, stored: body, source: String::new() };
        desired.unusable.insert((Kind::Queue, Name::parse("q").unwrap()), queue);
        Order::of(&desired, &ids)
    }

    fn queue(parallelism: u32) -> Order {
        order(&format!(
            "---\napiVersion: relance/v1\nkind: Queue\nmetadata: {{name: q}}\n\
             spec: {{campaigns: [c, b, a], parallelism: {parallelism}}}\n"
        ))
    }

    const A: CampaignId = CampaignId(1);
    const B: CampaignId = CampaignId(2);
    const C: CampaignId = CampaignId(3);
    const D: CampaignId = CampaignId(4);
    const E: CampaignId = CampaignId(5);

    fn peers(all: &[(CampaignId, Phase)]) -> Peers {
        let mut peers = Peers::default();
        for (id, phase) in all {
            peers.set(*id, Peer { phase: *phase, returns: false, waits_for_people: false });
        }
        peers
    }

    fn waits(campaign: &str, phase: Phase) -> Detail {
        Detail::QueuedBehind { campaign: campaign.to_owned(), phase }
    }

    fn makes_way(returns: bool) -> Detail {
        Detail::MakesWay { campaign: "b".to_owned(), returns }
    }

    #[test]
    fn a_queue_runs_at_most_its_parallelism() {
        let both = peers(&[(C, Phase::Active), (B, Phase::Scheduled), (A, Phase::Draft)]);
        assert_eq!(queue(1).behind(A, &both).unwrap(), waits("b", Phase::Scheduled));
        assert_eq!(queue(2).behind(A, &both).unwrap(), waits("b", Phase::Scheduled));
        assert_eq!(queue(3).behind(A, &both), None);
        assert_eq!(queue(1).behind(B, &both).unwrap(), waits("c", Phase::Active));
        assert_eq!(queue(2).behind(B, &both), None);
        let draft = peers(&[(B, Phase::Draft), (C, Phase::Completed)]);
        assert_eq!(queue(1).behind(A, &draft).unwrap(), waits("b", Phase::Draft));
        assert_eq!(queue(1).behind(B, &draft), None);
    }

    #[test]
    fn an_unreadable_queue_still_blocks_its_campaigns() {
        let all = peers(&[(C, Phase::Active), (B, Phase::Scheduled), (A, Phase::Scheduled)]);
        let readable = stored_queue(json!({"campaigns": ["c", "b"], "zeal": true}));
        assert_eq!(readable.behind(B, &all).unwrap(), waits("c", Phase::Active));
        assert_eq!(readable.behind(A, &all), None);
        // Any filtered campaign may be in a queue that does not tell its campaigns.
        let hidden = stored_queue(json!(7));
        assert_eq!(hidden.behind(A, &all).unwrap(), Detail::BehindUnreadableQueue);
        assert_eq!(hidden.behind(E, &all).unwrap(), waits("c", Phase::Active));
        assert_eq!(hidden.behind(D, &all), None);
    }

    #[test]
    fn a_finished_run_frees_as_many_as_its_queue_allows() {
        let freed =
            |parallelism, all: &[(CampaignId, Phase)]| queue(parallelism).freed_by(C, &peers(all)).collect::<Vec<_>>();
        let both = [(B, Phase::Scheduled), (A, Phase::Scheduled)];
        assert_eq!(freed(1, &both), [B]);
        assert_eq!(freed(2, &both), [B, A]);
        assert_eq!(freed(1, &[(A, Phase::Scheduled)]), [A]);
        assert_eq!(freed(2, &[(C, Phase::Paused), (B, Phase::Active), (A, Phase::Scheduled)]), []);
    }

    #[test]
    fn a_run_that_waits_for_people_is_in_nobodys_way_and_does_not_overtake_later() {
        let waiting = |id, others: &[(CampaignId, Phase)]| {
            let mut peers = peers(others);
            peers.set(id, Peer { phase: Phase::Scheduled, returns: false, waits_for_people: true });
            peers
        };
        assert_eq!(queue(1).behind(B, &waiting(C, &[(B, Phase::Draft)])), None);
        assert_eq!(queue(1).behind(E, &waiting(C, &[])), None);
        // Later campaigns that began meanwhile count against those that may run at once.
        let begun = waiting(C, &[(B, Phase::Active), (A, Phase::Scheduled)]);
        assert_eq!(queue(1).behind(C, &begun).unwrap(), waits("b", Phase::Active));
        assert_eq!(queue(2).behind(C, &begun), None);
        let both = waiting(C, &[(B, Phase::Paused), (A, Phase::Active)]);
        assert_eq!(queue(2).behind(C, &both).unwrap(), waits("a", Phase::Active));
        assert_eq!(queue(3).behind(C, &both), None);
        assert_eq!(queue(1).later([C, B].into_iter()), [A, B].into());
    }

    #[test]
    fn a_parent_blocks_until_it_ends_or_has_no_run() {
        let order = queue(3);
        assert_eq!(order.behind(E, &peers(&[(C, Phase::Paused)])).unwrap(), waits("c", Phase::Paused));
        assert_eq!(order.behind(E, &peers(&[(A, Phase::Active), (C, Phase::Cancelled)])), None);
        assert_eq!(order.behind(E, &peers(&[])), None);
    }

    #[test]
    fn a_default_run_pauses_while_a_filtered_run_is_active() {
        let active = peers(&[(B, Phase::Active)]);
        let usual = AccountPolicy::default();
        assert_eq!(order("").preempted(D, &active, &usual).unwrap(), makes_way(false));
        assert_eq!(order("").preempted(A, &active, &usual), None);
        let others = peers(&[(B, Phase::Paused), (A, Phase::Scheduled)]);
        assert_eq!(order("").preempted(D, &others, &usual), None);
        let mut back = peers(&[]);
        back.set(B, Peer { phase: Phase::Paused, returns: true, waits_for_people: false });
        assert_eq!(order("").preempted(D, &back, &usual).unwrap(), makes_way(true));
        let both = AccountPolicy { allow_simultaneous_campaigns: true, ..usual };
        assert_eq!(order("").preempted(D, &active, &both), None);
    }

    #[test]
    fn runs_are_evaluated_after_their_dependencies() {
        let order = queue(1);
        let mut ids = [A, B, C, D, E];
        ids.sort_by_key(|id| order.rank(*id));
        assert_eq!(ids, [C, B, A, E, D]);
        assert_eq!(order.concerned_by(C).collect::<Vec<_>>(), [E, D]);
        assert_eq!(order.concerned_by(D).collect::<Vec<_>>(), []);
    }
}
