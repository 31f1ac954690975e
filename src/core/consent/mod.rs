//! The consent in a person's reply: the words for STOP and START.
//!
//! Only a whole message counts, after folding of case, accents, punctuation and space. `don't stop` is neither, but it
//! contains a word for STOP, so it goes to review. A word that means STOP in one language counts as STOP, whatever it
//! means in another. A word counts as START only if no known language uses it for something else. A person who is
//! misread gets no messages, and can still send START.

mod confirmation;

use std::collections::BTreeSet;
use std::sync::LazyLock;

pub use self::confirmation::confirmation;
use crate::core::domain::fold;

/// The meaning of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The person opts out.
    Stop,
    /// The person opts in again.
    Start,
    /// The reply contains a word for STOP, and only a person can tell its meaning.
    Unclear,
    /// The reply is neither, as far as a machine can tell.
    Other,
}

/// The words for STOP by language; a shared word stands with the first language. Accents are left out, as [`bare`]
/// does.
const STOP: [&[&str]; 13] = [
    // English
    &[
        "stop",
        "stop all",
        "stop now",
        "unsubscribe",
        "unsubscribe me",
        "cancel",
        "end",
        "quit",
        "opt out",
        "revoke",
        "remove",
        "remove me",
        "no more messages",
        "leave me alone",
        "do not contact me",
        "dont contact me",
    ],
    // French
    &[
        "arret",
        "arreter",
        "arrete",
        "arretez",
        "stopper",
        "stoppez",
        "desabonner",
        "desabonnement",
        "me desabonner",
        "se desabonner",
        "desabonnez moi",
        "desinscrire",
        "desinscription",
        "me desinscrire",
        "se desinscrire",
        "desinscrivez moi",
        "annuler",
        "resilier",
        "plus de messages",
        "ne plus recevoir de messages",
        "ne plus recevoir vos messages",
        "je ne veux plus de messages",
        "je ne veux plus recevoir de messages",
        "je ne veux plus recevoir vos messages",
        "ne mecrivez plus",
        "ne me contactez plus",
        "laissez moi tranquille",
    ],
    // Spanish
    &[
        "parar",
        "para",
        "pare",
        "paren",
        "baja",
        "dar de baja",
        "darme de baja",
        "detener",
        "cancelar",
        "cancelar suscripcion",
        "anular",
        "salir",
        "basta",
        "no mas mensajes",
        "no me escribas mas",
        "no me escriban mas",
    ],
    // Portuguese
    &["parem", "sair", "cancelar inscricao", "cancelar subscricao", "descadastrar", "remover", "chega de mensagens"],
    // Arabic
    &[
        "توقف",
        "توقفوا",
        "قف",
        "وقف",
        "اوقف",
        "اوقفوا",
        "ايقاف",
        "الغاء",
        "الغاء الاشتراك",
        "الغاء اشتراكي",
        "الغ الاشتراك",
        "كفي",
        "ستوب",
    ],
    // German
    &["stopp", "halt", "abmelden", "abmeldung", "abbestellen", "austragen", "beenden", "ende", "kundigen", "aufhoren"],
    // Italian
    &[
        "ferma",
        "fermare",
        "fermati",
        "annulla",
        "annullare",
        "annulla iscrizione",
        "cancella",
        "cancellami",
        "disiscrivi",
        "disiscrivimi",
        "disiscriviti",
        "smettila",
        "smettetela",
    ],
    // Dutch
    &["stoppen", "afmelden", "uitschrijven"],
    // Swahili; some also write the Hindi for "all right" as `acha`.
    &["acha", "simama", "sitisha", "jiondoe"],
    // Turkish
    &["durdur", "iptal"],
    // Russian
    &["стоп", "отписаться", "отмена"],
    // Chinese
    &["停止", "退订", "退訂"],
    // Hebrew
    &["הסר", "הסירו", "הסר אותי", "הסירו אותי", "עצור", "עצרו", "הפסק", "הפסיקו"],
];

