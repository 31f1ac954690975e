//! The reading of Cloud API posts. Unknown fields are ignored, and any field may be missing. A part that cannot be read
//! is reported as a problem and does not affect the other parts.

mod account;
mod meaning;
mod system;

use std::collections::BTreeSet;

use serde_json::Value;

use super::node::{Node, digits};
use super::{Inbound, InboundKind, Number, Person, Post, Preference, Status, StatusKind, Update};
use crate::core::consent;
use crate::core::consent::Reply;
use crate::core::domain::Timestamp;

/// Reads a post that arrived at `received_at`. That time is the default for updates without a time.
pub fn read(body: &[u8], received_at: Timestamp) -> Post {
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return Post { problems: vec!["it is not JSON".to_owned()], ..Post::default() };
    };
    let mut reader =
        Reader { at: received_at, updates: Vec::new(), numbers: BTreeSet::new(), problems: BTreeSet::new() };
    let mut changes = 0;
    for entry in Node::of(&json).list("entry") {
        for change in entry.list("changes") {
            changes += 1;
            reader.change(entry, change);
        }
    }
    if changes == 0 {
        reader.problems.insert("there are no changes in it");
    }
    let problems = reader.problems.into_iter().map(str::to_owned).collect();
    Post { updates: reader.updates, numbers: reader.numbers, problems }
}

#[derive(Debug)]
struct Reader {
    at: Timestamp,
    updates: Vec<Update>,
    numbers: BTreeSet<Number>,
    problems: BTreeSet<&'static str>,
}

impl Reader {
    fn change(&mut self, entry: Node<'_>, change: Node<'_>) {
        let value = change.get("value");
        match change.text("field").as_deref() {
            Some("messages") | None => {
                self.numbers.extend(number(entry, value));
                for status in value.list("statuses") {
                    let read = self.status(value, status);
                    self.note(read.map(Update::Status), "a status without an `id`, or of an unknown kind");
                }
                for message in value.list("messages") {
                    if is_from_a_person(message) {
                        let read = self.inbound(value, message);
                        self.note(read.map(Update::Inbound), "a message without an `id`");
                    } else {
                        self.updates.extend(system::rename(message, self.at).map(Update::Rename));
                    }
                }
                let notices: Vec<_> = account::errors(entry, value, self.at).map(Update::Notice).collect();
                self.updates.extend(notices);
            }
            Some("user_preferences") => {
                for preference in value.list("user_preferences").filter(|one| is_about_marketing(*one)) {
                    let read = self.preference(value, preference);
                    self.note(read.map(Update::Preference), "a preference that is neither `stop` nor `resume`");
                }
            }
            Some(field) => {
                if let Some(notice) = account::notice(field, entry, value, self.at) {
                    let complete = notice.is_some();
                    self.updates.extend(notice.map(Update::Notice));
                    if !complete {
                        self.problems.insert("a notice that does not say what happened");
                    }
                }
            }
        }
    }

    fn note(&mut self, update: Option<Update>, problem: &'static str) {
        match update {
            Some(update) => self.updates.push(update),
            None => {
                self.problems.insert(problem);
            }
        }
    }

    fn status(&self, value: Node<'_>, status: Node<'_>) -> Option<Status> {
        let kind = match status.text("status")?.as_str() {
            "sent" => StatusKind::Sent,
            "delivered" => StatusKind::Delivered,
            "read" => StatusKind::Read,
            "played" => StatusKind::Played,
            "failed" => failure(status),
            _ => return None,
        };
        Some(Status {
            provider_id: status.id("id")?,
            callback: status.text("biz_opaque_callback_data").and_then(|text| text.parse().ok()),
            recipient: recipient(value, status),
            kind,
            at: status.instant("timestamp").unwrap_or(self.at),
        })
    }

    fn inbound(&self, value: Node<'_>, message: Node<'_>) -> Option<Inbound> {
        let contact = only_contact(value);
        let is_edit = is_edit(message);
        let id = message.id("id")?;
        let at = message.instant("timestamp").unwrap_or(self.at);
        Some(Inbound {
            // The provider may give an edit the id of the message that it changes.
            id: if is_edit { format!("edit {} {id}", at.timestamp()) } else { id },
            number: value.get("metadata").id("phone_number_id"),
            person: Person {
                phone: message.id("from").or_else(|| contact?.id("wa_id")),
                user: message.id("from_user_id").or_else(|| contact?.id("user_id")),
                context: message.get("context").id("id"),
            },
            text: text_of(if is_edit { message.get("edit").get("message") } else { message }),
            kind: kind(message),
            at,
        })
    }

