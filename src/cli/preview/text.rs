//! The text form of a preview.

use super::seen::{Message, Person, Previewed, Shown, Version};
use crate::cli::layout::facts;
use crate::cli::table::{Tone, counted, one_line, paint};
use crate::core::diagnostic::text;
use crate::core::domain::Period;
use crate::core::manifest::Sources;
use crate::core::manifest::desired::{MediaType, ZoneOf};

pub(super) fn text(seen: &Previewed, sources: &Sources, colour: bool) -> String {
    let mut text = header(seen);
    for version in &seen.versions {
        let whose = match &version.language {
            Some(language) => format!("To a person who speaks `{language}`"),
            None => "To a person whose language is not known".to_owned(),
        };
        text += &format!("\n\n{}", paint(&whose, Tone::Good, colour));
        for day in &version.days {
            text += &format!("\n\n{}", one_day(day, version, sources, colour));
        }
    }
    text
}

fn header(seen: &Previewed) -> String {
    let days = counted(seen.days_total.into(), "day");
    let zone = match seen.zone {
        ZoneOf::Recipient => "the person's time",
        ZoneOf::Account => seen.timezone.as_deref().unwrap_or("the account's time"),
    };
    let Person { referral, account, name, referrer, country, profession, registered_on, .. } = &seen.person;
    let who = match (referral, account) {
        (Some(referral), Some(account)) => format!("{}, `{referral}` of `{account}`", one_line(name)),
        _ => format!("{name}, a made-up person"),
    };
    let profession = if profession.is_empty() { String::new() } else { format!(", {}", one_line(profession)) };
    let mut lines = vec![
        ("To", format!("{who}: {country}{profession}, registered on {registered_on}")),
        ("From", one_line(referrer)),
        ("Within", format!("{} ({zone})", seen.windows)),
    ];
    if referral.is_none() && !seen.person.attributes.is_empty() {
        lines.push(("Attributes", "each is shown by its name, as in ‹city›".to_owned()));
    }
    facts(&format!("Campaign {}, {days} of `{}`", seen.campaign, seen.sequence), &lines)
}

fn one_day(day: &Shown, version: &Version, sources: &Sources, colour: bool) -> String {
    let since = match day.day {
        _ if day.after.is_zero() => "",
        1 => " after enrollment",
        _ => " later",
    };
    let title = format!("Day {}, {}{since}", day.day, spell(day.after));
    match (&day.message, &day.error) {
        (Some(message), _) => format!("{title}, {}", one_message(message, version, colour)),
        (None, Some(error)) => {
            format!("{title}: cannot be sent\n{}", text::render(error, |path| sources.bytes(path), colour))
        }
        (None, None) => title,
    }
}

fn one_message(message: &Message, version: &Version, colour: bool) -> String {
    let mut text = counted(i64::try_from(message.characters).unwrap_or(i64::MAX), "character");
    if let Some(fallback) = &message.fallback {
        let note = format!("in `{}`, {fallback}", message.language);
        text = format!("{text}\n  {}", paint(&note, Tone::Waiting, colour));
    } else if version.language.as_ref() != Some(&message.language) {
        text = format!("{text}, the text in `{}`", message.language);
    }
    let line = |text: &str| format!("\n  {}", one_line(text)).trim_end_matches(' ').to_owned();
    let indented = |body: &str| body.lines().map(line).collect::<String>();
    if let Some(subject) = &message.subject {
        text += &format!("\n  Subject: {}", one_line(subject));
    }
    text += &indented(&message.text);
    for media in &message.media {
        let kind = match media.kind {
            MediaType::Image => "image",
            MediaType::Video => "video",
            MediaType::Document => "document",
            MediaType::Audio => "audio",
        };
        text += &format!("\n  + {kind} {}", one_line(media.at.as_str()));
        text += &media.caption.as_deref().map(indented).unwrap_or_default().replace('\n', "\n  ");
    }
    if let Some(template) = &message.template {
        text += &format!("\n  WhatsApp template: {}", one_line(&template.to_string()));
    }
    if let Some(misfit) = &message.misfit {
        let note = format!("WhatsApp would refuse the template, so the day fails for this person: {misfit}");
        text += &format!("\n  {}", paint(&note, Tone::Bad, colour));
    }
    text
}

/// Renders `24 h`: hours up to three days, then days.
fn spell(period: Period) -> String {
    let seconds = period.as_seconds();
    match seconds {
        0 => "at once".to_owned(),
        _ if !seconds.is_multiple_of(60) => format!("{seconds} s"),
        _ if !seconds.is_multiple_of(3_600) => format!("{} min", seconds / 60),
        _ if seconds > 72 * 3_600 && seconds.is_multiple_of(86_400) => format!("{} days", seconds / 86_400),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::spell;
    use crate::core::domain::Period;

    #[test]
    fn periods_are_spelled_out_for_people() {
        let spelled = ["0s", "90s", "90m", "6h", "24h", "7d"].map(|text| spell(Period::parse(text).unwrap()));
        assert_eq!(spelled, ["at once", "90 s", "90 min", "6 h", "24 h", "7 days"]);
    }
}
