//! The operator's overrides in a test, applied through the same store verbs as `relancectl` uses.

use crate::core::lifecycle::overrides::{Action, Override, Scope};
use crate::core::manifest::testcase::{Order, Override as Wanted, OverrideAction};
use crate::store::Ordered;
use crate::time_machine::world::{Error, World};

/// The operator's name in tests.
const ACTOR: &str = "the test";

/// Sets or clears an override at the world's current time. Returns a sentence if that is not possible.
pub(super) async fn order(world: &mut World, wanted: &Wanted) -> Result<Option<String>, Error> {
    let scope = match scope(world, wanted).await? {
        Ok(scope) => scope,
        Err(sentence) => return Ok(Some(sentence)),
    };
    let now = world.now();
    let (program, _) = world.in_force().await?;
    let ordered = match &wanted.order {
        Order::Give { action, reason, lasting } => {
            let order = Override {
                scope,
                action: verb(*action),
                actor: ACTOR.to_owned(),
                reason: reason.clone(),
                until: lasting.map(|lasting| now + std::time::Duration::from(lasting)),
            };
            world.store().set_override(&program, &order, now).await?
        }
        Order::Clear if world.store().override_of(scope, now).await?.is_none() => {
            return Ok(Some("nothing is ordered there that could be cleared".to_owned()));
        }
        Order::Clear => world.store().clear_override(&program, scope, ACTOR, now).await?,
    };
    world.touch();
    Ok(match ordered {
        Ordered::Done(_) => None,
        Ordered::Refused(fault) => Some(fault.to_owned()),
        Ordered::Outdated => Some("the manifests have changed in this moment".to_owned()),
    })
}

/// Returns the scope of an override, or a sentence that says why there is none.
async fn scope(world: &mut World, wanted: &Wanted) -> Result<Result<Scope, String>, Error> {
    let campaign = match &wanted.campaign {
        None => None,
        Some(name) => match world.store().in_force().await?.campaigns.get(name) {
            None => return Ok(Err(format!("the campaign `{name}` is not there at this point"))),
            Some(id) => Some(*id),
        },
    };
    let account = match &wanted.account {
        None => None,
        Some(id) => match world.store().find_accounts(&[id]).await?.remove(id.as_str()) {
            None => return Ok(Err(format!("`{id}` is not there: the import refused them"))),
            Some(id) => Some(id),
        },
    };
    Ok(Scope::of(account, campaign).ok_or_else(|| "the override says neither `campaign` nor `account`".to_owned()))
}

const fn verb(action: OverrideAction) -> Action {
    match action {
        OverrideAction::Pause => Action::Pause,
        OverrideAction::Resume => Action::Resume,
        OverrideAction::Start => Action::Start,
        OverrideAction::Cancel => Action::Cancel,
    }
}
