//! `relancectl explain referral`.

use anyhow::anyhow;
use serde::Serialize;

use super::history::{HISTORY, history};
use crate::cli::answer::Answer;
use crate::cli::layout::{consent, facts, footer, maybe, section, when};
use crate::cli::table::{Cell, Table, Tone, one_line};
use crate::cli::{in_force, known};
use crate::core::dispatch::program::{CampaignProgram, Program};
use crate::core::domain::{CampaignId, Phone, Timestamp, Zone};
use crate::core::lifecycle::run::Phase;
use crate::store::query::{Case, Entry, HistoryOf, Person, RunState};
use crate::store::{Seeker, Store, WhyNot};

#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    person: Person,
    /// The campaigns in force for the account, by priority; then others that the person was in.
    campaigns: Vec<Standpoint>,
    /// The history, oldest first.
    history: Vec<Entry>,
}

/// The person's relation to one campaign: the target there, or else the enrollment check.
#[derive(Debug, Serialize)]
struct Standpoint {
    campaign: String,
    /// Null for a person who is not and was not in the campaign.
    target: Option<Standing>,
    /// Null for a person who is or was in the campaign.
    enrollment: Option<Enrollment>,
}

#[derive(Debug, Serialize)]
struct Standing {
    id: String,
    answer: Answer,
}

/// The result of the enrollment check for one campaign.
#[derive(Debug, Serialize)]
struct Enrollment {
    /// All reasons against enrollment; empty when the person matches.
    why_not: Vec<WhyNot>,
    /// The instant of the next enrollment pass; null when none is planned.
    next_pass_at: Option<Timestamp>,
    sentence: String,
}

pub(super) async fn look(store: &Store, id: &str, now: Timestamp) -> anyhow::Result<Explanation> {
    known::referral(store, id, None).await?;
    let person = store.person(id).await?.ok_or_else(|| anyhow!("`{id}` was just removed"))?;
    let program = in_force::program(store).await?;
    let mut cases = store.cases(&program, id, None, now).await?;
    let runs = store.run_states(person.keys().0).await?;
    let mut campaigns = Vec::new();
    for (number, campaign) in campaigns_for(&person, &program) {
        let name = campaign.name.to_string();
        // Cases of one name come latest first; earlier ones are added after the loop.
        if let Some(place) = cases.iter().position(|case| case.target.campaign == name) {
            campaigns.push(is_in(&cases.remove(place), now));
            continue;
        }
        let run = runs.iter().find(|run| run.campaign() == number);
        let enrollment = Some(enrollment(store, &person, &program, (number, campaign), run, now).await?);
        campaigns.push(Standpoint { campaign: name, target: None, enrollment });
    }
    campaigns.extend(cases.iter().map(|case| is_in(case, now)));
    let history = store.history(HistoryOf::Referrals(&[id.to_owned()]), HISTORY).await?;
    Ok(Explanation { person, campaigns, history })
}

/// Returns the campaigns in force for the person's account, in the order of their priorities.
fn campaigns_for<'a>(person: &Person, program: &'a Program) -> Vec<(CampaignId, &'a CampaignProgram)> {
    let selects = |campaign: &CampaignProgram| campaign.spec.accounts.selects(&person.account, &person.labels);
    let mut campaigns: Vec<_> = program.campaigns().filter(|(_, campaign)| selects(campaign)).collect();
    campaigns.sort_by_key(|(_, campaign)| (campaign.spec.priority, &campaign.name));
    campaigns
}

fn is_in(case: &Case, now: Timestamp) -> Standpoint {
    let standing = Standing { id: case.target.id.clone(), answer: Answer::new(case, now) };
    Standpoint { campaign: case.target.campaign.clone(), target: Some(standing), enrollment: None }
}

async fn enrollment(
    store: &Store,
    person: &Person,
    program: &Program,
    (number, campaign): (CampaignId, &CampaignProgram),
    run: Option<&RunState>,
    now: Timestamp,
) -> anyhow::Result<Enrollment> {
    let enrolls = program.policies.of(&person.account, &person.labels).enrollment.is_on();
    let (account, referral) = person.keys();
    let zone = Zone::parse(&person.timezone).map_err(|error| anyhow!(error))?;
    let (name, spec) = (&campaign.name, &campaign.spec);
    let seekers =
        store.with_room(number, spec, vec![Seeker { account, zone, enrolls, room: 0, is_over: false }], now).await?;
    let seeker = seekers.first().ok_or_else(|| anyhow!("account `{}` was just removed", person.account))?;
    let why_not = store.why_not((name, number), spec, seeker, referral, now).await?;
    let why_not = why_not.ok_or_else(|| anyhow!("`{}` was just removed", person.referral))?;
    let next_pass_at = run.filter(|run| run.phase == Phase::Active).and_then(|run| run.enroll_at);
    let sentence = if why_not.is_empty() {
        match (run, next_pass_at) {
            (_, Some(at)) => format!("Matches: taken at the next look for people, {}.", when(at, now)),
            (Some(run), None) => format!("Matches, but nobody is taken: the run is {}: {}.", run.phase, run.detail),
            (None, None) => "Matches: taken once the account has a run.".to_owned(),
        }
    } else if let (Some(run), [WhyNot::RunOver]) = (run, why_not.as_slice()) {
        let reopen = if run.phase == Phase::Completed {
            format!("; `relancectl reopen {name} --account {}` lets it enroll again", person.account)
        } else {
            String::new()
        };
        format!("Matches, but nobody is taken: the run is {}: {}{reopen}.", run.phase, run.detail)
    } else {
        let reasons: Vec<&str> = why_not.iter().map(|reason| reason.of_one()).collect();
        format!("Not in it: {}.", reasons.join("; "))
    };
    Ok(Enrollment { why_not, next_pass_at, sentence })
}

pub(super) fn text(seen: &Explanation, now: Timestamp, colour: bool) -> String {
    let Explanation { person, campaigns, history: entries } = seen;
    let lines = [
        ("Name", one_line(&person.name)),
        ("Phone", Phone::trusted(person.phone.clone()).masked()),
        ("Account", one_line(&person.account)),
        ("Language", maybe(person.language.as_deref())),
        ("Country", person.country.clone()),
        ("Registered", when(person.registered_at, now)),
        ("Paid", person.paid_at.map_or_else(|| "no".to_owned(), |at| when(at, now))),
        ("Consent", consent(person, now)),
    ];
    let mut text = facts(&format!("Referral {}", person.referral), &lines);
    text +=
        &section("Campaigns", &table(campaigns).map_or("none is for this account".to_owned(), |t| t.render(colour)));
    text += &history(entries, true, colour);
    text + &footer(now)
}

fn table(campaigns: &[Standpoint]) -> Option<Table> {
    let mut table = Table::new().text(["CAMPAIGN", "ANSWER"]);
    for standpoint in campaigns {
        let answer = match (&standpoint.target, &standpoint.enrollment) {
            (Some(standing), _) => Cell::new(&*standing.answer.sentence, standing.answer.tone()),
            (None, Some(enrollment)) => {
                let tone = if enrollment.why_not.is_empty() { Tone::Good } else { Tone::Faint };
                Cell::new(&*enrollment.sentence, tone)
            }
            (None, None) => continue,
        };
        table.row([Cell::from(&*standpoint.campaign), answer]);
    }
    (!campaigns.is_empty()).then_some(table)
}
