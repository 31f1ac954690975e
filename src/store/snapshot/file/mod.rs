//! Snapshot files: a database as a text file, for plans without access to the database, such as in CI.
//!
//! The format is JSON with one object per line. The first line describes the file ([`Head`]). The tables follow,
//! several rows per line and nulls left out. The last line counts the rows, so that a truncated file is detected:
//!
//! ```text
//! {"format":1,"kind":"relance-state","relance":"0.1.0","schema":7,"exported_at":"2026-11-30T08:00:00Z",…}
//! {"table":"account","rows":[{"id":1,"external_id":"acc-1","timezone":"Africa/Douala"},…]}
//! {"table":"referral","rows":[…]}
//! {"counts":{"account":1,"referral":40}}
//! ```
//!
//! [`store::Leaving`](crate::store::Leaving) determines the content. Reading and writing stream: a snapshot of any size
//! needs the memory of one line.

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

/// The header of a snapshot file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub format: u32,
    pub kind: String,
    /// The version of relance that wrote the file.
    pub relance: String,
    /// The version of the database schema.
    pub schema: i64,
    pub exported_at: Timestamp,
    /// The newest revision; 0 if there is none.
    pub revision: i32,
    pub commit: Option<String>,
    /// The imported extra columns in the file; null for all.
    pub attributes: Option<Vec<String>>,
}

impl Head {
    /// Returns a sentence about the attributes that `desired` needs and the snapshot lacks, or `None` if it lacks none.
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
