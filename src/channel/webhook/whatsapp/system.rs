//! System messages: WhatsApp tells that a person changed their number or their user id.

use crate::channel::webhook::Rename;
use crate::channel::webhook::node::Node;
use crate::core::domain::Timestamp;

/// Reads a system message. Returns `None` for any other news, and for a change that does not name both.
pub(super) fn rename(message: Node<'_>, received_at: Timestamp) -> Option<Rename> {
    let system = message.get("system");
    let kind = system.text("type")?;
    let is_number = kind.ends_with("_changed_number");
    let fresh: &[&str] = match kind.as_str() {
        _ if is_number => &["wa_id", "new_wa_id"],
        "user_changed_user_id" => &["user_id"],
        _ => return None,
    };
    let fresh: Vec<String> = fresh.iter().filter_map(|key| system.id(key)).collect();
    let known = ["from", "from_user_id"].map(|key| message.id(key));
    let known = known.into_iter().chain(["customer", "previous_user_id"].map(|key| system.id(key)));
    let known: Vec<String> = known.flatten().filter(|name| !fresh.contains(name)).collect();
    if fresh.is_empty() || known.is_empty() {
        return None;
    }
    let at = message.instant("timestamp").unwrap_or(received_at);
    Some(Rename { id: message.id("id")?, known, fresh, is_number, at })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::rename;
    use crate::channel::webhook::node::Node;

    fn read(message: &Value) -> Option<(Vec<String>, Vec<String>, bool)> {
        let rename = rename(Node::of(message), "2026-11-30T15:00:00Z".parse().unwrap())?;
        Some((rename.known, rename.fresh, rename.is_number))
    }

    #[test]
    fn a_system_message_names_the_old_and_the_new_identity() {
        let message = |system: Value| json!({"id": "1", "from": "237671000004", "type": "system", "system": system});
        let number = (vec!["237671000004".to_owned()], vec!["237671000044".to_owned()], true);
        for system in [
            json!({"type": "user_changed_number", "wa_id": "237671000044", "body": "Paul changed"}),
            json!({"type": "user_changed_number", "new_wa_id": "237671000044"}),
            json!({"type": "customer_changed_number", "wa_id": "237671000044"}),
        ] {
            assert_eq!(read(&message(system)), Some(number.clone()));
        }
        let user = json!({"id": "1", "from_user_id": "CM.full", "type": "system",
                          "system": {"type": "user_changed_user_id", "previous_user_id": "CM.full", "user_id": "CM.new"}});
        let (known, fresh, is_number) = read(&user).unwrap();
        assert_eq!((known[0].as_str(), fresh, is_number), ("CM.full", vec!["CM.new".to_owned()], false));
        for system in [
            json!({"type": "user_changed_number"}),
            json!({"type": "customer_identity_changed", "wa_id": "237671000044"}),
            json!({"body": "Paul has another number"}),
        ] {
            assert_eq!(read(&message(system)), None);
        }
        let nobody =
            json!({"id": "1", "type": "system", "system": {"type": "user_changed_number", "wa_id": "237671000044"}});
        assert_eq!(read(&nobody), None);
    }
}
