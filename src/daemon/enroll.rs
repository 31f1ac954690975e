//! One enrollment tick: makes each enrollment pass that is due.

use crate::core::dispatch::program::Program;
use crate::core::domain::Timestamp;
use crate::store;
use crate::store::Store;

/// Makes the passes due at `now`. Returns the number of people enrolled.
pub async fn enroll(store: &Store, program: &Program, now: Timestamp) -> Result<u64, store::Error> {
    let mut people = 0;
    for id in store.campaigns_to_enroll(now).await? {
        let Some(campaign) = program.campaign(id) else { continue };
        let enrolled = store.enroll(program, id, now).await?;
        if enrolled.people > 0 {
            let (name, runs) = (campaign.name.as_str(), enrolled.runs);
            tracing::info!(campaign.name = name, runs, people = enrolled.people, "enrolled");
        }
        people += enrolled.people;
    }
    Ok(people)
}
