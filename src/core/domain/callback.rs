//! Messages as providers are told them, who tell them back.
//!
//! Several installations may send by one account of a provider, which tells each of them of the messages of all. So each
//! puts its mark into what it calls a message, and passes over what has the mark of another.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::MessageKey;
use super::id::{MARK, NotAMessage};

/// The mark of one installation: eight hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallationId(Arc<str>);

impl InstallationId {
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 8 && text.bytes().all(is_digit)).then(|| Self(text.into()))
    }
}

/// What a message is called: `relance.5f0c33a1.3.1.4711.2`, mark, account, campaign, referral and day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// `None`: from before there were marks.
    pub mark: Option<InstallationId>,
    pub key: MessageKey,
}

impl Callback {
    pub fn new(mark: Option<&InstallationId>, key: MessageKey) -> Self {
        Self { mark: mark.cloned(), key }
    }

    /// The message, if it may be one of the installation of this mark.
    pub fn of(&self, ours: &InstallationId) -> Option<MessageKey> {
        self.mark.as_ref().is_none_or(|mark| mark == ours).then_some(self.key)
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mark {
            None => self.key.fmt(f),
            Some(mark) => write!(f, "{MARK}.{}.{}", mark.0, self.key.numbers()),
        }
    }
}

impl FromStr for Callback {
    type Err = NotAMessage;

    fn from_str(text: &str) -> Result<Self, NotAMessage> {
        if let Ok(key) = text.parse() {
            return Ok(Self { mark: None, key });
        }
        let rest = text.strip_prefix(MARK).and_then(|rest| rest.strip_prefix('.')).ok_or(NotAMessage)?;
        let (mark, numbers) = rest.split_once('.').ok_or(NotAMessage)?;
        let mark = InstallationId::parse(mark).ok_or(NotAMessage)?;
        Ok(Self { mark: Some(mark), key: format!("{MARK}.{numbers}").parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::{Callback, InstallationId};

    #[test]
    fn each_installation_knows_its_own() {
        let (ours, theirs) = (InstallationId::parse("5f0c33a1").unwrap(), InstallationId::parse("00000000").unwrap());
        let old: Callback = "relance.3.1.4711.2".parse().unwrap();
        let new = Callback::new(Some(&ours), old.key);
        assert_eq!(new.to_string(), "relance.5f0c33a1.3.1.4711.2");
        assert_eq!(old.to_string(), "relance.3.1.4711.2");
        assert_eq!(new.to_string().parse(), Ok(new.clone()));
        assert_eq!((new.of(&ours), new.of(&theirs)), (Some(old.key), None));
        // What went out before there were marks is still told of.
        assert_eq!((old.of(&ours), old.mark), (Some(new.key), None));
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        for text in [
            "relance",
            "relance.5f0c33a1",
            "relance.5F0C33A1.3.1.4711.2",
            "relance.5f0c33a.3.1.4711.2",
            "relance.5f0c33a1.3.1.04711.2",
            "relance.5f0c33a1.relance.3.1.4711.2",
            "5f0c33a1.3.1.4711.2",
        ] {
            assert!(text.parse::<Callback>().is_err(), "{text}");
        }
    }
}