    fn preference(&self, value: Node<'_>, preference: Node<'_>) -> Option<Preference> {
        let contact = only_contact(value);
        Some(Preference {
            number: value.get("metadata").id("phone_number_id"),
            person: Person {
                phone: preference.id("wa_id").or_else(|| contact?.id("wa_id")),
                user: preference.id("user_id").or_else(|| contact?.id("user_id")),
                context: None,
            },
            stop: match preference.text("value")?.as_str() {
                "stop" => true,
                "resume" => false,
                _ => return None,
            },
            at: preference.instant("timestamp").unwrap_or(self.at),
        })
    }
}

/// Returns the names of a status's recipient. A contact belongs to it if they have a name in common, or if it is the only
/// contact of an only status without a phone.
fn recipient(value: Node<'_>, status: Node<'_>) -> Vec<String> {
    let mut names: Vec<String> =
        ["recipient_id", "recipient_user_id"].iter().filter_map(|key| status.id(key)).collect();
    let of =
        |contact: Node<'_>| ["wa_id", "user_id"].map(|key| contact.id(key)).into_iter().flatten().collect::<Vec<_>>();
    let is_only = names.is_empty() && value.list("statuses").count() == 1;
    let contacts: Vec<Vec<String>> = match only_contact(value).filter(|_| is_only) {
        Some(contact) => vec![of(contact)],
        None => value.list("contacts").map(of).filter(|all| all.iter().any(|name| names.contains(name))).collect(),
    };
    names.extend(contacts.into_iter().flatten());
    names.sort_unstable();
    names.dedup();
    names
}

/// Reads the reason of a failure from the first error, because the others repeat it.
fn failure(status: Node<'_>) -> StatusKind {
    let error = status.list("errors").next();
    let text = error.and_then(|error| {
        let details = error.get("error_data").text("details");
        details.or_else(|| error.text("message")).or_else(|| error.text("title"))
    });
    let code = error.and_then(|error| error.number("code"));
    StatusKind::Failed { code, text: text.unwrap_or_else(|| "failed".to_owned()) }
}

/// Returns our number that a change is about.
fn number(entry: Node<'_>, value: Node<'_>) -> Option<Number> {
    let metadata = value.get("metadata");
    let digits = metadata.text("display_phone_number").map(|shown| digits(&shown));
    Some(Number { id: metadata.id("phone_number_id")?, digits, account: entry.id("id") })
}

