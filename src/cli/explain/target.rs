//! `relancectl explain target`.

use serde::Serialize;

use super::gate::{Step, checks, table};
use super::history::{HISTORY, history};
use crate::cli::answer::Answer;
use crate::cli::layout::{facts, footer, section, when};
use crate::cli::table::{one_line, paint};
use crate::cli::{in_force, known};
use crate::core::domain::{Phone, Timestamp};
use crate::store::Store;
use crate::store::query::{Circumstances, Entry, HistoryOf, Target};

#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    target: Target,
    answer: Answer,
    circumstances: Circumstances,
    /// The checks in the order of the gate; empty when the gate does not apply to this target.
    gate: Vec<Step>,
    /// The history, oldest first.
    history: Vec<Entry>,
}

pub(super) async fn look(store: &Store, id: &str, now: Timestamp) -> anyhow::Result<Explanation> {
    let name = known::target(store, id).await?;
    let program = in_force::program(store).await?;
    let case = known::case(store, &name, &program, now).await?;
    let history = store.history(HistoryOf::Target(&name), HISTORY).await?;
    let gate = checks(&case, &program)?;
    let answer = Answer::foreseen(&case, store, now).await?;
    Ok(Explanation { answer, gate, target: case.target, circumstances: case.circumstances, history })
}

pub(super) fn text(seen: &Explanation, now: Timestamp, colour: bool) -> String {
    let Explanation { target, answer, circumstances, gate, history: entries } = seen;
    let person = &circumstances.person;
    let next = match &answer.next {
        Some(change) => format!("{}: {}", when(change.at, now), change.what),
        None => "nothing changes by itself".to_owned(),
    };
    let phone = Phone::trusted(person.phone.clone()).masked();
    let title = format!("Target {}", target.id);
    let run = format!("{} ({}): {}", circumstances.run_phase, circumstances.run_reason, circumstances.run_detail);
    let lines =
        [("Person", format!("{}, {phone}", one_line(&person.name))), ("Run", one_line(&run)), ("Next change", next)];
    let mut text = format!("{}\n\n{}", paint(&answer.sentence, answer.tone(), colour), facts(&title, &lines));
    if !gate.is_empty() {
        text += &section("The gate, asked now", &table(gate).render(colour));
    }
    text += &history(entries, false, colour);
    text + &footer(now)
}
