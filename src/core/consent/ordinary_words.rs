//! Uses of the same words that ask for nothing.

/// Phrases in which a word for STOP means something else, in the notation of `pattern.rs`.
pub(super) const ORDINARY: [&[&str]; 4] = [
    // English
    &[
        "stop|stops|stopped|stopping by|over",
        "stop|stops|stopped at the|a|my|your|her|his|our|their|any",
        "bus|taxi|tram|train|metro|next|last|first|full|pit|one|truck|rest stop|stops",
        "_ non stop",
        "non stop _",
        "cant|cannot|couldnt stop _",
        "stop smoking|drinking|working|laughing|crying|thinking|worrying|eating|raining|bleeding|studying|learning",
        "stop the car|bus|rain|bleeding|taxi",
        "rain ~ stop",
        "stop joking|playing|spending",
        "spam folder",
        "my spam",
    ],
    // French
    &[
        "s|m|t arret|arrete|arreter|arretez|arretes|arretent|arretons|arreterai",
        "vous vous arret*",
        "ne vous arret*",
        "l|en|sans|aux arret|arrets",
        "prochain|quel|dernier|premier|cet|mon|votre|notre arret|arrets",
        "s est|etait|sont|etaient arret*",
        "arret|arrets de|du bus|travail|maladie|tram|taxi|car|jeu",
        "arret|arrete|arreter|arretes de fumer|boire|travailler|manger|rire|pleurer|jouer|courir|pleuvoir|mentir",
        "du|auto|en stop",
        "plus de|d info*|detail*|renseignement*|precision*|explication*|temps|place|places|argent|credit",
        "ai|a|as|avez|ont|avons|recu|recois plus|pas de|d message*|appel*|notification*|sms|mail*",
    ],
    // Spanish and Portuguese
    &["la|una|esta|proxima|a|uma|na|onde parada|paradas"],
    // German and Dutch
    &["habe|hab|hatte|haben ? keine nachricht*|sms|werbung", "heb|hebben ? geen bericht*"],
];

/// Real words that are one letter away from a word for STOP.
pub(super) const LOOK_ALIKES: [&str; 17] = [
    "top",
    "shop",
    "step",
    "cancer",
    "remote",
    "firmare",
    "fermata",
    "cancello",
    "cancelli",
    "shoppen",
    "anmelden",
    "anmeldung",
    "auftragen",
    "unstop",
    "stock",
    "paar",
    "stoppt",
];
