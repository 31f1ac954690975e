//! What happened to those whom an expectation concerns, for whoever wants to know why it does not hold.

use std::collections::BTreeSet;

use super::{Happened, Subject};
use crate::store::look::{Message, Target, TargetName, Wanted};
use crate::time_machine::world::{Error, World};

/// Subjects whose past is told.
const SUBJECTS: usize = 3;
/// The last events of each.
const EVENTS: usize = 12;
/// Characters of a message that are shown.
const SHOWN: usize = 60;

/// The last events of `subjects`, of each in the order of time, and how they stand.
pub(super) async fn of(world: &mut World, subjects: &[Subject]) -> Result<Vec<Happened>, Error> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    for subject in subjects.iter().filter(|subject| seen.insert(*subject)).take(SUBJECTS) {
        let mut events = match subject {
            Subject::Person(id) => person(world, id).await?,
            Subject::Run { campaign, account } => run(world, campaign, account).await?,
        };
        events.sort_by_key(|event| (event.at.is_none(), event.at));
        all.extend(events.split_off(events.len().saturating_sub(EVENTS)));
    }
    Ok(all)
}

async fn person(world: &mut World, id: &str) -> Result<Vec<Happened>, Error> {
    let (program, _) = world.in_force().await?;
    let wanted = Wanted { referral: Some(id.to_owned()), ..Wanted::default() };
    let mut log = Log { subject: Subject::Person(id.to_owned()), events: Vec::new() };
    for target in world.store().targets(&program, &wanted, world.now()).await?.rows {
        let Target { campaign, account, referral, .. } = target.clone();
        let name = TargetName { campaign, account, referral };
        if let Some(person) = world.store().person(&name).await? {
            log.add(Some(person.enrolled_at), format!("enrolled in `{}`", name.campaign));
            let why = target.exit_reason.map_or("all days done".to_owned(), |reason| reason.to_string());
            if person.ended_at.is_some() {
                log.add(person.ended_at, format!("left `{}`: {why}", name.campaign));
            }
        }
        if let Some(due) = target.next_due_at {
            let hold = target.hold.map(|hold| format!(", held: {}", hold.reason)).unwrap_or_default();
            let due = due.to_rfc3339();
            log.add(None, format!("waits in `{}` for day {}, due {due}{hold}", name.campaign, target.day));
        }
    }
    for message in world.store().messages(&wanted).await?.rows {
        log.message(&message);
    }
    if log.events.is_empty() {
        log.add(None, "no campaign has taken this person".to_owned());
    }
    Ok(log.events)
}

async fn run(world: &mut World, campaign: &str, account: &str) -> Result<Vec<Happened>, Error> {
    let wanted = Wanted { campaign: Some(campaign.to_owned()), account: Some(account.to_owned()), ..Wanted::default() };
    let subject = Subject::Run { campaign: campaign.to_owned(), account: account.to_owned() };
    let mut log = Log { subject, events: Vec::new() };
    for run in world.store().runs(&wanted).await? {
        if run.started_at.is_some() {
            log.add(run.started_at, "became active".to_owned());
        }
        if run.finished_at.is_some() {
            log.add(run.finished_at, format!("became {}", run.phase));
        }
        log.add(None, format!("is {} ({}): {}", run.phase, run.reason, run.message));
    }
    Ok(log.events)
}

struct Log {
    subject: Subject,
    events: Vec<Happened>,
}

impl Log {
    fn add(&mut self, at: Option<crate::domain::Timestamp>, what: String) {
        self.events.push(Happened { to: self.subject.clone(), at, what });
    }

    fn message(&mut self, message: &Message) {
        let Message { campaign, day, state, .. } = message;
        let what = |verb: &str| format!("day {day} of `{campaign}` {verb}");
        let text = shortened(&message.text);
        self.add(Some(message.queued_at), what(&format!("handed over: {text}")));
        for (at, verb) in [(message.sent_at, "sent"), (message.delivered_at, "delivered"), (message.read_at, "read")] {
            if at.is_some() {
                self.add(at, what(verb));
            }
        }
        if message.sent_at.is_none() {
            let error = message.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            self.add(None, what(&format!("is {state} after {} hand-overs{error}", message.attempts)));
        }
    }
}

fn shortened(text: &str) -> String {
    let mut line: String = text.lines().next().unwrap_or_default().chars().take(SHOWN).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}
