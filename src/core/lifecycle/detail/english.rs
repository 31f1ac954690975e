//! The English sentences of details.

use std::fmt;
use std::fmt::Formatter;

use super::{Detail, Facts, NoticeSubject};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::phase::Phase;

impl fmt::Display for Detail {
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each sentence")]
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::JustCreated => f.write_str("just created"),
            Self::ManifestGone => f.write_str("its manifest is gone"),
            Self::CancelledInManifest => f.write_str("cancelled in its manifest"),
            Self::PausedInManifest => f.write_str("paused in its manifest"),
            Self::BackToDraft => f.write_str("set back to draft in its manifest"),
            Self::Draft => f.write_str("a draft: nothing is enrolled or sent"),
            Self::NotSelected => f.write_str("its account is not one of those the campaign is for"),
            Self::StartsAt { at } => write!(f, "starts at {}", utc(at)),
            Self::EndedAt { at } => write!(f, "ended at {}", utc(at)),
            Self::Drained => f.write_str("everybody was written to, and nobody is left to enroll"),
            Self::Running => f.write_str("enrolling and sending"),
            Self::EnrollmentOff => f.write_str("sending; enrollment is off for its account"),
            Self::SendingOff => f.write_str("enrolling; sending is off for its account"),
            Self::EnrollmentAndSendingOff => f.write_str("enrollment and sending are off for its account"),
            Self::SubscriptionExpired => f.write_str("the subscription of its account is over"),
            Self::Disconnected => f.write_str("its account is not connected"),
            Self::LookingAhead => {
                f.write_str("looking whether it would be done before the subscription of its account ends")
            }
            Self::OutlivesSubscription { finish: Some(finish), end } => {
                let (finish, end) = (date(finish), date(end));
                write!(f, "would end on {finish}, and the subscription of its account ends on {end}")
            }
            Self::OutlivesSubscription { finish: None, end } => {
                write!(f, "would not end before the subscription of its account does, on {}", date(end))
            }
            Self::NobodyMatches => f.write_str("matches nobody yet, and begins with the first person who matches"),
            Self::PeopleBusy => {
                f.write_str("everybody who matches is in another campaign, and it goes on when they are free")
            }
            Self::QueuedBehind { campaign, phase: Phase::Draft } => write!(f, "behind `{campaign}`, which is a draft"),
            Self::QueuedBehind { campaign, phase } => write!(f, "behind `{campaign}`, which is {phase}"),
            Self::BehindUnreadableQueue => f.write_str("behind a queue that cannot be read"),
            Self::MakesWay { campaign, returns: false } => write!(f, "makes way for `{campaign}`"),
            Self::MakesWay { campaign, returns: true } => write!(f, "makes way for `{campaign}`, which may go on"),

            Self::Ordered { action, actor, reason, until, .. } => {
                write!(f, "{} by {actor}: {reason}", action.done())?;
                until.map_or(Ok(()), |until| write!(f, " (until {})", utc(&until)))
            }
            Self::OrderCleared { actor } => write!(f, "{actor} took the order back"),
            Self::Reopened { actor, reason } => write!(f, "reopened by {actor}: {reason}"),
            Self::OrderTimeOver => f.write_str("the time of the order is over"),
            Self::OrderExpired { order } => write!(f, "the time of an order is over: {order}"),
            Self::AfterOrder { end, then } => write!(f, "{end}; {then}"),
            Self::ChannelResumed { channel, actor, reason } => {
                write!(f, "{actor} resumed the channel `{channel}`: {reason}")
            }

            Self::NotRendered { text } | Self::Refused { text } => f.write_str(text),
            Self::StoredUnusable { kind, name, defect } => {
                write!(f, "the stored {kind} `{name}` cannot be used: {defect}")
            }
            Self::TemplateRefused { template, language } => {
                write!(f, "the template `{template}` ({language}) was refused")
            }
            Self::ChannelStopped { channel, why } => write!(f, "channel `{channel}`: {why}"),
            Self::Failures { failed, handed } => write!(f, "{failed} of its last {handed} messages failed"),
            Self::OptOuts { people: 1, handed } => {
                write!(f, "1 person asks for no more messages, of the last {handed}")
            }
            Self::OptOuts { people, handed } => {
                write!(f, "{people} people ask for no more messages, of the last {handed}")
            }
            Self::ProviderNotice { channel, subject, event, text } => {
                write!(f, "{channel}: ")?;
                notice(f, subject, event)?;
                words(f, text.as_deref())
            }

