//! Faults: runs that cannot continue with their current campaign. They pause until another revision, or until the
//! provider accepts again what it refused.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::core::domain::{AccountId, CampaignId, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::send_resources::Template;
use crate::store::Error;
use crate::store::columns::{Batch, columns};

columns! {
    /// A run at fault.
    struct FaultRow<'a> {
        account_id: AccountId,
        campaign_id: CampaignId,
        fault: Json<&'a Detail>,
        at: Timestamp,
        channel: Option<&'a str>,
        template: Option<&'a str>,
        language: Option<&'a str>,
    }
}

const SAVE: Batch<FaultRow<'_>> = Batch::of(include_str!("fault_save.sql"));

/// The first fault of each run. The caller holds the lanes of the accounts.
#[derive(Debug, Default)]
pub(super) struct Faults(BTreeMap<(AccountId, CampaignId), Fault>);

/// One failure to send, and its cause.
#[derive(Debug)]
struct Fault {
    detail: Detail,
    at: Timestamp,
    /// The channel whose provider refused it, and the template if known; otherwise any template of the campaign.
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
    pub(super) fn push(&mut self, run: (AccountId, CampaignId), detail: Detail, at: Timestamp) {
        self.0.entry(run).or_insert(Fault { detail, at, refused: None });
    }

    /// Records a refusal by a channel, with the refused template if known: the provider may accept it again later.
    pub(super) fn refused(
        &mut self,
        run: (AccountId, CampaignId),
        error: &str,
        (channel, template): (Option<&str>, Option<Template>),
        at: Timestamp,
    ) {
        let refused = channel.map(|channel| (channel.to_owned(), template));
        let detail = Detail::Refused { text: error.to_owned() };
        self.0.entry(run).or_insert(Fault { detail, at, refused });
    }

    /// Pauses the active runs, and schedules a look at the runs that they preempted.
    pub(super) async fn save(self, tx: &mut PgConnection) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let rows = self.0.iter().map(|((account_id, campaign_id), fault)| FaultRow {
            account_id: *account_id,
            campaign_id: *campaign_id,
            fault: Json(&fault.detail),
            at: fault.at,
            channel: fault.channel(),
            template: fault.template().map(|template| template.name.as_str()),
            language: fault.template().map(|template| template.language.as_str()),
        });
        SAVE.query(rows).execute(tx).await.map(drop).map_err(Error::during("pause runs with template faults"))
    }
}
