//! Plans as text for people and as JSON for scripts.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::core::domain::{Name, Timestamp};
use crate::core::manifest::Checked;
use crate::core::plan::{Action, Change, Effect, Field, Frozen, Kept, Outlives, Plan, Slip};

/// The most accounts listed whose subscription ends too early.
const LISTED: usize = 10;
const INFALLIBLE: &str = "writing to a string cannot fail";

/// Returns the changes as JSON, in the format of `docs/src/guides/scripts.md`.
pub fn changes(plan: &Plan) -> Value {
    let change = |change: &Change| {
        json!({
            "action": change.action,
            "kind": change.kind.as_str(),
            "name": change.name,
            "from": change.from,
            "fields": change.fields,
            "effect": change.effect,
        })
    };
    plan.changes.iter().map(change).collect()
}

/// Returns the plan for a terminal; the last line is the summary.
pub fn text(plan: &Plan) -> String {
    text_with(plan, &[], true)
}

/// Returns the plan as [`text`] does, with further sections before the summary. `whole` is false if a part of the files
/// was not compared.
pub fn text_with(plan: &Plan, sections: &[String], whole: bool) -> String {
    let mut text = String::new();
    for change in &plan.changes {
        let (kind, name) = (change.kind.as_str(), change.name.as_str());
        put_change(&mut text, (change.action, kind, name), change.from.as_ref().map(Name::as_str), &change.fields);
        if let Some(effect) = &change.effect {
            put(&mut text, &format!("      {}", in_people(effect)));
        }
    }
    text += &ahead(&plan.slips, &plan.outlives, LISTED);
    for section in sections {
        text += if text.is_empty() { "" } else { "\n" };
        put(&mut text, section);
    }
    text += if text.is_empty() { "" } else { "\n" };
    text + &summary(plan, whole)
}

/// Writes one change and its fields, a line each.
pub(in crate::core::plan) fn put_change(
    text: &mut String,
    (action, kind, name): (Action, &str, &str),
    from: Option<&str>,
    fields: &[Field],
) {
    let from = from.map(|from| format!(", until now {from}")).unwrap_or_default();
    put(text, &format!("{} {:<7} {kind} {name}{from}", sign(action), action.as_str()));
    for field in fields {
        let (before, after) = (shown(field.before.as_ref()), shown(field.after.as_ref()));
        put(text, &format!("      {}: {before} → {after}", field.path));
    }
}

/// Returns the summary line, which names the plan. `whole` is false if a part of the files was not compared.
pub(in crate::core::plan) fn summary(plan: &Plan, whole: bool) -> String {
    const REST: &str = "Broken and frozen manifests were not compared.";
    if plan.is_empty() {
        return if whole {
            "No changes. The database has what the files ask for.".to_owned()
        } else {
            format!("No changes among the manifests that could be compared. {REST}")
        };
    }
    let counted: Vec<String> =
        plan.summary().iter().filter(|(_, n)| **n > 0).map(|(action, n)| format!("{n} to {action}")).collect();
    let summary = format!("Plan {}: {}.", plan.digest(), counted.join(", "));
    if whole { summary } else { format!("{summary} {REST}") }
}

/// Returns the manifests of a tree with errors that do not take effect, and the reasons.
pub fn frozen(frozen: &[&Frozen], checked: &Checked) -> String {
    let mut text = String::new();
    put(&mut text, "The files have errors: `apply` refuses them, and the daemon applies all but these manifests");
    for one in frozen {
        let how = if one.in_force { "frozen at its last good version" } else { "does not come" };
        put(&mut text, &format!("! {} {}: {how}", one.kind, one.name));
        for why in &one.why {
            put(&mut text, &format!("      {why}"));
        }
    }
    let listed: BTreeSet<&str> = frozen.iter().flat_map(|one| &one.why).map(String::as_str).collect();
    let errors = checked.diagnostics.iter().filter(|found| found.is_error()).map(ToString::to_string);
    for error in errors.filter(|error| !listed.contains(error.as_str())) {
        put(&mut text, &format!("! {error}"));
    }
    text.truncate(text.trim_end().len());
    text
}

/// Returns the objects that wait, because something stored cannot be used.
pub fn unusable(frozen: &[&Frozen]) -> String {
    let mut text = "What is stored cannot be used: this stays as it is stored, and the rest goes ahead".to_owned();
    for Frozen { kind, name, why, .. } in frozen {
        write!(text, "\n! {kind} {name}: frozen").expect(INFALLIBLE);
        for why in why {
            write!(text, "\n      {why}").expect(INFALLIBLE);
        }
    }
    text
}

