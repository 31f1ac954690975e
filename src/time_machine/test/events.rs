//! The external events of a test, applied through the same store verbs as in production.

use crate::core::domain::{AccountId, MessageKey, Name, TargetKey, Timestamp};
use crate::core::lifecycle::outcome::{Reaction, Refusal};
use crate::core::manifest::testcase::{Event, ReceiptStatus as Said};
use crate::store::query::Identity;
use crate::store::{FactEvent, Inbound, Receipt, ReceiptStatus};
use crate::time_machine::world::{Error, World};

/// Applies `event` at the world's current time. Returns a sentence if it cannot be applied.
pub(super) async fn happen(world: &mut World, event: &Event) -> Result<Option<String>, Error> {
    let now = world.now();
    match event {
        Event::Registered(_) => {}
        Event::Paid { referral } => {
            let Some(Identity { account, referral, .. }) = person(world, referral).await? else {
                return Ok(Some(format!("`{referral}` is not there: the import refused them")));
            };
            world.store().record(&[FactEvent::Paid { account, referral, at: now }], now).await?;
        }
        Event::Reply { referral, text } => {
            let Some(Identity { account, phone, .. }) = person(world, referral).await? else {
                return Ok(Some(format!("`{referral}` is not there: the import refused them")));
            };
            world.store().reply(&[Inbound { account, phone, text: text.clone() }], now).await?;
        }
        Event::Receipt { referral, day, campaign, status } => {
            return receipt(world, referral, *day, campaign.as_ref(), *status).await;
        }
        Event::SubscriptionEnded { account } => {
            let ends = |account| FactEvent::SubscriptionEnds { account, at: Some(now) };
            record(world, account, ends, now).await?;
        }
        Event::Connected { account } => {
            record(world, account, |account| FactEvent::Connection { account, connected: true }, now).await?;
        }
        Event::Disconnected { account } => {
            record(world, account, |account| FactEvent::Connection { account, connected: false }, now).await?;
        }
    }
    world.touch();
    Ok(None)
}

async fn record(
    world: &World,
    account: &str,
    event: impl Fn(AccountId) -> FactEvent,
    now: Timestamp,
) -> Result<(), Error> {
    let found = world.store().find_accounts(&[account]).await?;
    let events: Vec<FactEvent> = found.values().copied().map(event).collect();
    world.store().record(&events, now).await?;
    Ok(())
}

/// Records a receipt for the message of `day` in the named campaign, otherwise in every campaign with that target.
async fn receipt(
    world: &mut World,
    referral: &str,
    day: u16,
    campaign: Option<&Name>,
    status: Said,
) -> Result<Option<String>, Error> {
    let Some(person) = person(world, referral).await? else {
        return Ok(Some(format!("`{referral}` is not there: the import refused them")));
    };
    let (program, _) = world.in_force().await?;
    let key = |campaign| MessageKey {
        target: TargetKey { account: person.account, campaign, referral: person.referral },
        day: i16::try_from(day).unwrap_or(i16::MAX),
    };
    let status = match status {
        Said::Delivered => ReceiptStatus::Delivered,
        Said::Read => ReceiptStatus::Read,
        Said::Failed => ReceiptStatus::Failed(Refusal {
            error: "the provider says it failed".to_owned(),
            reaction: Reaction::FailDay,
        }),
    };
    let at = world.now();
    let named = program.campaigns().filter(|(_, one)| campaign.is_none_or(|name| one.name == *name));
    let receipts: Vec<Receipt> = named.map(|(campaign, _)| Receipt::new(key(campaign), status.clone(), at)).collect();
    world.store().receipts(&receipts, at).await?;
    world.touch();
    Ok(None)
}

async fn person(world: &World, referral: &str) -> Result<Option<Identity>, Error> {
    Ok(world.store().find_referrals(&[referral]).await?.remove(referral))
}
