//! `relancectl describe target`.

use anyhow::bail;
use serde::Serialize;

use super::meaning;
use crate::cli::get;
use crate::cli::known;
use crate::cli::layout::{facts, footer, maybe, section, when};
use crate::cli::rows::{message_state, standing};
use crate::cli::table::{Cell, Table, Tone, one_line, time};
use crate::domain::{Phone, Timestamp};
use crate::gate::{self, Question, Verdict};
use crate::store::Store;
use crate::store::look::{Message, Person, Standing, Target, Wanted};

#[derive(Debug, Serialize)]
pub(super) struct Seen {
    target: Target,
    person: Person,
    /// Every check in the order in which the gate asks them; empty when the gate is not asked about this target.
    gate: Vec<Step>,
    /// What happens next, for people.
    next: String,
    messages: Vec<Message>,
}

/// One check of the gate, by itself: the first that does not pass decides.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    check: &'static str,
    /// `pass`, `hold` or `exit`.
    verdict: &'static str,
    reason: Option<&'static str>,
    until: Option<Timestamp>,
}

impl Step {
    fn new((check, verdict): (&'static str, Option<Verdict>)) -> Self {
        let (verdict, reason, until) = match verdict {
            None | Some(Verdict::Send) => ("pass", None, None),
            Some(Verdict::Hold { reason, until }) => ("hold", Some(reason.as_str()), until),
            Some(Verdict::Exit(exit)) => ("exit", Some(exit.as_str()), None),
        };
        Self { check, verdict, reason, until }
    }
}

pub(super) async fn look(store: &Store, id: &str, now: Timestamp) -> anyhow::Result<Seen> {
    let Some(name) = store.find_target(id).await? else { return Err(unknown(store, id).await) };
    let person = store.person(&name).await?.expect("a target that was found has a person");
    let wanted = Wanted {
        campaign: Some(name.campaign),
        account: Some(name.account),
        referral: Some(name.referral),
        ..Wanted::default()
    };
    let program = get::program(store).await?;
    let found = store.target(&program, &wanted, now).await?;
    let (target, question) = found.expect("a target that was found has a row");
    let messages = store.messages(&wanted).await?.rows;
    let gate = question.iter().flat_map(gate::steps).map(Step::new).collect();
    let next = next(&target, &person, question.as_ref(), now);
    Ok(Seen { target, person, gate, next, messages })
}

/// Says which part of the id is wrong.
async fn unknown(store: &Store, id: &str) -> anyhow::Error {
    let parts: Vec<&str> = id.splitn(3, '/').collect();
    let [campaign, account, referral] = parts[..] else {
        return anyhow::anyhow!(
            "`{id}` is not the id of a target: write `campaign/account/referral`, as `get targets` shows it"
        );
    };
    let checked = async {
        known::campaign(store, campaign).await?;
        known::account(store, account).await?;
        known::referral(store, referral, Some(account)).await?;
        bail!("`{referral}` is not in the run of `{campaign}` for `{account}`: it was not enrolled")
    };
    match checked.await {
        Ok(never) => never,
        Err(error) => error,
    }
}

/// One sentence on what becomes of `target`, as of `now`.
fn next(target: &Target, person: &Person, question: Option<&Question>, now: Timestamp) -> String {
    let day = target.day;
    let ended = person.ended_at.map_or_else(String::new, |at| format!(" at {}", time(at)));
    match (target.state, target.exit_reason, target.next_due_at) {
        (Standing::Completed, ..) => return format!("Nothing: the sequence ended with day {day}{ended}."),
        (Standing::Exited, Some(exit), _) => return format!("Nothing: left before the end{ended} ({exit})."),
        (Standing::Exited, None, _) => return format!("Nothing: left before the end{ended}."),
        (Standing::Active, _, None) => return "The last message is out; its outcome ends the sequence.".to_owned(),
        (Standing::Active, _, Some(due)) if due > now => {
            return format!("Day {day} is due {}; the gate is asked then.", when(due, now));
        }
        (Standing::Active, ..) => {}
    }
    match question.map(gate::decide) {
        None => format!("Day {day} is due, but the campaign is not in force any more."),
        Some(Verdict::Send) => format!("Day {day} is due and goes out at the next tick of a sender."),
        Some(Verdict::Exit(exit)) => format!("Day {day} is due, but the person leaves instead ({exit})."),
        Some(Verdict::Hold { reason, until }) => {
            let until = until.map_or_else(String::new, |at| format!(" until {}", when(at, now)));
            format!("Day {day} is due and held{until}: {}.", meaning(reason))
        }
    }
}

pub(super) fn text(seen: &Seen, _wide: bool, now: Timestamp, colour: bool) -> String {
    let Seen { target, person, gate, next, messages } = seen;
    let mut state = standing(target.state).painted(colour);
    if let Some(exit) = target.exit_reason {
        state = format!("{state} ({exit})");
    }
    let consent = match (person.suppressed, person.consent.as_deref()) {
        (true, _) => "asked not to be written to",
        (false, consent) => consent.unwrap_or("unknown"),
    };
    let mut text = facts(
        &format!("Target {}", target.id),
        &[
            ("State", state),
            ("Day", target.day.to_string()),
            ("Next", next.clone()),
            ("Name", one_line(&person.name)),
            ("Phone", Phone::trusted(person.phone.clone()).masked()),
            ("Language", maybe(person.language.as_deref())),
            ("Country", person.country.clone()),
            ("Consent", consent.to_owned()),
            ("Registered", when(person.registered_at, now)),
            ("Paid", person.paid_at.map_or_else(|| "no".to_owned(), |at| when(at, now))),
            ("Enrolled", when(person.enrolled_at, now)),
        ],
    );
    if !gate.is_empty() {
        text += &section("The gate, asked now", &gate_table(gate, now).render(colour));
    }
    text += &section("Messages", &message_list(messages, colour));
    text + &footer(now)
}

fn gate_table(gate: &[Step], now: Timestamp) -> Table {
    let mut table = Table::new().text(["CHECK", "VERDICT", "REASON", "UNTIL"]);
    let mut decided = false;
    for step in gate {
        let passes = step.verdict == "pass";
        let tone = match step.verdict {
            "pass" => Tone::Good,
            // Only the first check that does not pass has a say.
            _ if decided => Tone::Faint,
            "hold" => Tone::Waiting,
            _ => Tone::Bad,
        };
        let verdict = if passes || decided { step.verdict.to_owned() } else { format!("{} ←", step.verdict) };
        decided |= !passes;
        let until = Cell::maybe(step.until.map(|at| when(at, now)));
        table.row([Cell::from(step.check), Cell::new(verdict, tone), Cell::maybe(step.reason), until]);
    }
    table
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
        for line in message.text.lines() {
            text += &format!("\n    {}", one_line(line));
        }
        text
    };
    messages.iter().map(one).collect::<Vec<_>>().join("\n")
}
