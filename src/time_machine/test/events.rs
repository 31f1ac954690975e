//! What others do in a test, through the verbs by which the real world does it.

use crate::manifest::campaign_test::Event;
use crate::store::FactEvent;
use crate::store::look::Identity;
use crate::time_machine::world::{Error, World};

/// Has `event` happen now.
pub(super) async fn happen(world: &mut World, event: &Event) -> Result<(), Error> {
    let at = world.now();
    let fact = match event {
        Event::Paid { referral } => {
            let Some(Identity { account, referral, .. }) = identity(world, referral).await? else { return Ok(()) };
            FactEvent::Paid { account, referral, at }
        }
        Event::SubscriptionEnded { account } => match account_of(world, account).await? {
            Some(account) => FactEvent::SubscriptionEnds { account, at: Some(at) },
            None => return Ok(()),
        },
        Event::Connected { account } => match account_of(world, account).await? {
            Some(account) => FactEvent::Connection { account, connected: true },
            None => return Ok(()),
        },
        Event::Disconnected { account } => match account_of(world, account).await? {
            Some(account) => FactEvent::Connection { account, connected: false },
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    world.store().record(&[fact], at).await?;
    world.touch();
    Ok(())
}

async fn identity(world: &World, referral: &str) -> Result<Option<Identity>, Error> {
    Ok(world.store().find_referrals(&[referral]).await?.remove(referral))
}

async fn account_of(world: &World, account: &str) -> Result<Option<crate::domain::AccountId>, Error> {
    Ok(world.store().find_accounts(&[account]).await?.remove(account))
}
