//! Runs that cannot go on as their campaign stands: they pause until another revision, or until a provider takes again what
//! it refused.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::core::domain::{AccountId, CampaignId, Timestamp};
use crate::core::lifecycle::send_resources::Template;
use crate::store::Error;

/// The first fault of each run. The lanes of the accounts are locked.
#[derive(Debug, Default)]
pub(super) struct Faults(BTreeMap<(AccountId, CampaignId), Fault>);

/// What could not be sent.
#[derive(Debug)]
struct Fault {
    sentence: String,
    at: Timestamp,
    /// The channel whose provider refused it, and the template where that is known: else it is one of the campaign.
    refused: Option<(String, Option<Template>)>,
}

impl Fault {
    fn channel(&self) -> Option<&str> {
        self.refused.as_ref().map(|(channel, _)| channel.as_str())
    }

    fn template(&self) -> Option<&Template> {
        self.refused.as_ref()?.1.as_ref()
    }
}

impl Faults {
    pub(super) fn push(&mut self, run: (AccountId, CampaignId), sentence: String, at: Timestamp) {
        self.0.entry(run).or_insert(Fault { sentence, at, refused: None });
    }

    /// Of a hand-over by a channel, with the template that was refused where that is known: the provider may take it again.
    pub(super) fn refused(
        &mut self,
        run: (AccountId, CampaignId),
        sentence: &str,
        (channel, template): (Option<&str>, Option<Template>),
        at: Timestamp,
    ) {
        let refused = channel.map(|channel| (channel.to_owned(), template));
        self.0.entry(run).or_insert(Fault { sentence: sentence.to_owned(), at, refused });
    }

    /// Pauses the runs that are active, and has those looked at that made way for them.
    pub(super) async fn save(self, tx: &mut PgConnection) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        sqlx::query(include_str!("fault_save.sql"))
            .bind(self.0.keys().map(|(account, _)| account.0).collect::<Vec<_>>())
            .bind(self.0.keys().map(|(_, campaign)| campaign.0).collect::<Vec<_>>())
            .bind(self.0.values().map(|fault| fault.sentence.as_str()).collect::<Vec<_>>())
            .bind(self.0.values().map(|fault| fault.at).collect::<Vec<_>>())
            .bind(self.0.values().map(Fault::channel).collect::<Vec<_>>())
            .bind(self.0.values().map(|fault| Some(fault.template()?.name.as_str())).collect::<Vec<_>>())
            .bind(self.0.values().map(|fault| Some(fault.template()?.language.as_str())).collect::<Vec<_>>())
            .execute(tx)
            .await
            .map_err(Error::during("pause runs that are at fault"))?;
        Ok(())
    }
}
