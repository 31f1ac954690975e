//! Cursors: the place after which a list continues, bound to the list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::core::domain::hex;
use crate::server::problem::{Kind, Problem};

/// The version of the form of cursors.
const VERSION: u8 = 1;
/// The length of the longest cursor: names have a few hundred characters at most.
pub(super) const LONGEST: usize = 4_096;

/// The identity of a list: its path, its filters and the account that it is about.
#[derive(Debug)]
pub(super) struct Identity(String);

impl Identity {
    pub(super) fn of(path: &str, filters: &impl Serialize, scope: Option<&str>) -> Self {
        let text = serde_json::to_vec(&(path, filters, scope)).expect("filters are plain data");
        Self(hex(&Sha256::digest(text)[..8]))
    }

    pub(super) fn cursor(&self, place: &impl Serialize) -> String {
        let text = serde_json::to_vec(&(VERSION, &self.0, place)).expect("places are plain data");
        URL_SAFE_NO_PAD.encode(text)
    }

    /// Returns the place of `cursor`.
    ///
    /// # Errors
    /// When the cursor is damaged, or another list returned it.
    pub(super) fn place<P: DeserializeOwned>(&self, cursor: &str) -> Result<P, Problem> {
        self.read(cursor).ok_or_else(|| {
            Problem::new(Kind::CursorMismatch, "this list did not return that cursor with these filters")
                .at("cursor", "unknown")
        })
    }

    fn read<P: DeserializeOwned>(&self, cursor: &str) -> Option<P> {
        let text = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (version, identity, place): (u8, String, P) = serde_json::from_slice(&text).ok()?;
        // Postgres has no text with a zero in it.
        let is_text = !String::from_utf8_lossy(&text).contains("\\u0000");
        (version == VERSION && identity == self.0 && is_text).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::Identity;

    #[test]
    fn a_cursor_continues_only_the_list_that_returned_it() {
        let list = Identity::of("/runs", &("paused", 1), None);
        let cursor = list.cursor(&("welcome", "a/1", 7));
        assert_eq!(list.place::<(String, String, i32)>(&cursor).unwrap(), ("welcome".to_owned(), "a/1".to_owned(), 7));
        for other in [
            Identity::of("/runs", &("paused", 2), None),
            Identity::of("/targets", &("paused", 1), None),
            Identity::of("/runs", &("paused", 1), Some("a1")),
        ] {
            assert!(other.place::<(String, String, i32)>(&cursor).is_err());
        }
        // Another kind of place, a damaged text, another version, a zero byte.
        assert!(list.place::<i64>(&cursor).is_err());
        for at in 0..cursor.len() {
            assert!(list.place::<(String, String, i32)>(&cursor[..at]).is_err(), "{at}");
        }
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(&cursor).unwrap()).unwrap();
        for changed in [text.replacen('1', "2", 1), text.replace("a/1", "a\\u0000"), format!("{text} ]"), String::new()]
        {
            let cursor = URL_SAFE_NO_PAD.encode(changed);
            assert!(list.place::<(String, String, i32)>(&cursor).is_err(), "{cursor}");
        }
    }
}
