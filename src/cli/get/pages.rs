//! Rows of which there may be millions: printed some at a time, so that memory does not depend on their number.

use std::io::Write;

use super::{Looker, Noun, Seen, footer};
use crate::cli::output::Output;
use crate::cli::rows::Rows;
use crate::cli::{Exit, print};
use crate::core::domain::Timestamp;
use crate::store::query::Wanted;

/// The rows printed so far.
struct Printed<W> {
    out: W,
    output: Output,
    colour: bool,
    now: Timestamp,
    rows: usize,
}

impl<W: Write> Printed<W> {
    /// Prints some more rows; `false` once the reader has closed the output.
    fn put(&mut self, page: &Rows) -> bool {
        let is_first = self.rows == 0;
        self.rows += page.len();
        self.text(page, is_first).is_ok_and(|text| self.out.write_all(text.as_bytes()).is_ok())
    }

    fn text(&self, page: &Rows, is_first: bool) -> anyhow::Result<String> {
        Ok(match self.output {
            Output::Table | Output::Wide => {
                let table = page.table(self.output == Output::Wide, self.now).render(self.colour);
                if is_first { table } else { format!("\n\n{table}") }
            }
            // An array that continues: its brackets are around all pages.
            Output::Json => {
                let text = serde_json::to_string_pretty(page)?;
                let rows = text.strip_prefix('[').and_then(|text| text.strip_suffix("\n]")).unwrap_or(&text);
                format!("{}{rows}", if is_first { '[' } else { ',' })
            }
            Output::Yaml => serde_yaml::to_string(page)?,
        })
    }

    /// Ends the output after the last page, of which there was at least one.
    fn end(&mut self, noun: &str) -> std::io::Result<()> {
        match self.output {
            Output::Table | Output::Wide => {
                let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
                writeln!(self.out, "{}", footer(rows, None, noun, self.now))?;
            }
            Output::Json => writeln!(self.out, "\n]")?,
            Output::Yaml => {}
        }
        self.out.flush()
    }
}

/// Prints all rows of `wanted`, as of one snapshot.
pub(super) async fn print_all(
    looker: &mut Looker<'_>,
    noun: Noun,
    wanted: &Wanted,
    output: Output,
) -> anyhow::Result<Exit> {
    let (now, speed) = looker.store.now().await?;
    let mut printed = Printed { out: print::stream(), output, colour: looker.colour, now, rows: 0 };
    let none = match noun {
        Noun::Targets => {
            let program = looker.program().await?;
            let pages = looker.store.pages_of_targets(&program, wanted, now, |page| printed.put(&Rows::Targets(page)));
            pages.await?;
            Rows::Targets(Vec::new())
        }
        Noun::Messages => {
            let pages = looker.store.pages_of_messages(wanted, |page| printed.put(&Rows::Messages(page)));
            pages.await?;
            Rows::Messages(Vec::new())
        }
        Noun::Campaigns | Noun::Runs | Noun::Accounts | Noun::Revisions => return Ok(Exit::Fine),
    };
    if printed.rows == 0 {
        let seen = Seen { rows: none, total: Some(0), overrides: Vec::new(), now, speed };
        let text = seen.render(output, wanted, printed.colour)?;
        drop(printed);
        print::line(&text);
        return Ok(Exit::Fine);
    }
    // A reader that has closed the output needs no end.
    drop(printed.end(none.noun()));
    Ok(Exit::Fine)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Output, Printed, Rows};
    use crate::core::lifecycle::message::State;
    use crate::store::query::Message;

    fn message(n: i16) -> Message {
        let at = "2026-11-30T08:00:00Z".parse().unwrap();
        let text = |text: &str| text.to_owned();
        Message {
            id: format!("c/a1/r{n}/1"),
            campaign: text("c"),
            account: text("a1"),
            referral: format!("r{n}"),
            day: 1,
            state: State::Sent,
            phone: text("+237671000001"),
            language: text("fr"),
            text: format!("[\n  \"Jour {n}\"\n]"),
            template: None,
            attempts: 1,
            provider_id: None,
            error: None,
            queued_at: at,
            sent_at: Some(at),
            delivered_at: None,
            read_at: None,
        }
    }

    #[test]
    fn pages_are_one_document_that_equals_the_whole() {
        let all: Vec<Message> = (0..5).map(message).collect();
        for output in [Output::Json, Output::Yaml] {
            for size in [1, 2, 5] {
                let now = "2026-11-30T08:00:00Z".parse().unwrap();
                let mut printed = Printed { out: Vec::new(), output, colour: false, now, rows: 0 };
                for page in all.chunks(size) {
                    assert!(printed.put(&Rows::Messages(page.to_vec())));
                }
                printed.end("message").unwrap();
                let text = String::from_utf8(printed.out).unwrap();
                let whole = output.render(&Rows::Messages(all.clone()), |_| String::new()).unwrap();
                assert_eq!(text.trim_end(), whole);
                if output == Output::Json {
                    assert_eq!(serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap().len(), 5);
                }
            }
        }
    }
}
