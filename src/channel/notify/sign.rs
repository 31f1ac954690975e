//! Signatures of webhooks, by which a receiver checks the origin and the age of a notification.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::core::domain::hex;

/// Returns `v1=` and the HMAC-SHA256 of `timestamp.body` in hexadecimal. A change of the scheme needs a new version.
pub(super) fn signature(secret: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    format!("v1={}", hex(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn a_notification_signature_matches_openssl() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec
        assert_eq!(
            signature("whsec", 1_700_000_000, r#"{"a":1}"#),
            "v1=8ad37ba156048ae0e0a5533c75cdf26fee88b07f93cb57ee4c80adb053012032"
        );
    }
}
