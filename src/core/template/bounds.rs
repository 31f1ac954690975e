//! Bounds on a template before it is parsed.
//!
//! The parser, the compiler and the syntax tree of minijinja are recursive: in operators, filters, brackets, `elif` and
//! nested blocks. An overflow of the stack would end the process. The tokens of a tag and the number of statements bound
//! the depth of the recursion, and a template that may be deep is parsed on a stack of its own.

use std::ops::Range;
use std::thread;

use minijinja::machinery::{Token, tokenize};

use super::check::{Problem, ProblemKind};

/// The size limit of a template. Every channel takes less.
const MAX_BYTES: usize = 256 * 1024;
/// The limit of tokens in one tag.
const MAX_TOKENS: usize = 500;
/// The limit of statements (`{% … %}`) in one template.
const MAX_STATEMENTS: usize = 500;
/// The depth that any thread's stack has room for.
const SHALLOW: usize = 30;
/// The stack for deeper templates. A level takes less than 20 kB, also without optimization.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Runs `parse`, which parses `source`, on a stack that is big enough.
///
/// # Errors
/// Returns a problem, without a run, if the template is beyond the bounds.
pub(super) fn within_bounds<T: Send>(source: &str, parse: impl FnOnce() -> T + Send) -> Result<T, Problem> {
    if depth(source)? <= SHALLOW {
        return Ok(parse());
    }
    thread::scope(|scope| {
        let parser = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, parse);
        let parser = parser.map_err(|error| problem(format!("no memory to read the template: {error}"), None))?;
        Ok(parser.join().expect("parsing a template does not panic"))
    })
}

/// Returns an upper bound of the nesting: the statements, and the most tokens in one tag.
fn depth(source: &str) -> Result<usize, Problem> {
    if source.len() > MAX_BYTES {
        return Err(problem(format!("the template is longer than {} KiB", MAX_BYTES / 1024), None));
    }
    let (mut statements, mut tokens, mut most, mut begin) = (0_usize, 0_usize, 0_usize, 0_usize);
    // The parser reads no further than the first wrong token, and reports it.
    for (token, span) in tokenize(source, false, minijinja::syntax::SyntaxConfig::default()).map_while(Result::ok) {
        match token {
            Token::TemplateData(_) => {}
            Token::VariableStart | Token::BlockStart => {
                statements += usize::from(matches!(token, Token::BlockStart));
                tokens = 0;
                begin = usize::try_from(span.start_offset).unwrap_or_default();
            }
            _ => tokens += 1,
        }
        most = most.max(tokens);
        let end = usize::try_from(span.end_offset).unwrap_or_default();
        if most > MAX_TOKENS {
            let message = format!("one expression of the template has more than {MAX_TOKENS} parts");
            return Err(problem(message, Some(begin..end)));
        }
        if statements > MAX_STATEMENTS {
            let message = format!("the template has more than {MAX_STATEMENTS} statements");
            return Err(problem(message, Some(begin..end)));
        }
    }
    Ok(statements + most)
}

fn problem(message: String, range: Option<Range<usize>>) -> Problem {
    let help = "a message needs a few variables and conditions: write the rest as text".to_owned();
    Problem { kind: ProblemKind::Syntax, message, range, help: Some(help) }
}

#[cfg(test)]
mod tests {
    use super::{MAX_TOKENS, depth};
    use crate::core::template::{Escape, RequestTemplate, Template, check};

    /// Templates that nest by every recursive part of the language.
    fn nested(times: usize) -> Vec<String> {
        let print = |before: &str, middle: &str, after: &str| {
            format!("{{{{ {}{middle}{} }}}}", before.repeat(times), after.repeat(times))
        };
        vec![
            print("-", "1", ""),
            print("not ", "1", ""),
            print("(", "1", ")"),
            print("[", "1", "]"),
            print("{'a': ", "1", "}"),
            print("1 if 0 else ", "1", ""),
            print("name|default(", "1", ")"),
            print("", "1", "+1"),
            print("", "1", "**1"),
            print("", "1", " and 1"),
            print("", "1", " not in [1]"),
            print("", "1", " is odd"),
            print("", "name", "|upper"),
            print("", "name", ".a"),
            print("", "name", "[0]"),
            print("", "name", "[1:]"),
            print("", "name", "()"),
            print("", "name", "~1"),
            format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(times)),
            "{% if 1 %}".repeat(times) + &"{% endif %}".repeat(times),
            "{% for a in [1] %}".repeat(times) + &"{% endfor %}".repeat(times),
            format!("{{% filter upper{} %}}x{{% endfilter %}}", "|upper".repeat(times)),
            format!("{{% set x = {}1 %}}", "-".repeat(times)),
        ]
    }

    #[test]
    fn no_nesting_overflows_a_stack_and_what_is_far_too_deep_is_refused() {
        // The last sizes are those of attacks; the first ones are within the bounds, where every stack must hold.
        for times in [10, 60, 149, 240, 490, 8_000, 40_000] {
            for source in nested(times) {
                let start = &source[..source.len().min(40)];
                let found = check(&source);
                let template = Template::compile(&source);
                if let Ok(template) = &template {
                    assert_eq!(template.attributes().count(), 0, "{start} × {times}");
                }
                let request = RequestTemplate::compile(&source, Escape::Json);
                if times > MAX_TOKENS {
                    assert!(!found.problems.is_empty() && template.is_err() && request.is_err(), "{start} × {times}");
                }
            }
        }
    }

    #[test]
    fn ordinary_templates_need_no_stack_of_their_own() {
        let ordinary = "Bonjour {{ name }}, {% if attributes.city == 'Douala' %}à {{ attributes.city|upper }}{% else %}\
                        ici{% endif %} {{ optOutHint }}";
        assert!(depth(ordinary).unwrap() < super::SHALLOW);
        // Text costs nothing, whatever it holds.
        assert_eq!(depth(&"- ( not | [ ".repeat(1_000)).unwrap(), 0);
        assert_eq!(depth(&format!("{{# {} #}}{{{{ name }}}}", "-".repeat(5_000))).unwrap(), 2);
    }

    #[test]
    fn the_finding_points_at_the_tag() {
        let source = format!("Bonjour {{{{ name }}}} {{{{ {}1 }}}}", "-".repeat(8_000));
        let problem = check(&source).problems.remove(0);
        assert_eq!(problem.message, "one expression of the template has more than 500 parts");
        assert_eq!(problem.range.unwrap().start, "Bonjour {{ name }} ".len());
    }

    #[test]
    fn values_never_nest_deeper_than_the_stack() {
        // A loop that wraps a value again and again would be freed and printed recursively.
        let wrapped =
            "{% set ns = namespace(x=1) %}{% for i in range(3000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}";
        assert!(!check(wrapped).problems.is_empty());
        let endless = "{% macro m(x) %}{{ m([x]) }}{% endmacro %}{{ m(1) }}";
        assert!(!check(endless).problems.is_empty());
    }
}
