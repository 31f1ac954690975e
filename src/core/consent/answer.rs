//! The consent in a column of an export: yes, no or unknown, as people and other tools write it.

use super::{Reply, read};
use crate::core::domain::{Consent, Stated, fold};

/// Spellings of consent, written without accents, spaces and punctuation.
const YES: [&str; 44] = [
    "optedin",
    "optin",
    "in",
    "yes",
    "y",
    "true",
    "t",
    "1",
    "10",
    "on",
    "oui",
    "o",
    "vrai",
    "si",
    "verdadero",
    "sim",
    "verdadeiro",
    "ja",
    "wahr",
    "vero",
    "ndiyo",
    "evet",
    "نعم",
    "да",
    "subscribed",
    "subscriber",
    "abonne",
    "abonnee",
    "inscrit",
    "inscrite",
    "suscrito",
    "inscrito",
    "angemeldet",
    "iscritto",
    "granted",
    "given",
    "accepted",
    "accepte",
    "aceptado",
    "aceito",
    "consented",
    "allowed",
    "agreed",
    "daccord",
];

/// Spellings of refusal, written as [`YES`].
const NO: [&str; 61] = [
    "optedout",
    "optout",
    "out",
    "no",
    "n",
    "false",
    "f",
    "0",
    "00",
    "off",
    "non",
    "faux",
    "falso",
    "nao",
    "nein",
    "falsch",
    "hapana",
    "hayir",
    "لا",
    "нет",
    "unsubscribed",
    "unsub",
    "desabonne",
    "desabonnee",
    "desinscrit",
    "desinscrite",
    "desuscrito",
    "descadastrado",
    "abgemeldet",
    "disiscritto",
    "blocklisted",
    "blocklist",
    "blacklisted",
    "blacklist",
    "blocked",
    "bloque",
    "bloquee",
    "bloqueado",
    "gesperrt",
    "bloccato",
    "stopped",
    "stopall",
    "revoked",
    "withdrawn",
    "retire",
    "refused",
    "refuse",
    "rejected",
    "denied",
    "declined",
    "donotcontact",
    "dnc",
    "donotdisturb",
    "dnd",
    "suppressed",
    "complained",
    "complaint",
    "spam",
    "opposed",
    "oppose",
    "rechazado",
];

/// Spellings of an unknown answer, written as [`YES`].
const UNKNOWN: [&str; 10] =
    ["", "unknown", "inconnu", "desconocido", "desconhecido", "unbekannt", "sconosciuto", "null", "na", "nan"];

/// Returns the consent that a cell states; `Empty` means that it is unknown, and `None` that the cell cannot be read.
pub fn answer(text: &str) -> Option<Stated<Consent>> {
    let folded: String = fold(text).chars().filter(|c| c.is_alphanumeric()).collect();
    if UNKNOWN.contains(&folded.as_str()) {
        // A cell that consists of other signs, such as `✗`, may mean anything, so it cannot be read.
        return text
            .chars()
            .all(|c| c.is_alphanumeric() || c.is_whitespace() || "-_/.".contains(c))
            .then_some(Stated::Empty);
    }
    if YES.contains(&folded.as_str()) {
        Some(Stated::Value(Consent::OptedIn))
    } else if NO.contains(&folded.as_str()) || read(text) == Reply::Stop {
        Some(Stated::Value(Consent::OptedOut))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{NO, UNKNOWN, YES, answer};
    use crate::core::domain::{Consent, Stated};

    #[test]
    fn common_spellings_of_yes_and_no_are_recognized() {
        for text in ["opted_in", "Opted-In", "OUI", "yes", "TRUE", "1", "Sí", "sim", "ja", "نعم", " subscribed ", "1.0"]
        {
            assert_eq!(answer(text), Some(Stated::Value(Consent::OptedIn)), "{text}");
        }
        for text in
            ["opted_out", "OPTOUT", "opt-out", "no", "Non", "FALSE", "0", "não", "nein", "لا", "unsubscribed", "0.0"]
        {
            assert_eq!(answer(text), Some(Stated::Value(Consent::OptedOut)), "{text}");
        }
        for text in
            ["blocklisted", "Blacklisted", "bloqué", "Désabonné(e)", "STOP", "unsubscribe", "do not contact", "DND"]
        {
            assert_eq!(answer(text), Some(Stated::Value(Consent::OptedOut)), "{text}");
        }
        for text in ["", " ", "unknown", "Inconnu", "n/a", "NULL", "-"] {
            assert_eq!(answer(text), Some(Stated::Empty), "{text}");
        }
    }

    #[test]
    fn an_unreadable_consent_is_no_answer() {
        for text in ["perhaps", "2", "pending", "none", "✗", "?", "oui/non", "opted", "2026-11-30", "yes but no"] {
            assert_eq!(answer(text), None, "{text}");
        }
    }

    #[test]
    fn no_spelling_has_two_meanings() {
        for word in YES {
            assert!(!NO.contains(&word) && !UNKNOWN.contains(&word), "{word}");
        }
        assert!(NO.iter().all(|word| !UNKNOWN.contains(word)));
    }
}
