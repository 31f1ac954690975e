//! The confirmation of an opt-out, sent once: that messages stop, and how to undo it.

use crate::core::domain::Language;

/// The texts by language, without the rest of the language tag.
const TEXTS: [(&str, &str); 12] = [
    ("en", "You will not get any more messages from us. Write START if you change your mind."),
    ("fr", "Vous ne recevrez plus de messages de notre part. Écrivez START si vous changez d'avis."),
    ("es", "No recibirá más mensajes nuestros. Escriba START si cambia de opinión."),
    ("pt", "Você não receberá mais mensagens nossas. Escreva START se mudar de ideia."),
    ("ar", "لن تصلك رسائل منا بعد الآن. اكتب START إذا غيرت رأيك."),
    ("de", "Sie erhalten keine Nachrichten mehr von uns. Schreiben Sie START, falls Sie es sich anders überlegen."),
    ("it", "Non riceverà più messaggi da noi. Scriva START se cambia idea."),
    ("nl", "U ontvangt geen berichten meer van ons. Schrijf START als u zich bedenkt."),
    ("sw", "Hutapokea tena ujumbe kutoka kwetu. Andika START ukibadilisha mawazo."),
    ("tr", "Artık bizden mesaj almayacaksınız. Fikrinizi değiştirirseniz START yazın."),
    ("ru", "Вы больше не будете получать от нас сообщений. Напишите START, если передумаете."),
    ("zh", "您将不再收到我们的消息。如果改变主意，请回复 START。"),
];

/// Returns the confirmation in `language`, else in English.
pub fn confirmation(language: &Language) -> &'static str {
    let text = |tag: &str| TEXTS.iter().find(|(known, _)| *known == tag).map(|(_, text)| *text);
    text(language.primary()).unwrap_or(TEXTS[0].1)
}

#[cfg(test)]
mod tests {
    use super::{TEXTS, confirmation};
    use crate::core::domain::Language;

    #[test]
    fn a_confirmation_uses_the_language_of_the_person_or_english() {
        let text_in = |tag: &str| confirmation(&Language::parse(tag).unwrap());
        assert!(text_in("pt-BR").starts_with("Você"));
        assert!(text_in("fr").starts_with("Vous"));
        assert!(text_in("ln").starts_with("You"));
        for (tag, text) in TEXTS {
            assert_eq!(text_in(tag), text);
            assert!(text.contains("START"), "{tag}");
        }
    }
}
