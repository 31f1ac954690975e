//! Plans for people and for scripts.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Action, Change, Plan};

/// The changes as SPEC §6 has them.
pub fn changes(plan: &Plan) -> Value {
    let change = |change: &Change| {
        json!({
            "action": change.action,
            "kind": change.kind.as_str(),
            "name": change.name,
            "fields": change.fields,
            "effect": change.effect,
        })
    };
    plan.changes.iter().map(change).collect()
}

/// The plan as a person reads it in a terminal; the last line is the summary.
pub fn text(plan: &Plan) -> String {
    if plan.is_empty() {
        return "No changes. The database has what the files ask for.".to_owned();
    }
    let mut text = String::new();
    for change in &plan.changes {
        let (kind, name) = (change.kind.as_str(), &change.name);
        put(&mut text, &format!("{} {:<7} {kind} {name}", sign(change.action), change.action.as_str()));
        for field in &change.fields {
            put(
                &mut text,
                &format!("      {}: {} → {}", field.path, shown(field.before.as_ref()), shown(field.after.as_ref())),
            );
        }
        if let Some(effect) = &change.effect {
            let mut parts = vec![format!("{} accounts", effect.accounts)];
            if effect.enroll > 0 {
                parts.push(format!("{} people enrolled now", effect.enroll));
            }
            if effect.exit > 0 {
                parts.push(format!("{} people leave", effect.exit));
            }
            put(&mut text, &format!("      {}", parts.join(", ")));
        }
    }
    let counted: Vec<String> =
        plan.summary().iter().filter(|(_, n)| **n > 0).map(|(action, n)| format!("{n} to {action}")).collect();
    text + "\nPlan: " + &counted.join(", ") + "."
}

fn put(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}

const fn sign(action: Action) -> char {
    match action {
        Action::Create => '+',
        Action::Update | Action::Pause | Action::Resume => '~',
        Action::Cancel | Action::Delete => '-',
    }
}

/// A value in one line, long text shortened.
fn shown(value: Option<&Value>) -> String {
    const LONGEST: usize = 60;
    let text = match value {
        None | Some(Value::Null) => return "none".to_owned(),
        Some(Value::String(text)) => format!("\"{}\"", text.replace('\n', "⏎")),
        Some(value) => value.to_string(),
    };
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain(['…']).collect() }
}