/// Returns the only contact of a change, which is the default person of its updates.
fn only_contact(value: Node<'_>) -> Option<Node<'_>> {
    let mut contacts = value.list("contacts");
    contacts.next().filter(|_| contacts.next().is_none())
}

/// Returns false for system messages, which report a change of a person's number in the same list, and for messages
/// that a person takes back.
fn is_from_a_person(message: Node<'_>) -> bool {
    !matches!(message.text("type").as_deref(), Some("system" | "revoke"))
}

fn is_edit(message: Node<'_>) -> bool {
    message.text("type").as_deref() == Some("edit")
}

fn kind(message: Node<'_>) -> InboundKind {
    let group = message.text("group_id").or_else(|| message.get("context").text("group_id"));
    match group {
        Some(_) => InboundKind::Group,
        None if is_edit(message) => InboundKind::Edit,
        None => InboundKind::Private,
    }
}

fn is_about_marketing(preference: Node<'_>) -> bool {
    preference.text("category").is_none_or(|category| category == "marketing_messages")
}

/// Returns the text that a person typed or chose. A button says what its payload or its caption says: STOP in either of
/// them counts, then START, then a request that comes near; otherwise the caption.
fn text_of(message: Node<'_>) -> String {
    let (button, interactive) = (message.get("button"), message.get("interactive"));
    let pressed = ["button_reply", "list_reply"].map(|kind| interactive.get(kind));
    let payload = button.text("payload").or_else(|| pressed.iter().find_map(|reply| reply.text("id")));
    let label = button.text("text").or_else(|| pressed.iter().find_map(|reply| reply.text("title")));
    let caption = || ["image", "video", "document"].iter().find_map(|kind| message.get(kind).text("caption"));
    let shown = message.get("text").text("body").or(label).or_else(caption).unwrap_or_default();
    let Some(payload) = payload else { return shown };
    let (meant, seen) = (consent::read(&payload), consent::read(&shown));
    let decides = [Reply::Stop, Reply::Start, Reply::Unclear].into_iter().find(|reply| [meant, seen].contains(reply));
    if decides == Some(meant) { payload } else { shown }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::read;
    use crate::channel::webhook::{Inbound, InboundKind, Number, Person, Post, Preference, Status, StatusKind, Update};
    use crate::core::domain::{AccountId, Callback, CampaignId, MessageKey, ReferralId, TargetKey, Timestamp};

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn received() -> Timestamp {
        time("2026-11-30T15:00:00Z")
    }

    /// 14:00:00 of that day, in the format of Meta.
    const AT: &str = "1796047200";

    fn post(field: &str, value: &Value) -> Post {
        let body = json!({"object": "whatsapp_business_account",
                          "entry": [{"id": "waba", "time": 1_796_047_260, "changes": [{"field": field, "value": value}]}]});
        read(body.to_string().as_bytes(), received())
    }

    fn statuses(statuses: &Value) -> Post {
        post(
            "messages",
            &json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": "n1"},
                                 "statuses": statuses}),
        )
    }

    fn text_of(message: &Value) -> Vec<String> {
        let value = json!({"metadata": {"phone_number_id": "n1"}, "messages": [message]});
        let updates = post("messages", &value).updates.into_iter();
        updates
            .filter_map(|update| if let Update::Inbound(text_of) = update { Some(text_of.text) } else { None })
            .collect()
    }

    #[test]
    fn a_status_carries_its_message_key_and_time() {
        let status = json!({"id": "wamid.1", "status": "delivered", "timestamp": AT, "recipient_id": "237671000001",
                            "biz_opaque_callback_data": "relance.3.1.4711.2", "pricing": {"billable": true}, "new": []});
        let target = TargetKey { account: AccountId(3), campaign: CampaignId(1), referral: ReferralId(4_711) };
        let expected = Status {
            provider_id: "wamid.1".to_owned(),
            callback: Some(Callback::new(None, MessageKey { target, day: 2 })),
            recipient: vec!["237671000001".to_owned()],
            kind: StatusKind::Delivered,
            at: time("2026-11-30T14:00:00Z"),
        };
        let number = Number { id: "n1".to_owned(), digits: None, account: Some("waba".to_owned()) };
        let (updates, numbers) = (vec![Update::Status(expected)], BTreeSet::from([number]));
        assert_eq!(statuses(&json!([status])), Post { updates, numbers, problems: vec![] });
    }

    #[test]
    fn a_status_with_missing_fields_hides_no_other() {
        let all = json!([{"id": "wamid.1", "status": "read"}, {"status": "sent"}, "nonsense", null,
                         {"id": "wamid.2", "status": "teleported"}, {"id": "x".repeat(600), "status": "sent"},
                         {"id": "wamid.3", "status": "played", "timestamp": "soon", "biz_opaque_callback_data": "theirs"}]);
        let post = statuses(&all);
        let status = |id: &str, kind| {
            let provider_id = id.to_owned();
            Update::Status(Status { provider_id, callback: None, recipient: vec![], kind, at: received() })
        };
        assert_eq!(post.updates, [status("wamid.1", StatusKind::Read), status("wamid.3", StatusKind::Played)]);
        assert_eq!(post.problems, ["a status without an `id`, or of an unknown kind"]);
    }

    #[test]
    fn a_malformed_post_is_reported_as_a_problem() {
        for (body, problem) in [
            ("{", "it is not JSON"),
            ("[]", "there are no changes in it"),
            (r#"{"entry": {"changes": 1}}"#, "there are no changes in it"),
            (r#"{"entry": [1, {"changes": []}]}"#, "there are no changes in it"),
        ] {
            let post = read(body.as_bytes(), received());
            assert_eq!((post.updates, post.problems), (vec![], vec![problem.to_owned()]), "{body}");
        }
        // Unrelated content causes no problem.
        assert_eq!(post("messages", &json!({"statuses": 7, "messages": {}})), Post::default());
        assert_eq!(post("flows", &json!({"event": "FLOW_STATUS_CHANGE"})), Post::default());
    }

    #[test]
    fn a_failed_status_carries_its_code_and_text() {
        let failed = |errors: Value| {
            let updates =
                statuses(&json!([{"id": "w", "status": "failed", "timestamp": AT, "errors": errors}])).updates;
            let Some(Update::Status(Status { kind: StatusKind::Failed { code, text }, .. })) = updates.first() else {
                panic!("{updates:?}")
            };
            (*code, text.clone())
        };
        let full = json!([{"code": 131_026, "title": "Undeliverable", "message": "Message undeliverable",
                           "error_data": {"details": "Message Undeliverable."}, "href": "https://…"}]);
        assert_eq!(failed(full), (Some(131_026), "Message Undeliverable.".to_owned()));
        assert_eq!(
            failed(json!([{"code": "131026", "title": "Undeliverable"}])),
            (Some(131_026), "Undeliverable".to_owned())
        );
        assert_eq!(failed(json!([])), (None, "failed".to_owned()));
        assert_eq!(failed(json!("so")), (None, "failed".to_owned()));
    }

    #[test]
    fn an_inbound_message_identifies_its_sender_by_available_fields() {
        let value = json!({
            "metadata": {"display_phone_number": "+237 600 000 000", "phone_number_id": "n1"},
            "contacts": [{"profile": {"name": "Paul"}, "wa_id": "237671000001", "user_id": "CM.42"}],
            "messages": [{"id": "in.1", "from": "237671000009", "timestamp": AT, "type": "text", "text": {"body": "Oui"}},
                         {"id": "in.2", "timestamp": AT, "type": "image", "image": {"id": "9"}, "context": {"id": "wamid.1"}}],
        });
        let inbound = |id: &str, phone: &str, context: Option<&str>, text: &str| {
            Update::Inbound(Inbound {
                id: id.to_owned(),
                number: Some("n1".to_owned()),
                person: Person {
                    phone: Some(phone.to_owned()),
                    user: Some("CM.42".to_owned()),
                    context: context.map(str::to_owned),
                },
                text: text.to_owned(),
                kind: InboundKind::Private,
                at: time("2026-11-30T14:00:00Z"),
            })
        };
        let expected =
            [inbound("in.1", "237671000009", None, "Oui"), inbound("in.2", "237671000001", Some("wamid.1"), "")];
        assert_eq!(post("messages", &value).updates, expected);
        let number =
            Number { id: "n1".to_owned(), digits: Some("237600000000".to_owned()), account: Some("waba".to_owned()) };
        assert_eq!(post("messages", &value).numbers, BTreeSet::from([number]));
        // Two contacts leave the person unknown.
        let two = json!({"contacts": [{"wa_id": "1"}, {"wa_id": "2"}], "messages": [{"id": "in.3"}]});
        let Some(Update::Inbound(inbound)) = post("messages", &two).updates.pop() else { panic!() };
        assert_eq!((inbound.person, inbound.number, inbound.at), (Person::default(), None, received()));
    }

    #[test]
    fn typed_texts_and_pressed_buttons_are_read_alike() {
        for (message, text) in [
            (json!({"id": "1", "type": "text", "text": {"body": "STOP\u{0}"}}), "STOP"),
            (json!({"id": "1", "type": "button", "button": {"payload": "STOP", "text": "Plus rien"}}), "STOP"),
            (json!({"id": "1", "type": "button", "button": {"payload": "b-7", "text": "Arrêter"}}), "Arrêter"),
            (
                json!({"id": "1", "type": "interactive", "interactive": {"button_reply": {"id": "stop", "title": "Non"}}}),
                "stop",
            ),
            (
                json!({"id": "1", "type": "interactive", "interactive": {"list_reply": {"id": "x", "title": "Merci"}}}),
                "Merci",
            ),
            (json!({"id": "1", "type": "image", "image": {"caption": "Voilà"}}), "Voilà"),
            (json!({"id": "1", "type": "reaction", "reaction": {"emoji": "👍"}}), ""),
            (json!({"id": "1", "type": "unsupported", "errors": [{"code": 131_051}]}), ""),
            (json!({"id": "1"}), ""),
        ] {
            assert_eq!(text_of(&message), [text], "{message}");
        }
        let none = text_of(&json!({"id": "1", "type": "system", "system": {"body": "Paul has another number"}}));
        assert!(none.is_empty(), "{none:?}");
    }

    #[test]
    fn a_stop_button_is_recognized_by_payload_or_label() {
        let pressed = |payload: &str, label: &str| {
            text_of(&json!({"id": "1", "type": "button", "button": {"payload": payload, "text": label}})).pop().unwrap()
        };
        for (payload, label, text) in [
            ("btn_7", "Stop promotions", "Stop promotions"),
            ("btn_7", "Arrêter les promotions", "Arrêter les promotions"),
            ("STOP_PROMOTIONS", "Non merci", "STOP_PROMOTIONS"),
            ("START", "Stop promotions", "Stop promotions"),
            ("unsub_v2", "Non merci", "unsub_v2"),
            ("yes_please", "Oui", "Oui"),
        ] {
            assert_eq!(pressed(payload, label), text, "{payload} {label}");
        }
    }

    #[test]
    fn an_edited_message_has_its_new_text_and_a_revoked_one_none() {
        let read = |message: Value| {
            let value = json!({"metadata": {"phone_number_id": "n1"}, "messages": [message]});
            let updates = post("messages", &value).updates;
            updates
                .into_iter()
                .find_map(|update| if let Update::Inbound(text_of) = update { Some(text_of) } else { None })
        };
        let edit = |content: Value| {
            json!({"id": "in.1", "from": "237671000001", "timestamp": AT, "type": "edit",
                   "edit": {"original_message_id": "in.1", "message": content}})
        };
        let texts = [
            (json!({"type": "text", "text": {"body": "STOP"}}), "STOP"),
            (json!({"type": "image", "image": {"caption": "Arrêt"}}), "Arrêt"),
            (json!({}), ""),
        ];
        for (content, text) in texts {
            let text_of = read(edit(content)).unwrap();
            assert_eq!((text_of.text.as_str(), text_of.kind), (text, InboundKind::Edit));
            // The message that it changes is known by this id already.
            assert_ne!(text_of.id, "in.1");
        }
        let taken_back = json!({"id": "in.2", "from": "237671000001", "timestamp": AT, "type": "revoke",
                                "revoke": {"original_message_id": "in.1"}});
        assert_eq!(read(taken_back), None);
        let mut to_group = edit(json!({"type": "text", "text": {"body": "STOP"}}));
        to_group["group_id"] = json!("G1");
        let text_of = read(to_group).unwrap();
        assert_eq!((text_of.text.as_str(), text_of.kind), ("STOP", InboundKind::Group));
    }

    #[test]
    fn preferences() {
        let value = json!({"metadata": {"phone_number_id": "n1"}, "user_preferences": [
            {"wa_id": "237671000001", "category": "marketing_messages", "value": "stop", "timestamp": 1_796_047_200},
            {"user_id": "CM.42", "category": "marketing_messages", "value": "resume"},
            {"wa_id": "237671000001", "category": "weather", "value": "stop"},
            {"wa_id": "237671000001", "category": "marketing_messages", "value": "perhaps"}]});
        let post = post("user_preferences", &value);
        let preference = |phone: Option<&str>, user: Option<&str>, stop, at| {
            let person = Person { phone: phone.map(str::to_owned), user: user.map(str::to_owned), context: None };
            Update::Preference(Preference { number: Some("n1".to_owned()), person, stop, at })
        };
        let expected = [
            preference(Some("237671000001"), None, true, time("2026-11-30T14:00:00Z")),
            preference(None, Some("CM.42"), false, received()),
        ];
        assert_eq!(post.updates, expected);
        assert_eq!(post.problems, ["a preference that is neither `stop` nor `resume`"]);
    }
}
