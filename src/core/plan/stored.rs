//! Applied plans as they were stored, by this version or an older one.

use serde::Deserialize;
use serde_json::Value;

use super::render::text::put_change;
use super::{Action, Field};
use crate::core::lifecycle::detail::Changes;

/// A change as [`show::changes`](super::render::text::changes) writes it.
#[derive(Debug, Deserialize)]
struct Written {
    action: Action,
    kind: String,
    name: String,
    from: Option<String>,
    fields: Vec<Field>,
}

/// Counts the applied changes by what was done.
pub fn summary(changes: &Value) -> Changes {
    let list = changes.as_array().map(Vec::as_slice).unwrap_or_default();
    let is = |change: &&Value, action: Action| change.get("action").is_some_and(|name| name == action.as_str());
    let count = |action: Action| list.iter().filter(|change| is(change, action)).count();
    Changes {
        cancelled: count(Action::Cancel),
        deleted: count(Action::Delete),
        paused: count(Action::Pause),
        resumed: count(Action::Resume),
        renamed: count(Action::Rename),
        updated: count(Action::Update),
        created: count(Action::Create),
    }
}

/// Returns the changes as the plan showed them, without their effect on people.
///
/// # Errors
///
/// Fails if a newer version stored them.
pub fn text(changes: &Value) -> Result<String, serde_json::Error> {
    let list: Vec<Written> = serde_json::from_value(changes.clone())?;
    let mut text = String::new();
    for Written { action, kind, name, from, fields } in &list {
        put_change(&mut text, (*action, kind, name), from.as_deref(), fields);
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{summary, text};
    use crate::core::domain::Name;
    use crate::core::plan::render::text as show;
    use crate::core::plan::render::text::changes;
    use crate::core::plan::{Kind, Objects, plan};

    #[test]
    fn a_stored_plan_reads_as_it_was_shown() {
        let name = |text: &str| Name::parse(text).unwrap();
        let before: Objects = [
            ((Kind::Campaign, name("a")), json!({"state": "active"})),
            ((Kind::Campaign, name("new")), json!({"state": "active", "priority": 1})),
            ((Kind::Sequence, name("s")), json!({})),
        ]
        .into();
        let after: Objects = [
            ((Kind::Campaign, name("b")), json!({"state": "active"})),
            ((Kind::Campaign, name("new")), json!({"state": "active", "priority": 2})),
        ]
        .into();
        let renames = BTreeMap::from([(name("new"), name("old"))]);
        let plan = plan(&after, &before, &renames);
        let saved = changes(&plan);
        assert_eq!(summary(&saved).to_string(), "1 cancelled, 1 deleted, 1 renamed, 1 created");
        let shown = show::text(&plan);
        assert_eq!(text(&saved).unwrap(), shown.rsplit_once("\n\n").unwrap().0);
        assert_eq!(summary(&json!([])).to_string(), "nothing changed");
        assert!(text(&json!([{"action": "teleport"}])).is_err());
    }
}
