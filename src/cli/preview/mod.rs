//! `relancectl preview`: the messages of a campaign in the files, for a real or an invented person.

mod seen;
mod text;

use anyhow::anyhow;

use self::seen::{Person, Previewed, Version};
use super::compiled::Compiled;
use super::database::Database;
use super::output::Format;
use super::{Exit, Global, known, print};
use crate::config::Config;
use crate::core::diagnostic::nearest;
use crate::core::dispatch::preview::{MADE_UP_REFERRER, made_up};
use crate::core::dispatch::program::{CampaignProgram, Recipient, Referrer};
use crate::core::domain::{Language, Zone};
use crate::core::manifest::Sources;

#[derive(Debug, clap::Args)]
pub struct PreviewArgs {
    /// Campaign from the files in `--dir`
    campaign: String,
    /// Write to this person from the database; without it to an invented person, which needs no database
    #[arg(long, value_name = "ID")]
    referral: Option<String>,
    /// The person's language, a BCP 47 tag [default: theirs; for an invented person each that has a text]
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Only this day
    #[arg(long, value_name = "N")]
    day: Option<u16>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) async fn run(args: &PreviewArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let Some(compiled) = Compiled::load(&args.campaign, global, config)? else { return Ok(Exit::Findings) };
    let (campaign, sources) = (compiled.campaign(), &compiled.sources);
    let language = args.language.as_deref().map(|tag| parse_language(tag, campaign)).transpose()?;
    args.day.map(|day| compiled.has(day)).transpose()?;
    let (person, versions) = match &args.referral {
        Some(id) => real(id, language, campaign, sources, global, config).await?,
        None => invented(language, campaign, sources)?,
    };
    let seen = Previewed::new(campaign, person, versions, args.day);
    match args.output {
        Format::Json => print::line(&serde_json::to_string_pretty(&seen)?),
        Format::Text => print::line(&text::text(&seen, sources, print::colour(config))),
    }
    Ok(if seen.has_errors() { Exit::Findings } else { Exit::Fine })
}

/// Parses a language tag. Prints a note, which may reveal a slip, when no text is in that language.
pub(super) fn parse_language(tag: &str, campaign: &CampaignProgram) -> anyhow::Result<Language> {
    let near = nearest(tag, campaign.languages().into_iter().map(Language::as_str));
    let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let language = Language::parse(tag).map_err(|error| anyhow!("{error}{meant}"))?;
    if !campaign.languages().iter().any(|has| has.primary() == language.primary()) {
        print::note(&format!("no day of `{}` has a text in `{language}`{meant}", campaign.name));
    }
    Ok(language)
}

/// Invents a person in the requested language, else one in each language that has a text.
fn invented(
    language: Option<Language>,
    campaign: &CampaignProgram,
    sources: &Sources,
) -> anyhow::Result<(Person, Vec<Version>)> {
    let zone = Zone::utc();
    let referrer = Referrer { name: MADE_UP_REFERRER, language: None, zone: &zone };
    let languages: Vec<Language> = match language {
        Some(language) => vec![language],
        None => campaign.languages().into_iter().cloned().collect(),
    };
    let recipient = made_up(None, campaign.attributes());
    let version = |language: Language| {
        let recipient = Recipient { language: Some(language), ..recipient.clone() };
        Version::new(campaign, &recipient, referrer, true, sources)
    };
    let versions = languages.into_iter().map(version).collect::<anyhow::Result<_>>()?;
    Ok((Person::new(&recipient, referrer, None), versions))
}

async fn real(
    id: &str,
    language: Option<Language>,
    campaign: &CampaignProgram,
    sources: &Sources,
    global: &Global,
    config: &Config,
) -> anyhow::Result<(Person, Vec<Version>)> {
    let database = Database::open(global, config, 1).await?;
    known::referral(&database.store, id, None).await?;
    let found = database.store.correspondence(id).await?.ok_or_else(|| anyhow!("`{id}` was just removed"))?;
    let own = found.recipient.language.clone();
    let recipient = Recipient { language: language.or(own), ..found.recipient.clone() };
    let version = Version::new(campaign, &recipient, found.referrer(), false, sources)?;
    Ok((Person::new(&recipient, found.referrer(), Some((id, &found.account))), vec![version]))
}
