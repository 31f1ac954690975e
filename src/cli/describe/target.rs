//! `relancectl describe target`.

use serde::Serialize;

use crate::cli::answer::Answer;
use crate::cli::layout::{consent, facts, footer, maybe, section, when};
use crate::cli::rows::{message_state, standing};
use crate::cli::table::{one_line, time};
use crate::cli::{in_force, known};
use crate::core::domain::{Phone, Timestamp};
use crate::store::Store;
use crate::store::query::{Circumstances, Message, Target, Wanted};

#[derive(Debug, Serialize)]
pub(super) struct Description {
    target: Target,
    circumstances: Circumstances,
    /// The next step, in a sentence; `explain target` gives the reasons.
    next: String,
    messages: Vec<Message>,
}

pub(super) async fn look(store: &Store, id: &str, now: Timestamp) -> anyhow::Result<Description> {
    let name = known::target(store, id).await?;
    let program = in_force::program(store).await?;
    let case = known::case(store, &name, &program, now).await?;
    let wanted = Wanted {
        campaign: Some(name.campaign),
        account: Some(name.account),
        referral: Some(name.referral),
        ..Wanted::default()
    };
    let messages = store.messages(&wanted).await?.rows;
    let next = Answer::new(&case, now).sentence;
    Ok(Description { target: case.target, circumstances: case.circumstances, next, messages })
}

pub(super) fn text(seen: &Description, _wide: bool, now: Timestamp, colour: bool) -> String {
    let Description { target, circumstances, next, messages } = seen;
    let person = &circumstances.person;
    let mut state = standing(target.state).painted(colour);
    if let Some(exit) = target.exit_reason {
        state = format!("{state} ({exit})");
    }
    let mut text = facts(
        &format!("Target {}", target.id),
        &[
            ("State", state),
            ("Day", target.day.to_string()),
            ("Next", next.clone()),
            ("", format!("`relancectl explain target {}` says why", target.id)),
            ("Name", one_line(&person.name)),
            ("Phone", Phone::trusted(person.phone.clone()).masked()),
            ("Language", maybe(person.language.as_deref())),
            ("Country", person.country.clone()),
            ("Consent", consent(person, now)),
            ("Registered", when(person.registered_at, now)),
            ("Paid", person.paid_at.map_or_else(|| "no".to_owned(), |at| when(at, now))),
            ("Enrolled", when(circumstances.enrolled_at, now)),
        ],
    );
    text += &section("Messages", &message_list(messages, colour));
    text + &footer(now)
}

fn message_list(messages: &[Message], colour: bool) -> String {
    if messages.is_empty() {
        return "none yet".to_owned();
    }
    let one = |message: &Message| {
        let instants = [
            ("queued", Some(message.queued_at)),
            ("sent", message.sent_at),
            ("delivered", message.delivered_at),
            ("read", message.read_at),
        ];
        let instants: Vec<String> =
            instants.iter().filter_map(|(what, at)| Some(format!("{what} {}", time((*at)?)))).collect();
        let state = message_state(message.state).painted(colour);
        let attempts = if message.attempts > 1 { format!(", attempt {}", message.attempts) } else { String::new() };
        let mut text = format!("day {}: {state}{attempts}, {}", message.day, instants.join(", "));
        if let Some(error) = &message.error {
            text += &format!("\n    error: {}", one_line(error));
        }
        for line in message.content().lines() {
            text += &format!("\n    {}", one_line(line));
        }
        text
    };
    messages.iter().map(one).collect::<Vec<_>>().join("\n")
}
