//! Stored objects that this version cannot use: a newer or older program wrote them, or their rows are damaged.
//!
//! Such an object stays as it is stored. Whatever needs it waits, and everything else goes on.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{AccountSelector, CampaignType, Queue};
use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;

/// The defect of a stored object. The message is a clause.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Defect {
    #[error("its format is {found}, and this version reads format {known}")]
    Format { found: i32, known: i32 },
    /// The field is a path, as in `limits.zeal`.
    #[error("this version does not know its field `{field}`")]
    UnknownField { field: String },
    /// The body is not of the form of its kind; the words of the decoder.
    #[error("{text}")]
    Malformed { text: String },
    /// A template does not compile; the words of the template engine.
    #[error("day {day} does not compile: {text}")]
    Uncompilable { day: u16, text: String },
}

/// One stored object that cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Unusable {
    pub defect: Defect,
    /// The object as stored, for comparisons.
    pub stored: Value,
    /// The digest of the manifests that it was made from.
    pub source: String,
}

impl Unusable {
    /// Returns the sentence that tells how the object becomes usable again.
    pub fn remedy(kind: Kind, name: &Name) -> String {
        format!(
            "to store it anew, change the manifest of the {kind} `{name}`; or run the version of relancectl that stored it"
        )
    }

    /// Returns the accounts that it may concern: all of them, unless the selector is readable.
    pub fn accounts(&self) -> AccountSelector {
        self.part("accounts").unwrap_or(AccountSelector::All)
    }

    /// Returns the type of the stored campaign. An unreadable one counts as filtered: default runs keep pausing for it.
    pub fn campaign_type(&self) -> CampaignType {
        self.part("type").unwrap_or(CampaignType::Filtered)
    }

    /// Returns the names of the sequence and channel that a stored campaign needs; `None` if they cannot be read.
    pub fn needs(&self) -> Option<Vec<(Kind, Name)>> {
        let sequence = (Kind::Sequence, self.part("sequence")?);
        let channel = self.part::<Option<Name>>("channel").flatten().map(|channel| (Kind::Channel, channel));
        Some(channel.into_iter().chain([sequence]).collect())
    }

    /// Returns the stored queue if its list of campaigns is readable.
    pub fn queue(&self) -> Option<Queue> {
        Some(Queue { campaigns: self.part("campaigns")?, parallelism: self.part("parallelism").unwrap_or(1) })
    }

    fn part<T: for<'a> Deserialize<'a>>(&self, key: &str) -> Option<T> {
        T::deserialize(self.stored.get(key)?).ok()
    }
}
