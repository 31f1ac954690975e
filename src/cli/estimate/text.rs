//! The text form of an estimate.

use crate::cli::layout::{facts, footer, section, when};
use crate::cli::table::{Cell, Table, Tone, counted, one_line, paint, people, thousands, time, whole};
use crate::core::domain::Timestamp;
use crate::core::manifest::desired::DesiredState;
use crate::core::plan::render::text as show;
use crate::store::forecast::estimate::Estimate;

/// Number of accounts listed whose subscription ends too early.
const LISTED: usize = 5;

pub(super) fn text(estimate: &Estimate, now: Timestamp, colour: bool) -> String {
    let mut text = format!("Estimate of {}\n\n{}", estimate.campaign, headline(estimate));
    if estimate.manifest_state != DesiredState::Active {
        let state = estimate.manifest_state.as_str();
        let note = format!("\nThe manifest says `{state}`: this is what happens once it says `active`.");
        text += &paint(&note, Tone::Waiting, colour);
    }
    let ahead = ahead(estimate, now);
    if !ahead.is_empty() {
        text += &format!("\n{}", facts("", &ahead));
    }
    text += &others(estimate, colour);
    let moved = show::ahead(&estimate.slips, &estimate.outlives, LISTED);
    if !moved.is_empty() {
        text += &format!("\n{}", moved.trim_end());
    }
    text + &sample(estimate, colour) + &footer(now)
}

/// Summarizes the estimate in one or two sentences.
fn headline(estimate: &Estimate) -> String {
    let people = |count| people(whole(count));
    if estimate.accounts == 0 {
        return "It has no run ahead: it selects no account, or its runs are over. `relancectl import accounts` reads accounts."
            .to_owned();
    }
    let accounts = counted(whole(estimate.accounts), "account");
    let mut line = match estimate.matching {
        0 => format!("Nobody of {accounts} matches now"),
        1 => format!("1 person matches, in {accounts}"),
        some => format!("{} match, in {accounts}", people(some)),
    };
    match estimate.enrolled {
        enrolled if enrolled > estimate.matching => {
            line += &format!("; {} more will", number(enrolled - estimate.matching));
        }
        // Other campaigns may take some of the people who match now before their enrollment.
        enrolled if enrolled < estimate.matching => line += &format!("; {} of them will be taken", number(enrolled)),
        _ => {}
    }
    if estimate.active > 0 {
        line += &format!("; {} in it already", people(estimate.active));
    }
    if estimate.messages == 0 {
        return line + ". Nothing would be sent.";
    }
    let each = u64::try_from(estimate.messages_each).unwrap_or(u64::MAX);
    let all = estimate.reached.saturating_mul(each);
    let work = if estimate.active == 0 && all == estimate.messages {
        format!("{} × {}", people(estimate.reached), counted(whole(each), "message"))
    } else {
        format!("{} to {}", counted(whole(estimate.messages), "message"), people(estimate.reached + estimate.active))
    };
    let at = if estimate.is_even { "at" } else { "at most" };
    let rate = number(estimate.messages_per_day);
    let days = counted(whole(estimate.days), "day");
    format!("{line}.\n{work} {at} {rate} a day: {days}.")
}

fn ahead(estimate: &Estimate, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(first) = estimate.first_at {
        lines.push(("First message", when(first, now)));
    }
    if let Some(last) = estimate.last_on {
        lines.push(("Last message", format!("on {last}")));
    }
    if let Some(finish) = estimate.finish_at {
        lines.push(("Finish", when(finish, now)));
    }
    for never in &estimate.never {
        lines.push(("No finish", never.reason.sentence(never.runs)));
    }
    if estimate.messages > 0 {
        lines.push(("Enrollment", format!("at most {} a day", number(estimate.enrolled_per_day))));
        if let Some(limit) = estimate.limit {
            lines.push(("Waits for", limit.as_phrase().to_owned()));
        }
    }
    lines
}

fn others(estimate: &Estimate, colour: bool) -> String {
    if estimate.not_matching.is_empty() {
        return String::new();
    }
    let mut table = Table::new().numbers(["PEOPLE"]).text(["WHY"]);
    for other in &estimate.not_matching {
        table.row([Cell::count(whole(other.people)), Cell::from(other.reason.meaning())]);
    }
    section("Not taken now, each for the first reason that holds", &table.render(colour))
}

fn sample(estimate: &Estimate, colour: bool) -> String {
    if estimate.sample.is_empty() {
        return String::new();
    }
    let headers = ["REFERRAL", "ACCOUNT", "NAME", "PHONE", "COUNTRY", "LANGUAGE", "REGISTERED"];
    let mut table = Table::new().text(headers);
    for one in &estimate.sample {
        table.row([
            Cell::from(&*one_line(&one.referral)),
            Cell::from(&*one_line(&one.account)),
            Cell::from(&*format!("{}…", one_line(&one.initial))),
            Cell::from(&*one.phone),
            Cell::maybe(one.country.as_deref()),
            Cell::maybe(one.language.as_deref()),
            Cell::from(time(one.registered_at)),
        ]);
    }
    section("The newest of those who match", &table.render(colour))
}

fn number(count: u64) -> String {
    thousands(whole(count))
}