            Self::RevisionApplied { revision, commit, changes } => {
                write!(f, "applied revision {revision}")?;
                if let Some(commit) = commit {
                    write!(f, " (commit {})", commit.get(..10).unwrap_or(commit))?;
                }
                write!(f, ": {changes}")
            }
            Self::PlanRefused { plan, refusal } => write!(f, "plan {plan} is not carried out: {refusal}"),
            Self::PlanApproved { plan, reason } => write!(f, "approved plan {plan}: {reason}"),
            Self::ManifestFrozen { kind, name, in_force: true, why } => {
                write!(f, "the {kind} `{name}` is frozen: what is in force stays")?;
                because(f, &why.join("; "))
            }
            Self::ManifestFrozen { kind, name, in_force: false, why } => {
                write!(f, "the {kind} `{name}` does not come into force")?;
                because(f, &why.join("; "))
            }
            Self::StoredFrozen { kind, name, why } => {
                write!(f, "the {kind} `{name}` is frozen: it stays as it is stored, and nothing of it runs")?;
                because(f, &why.join("; "))
            }
            Self::ManifestKept { kind, name, why } => {
                write!(f, "the {kind} `{name}` stays in force although its manifest is gone")?;
                because(f, why)
            }
            Self::ManifestThawed { kind, name } => write!(f, "the {kind} `{name}` goes by the files again"),

            Self::Imported { facts, inserted, updated, unchanged, rejected, opted_out, paid, held } => {
                f.write_str(match facts {
                    Facts::Accounts => "imported accounts: ",
                    Facts::Referrals => "imported referrals: ",
                })?;
                write!(f, "{inserted} inserted, {updated} updated, {unchanged} unchanged, {rejected} rejected")?;
                if opted_out + paid + held > 0 {
                    write!(f, "; heard in rejected rows: {opted_out} opted out, {paid} paid, {held} held")?;
                }
                Ok(())
            }
            Self::Suppressed { phones, reason } => {
                write!(f, "suppressed {phones}")?;
                words(f, reason.as_deref())
            }
            Self::Unsuppressed { phones, reason } => write!(f, "no longer suppressed {phones}: {reason}"),
            Self::ReplyHeld { phone } => {
                write!(f, "held {phone}: their reply may mean that they want no more messages; ")?;
                f.write_str("`relancectl suppress holds` shows it")
            }
            Self::NumberChanged { phone } => {
                write!(f, "held {phone}: they have another number now; `relancectl suppress holds` shows it")
            }
            Self::RowsHeld { people } => {
                let plural = if *people == 1 { "person" } else { "people" };
                write!(
                    f,
                    "held {people} {plural}: an import has a row with a consent or a payment that is not clear; "
                )?;
                f.write_str("`relancectl suppress holds` shows it")
            }
            Self::ReplyReleased { phone, reason } => {
                write!(f, "released {phone}")?;
                words(f, reason.as_deref())
            }
            Self::ContactErased { rows, messages, reason } => {
                write!(f, "forgot a person, with {rows} rows of imports and {messages} messages: {reason}")
            }

            Self::MessageResolved { message, state, reason } => {
                write!(f, "the fate of {message} is known: {state}")?;
                words(f, reason.as_deref())
            }
            Self::MessagesResolved { messages, state, reason } => {
                write!(f, "the fate of {messages} messages is known: {state}")?;
                words(f, reason.as_deref())
            }
            Self::TestBegun { test } => write!(f, "sends {test}"),
            Self::TestEnded { test, outcome, error } => {
                write!(f, "{test}: {}", outcome.as_str())?;
                words(f, outcome.meaning())?;
                words(f, error.as_deref())
            }
            Self::NotificationGivenUp { notifier, topic, detail, attempts, error } => {
                write!(f, "gave up telling `{notifier}` of {topic} ({detail}) after {attempts} attempts: {error}")
            }
            Self::Unknown(stored) => write!(f, "this version does not know the stored detail {stored}"),
        }
    }
}

fn notice(f: &mut Formatter<'_>, subject: &NoticeSubject, event: &str) -> fmt::Result {
    let named = |name: &str, language: &Option<String>| {
        language.as_ref().map_or_else(|| format!("`{name}`"), |language| format!("`{name}` ({language})"))
    };
    match subject {
        NoticeSubject::Template { name, language } => write!(f, "the template {} is {event}", named(name, language)),
        NoticeSubject::TemplateQuality { name, language } => {
            write!(f, "the quality of the template {} is {event}", named(name, language))
        }
        NoticeSubject::Number { number } => {
            write!(f, "{event} for the number {}", number.as_deref().unwrap_or("of an account"))
        }
        NoticeSubject::Account { id } => {
            write!(f, "{event} for the account {}", id.as_deref().unwrap_or("at the provider"))
        }
    }
}

/// Appends somebody's words, if there are any.
fn words(f: &mut Formatter<'_>, words: Option<&str>) -> fmt::Result {
    words.map_or(Ok(()), |words| write!(f, ": {words}"))
}

fn because(f: &mut Formatter<'_>, why: &str) -> fmt::Result {
    if why.is_empty() { Ok(()) } else { write!(f, "; {why}") }
}

fn utc(at: &Timestamp) -> impl fmt::Display {
    at.format("%Y-%m-%d %H:%M UTC")
}

fn date(at: &Timestamp) -> impl fmt::Display {
    at.format("%Y-%m-%d")
}
