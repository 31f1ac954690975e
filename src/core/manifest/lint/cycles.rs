//! The waits within a queue, and circles of campaigns that wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::domain::Name;

/// Campaigns that wait for each other.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::core::manifest) struct Circle<'a> {
    /// The members; each waits for the next, and the last for the first.
    pub(in crate::core::manifest) members: Vec<&'a Name>,
    /// The index of the wait that closes the circle.
    pub(in crate::core::manifest) closed_by: usize,
}

/// Finds circles in `waits`, which holds pairs of a campaign and one that it waits for. No campaign is in two circles.
pub(in crate::core::manifest) fn find<'a>(waits: &[(&'a Name, &'a Name)]) -> Vec<Circle<'a>> {
    let mut parents: BTreeMap<&Name, Vec<usize>> = BTreeMap::new();
    for (at, (child, _)) in waits.iter().enumerate() {
        parents.entry(child).or_default().push(at);
    }
    let (mut circles, mut done) = (Vec::new(), BTreeSet::new());
    for start in parents.keys().copied() {
        // The path, with the index of the next wait to follow for each campaign.
        let mut path: Vec<(&Name, usize)> = vec![(start, 0)];
        while let Some((name, next)) = path.last_mut() {
            let wait = parents.get(*name).and_then(|waits| waits.get(*next)).copied();
            let Some(wait) = wait.filter(|_| !done.contains(*name)) else {
                done.insert(*name);
                path.pop();
                continue;
            };
            *next += 1;
            let parent = waits[wait].1;
            if let Some(begin) = path.iter().position(|(name, _)| *name == parent) {
                let members: Vec<&Name> = path[begin..].iter().map(|(name, _)| *name).collect();
                done.extend(members.iter().copied());
                circles.push(Circle { members, closed_by: wait });
            } else if !done.contains(parent) {
                path.push((parent, 0));
            }
        }
    }
    circles
}

/// Returns the waits of a queue: pairs of an index in `campaigns` and a campaign awaited there. A campaign waits for
/// all before it once `parallelism` of them precede it.
pub(in crate::core::manifest) fn waits(campaigns: &[Name], parallelism: u32) -> Vec<(usize, &Name)> {
    let parallelism = usize::try_from(parallelism).unwrap_or(usize::MAX);
    let mut waits = Vec::new();
    for child in parallelism..campaigns.len() {
        // The first such campaign waits for all before it. Each later one adds only the wait for its predecessor.
        let parents = if child == parallelism { &campaigns[..child] } else { &campaigns[child - 1..child] };
        waits.extend(parents.iter().map(|parent| (child, parent)));
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::waits;
    use crate::core::domain::Name;

    #[test]
    fn queue_waits_grow_linearly_with_its_campaigns() {
        let campaigns: Vec<Name> = (0..6).map(|n| Name::parse(&format!("c{n}")).unwrap()).collect();
        let waits = |parallelism| {
            let all = waits(&campaigns, parallelism).into_iter();
            all.map(|(child, parent)| format!("c{child}>{parent}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(waits(1), "c1>c0 c2>c1 c3>c2 c4>c3 c5>c4");
        assert_eq!(waits(3), "c3>c0 c3>c1 c3>c2 c4>c3 c5>c4");
        assert_eq!(waits(6), "");
    }
}
