//! A plan as a comment on a pull request.
//!
//! The first line is always the same, so a script can find its comment and overwrite it. Text from files or the
//! database stands in code blocks, where it neither formats nor mentions anybody.

use serde_json::Value;

use super::text::{ahead, in_people, summary};
use crate::core::plan::{Action, Change, Field, Plan};

/// The first line of a comment.
const MARKER: &str = "<!-- relancectl plan -->";
/// The longest comment, in bytes; GitHub's limit is 65,536 characters.
const LONGEST: usize = 64_000;
/// The longest section, in bytes.
const LONGEST_SECTION: usize = 6_000;
/// The longest value, in bytes.
const LONGEST_VALUE: usize = 2_000;
/// The most lines of differences that are shown unfolded.
const UNFOLDED: usize = 6;
/// The most subscriptions listed.
const LISTED: usize = 50;

/// Returns the comment; its last line is the summary.
///
/// `warning` says why the plan is not applied. `sections` come before the summary; each is a title and lines. `whole` is
/// false if a part of the files was not compared.
pub fn markdown(plan: &Plan, warning: Option<&str>, sections: &[String], whole: bool) -> String {
    let mut head = format!("{MARKER}\n### Plan `{}`\n", plan.digest());
    if let Some(warning) = warning {
        head += &format!("\n> [!WARNING]\n{}", quoted(warning));
    }
    let ahead = ahead(&plan.slips, &plan.outlives, LISTED);
    let days_ahead = (!ahead.is_empty()).then(|| format!("In the days ahead\n{}", ahead.trim()));
    let mut tail: String = days_ahead.iter().chain(sections).map(|section| section_of(section)).collect();
    tail += &format!("\n{}", summary(plan, whole));
    let body = changes(plan, LONGEST.saturating_sub(head.len() + tail.len()));
    head + &body + &tail
}

/// Returns as many changes as fit in `room`, destructive ones first.
fn changes(plan: &Plan, room: usize) -> String {
    const REST: usize = 200;
    let mut text = String::new();
    let mut heading = None;
    for (at, change) in plan.changes.iter().enumerate() {
        let title = if heading == Some(change.action) { String::new() } else { title(change.action, plan) };
        let line = line(change);
        let fits = |entry: &str| text.len() + entry.len() + REST <= room;
        let whole = format!("{title}{line}{}", differences(&change.fields));
        let entry = if fits(&whole) { whole } else { format!("{title}{line}") };
        if !fits(&entry) {
            let left = plan.changes.len() - at;
            text += &format!("\n… and {left} more changes: `relancectl plan` shows all of them.\n");
            break;
        }
        heading = Some(change.action);
        text += &entry;
    }
    text
}

fn title(action: Action, plan: &Plan) -> String {
    let count = plan.changes.iter().filter(|change| change.action == action).count();
    let is_destructive = matches!(action, Action::Cancel | Action::Delete);
    let mark = if is_destructive { ":warning: " } else { "" };
    format!("\n#### {mark}{count} to {}\n", action.as_str())
}

fn line(change: &Change) -> String {
    let from = change.from.as_ref().map(|from| format!(", until now `{from}`")).unwrap_or_default();
    let effect = change.effect.as_ref().map(|effect| format!(": {}", in_people(effect))).unwrap_or_default();
    format!("\n- {} `{}`{from}{effect}\n", change.kind.as_str(), change.name)
}

/// Returns the fields as a diff, folded when it is long.
fn differences(fields: &[Field]) -> String {
    let mut lines = Vec::new();
    for Field { path, before, after } in fields {
        let path = path.replace(char::is_control, " ");
        for (sign, value) in [('-', before), ('+', after)] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_null()) {
                lines.push(format!("{sign} {path}: {}", shown(value)));
            }
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    let text = lines.join("\n");
    let block = code("diff", &text);
    if lines.len() <= UNFOLDED && text.len() <= UNFOLDED * 100 {
        return format!("\n{block}");
    }
    format!("\n<details><summary>{} fields</summary>\n\n{block}\n</details>\n", fields.len())
}

fn section_of(section: &str) -> String {
    let (title, lines) = section.split_once('\n').unwrap_or((section, ""));
    let mut kept = String::new();
    for (at, line) in lines.lines().enumerate() {
        if kept.len() + line.len() > LONGEST_SECTION {
            kept += &format!("… and {} more lines\n", lines.lines().count() - at);
            break;
        }
        kept += &format!("{line}\n");
    }
    format!("\n#### {title}\n\n{}", code("text", kept.trim_end()))
}

