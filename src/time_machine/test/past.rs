//! The history and the present state of the subjects of a failed expectation.

use std::collections::BTreeSet;

use super::failure::{Happened, Subject};
use crate::store::query::{HistoryOf, Standing, Wanted};
use crate::time_machine::world::{Error, World};

/// The maximum number of subjects in a report.
const SUBJECTS: usize = 3;
/// The number of last events per subject.
const EVENTS: usize = 12;

/// Returns the last events of each subject in order of time, followed by its present state.
pub(super) async fn of(world: &mut World, subjects: &[Subject]) -> Result<Vec<Happened>, Error> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    for subject in subjects.iter().filter(|subject| seen.insert(*subject)).take(SUBJECTS) {
        let history = match subject {
            Subject::Person(id) => HistoryOf::Referrals(std::slice::from_ref(id)),
            Subject::Run { campaign, account } => HistoryOf::Run { campaign, account },
        };
        let entries = world.store().history(history, EVENTS).await?;
        all.extend(entries.into_iter().map(|entry| {
            let campaign = entry.campaign.map(|campaign| format!("`{campaign}`: ")).unwrap_or_default();
            Happened { to: subject.clone(), at: Some(entry.at), what: format!("{campaign}{}", entry.sentence) }
        }));
        let stands = match subject {
            Subject::Person(id) => person(world, id).await?,
            Subject::Run { campaign, account } => run(world, campaign, account).await?,
        };
        all.extend(stands.into_iter().map(|what| Happened { to: subject.clone(), at: None, what }));
    }
    Ok(all)
}

async fn person(world: &mut World, id: &str) -> Result<Vec<String>, Error> {
    let (program, _) = world.in_force().await?;
    let wanted = Wanted { referral: Some(id.to_owned()), ..Wanted::default() };
    let targets = world.store().targets(&program, &wanted, world.now()).await?.rows;
    if targets.is_empty() {
        return Ok(vec!["no campaign has taken this person".to_owned()]);
    }
    let waiting = targets.into_iter().filter(|target| target.state == Standing::Active).map(|target| {
        let due = target.next_due_at.map_or("its outcome".to_owned(), |due| format!("{} (due)", due.to_rfc3339()));
        let hold = target.hold.map(|hold| format!(", held: {}", hold.reason)).unwrap_or_default();
        format!("`{}`: day {} waits for {due}{hold}", target.campaign, target.day)
    });
    Ok(waiting.collect())
}

async fn run(world: &World, campaign: &str, account: &str) -> Result<Vec<String>, Error> {
    let wanted = Wanted { campaign: Some(campaign.to_owned()), account: Some(account.to_owned()), ..Wanted::default() };
    let runs = world.store().runs(&wanted).await?;
    Ok(runs.into_iter().map(|run| format!("is {} ({}): {}", run.phase, run.reason, run.detail)).collect())
}
