//! Checks the rules for answers of a gateway: each must be able to match.

use super::report::Report;
use super::spec::ChannelSpec;
use crate::core::diagnostic::Code;
use crate::core::manifest::desired::AnswerRule;

pub(super) fn check(spec: &ChannelSpec, report: &mut Report<'_, '_>) {
    let pointers = [
        ("messageId", spec.message_id.as_deref()),
        ("success/pointer", spec.success.as_ref().map(|success| success.pointer.as_str())),
    ];
    for (key, pointer) in pointers {
        check_pointer(key, pointer, report);
    }
    let rules = spec.errors.as_deref().unwrap_or_default();
    for (index, rule) in rules.iter().enumerate() {
        check_rule(index, rule, report);
        // A rule that compares nothing is reported by itself.
        let is_sound = |rule: &AnswerRule| rule.pointer.is_some() || rule.equals.is_none();
        let first = rules[..index].iter().position(|first| is_sound(first) && is_sound(rule) && first.covers(rule));
        if let Some(first) = first {
            let message = format!("the rule can never match: rule {} matches the same answers before it", first + 1);
            let help = "put the narrower rule first, or remove it";
            report.say(Code::InvalidValue, &format!("errors/{index}"), message, help);
        }
    }
}

fn check_rule(index: usize, rule: &AnswerRule, report: &mut Report<'_, '_>) {
    check_pointer(&format!("errors/{index}/match"), rule.pointer.as_deref(), report);
    let mut say = |key: &str, message: &str, help: &str| {
        report.say(Code::InvalidValue, &format!("errors/{index}{key}"), message.to_owned(), help);
    };
    match (&rule.pointer, &rule.equals, &rule.contains) {
        (None, None, None) if rule.status.is_none() => {
            say("", "the rule matches every answer, also success", "give it a `status`, a `match` or `contains`");
        }
        (None, Some(_), _) => {
            say("/equals", "`equals` compares nothing without `match`", "add `match: /path/of/the/value`");
        }
        (Some(_), Some(values), Some(part)) => {
            let part = part.to_lowercase();
            if values.texts().all(|value| !value.to_lowercase().contains(&part)) {
                let message = "the rule can never match: no value of `equals` has the text of `contains`";
                say("/contains", message, "keep one of them");
            }
        }
        (_, None, _) | (Some(_), Some(_), None) => {}
    }
}

/// Reports text that is not a JSON pointer (RFC 6901), which finds nothing in any answer.
fn check_pointer(key: &str, pointer: Option<&str>, report: &mut Report<'_, '_>) {
    let Some(pointer) = pointer else { return };
    if !pointer.starts_with('/') {
        let message = format!("`{pointer}` is not a JSON pointer");
        let help = format!("begin it with a slash, a slash for each step: `/{}`", pointer.replace('.', "/"));
        report.say(Code::InvalidValue, key, message, &help);
    } else if pointer.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
        let message = format!("`{pointer}` is not a JSON pointer");
        report.say(Code::InvalidValue, key, message, "write `~0` for a tilde, and `~1` for a slash inside a key");
    }
}
