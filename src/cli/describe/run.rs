//! `relancectl describe run`.

use anyhow::bail;
use serde::Serialize;

use crate::cli::layout::{facts, footer, maybe, section, when};
use crate::cli::rows::{Rows, phase, quota};
use crate::cli::table::{one_line, thousands, time};
use crate::cli::{in_force, known, overrides};
use crate::core::domain::Timestamp;
use crate::store::Store;
use crate::store::query::{EndCount, Entry, HistoryOf, Message, Override, Run, RunToday, Wanted};

/// Number of messages shown.
const LATEST: i64 = 5;
/// Number of phase changes shown.
const CHANGES: usize = 5;

#[derive(Debug, Serialize)]
pub(super) struct Description {
    run: Run,
    today: Option<RunToday>,
    ends: Vec<EndCount>,
    /// The overrides that may apply to the run.
    overrides: Vec<Override>,
    /// The last phase changes, oldest first.
    history: Vec<Entry>,
    /// The latest messages.
    messages: Vec<Message>,
}

pub(super) async fn look(store: &Store, campaign: &str, account: &str, now: Timestamp) -> anyhow::Result<Description> {
    known::campaign(store, campaign).await?;
    known::account(store, account).await?;
    let wanted = Wanted { campaign: Some(campaign.to_owned()), account: Some(account.to_owned()), ..Wanted::default() };
    // A removed campaign's name can be used again: the last run of that name is in force.
    let Some(run) = store.runs(&wanted).await?.pop() else {
        bail!(
            "campaign `{campaign}` has no run for account `{account}`; `relancectl get runs --account {account}` lists its runs"
        );
    };
    let program = in_force::program(store).await?;
    let today = store.run_today(&program, (campaign, account), now).await?;
    let ends = store.ends(campaign, account).await?;
    let mut overrides = store.overrides(now).await?;
    let is = |named: &Option<String>, name: &str| named.as_deref().is_none_or(|named| named == name);
    overrides.retain(|order| is(&order.campaign, campaign) && is(&order.account, account));
    let history = store.history(HistoryOf::Run { campaign, account }, CHANGES).await?;
    let messages = store.messages(&Wanted { limit: Some(LATEST), ..wanted }).await?.rows;
    Ok(Description { run, today, ends, overrides, history, messages })
}

pub(super) fn text(seen: &Description, wide: bool, now: Timestamp, colour: bool) -> String {
    let Description { run, today, ends, overrides, history, messages } = seen;
    let counts = run.counts;
    let shown = phase(run.phase);
    let mut lines = vec![
        ("Phase", format!("{} ({}): {}", shown.painted(colour), run.reason, one_line(&run.detail.to_string()))),
        ("Type", maybe(run.kind.as_deref())),
        ("Priority", run.priority.map_or_else(|| "-".to_owned(), |priority| priority.to_string())),
        ("Revision", run.revision.to_string()),
        ("Started", run.started_at.map_or_else(|| "-".to_owned(), |at| when(at, now))),
    ];
    lines.extend(run.finished_at.map(|at| ("Finished", when(at, now))));
    let [enrolled, active] = [counts.enrolled, counts.active].map(thousands);
    lines.push(("People", format!("{enrolled} enrolled, {active} active{}", ended(ends))));
    let [sent, delivered, read] = [counts.sent, counts.delivered, counts.read].map(thousands);
    let [failed, uncertain] = [counts.failed, counts.uncertain].map(thousands);
    let messages_line =
        format!("{sent} sent, {delivered} delivered, {read} read; {failed} failed, {uncertain} uncertain");
    lines.push(("Messages", messages_line));
    lines.push(("Next due", run.next_due_at.map_or_else(|| "-".to_owned(), |at| when(at, now))));
    if let Some(today) = today {
        lines.extend(day(today, now));
    }
    let mut text = facts(&format!("Run of {} for {}", run.campaign, run.account), &lines);
    if !overrides.is_empty() {
        text += &section("Overrides", &overrides::lines(overrides));
    }
    let changes: Vec<String> =
        history.iter().map(|entry| format!("{}  {}", time(entry.at), one_line(&entry.sentence))).collect();
    if !changes.is_empty() {
        text += &section("History", &changes.join("\n"));
    }
    let table = if messages.is_empty() {
        "none yet".to_owned()
    } else {
        Rows::Messages(messages.clone()).table(wide, now).render(colour)
    };
    text += &section("Latest messages", &table);
    text + &footer(now)
}

fn day(today: &RunToday, now: Timestamp) -> Vec<(&'static str, String)> {
    let date = format!("{} in {}", today.date, today.timezone);
    let run = quota(today.run_taken, today.run_cap);
    let account = quota(today.account_taken, today.account_cap);
    let mut lines = vec![("Today", format!("{run} messages of this run, {account} of the account ({date})"))];
    lines.push(match today.hold {
        None => ("Gate", "open: due people get their message".to_owned()),
        Some(hold) => {
            let until = hold.until.map_or_else(String::new, |at| format!(" until {}", when(at, now)));
            ("Gate", format!("closed ({}){until}: {}", hold.reason, hold.reason.meaning()))
        }
    });
    lines
}

fn ended(ends: &[EndCount]) -> String {
    ends.iter().fold(String::new(), |text, end| {
        let people = thousands(end.people);
        match &end.exit_reason {
            None => format!("{text}, {people} completed"),
            Some(reason) => format!("{text}, {people} left ({reason})"),
        }
    })
}
