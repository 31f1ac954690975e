//! What others do in a test, through the verbs by which the real world does it.

use crate::domain::{AccountId, Timestamp};
use crate::manifest::campaign_test::Event;
use crate::store::look::Identity;
use crate::store::{FactEvent, Inbound};
use crate::time_machine::world::{Error, World};

/// Has `event` happen now; a sentence when it cannot.
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
        Event::Receipt { .. } => return Ok(Some("this version does not take receipts yet".to_owned())),
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

async fn person(world: &World, referral: &str) -> Result<Option<Identity>, Error> {
    Ok(world.store().find_referrals(&[referral]).await?.remove(referral))
}
