//! Bearer tokens: `rl_<role>_<43 characters of base64url>_<8 hexadecimal digits>`.
//!
//! The middle is 256 random bits. The end is the CRC-32 of all that stands before it and its underscore, so that a
//! scanner of leaks can tell a token from text that only looks like one.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::Role;

/// The number of base64url characters of 32 bytes.
const SECRET: usize = 43;
/// The number of characters of the secret that are shown.
const SHOWN: usize = 4;

/// A well-formed token. Only [`Token::reveal`] shows it whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    role: Role,
    text: String,
}

/// The error for text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a token of relance")]
pub struct NotAToken;

impl Token {
    /// Creates the token of `role` with these random bits.
    pub fn new(role: Role, random: [u8; 32]) -> Self {
        let signed = format!("rl_{role}_{}", URL_SAFE_NO_PAD.encode(random));
        let text = format!("{signed}_{}", checksum(&signed));
        Self { role, text }
    }

    /// Parses a token, without asking if it is known.
    ///
    /// # Errors
    /// When a part is missing, has another form, or the checksum does not fit.
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        let (signed, sum) = text.rsplit_once('_').ok_or(NotAToken)?;
        let (role, secret) = signed.strip_prefix("rl_").and_then(|rest| rest.split_once('_')).ok_or(NotAToken)?;
        let role = Role::parse(role).ok_or(NotAToken)?;
        let is_secret = secret.len() == SECRET && URL_SAFE_NO_PAD.decode(secret).is_ok();
        if !is_secret || sum != checksum(signed) {
            return Err(NotAToken);
        }
        Ok(Self { role, text: text.to_owned() })
    }

    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the whole token, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Returns the SHA-256 of the token, by which a database knows it. A fast hash suffices for 256 random bits.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// Returns the beginning of the token, by which people recognise it: `rl_viewer_Ab12`.
    pub fn prefix(&self) -> &str {
        let shown = "rl__".len() + self.role.as_str().len() + SHOWN;
        &self.text[..shown]
    }
}

/// Writes the masked form for logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.prefix())
    }
}

fn checksum(signed: &str) -> String {
    format!("{:08x}", crc32fast::hash(signed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{NotAToken, Token};
    use crate::core::access::Role;

    // python3 -c 'import base64, zlib; t = b"rl_viewer_" + base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=");
    // print(t.decode() + "_%08x" % zlib.crc32(t))'
    const VIEWER: &str = "rl_viewer_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8_50c028e8";

    fn bytes() -> [u8; 32] {
        std::array::from_fn(|n| u8::try_from(n).unwrap())
    }

    #[test]
    fn other_programs_verify_the_checksum() {
        assert_eq!(Token::new(Role::Viewer, bytes()).reveal(), VIEWER);
        assert_eq!(Token::parse(VIEWER), Ok(Token::new(Role::Viewer, bytes())));
    }

    #[test]
    fn a_token_is_read_back_whatever_its_bits_are() {
        // The bits of the last one make `-` and `_`.
        for (role, random) in Role::ALL.into_iter().zip([[0; 32], [0xff; 32], [0xfb; 32]]) {
            let token = Token::new(role, random);
            let read = Token::parse(token.reveal()).unwrap();
            assert_eq!((read.role(), read.hash()), (role, token.hash()));
        }
    }

    #[test]
    fn a_changed_token_is_no_token() {
        for at in 0..VIEWER.len() {
            let other = if VIEWER.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &VIEWER[..at], &VIEWER[at + 1..]);
            assert_eq!(Token::parse(&changed), Err(NotAToken), "{changed}");
        }
        for other in [
            "",
            "rl_viewer",
            "rl__",
            "rl_é_é_é",
            &VIEWER[1..],
            &VIEWER[..VIEWER.len() - 1],
            &format!(" {VIEWER}"),
            &format!("{VIEWER}_"),
            &VIEWER.to_uppercase(),
        ] {
            assert_eq!(Token::parse(other), Err(NotAToken), "{other}");
        }
    }

    #[test]
    fn logs_see_only_the_beginning() {
        let token = Token::new(Role::Operator, bytes());
        assert_eq!((token.prefix(), format!("{token:?}")), ("rl_operator_AAEC", "rl_operator_AAEC…".to_owned()));
    }
}
