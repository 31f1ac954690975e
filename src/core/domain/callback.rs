//! Message ids given to providers, which return them in receipts.
//!
//! Several installations may share an account of a provider, which sends receipts for all messages to each of them.
//! Each installation therefore puts its id into its message ids, and ignores those with another installation's id.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::MessageKey;
use super::id::{NotAMessage, PREFIX};

/// An installation id: eight hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallationId(Arc<str>);

impl InstallationId {
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 8 && text.bytes().all(is_digit)).then(|| Self(text.into()))
    }
}

/// A message id for providers: `relance.5f0c33a1.3.1.4711.2`, that is installation, account, campaign, referral and
/// day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// `None` means that the message was sent before installation ids existed.
    pub installation: Option<InstallationId>,
    pub key: MessageKey,
}

impl Callback {
    pub fn new(installation: Option<&InstallationId>, key: MessageKey) -> Self {
        Self { installation: installation.cloned(), key }
    }

    /// Returns the message, if this installation may have sent it.
    pub fn of(&self, ours: &InstallationId) -> Option<MessageKey> {
        self.installation.as_ref().is_none_or(|installation| installation == ours).then_some(self.key)
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.installation {
            None => self.key.fmt(f),
            Some(installation) => write!(f, "{PREFIX}.{}.{}", installation.0, self.key.numbers()),
        }
    }
}

impl FromStr for Callback {
    type Err = NotAMessage;

    fn from_str(text: &str) -> Result<Self, NotAMessage> {
        if let Ok(key) = text.parse() {
            return Ok(Self { installation: None, key });
        }
        let rest = text.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('.')).ok_or(NotAMessage)?;
        let (installation, numbers) = rest.split_once('.').ok_or(NotAMessage)?;
        let installation = InstallationId::parse(installation).ok_or(NotAMessage)?;
        Ok(Self { installation: Some(installation), key: format!("{PREFIX}.{numbers}").parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::{Callback, InstallationId};

    #[test]
    fn each_installation_recognizes_its_own_message_ids() {
        let (ours, theirs) = (InstallationId::parse("5f0c33a1").unwrap(), InstallationId::parse("00000000").unwrap());
        let old: Callback = "relance.3.1.4711.2".parse().unwrap();
        let new = Callback::new(Some(&ours), old.key);
        assert_eq!(new.to_string(), "relance.5f0c33a1.3.1.4711.2");
        assert_eq!(old.to_string(), "relance.3.1.4711.2");
        assert_eq!(new.to_string().parse(), Ok(new.clone()));
        assert_eq!((new.of(&ours), new.of(&theirs)), (Some(old.key), None));
        // Receipts still arrive for messages sent before installation ids existed.
        assert_eq!((old.of(&ours), old.installation), (Some(new.key), None));
    }

    #[test]
    fn malformed_message_ids_are_refused() {
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