/// The words for START. Unlike in [`STOP`], spaces count: `un stop` is not `unstop`.
///
/// The list leaves out `yes` and similar words, which may answer anything, and `continue`. It also leaves out Arabic
/// `ابدا`, which means both `begin!` and `never`.
const START: [&[&str]; 11] = [
    // English
    &["start", "unstop", "resume", "subscribe", "resubscribe", "opt in", "optin"],
    // French
    &[
        "commencer",
        "recommencer",
        "demarrer",
        "reprendre",
        "mabonner",
        "m abonner",
        "me reabonner",
        "reabonner",
        "me reinscrire",
        "reinscrire",
        "reactiver",
    ],
    // Spanish
    &["empezar", "comenzar", "iniciar", "reanudar", "suscribir", "suscribirme", "darme de alta", "reactivar"],
    // Portuguese
    &["comecar", "recomecar", "retomar", "inscrever", "reativar"],
    // Arabic
    &["بدء", "البدء", "استيناف", "اشترك", "اشتراك", "تفعيل", "ستارت"],
    // German
    &["starten", "anmelden", "wieder anmelden", "fortsetzen"],
    // Italian
    &["inizia", "iniziare", "avvia", "riprendi", "riprendere", "iscrivi", "iscrivimi", "riattiva"],
    // Dutch
    &["aanmelden", "hervatten"],
    // Swahili
    &["anza", "endelea"],
    // Turkish
    &["baslat"],
    // Russian
    &["старт", "начать", "подписаться"],
];

/// Returns the meaning of a whole message.
pub fn read(text: &str) -> Reply {
    let said = bare(text);
    // `opt out`, `opt-out` and `optout` count as one word, and so does `S T O P`.
    if STOPS.contains(&said.replace(' ', "")) {
        Reply::Stop
    } else if START.iter().flat_map(|words| words.iter()).any(|word| *word == said) {
        Reply::Start
    } else if has_stop(&said) {
        Reply::Unclear
    } else {
        Reply::Other
    }
}

/// Every STOP phrase without its spaces.
static STOPS: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| STOP.iter().flat_map(|words| words.iter()).map(|word| word.replace(' ', "")).collect());

/// Returns true if consecutive words of `said` form a STOP phrase.
fn has_stop(said: &str) -> bool {
    let longest = STOPS.iter().map(String::len).max().unwrap_or_default();
    let words: Vec<&str> = said.split(' ').collect();
    (0..words.len()).any(|first| {
        let mut run = String::new();
        words[first..].iter().any(|word| {
            run += word;
            run.len() <= longest && STOPS.contains(&run)
        })
    })
}

