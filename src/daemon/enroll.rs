//! One enrollment tick: every campaign with a pass due makes it.

use crate::core::dispatch::program::Program;
use crate::core::domain::Timestamp;
use crate::store;
use crate::store::Store;

/// Makes the passes that are due. Returns how many people were taken.
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
