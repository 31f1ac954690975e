//! `relancectl contact`: shows, exports and erases everything known about one person.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::database::Database;
use super::layout::{facts, footer, maybe, section, when};
use super::output::Format;
use super::table::{counted, one_line, time, whole};
use super::{Exit, Global, actor, out_file, phones, print};
use crate::config::Config;
use crate::core::domain::{Country, Phone, Timestamp};
use crate::store::{Erased, query as look};

#[derive(Debug, Subcommand)]
pub enum Contact {
    /// Show everything known about a person, in every account
    Show(ShowArgs),
    /// Write everything known about a person as JSON, to answer a request for access
    Export(ExportArgs),
    /// Erase a person permanently: names, addresses, texts and phone; later imports do not restore them
    Forget(ForgetArgs),
}

/// The person, identified by phone.
#[derive(Debug, Args)]
struct Who {
    #[arg(value_name = "PHONE")]
    phone: String,
    /// Country whose national numbers are accepted, as in `CM` [default: phones begin with `+`]
    #[arg(long, value_name = "CODE", value_parser = Country::parse)]
    country: Option<Country>,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    who: Who,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    who: Who,
    /// Write to this file instead of standard output, which `-` stands for
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ForgetArgs {
    #[command(flatten)]
    who: Who,
    /// Reason, recorded with the erasure
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Name of the operator [default: $USER]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Confirm the erasure, which cannot be undone
    #[arg(long)]
    yes: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) async fn run(command: Contact, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    match command {
        Contact::Show(args) => show(&args, global, config).await,
        Contact::Export(args) => export(&args, global, config).await,
        Contact::Forget(args) => forget(&args, global, config).await,
    }
}

async fn show(args: &ShowArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let phone = args.who.phone()?;
    let database = Database::open(global, config, 2).await?;
    let (now, _) = database.store.now().await?;
    let contact = database.store.contact(&phone).await?;
    print::line(&match args.output {
        Format::Text => text(&contact, now),
        Format::Json => serde_json::to_string_pretty(&contact)?,
    });
    Ok(Exit::Fine)
}

async fn export(args: &ExportArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let phone = args.who.phone()?;
    let database = Database::open(global, config, 2).await?;
    let json = serde_json::to_string_pretty(&database.store.contact(&phone).await?)?;
    let Some(path) = &args.out else {
        print::line(&json);
        return Ok(Exit::Fine);
    };
    if out_file::write(path, &json)? {
        print::note(&format!("contact: wrote `{}`", path.display()));
    }
    Ok(Exit::Fine)
}

async fn forget(args: &ForgetArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let actor = actor::actor(args.actor.as_deref(), config)?;
    let reason = actor::reason(&args.reason)?;
    let phone = args.who.phone()?;
    let database = Database::open(global, config, 2).await?;
    let store = database.store.acting(Some(actor));
    if !args.yes {
        let look::Contact { referrals, messages, .. } = store.contact(&phone).await?;
        let (rows, texts) =
            (counted(whole(referrals.len() as u64), "row"), counted(whole(messages.len() as u64), "message"));
        bail!("this erases {rows} of imports and {texts} of {} for ever; `--yes` does it", phone.masked());
    }
    let (now, _) = store.now().await?;
    let done = store.forget(&phone, reason, now).await?;
    print::line(&match args.output {
        Format::Text => summary(done),
        Format::Json => {
            let Erased { referrals, messages, exited } = done;
            serde_json::to_string_pretty(&json!({ "referrals": referrals, "messages": messages, "exited": exited }))?
        }
    });
    Ok(Exit::Fine)
}

impl Who {
    fn phone(&self) -> anyhow::Result<Phone> {
        let phones = phones::parse(std::slice::from_ref(&self.phone), self.country)?;
        phones.into_iter().next().context("name a phone")
    }
}

fn summary(Erased { referrals, messages, exited }: Erased) -> String {
    if referrals == 0 {
        return "Nobody here has that phone; no import will bring them.".to_owned();
    }
    let (rows, texts) = (counted(whole(referrals), "row"), counted(whole(messages), "message"));
    let left = if exited == 0 { String::new() } else { format!(" They left {}.", counted(whole(exited), "run")) };
    format!("Erased {rows} of imports and {texts}.{left} No import brings them back.")
}

fn text(contact: &look::Contact, now: Timestamp) -> String {
    let look::Contact { phone, erased_at, suppression, holds, referrals, targets, messages } = contact;
    let suppressed = suppression.as_ref().map_or_else(
        || "no".to_owned(),
        |it| {
            let words = [Some(&it.source), it.actor.as_ref(), it.reason.as_ref(), it.said.as_ref()];
            let words: Vec<String> = words.into_iter().flatten().map(|word| one_line(word)).collect();
            format!("since {}: {}", time(it.suppressed_at), words.join(", "))
        },
    );
    let mut lines = vec![("Suppressed", suppressed)];
    lines.extend(erased_at.map(|at| ("Erased", when(at, now))));
    let hold =
        |it: &look::Held| ("On hold", format!("in {} since {}: {}", it.account, time(it.held_at), one_line(&it.text)));
    lines.extend(holds.iter().map(hold));
    let mut text = facts(&format!("Contact {phone}"), &lines);
    for fact in referrals {
        text += &section(&format!("Referral {} of account {}", fact.referral, fact.account), &fact_lines(fact, now));
    }
    if referrals.is_empty() {
        text += &section("Referrals", "none: nobody here has this phone");
    }
    if !targets.is_empty() {
        text += &section("Runs", &targets.iter().map(stay).collect::<Vec<_>>().join("\n"));
    }
    if !messages.is_empty() {
        let message =
            |it: &look::Message| format!("{} {} {}: {}", time(it.queued_at), it.id, it.state, one_line(&it.content()));
        text += &section("Messages", &messages.iter().map(message).collect::<Vec<_>>().join("\n"));
    }
    text + &footer(now)
}

fn fact_lines(fact: &look::Fact, now: Timestamp) -> String {
    let consent = [fact.consent.clone(), fact.consent_source.clone(), fact.consent_at.map(time)];
    let consent: Vec<String> = consent.into_iter().flatten().collect();
    let attributes = match &fact.attributes {
        Value::Object(all) => all.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    let lines = [
        ("Name", one_line(&fact.name)),
        ("E-mail", maybe(fact.email.as_deref())),
        ("Language", maybe(fact.language.as_deref())),
        ("Country", fact.country.clone()),
        ("Gender", maybe(fact.gender.as_deref())),
        ("Profession", maybe(fact.profession.as_deref())),
        ("Born", maybe(fact.birth_date.map(|date| date.to_string()).as_deref())),
        ("Registered", when(fact.registered_at, now)),
        ("Paid", fact.paid_at.map_or_else(|| "no".to_owned(), |at| when(at, now))),
        ("Consent", if consent.is_empty() { "unknown".to_owned() } else { consent.join(", ") }),
        ("Attributes", if attributes.is_empty() { "-".to_owned() } else { one_line(&attributes) }),
        ("Counts", if fact.is_current { "yes" } else { "no: another row of the account has their phone" }.to_owned()),
    ];
    lines.map(|(name, value)| format!("{name}: {value}")).join("\n")
}

fn stay(stay: &look::Stay) -> String {
    let exit = stay.exit_reason.map(|exit| format!(" ({exit})")).unwrap_or_default();
    let end = stay.ended_at.map(|at| format!(", ended {}", time(at))).unwrap_or_default();
    format!("{} {}{exit}, day {}, enrolled {}{end}", stay.id, stay.state, stay.day, time(stay.enrolled_at))
}