/// Returns a code block that nothing in `text` can end.
fn code(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{language}\n{text}\n{fence}\n")
}

fn quoted(text: &str) -> String {
    format!("> {}\n", text.replace('\n', "\n> "))
}

/// Returns a value on one line.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.len() <= LONGEST_VALUE {
        return text;
    }
    let mut cut = LONGEST_VALUE;
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}…", &text[..cut])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MARKER, code, markdown};
    use crate::core::domain::Name;
    use crate::core::plan::{Action, Change, Effect, Field, Kind, Plan};

    fn change(action: Action, name: &str, fields: Vec<Field>) -> Change {
        let effect = Some(Effect { accounts: 3, exit: 12, ..Effect::default() });
        Change {
            action,
            kind: Kind::Campaign,
            name: Name::parse(name).unwrap(),
            from: None,
            fields,
            effect,
            after: None,
        }
    }

    fn field(path: &str, before: impl Into<Value>, after: impl Into<Value>) -> Field {
        Field { path: path.to_owned(), before: Some(before.into()), after: Some(after.into()) }
    }

    /// Returns true if every code block and every fold is closed.
    fn is_whole(text: &str) -> bool {
        let mut fence: Option<&str> = None;
        for line in text.lines() {
            let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
            match fence {
                Some(open) if line == open => fence = None,
                None if ticks.len() >= 3 => fence = Some(ticks),
                _ => {}
            }
        }
        fence.is_none() && text.matches("<details>").count() == text.matches("</details>").count()
    }

    #[test]
    fn a_comment_lists_cancellations_first_and_folds_long_parts() {
        let days = (1..5).map(|day| field(&format!("days.{day}.text.fr"), format!("Jour {day}"), format!("Day {day}")));
        let renamed = Change { from: Some(Name::parse("autumn").unwrap()), ..change(Action::Rename, "winter", vec![]) };
        let changes = vec![
            change(Action::Cancel, "old", vec![]),
            renamed,
            change(Action::Update, "b", vec![field("limits.messagesPerDay", Value::Null, 5)]),
            change(Action::Update, "c", days.collect()),
        ];
        let plan = Plan { changes, ..Plan::default() };
        let sections = ["These are kept\n= Campaign x: because".to_owned()];
        insta::assert_snapshot!(markdown(&plan, Some("it would cancel 4 of 5 live runs"), &sections, true));
        let nothing = markdown(&Plan::default(), None, &[], true);
        assert!(nothing.ends_with("\nNo changes. The database has what the files ask for."), "{nothing}");
        let part = markdown(&Plan::default(), None, &[], false);
        assert!(part.contains("\nNo changes among the manifests that could be compared."), "{part}");
    }

    #[test]
    fn a_code_fence_is_longer_than_any_fence_inside() {
        assert_eq!(code("text", "a\n```\nb"), "````text\na\n```\nb\n````\n");
        assert_eq!(code("diff", "a"), "```diff\na\n```\n");
    }

    #[test]
    fn a_comment_of_five_thousand_changes_fits_and_keeps_cancellations() {
        let text = "é `````` </details> @everybody <!-- ".repeat(60);
        let edit =
            |n: usize| change(Action::Update, &format!("edit-{n}"), vec![field("text\n# x", &*text, json!([text]))]);
        let cancels = (0..300).map(|n| change(Action::Cancel, &format!("gone-{n}"), vec![]));
        let changes = cancels.chain((0..4_700).map(edit)).collect();
        let plan = Plan { changes, ..Plan::default() };
        let long = format!("Overrides\n{}", "a pause, since `all` is well ```\n".repeat(5_000));
        let comment = markdown(&plan, Some("it would cancel 300 of 300 live runs"), &[long.clone(), long], true);
        assert!(comment.len() < 65_536, "{}", comment.len());
        assert!(comment.len() > 40_000, "there is room for more than {}", comment.len());
        assert_eq!(comment.lines().next(), Some(MARKER));
        assert_eq!(
            comment.lines().next_back().map(str::to_owned),
            Some(format!("Plan {}: 300 to cancel, 4700 to update.", plan.digest()))
        );
        assert_eq!(comment.matches("\n- Campaign `gone-").count(), 300);
        let shown = comment.matches("\n- Campaign `edit-").count();
        assert!(comment.contains(&format!("… and {} more changes", 4_700 - shown)));
        assert!(comment.contains("lines\n"));
        // No text from the files leaves its block.
        let outside: String = comment.replace("</details> @", "");
        assert!(is_whole(&outside), "a block is not closed");
    }
}