/// Returns the objects that stay in force although their manifests are gone.
pub fn kept(kept: &[Kept]) -> String {
    let mut text = "These stay in force although their manifests are gone".to_owned();
    for Kept { kind, name, why } in kept {
        write!(text, "\n= {kind} {name}: {why}").expect(INFALLIBLE);
    }
    text
}

pub(in crate::core::plan) fn in_people(effect: &Effect) -> String {
    let mut parts = vec![counted(effect.accounts, "account")];
    if effect.enroll > 0 {
        parts.push(format!("{} enrolled now", people(effect.enroll)));
    }
    if effect.exit > 0 {
        let leave = if effect.exit == 1 { "leaves" } else { "leave" };
        parts.push(format!("{} {leave}", people(effect.exit)));
    }
    if effect.complete > 0 {
        let have = if effect.complete == 1 { "has" } else { "have" };
        parts.push(format!("{} {have} no day left and complete now", people(effect.complete)));
    }
    if effect.due_again > 0 {
        let wait = if effect.due_again == 1 { "waits" } else { "wait" };
        parts.push(format!("{} who {wait} get the next message at another time", people(effect.due_again)));
    }
    if effect.read_again > 0 {
        let verb = if effect.read_again == 1 { "reads" } else { "read" };
        parts.push(format!("{} {verb} a text again that they have had", people(effect.read_again)));
    }
    if effect.begun > 0 {
        let (have, them) = if effect.begun == 1 { ("has", "it") } else { ("have", "them") };
        let runs = counted(effect.begun, "run");
        parts.push(format!("{runs} {have} begun: `startAt` changes nothing for {them}, pause {them} instead"));
    }
    if effect.over > 0 && effect.over >= effect.accounts {
        parts.push("its runs are over: this edit reaches nobody".to_owned());
    } else if effect.over > 0 {
        let (are, them) = if effect.over == 1 { ("is", "it") } else { ("are", "them") };
        parts.push(format!("{} {are} over: this edit does not reach {them}", counted(effect.over, "run")));
    }
    if let Some(messages) = effect.messages_per_day.filter(|messages| *messages > 0) {
        parts.push(format!("at most {} a day", counted(messages, "message")));
    }
    if let Some(finish) = effect.finish_at {
        parts.push(format!("done by {}", day(finish)));
    }
    for (why, runs) in &effect.never {
        parts.push(why.sentence(*runs));
    }
    parts.join(", ")
}

/// Returns the changed end dates and the outlived subscriptions as sections.
///
/// Each section begins with an empty line, and there is none without a change. At most `listed` subscriptions are
/// shown.
pub fn ahead(slips: &[Slip], outlives: &[Outlives], listed: usize) -> String {
    let mut text = String::new();
    let end = |at: Option<Timestamp>| at.map_or("never".to_owned(), day);
    if !slips.is_empty() {
        put(&mut text, "\nOther campaigns end at another time");
    }
    for slip in slips {
        let (before, after) = (end(slip.before), end(slip.after));
        let accounts = counted(slip.accounts, "account");
        put(&mut text, &format!("  {}: {after} instead of {before}, in {accounts}", slip.campaign));
    }
    if !outlives.is_empty() {
        put(&mut text, &format!("\nThe subscription ends before {}", counted(outlives.len() as u64, "run")));
    }
    for Outlives { campaign, account, subscription_ends_at, finish_at, refused } in outlives.iter().take(listed) {
        let (ends, so) = (day(*subscription_ends_at), if *refused { "does not begin" } else { "will pause" });
        let done = finish_at.map_or("never done".to_owned(), |at| format!("done by {}", day(at)));
        put(&mut text, &format!("  {campaign} for {account}: paid until {ends}, would be {done}: {so}"));
    }
    if let Some(more) = outlives.len().checked_sub(listed).filter(|more| *more > 0) {
        put(&mut text, &format!("  and {more} more"));
    }
    text
}

fn day(at: Timestamp) -> String {
    at.format("%Y-%m-%d").to_string()
}

fn people(count: u64) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{count} people") }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn put(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect(INFALLIBLE);
}

const fn sign(action: Action) -> char {
    match action {
        Action::Create => '+',
        Action::Update | Action::Pause | Action::Resume | Action::Rename => '~',
        Action::Cancel | Action::Delete => '-',
    }
}

/// Returns a value on one line, with long text shortened.
fn shown(value: Option<&Value>) -> String {
    const LONGEST: usize = 60;
    let text = match value {
        None | Some(Value::Null) => return "none".to_owned(),
        Some(Value::String(text)) => format!("\"{}\"", text.replace('\n', "⏎")),
        Some(value) => value.to_string(),
    };
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain(['…']).collect() }
}