/// Returns the letters and digits of `text`, folded: without case, accents, punctuation and emoji, with one space
/// between words.
///
/// Arabic also loses vowel signs, tatweel and the marks of alef, and letters that keyboards mix up get one spelling.
fn bare(text: &str) -> String {
    const TATWEEL: char = '\u{640}';
    let letter = |c: char| match c {
        // This is alef wasla; the other forms of alef are alef with a mark, which folding removes.
        '\u{671}' => '\u{627}',
        // These are alef maqsura and the Persian yeh.
        '\u{649}' | '\u{6cc}' => '\u{64a}',
        // This is the Persian kaf.
        '\u{6a9}' => '\u{643}',
        _ => c,
    };
    let counts = |c: &char| (c.is_alphanumeric() && *c != TATWEEL) || *c == ' ';
    let plain: String = fold(text).chars().filter(counts).map(letter).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Reply, START, STOP, bare, read};

    fn all(texts: &[&str], reply: Reply) {
        for text in texts {
            assert_eq!(read(text), reply, "{text}");
        }
    }

    #[test]
    fn english() {
        all(&["STOP", "Stop.", " stop! ", "“Stop”", "S.T.O.P.", "s t o p", "stop 🙏", "ＳＴＯＰ"], Reply::Stop);
        all(&["stop all", "STOPALL", "Unsubscribe", "opt-out", "Opt out", "OPTOUT", "quit", "CANCEL"], Reply::Stop);
        all(&["START", "start!", "Unstop", "Opt-in", "subscribe"], Reply::Start);
    }

    #[test]
    fn french() {
        all(&["Arrêt", "ARRÊTER", "arrêtez !", "« Arrete »", "Se désabonner", "désabonnez-moi"], Reply::Stop);
        all(&["Désinscription", "plus de messages", "Ne m'écrivez plus !", "ne m’écrivez plus"], Reply::Stop);
        all(&["Je ne veux plus recevoir vos messages.", "Laissez-moi tranquille"], Reply::Stop);
        all(&["je ne veux plus recevoir vos messages merci", "bonsoir, ne me contactez plus"], Reply::Unclear);
        all(&["Commencer", "démarrer", "Reprendre", "m'abonner", "M’abonner", "me réabonner"], Reply::Start);
    }

    #[test]
    fn spanish() {
        all(&["¡Para!", "PARAR", "Baja", "dar de baja", "cancelar suscripción", "¡Basta!"], Reply::Stop);
        all(&["Empezar", "comenzar", "reanudar", "Darme de alta", "suscribirme"], Reply::Start);
    }

    #[test]
    fn portuguese() {
        all(&["Parar", "pare", "SAIR", "Descadastrar", "Cancelar inscrição"], Reply::Stop);
        all(&["Começar", "recomeçar", "retomar", "Inscrever"], Reply::Start);
    }

    #[test]
    fn arabic() {
        // These have or lack marks on the alef, vowel signs, tatweel, and letters that keyboards mix up.
        all(&["توقف", "تَوَقَّفْ", "تـوقـف", "أوقف", "اوقف", "إيقاف", "قِف!", "إلغاء", "ٱلغاء"], Reply::Stop);
        all(&["إلغاء الاشتراك", "الغاء الإشتراك", "كفى", "كفي", "\u{200f}ستوب\u{200f}"], Reply::Stop);
        all(&["بدء", "استئناف", "اشترك", "اشتراك"], Reply::Start);
    }

    #[test]
    fn german() {
        all(&["Stopp!", "abmelden", "Kündigen", "AUFHÖREN", "Austragen"], Reply::Stop);
        all(&["Starten", "Anmelden", "fortsetzen"], Reply::Start);
    }

    #[test]
    fn italian() {
        all(&["Basta", "ferma", "Annulla", "cancellami", "Annulla iscrizione", "Disiscrivi-mi"], Reply::Stop);
        all(&["Inizia", "riprendi", "ISCRIVIMI"], Reply::Start);
    }

    #[test]
    fn some_more() {
        all(&["стоп", "СТОП", "afmelden", "İPTAL", "sitisha", "退订"], Reply::Stop);
        all(&["הסר", "הסירו אותי!", "עצור", "leave me alone", "No me escriban más"], Reply::Stop);
        all(&["старт", "hervatten", "anza"], Reply::Start);
    }

    #[test]
    fn only_a_whole_message_counts() {
        all(&["don't stop", "stop it please", "please stop", "stop by tomorrow", "bus stop"], Reply::Unclear);
        all(&["don't cancel my order", "I want to opt-out, now", "s t o p it", "the end"], Reply::Unclear);
        all(&["je veux arrêter de fumer", "arrête pas", "plus de messages svp"], Reply::Unclear);
        all(&["para mim", "lo quiero para hoy", "توقف عن المزاح", "nicht stopp", "basta poco"], Reply::Unclear);
        all(&["stopp stopp stopp", "start or stop?"], Reply::Unclear);
    }

    #[test]
    fn parts_of_words_do_not_count() {
        all(&["stop1", "unstoppable", "weekend", "my friends", "ne t'arrête pas", "لا تتوقف", "parade"], Reply::Other);
        all(&["quand commencer ?", "", " ", "?", "👍", "non", "merci"], Reply::Other);
    }

    #[test]
    fn what_languages_read_differently_never_starts_anything() {
        // `acha` is Hindi for "all right" and Swahili for "leave it".
        all(&["acha", "Acha!"], Reply::Stop);
        // The first word means `begin!` and `never`; the others may answer anything.
        all(&["ابدأ", "أبدا", "أبدًا", "yes", "oui", "ok", "sí", "continue", "weiter"], Reply::Other);
        all(&["un stop"], Reply::Unclear);
    }

    #[test]
    fn every_word_is_written_as_it_is_compared_and_once() {
        let mut seen = BTreeMap::new();
        for word in STOP.iter().chain(&START).flat_map(|words| words.iter()) {
            let folded = bare(word);
            assert_eq!(folded, *word, "write `{word}` as it is compared");
            assert_eq!(seen.insert(folded, word), None, "`{word}` is there twice");
        }
    }
}
