//! An exported state: a database as a file of text, for plans where the database is not, such as in CI.
//!
//! JSON, an object a line. The first line says what the file is ([`Head`]); then come the tables, some rows a line,
//! nulls left out; the last line counts the rows, so that a file that was cut off is noticed:
//!
//! ```text
//! {"format":1,"kind":"relance-state","relance":"0.1.0","schema":7,"exported_at":"2026-11-30T08:00:00Z",…}
//! {"table":"account","rows":[{"id":1,"external_id":"acc-1","timezone":"Africa/Douala"},…]}
//! {"table":"referral","rows":[…]}
//! {"counts":{"account":1,"referral":40}}
//! ```
//!
//! What is in it and what is not: [`store::Leaving`](crate::store::Leaving). Both directions stream; a state of any
//! size needs the memory of a line.

mod read;
mod write;

use serde::{Deserialize, Serialize};

pub use self::read::{LoadError, Reader};
pub use self::write::{Attributes, Error, Exported, export};
use crate::core::domain::Timestamp;
use crate::core::manifest::Desired;
use crate::core::plan;

const FORMAT: u32 = 1;
const KIND: &str = "relance-state";

/// What an exported state says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub format: u32,
    pub kind: String,
    /// The version of relance that wrote it.
    pub relance: String,
    /// The version of the tables.
    pub schema: i64,
    pub exported_at: Timestamp,
    /// The newest revision; 0 before the first.
    pub revision: i32,
    pub commit: Option<String>,
    /// The imported extra columns that are in it; null: all there are.
    pub attributes: Option<Vec<String>>,
}

impl Head {
    /// What `desired` asks for and this state was exported without, as a sentence.
    pub fn lacks(&self, desired: &Desired) -> Option<String> {
        let here = self.attributes.as_ref()?;
        let asked = plan::attributes(desired);
        let mut missing = asked.iter().filter(|(key, _)| !here.iter().any(|one| one == *key));
        let (key, (kind, name)) = missing.next()?;
        let who = match kind {
            plan::Kind::Account => "the account manifest",
            _ => "the campaign",
        };
        let keys: Vec<String> = [key].into_iter().chain(missing.map(|(key, _)| key)).map(|key| quoted(key)).collect();
        Some(format!(
            "{who} `{name}` asks for the attribute `{key}`, which the exported state is without: nobody would \
             seem to match; export again with {}",
            keys.join(" ")
        ))
    }
}

fn quoted(key: &str) -> String {
    format!("`--attribute {key}`")
}
