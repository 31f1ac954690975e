//! The authentication of webhook posts.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Returns true if `signature` is `sha256=` and the HMAC-SHA256 of `body` in hexadecimal. The comparison takes constant
/// time, whatever part of a signature is right.
pub fn is_signed(secret: &str, signature: &str, body: &[u8]) -> bool {
    let Some(given) = signature.strip_prefix("sha256=").and_then(bytes) else { return false };
    let mut mac = keyed(secret.as_bytes());
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}

/// Returns true if two secrets are equal, compared in constant time.
pub fn is_same(given: &str, expected: &str) -> bool {
    let (mut ours, mut theirs) = (keyed(b"compare"), keyed(b"compare"));
    ours.update(expected.as_bytes());
    theirs.update(given.as_bytes());
    ours.verify_slice(&theirs.finalize().into_bytes()).is_ok()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Decodes 64 hexadecimal digits into 32 bytes.
fn bytes(hex: &str) -> Option<[u8; 32]> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{is_same, is_signed};

    /// printf '{"a":"\u00e9"}' with the six characters of the escape | openssl dgst -sha256 -hmac "app secret"
    const BODY: &[u8] = br#"{"a":"\u00e9"}"#;
    const SIGNATURE: &str = "sha256=69603e854c1acfa5616808b4b7cafd2281b605777e436df50f7ca7bc5297f6a6";

    #[test]
    fn a_known_webhook_signature_is_accepted() {
        assert!(is_signed("app secret", SIGNATURE, BODY));
        assert!(is_signed("app secret", &SIGNATURE.to_uppercase().replace("SHA256", "sha256"), BODY));
    }

    #[test]
    fn a_changed_secret_signature_or_body_is_refused() {
        for (secret, signature, body) in [
            ("another secret", SIGNATURE, BODY),
            ("app secret", SIGNATURE, "{\"a\":\"é\"}".as_bytes()),
            ("app secret", &SIGNATURE[..SIGNATURE.len() - 1], BODY),
            ("app secret", &SIGNATURE.replace("sha256=", "sha1="), BODY),
            ("app secret", &SIGNATURE.replace("sha256=", ""), BODY),
            ("app secret", &format!("{SIGNATURE}00"), BODY),
            ("app secret", "sha256=", BODY),
            ("app secret", "", BODY),
            ("app secret", &format!("sha256={}", "é".repeat(32)), BODY),
        ] {
            assert!(!is_signed(secret, signature, body), "{secret} {signature}");
        }
    }

    #[test]
    fn a_verify_token_must_match_exactly() {
        assert!(is_same("token", "token"));
        for other in ["", "toke", "token ", "Token"] {
            assert!(!is_same(other, "token"), "{other}");
        }
    }
}
