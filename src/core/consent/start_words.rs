//! The words for START, as whole messages.

/// The words for START. Unlike in `STOP`, spaces count: `un stop` is not `unstop`.
///
/// The list leaves out `yes` and similar words, which may answer anything, and `continue`. It also leaves out Arabic
/// `ابدا`, which means both `begin!` and `never`.
pub(super) const START: [&[&str]; 11] = [
    // English
    &["start", "unstop", "resume", "subscribe", "resubscribe", "opt in", "optin", "begin"],
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
        "nonarret",
    ],
    // Spanish
    &[
        "empezar",
        "comenzar",
        "iniciar",
        "reanudar",
        "suscribir",
        "suscribirme",
        "darme de alta",
        "reactivar",
        "recibir",
        "volver",
    ],
    // Portuguese
    &["comecar", "recomecar", "retomar", "inscrever", "reativar", "receber", "voltar"],
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
