//! The guard against accidents: no daemon empties the database because files are missing.

use std::collections::BTreeMap;

use super::{Action, Kind, Plan};
use crate::core::domain::Name;
use crate::core::lifecycle::detail::LARGE_SHARE_PERCENT;
pub use crate::core::lifecycle::detail::Refusal;

/// The number of cancelled runs below which a plan is never suspicious.
const FEW_RUNS: u64 = 3;

/// Refuses plans that look like an accident; `live_runs` counts unfinished runs by campaign.
pub fn guard(plan: &Plan, campaigns_desired: usize, live_runs: &BTreeMap<Name, u64>) -> Result<(), Refusal> {
    let live: u64 = live_runs.values().sum();
    let cancels = plan.changes.iter().filter(|c| c.kind == Kind::Campaign && c.action == Action::Cancel);
    let cancelled: u64 = cancels.filter_map(|change| live_runs.get(&change.name)).sum();
    if campaigns_desired == 0 && cancelled > 0 {
        return Err(Refusal::EmptyTree);
    }
    if cancelled >= FEW_RUNS && cancelled * 100 > live * LARGE_SHARE_PERCENT {
        return Err(Refusal::MassCancel { cancelled, live });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Refusal, guard};
    use crate::core::domain::Name;
    use crate::core::plan::{Action, Change, Kind, Plan};

    fn cancel(name: &str) -> Change {
        Change {
            action: Action::Cancel,
            kind: Kind::Campaign,
            name: Name::parse(name).unwrap(),
            from: None,
            fields: vec![],
            effect: None,
            after: None,
        }
    }

    #[test]
    fn the_guard_refuses_mass_cancellations_and_empty_trees() {
        let live = [("a", 2), ("b", 10), ("c", 30)].map(|(name, n)| (Name::parse(name).unwrap(), n)).into();
        let of = |names: &[&str]| Plan { changes: names.iter().map(|name| cancel(name)).collect(), ..Plan::default() };
        assert_eq!(guard(&of(&[]), 0, &live), Ok(()));
        assert_eq!(guard(&of(&["a"]), 2, &live), Ok(()));
        assert_eq!(guard(&of(&["a", "b"]), 1, &live), Ok(()));
        assert_eq!(guard(&of(&["c"]), 2, &live), Err(Refusal::MassCancel { cancelled: 30, live: 42 }));
        assert_eq!(guard(&of(&["a", "b", "c"]), 0, &live), Err(Refusal::EmptyTree));
    }
}
