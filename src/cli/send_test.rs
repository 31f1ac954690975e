//! `relancectl send-test`: sends one day to the operator's own phone, before others get it.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use serde_json::json;

use super::compiled::Compiled;
use super::database::Database;
use super::output::Format;
use super::preview::parse_language;
use super::run::channels;
use super::{Exit, Global, actor, known, phones, print};
use crate::channel::{Channels, Outcome, Refusal};
use crate::config::Config;
use crate::core::dispatch::OutgoingMessage;
use crate::core::dispatch::preview::made_up;
use crate::core::dispatch::program::{Recipient, Rendered};
use crate::core::domain::{CampaignId, Country, Language, MessageKey, Name, Phone, ReferralId, TargetKey, Timestamp};
use crate::core::lifecycle::detail::{TestMessage, TestOutcome};
use crate::core::manifest::desired::policy::AccountPolicy;
use crate::store::Store;
use crate::store::query::Author;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Campaign from the files in `--dir`
    campaign: String,
    /// Day of the sequence to send
    #[arg(long, value_name = "N")]
    day: u16,
    /// Phone to send to, which must be yours
    #[arg(long, value_name = "PHONE")]
    to: String,
    /// Mail address to send to, for channels of `type: smtp`
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Send in the name of this account, to an invented person
    #[arg(long, value_name = "ID", required_unless_present = "referral")]
    account: Option<String>,
    /// Send as if to this person from the database, in the name of their account
    #[arg(long, value_name = "ID", conflicts_with = "account")]
    referral: Option<String>,
    /// The person's language, a BCP 47 tag [default: theirs, else the account's]
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Country whose national numbers are accepted
    #[arg(long, value_name = "CC", value_parser = Country::parse)]
    country: Option<Country>,
    /// Name of the operator [default: $USER]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) async fn run(args: &Args, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let actor = actor::actor(args.actor.as_deref(), config)?;
    let phone = phones::parse(std::slice::from_ref(&args.to), args.country)?.pop_first().context("no phone")?;
    let Some(compiled) = Compiled::load(&args.campaign, global, config)? else { return Ok(Exit::Findings) };
    compiled.has(args.day)?;
    let campaign = compiled.campaign();
    let language = args.language.as_deref().map(|tag| parse_language(tag, campaign)).transpose()?;
    let database = Database::open(global, config, 2).await?;
    let store = &database.store.acting(Some(actor));
    refuse(store, &phone).await?;
    let (account, recipient) = args.somebody(store, language, || made_up(None, campaign.attributes())).await?;
    let author = store.author(&account).await?.ok_or_else(|| anyhow!("account `{account}` was just removed"))?;
    let content = campaign.message(args.day, &recipient, author.referrer())?;
    let policy = compiled.checked.desired.policies().of(&account, &author.attributes);
    let channel = campaign.channel(&policy).cloned();
    let channels = Channels::open(&compiled.checked.desired.channels, &channels(store.clone()).await?);
    let (now, _) = store.now().await?;
    let test = TestMessage {
        day: args.day,
        campaign: campaign.name.to_string(),
        phone: phone.masked(),
        channel: channel.as_ref().map(Name::to_string),
    };
    // The attempt is recorded before it is made, as every other attempt is.
    store.tell_of_test(author.id, test.clone(), None, now).await?;
    let in_conversation = store.open_windows(&[(author.id, &phone)], now).await?.contains(&true);
    let message = claimed(args, (phone, content), &author, (policy, channel), now);
    let message = OutgoingMessage { in_conversation, ..message };
    let outcome = channels.hand_over(&[message], now).await.pop().context("the channel says nothing")?;
    let (word, error) = in_words(&outcome);
    store.tell_of_test(author.id, test.clone(), Some((word, error)), now).await?;
    let id = if let Outcome::Accepted { provider_id, .. } = &outcome { Some(provider_id) } else { None };
    print::line(&match args.output {
        Format::Text => {
            let parts = [Some(word.as_str()), Some(&test.to_string()), word.meaning(), error];
            parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
        }
        Format::Json => {
            let error = error.map(|error| word.meaning().into_iter().chain([error]).collect::<Vec<_>>().join(": "));
            serde_json::to_string_pretty(&json!({"outcome": word, "provider_id": id, "error": error}))?
        }
    });
    Ok(if id.is_some() { Exit::Fine } else { Exit::Findings })
}

impl Args {
    /// Returns the sending account, and the person that the texts address.
    async fn somebody(
        &self,
        store: &Store,
        language: Option<Language>,
        made_up: impl FnOnce() -> Recipient,
    ) -> anyhow::Result<(String, Recipient)> {
        let (account, mut recipient) = if let Some(id) = &self.referral {
            known::referral(store, id, None).await?;
            let found = store.correspondence(id).await?.ok_or_else(|| anyhow!("`{id}` was just removed"))?;
            (found.account, found.recipient)
        } else {
            let account = self.account.clone().unwrap_or_default();
            known::account(store, &account).await?;
            (account, made_up())
        };
        recipient.language = language.or(recipient.language);
        Ok((account, recipient))
    }
}

/// Refuses suppressed and erased phones, even for a test.
async fn refuse(store: &Store, phone: &Phone) -> anyhow::Result<()> {
    let known = store.contact(phone).await?;
    if known.suppression.is_some() {
        bail!("{} is suppressed: `relancectl suppress list` says why; nothing was sent", phone.masked());
    }
    if known.erased_at.is_some() {
        bail!("the person with {} was erased by `contact forget`; nothing was sent", phone.masked());
    }
    Ok(())
}

/// Makes a message that belongs to no target. Its key is unique, even among tests. Receipts and gateways that refuse
/// duplicates therefore never confuse it with another message.
fn claimed(
    args: &Args,
    (phone, content): (Phone, Rendered),
    author: &Author,
    (policy, channel): (Arc<AccountPolicy>, Option<Name>),
    now: Timestamp,
) -> OutgoingMessage {
    let referral = ReferralId(-now.timestamp_micros());
    let target = TargetKey { account: author.id, campaign: CampaignId(0), referral };
    OutgoingMessage {
        key: MessageKey { target, day: i16::try_from(args.day).unwrap_or(i16::MAX) },
        lease: 0,
        phone,
        email: args.email.clone(),
        channel,
        content,
        in_conversation: false,
        attempts: 1,
        failed_days: 0,
        last: false,
        quota_date: now.date_naive(),
        claimed_at: now,
        policy,
    }
}

/// Returns the outcome in one word, and the error.
fn in_words(outcome: &Outcome) -> (TestOutcome, Option<&str>) {
    match outcome {
        Outcome::Accepted { .. } => (TestOutcome::Accepted, None),
        Outcome::Refused(Refusal { error, .. }) => (TestOutcome::Refused, Some(error)),
        Outcome::Unknown { error } => (TestOutcome::Unknown, Some(error)),
    }
}
