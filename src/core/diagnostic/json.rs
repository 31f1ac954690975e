//! The JSON form of findings: the contract of `validate -o json`.

use serde::{Serialize, Serializer};

use super::Diagnostic;

/// The complete output. Field names and order are part of the contract.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    pub ok: bool,
    pub files: usize,
    pub manifests: usize,
    pub diagnostics: &'a [Diagnostic],
}

#[derive(Debug, Serialize)]
struct Finding<'a> {
    code: &'static str,
    severity: String,
    message: &'a str,
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    pointer: &'a str,
    help: Option<&'a str>,
}

/// Builds the output; warnings alone leave it `ok`.
pub fn report(found: &[Diagnostic], files: usize, manifests: usize) -> Report<'_> {
    Report { ok: !found.iter().any(Diagnostic::is_error), files, manifests, diagnostics: found }
}

impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Finding::from(self).serialize(serializer)
    }
}

impl<'a> From<&'a Diagnostic> for Finding<'a> {
    fn from(found: &'a Diagnostic) -> Self {
        Self {
            code: found.code.id(),
            severity: found.severity.to_string(),
            message: &found.message,
            file: &found.place.file,
            line: found.place.start.line,
            column: found.place.start.column,
            end_line: found.place.end.line,
            end_column: found.place.end.column,
            pointer: &found.place.pointer,
            help: found.help.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::report;
    use crate::core::diagnostic::{Code, Diagnostic, Lines, Span};

    #[test]
    fn the_json_report_follows_its_contract() {
        let place = Lines::new("a.yaml", b"kind: X\n").place(Span::new(6, 7), "/kind");
        let found = [Diagnostic::new(Code::UnknownKind, place, "no kind `X`")];
        let json = serde_json::to_string(&report(&found, 1, 0)).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"ok":false,"files":1,"manifests":0,"diagnostics":[{"code":"RL0202","severity":"error","#,
                r#""message":"no kind `X`","file":"a.yaml","line":1,"column":7,"end_line":1,"end_column":8,"#,
                r#""pointer":"/kind","help":null}]}"#
            )
        );
    }
}
