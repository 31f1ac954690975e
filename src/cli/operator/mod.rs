//! `relancectl pause`, `resume`, `start` and `cancel`: orders that override the manifests until they are cleared; and
//! `reopen`.

mod channel;
mod order;
pub(super) mod reopen;
mod said;

use anyhow::{Context, bail};
use clap::ArgGroup;

use self::order::{Format, Order};
use self::said::OrderReport;
use super::database::Database;
use super::table::{counted, people};
use super::{Exit, Global, actor, in_force, known, print};
use crate::config::Config;
use crate::core::domain::{CampaignId, Name, Period, Timestamp};
use crate::core::lifecycle::overrides::{Action, Override, Scope};
use crate::store::{Concerned, Ordered, Outcome, Store};

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("whose").arg("account"))]
pub struct Args {
    #[command(flatten)]
    order: Order,
    /// How long the order lasts, as in `90m`, `2h` or `7d` [default: until it is cleared]
    #[arg(long = "for", value_name = "DURATION", value_parser = Period::parse, conflicts_with = "clear")]
    lasting: Option<Period>,
}

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("whose").args(["account", "channel"]))]
pub struct ResumeArgs {
    /// Resume everything the provider stopped on this channel: the channel, its numbers and its templates
    #[arg(long, value_name = "NAME", conflicts_with_all = ["campaign", "account", "clear", "lasting"])]
    channel: Option<String>,
    #[command(flatten)]
    order: Order,
    /// How long the order lasts, as in `90m`, `2h` or `7d` [default: until it is cleared]
    #[arg(long = "for", value_name = "DURATION", value_parser = Period::parse, conflicts_with = "clear")]
    lasting: Option<Period>,
}

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("whose").arg("account"))]
pub struct CancelArgs {
    #[command(flatten)]
    order: Order,
    /// Confirm the cancellation, which cannot be undone
    #[arg(long, conflicts_with = "clear")]
    yes: bool,
}

pub(super) async fn run(action: Action, args: &Args, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    give(action, &args.order, args.lasting, global, config).await
}

pub(super) async fn resume(args: &ResumeArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    match &args.channel {
        Some(name) => channel::resume(name, &args.order, global, config).await,
        None => give(Action::Resume, &args.order, args.lasting, global, config).await,
    }
}

async fn give(
    action: Action,
    order: &Order,
    lasting: Option<Period>,
    global: &Global,
    config: &Config,
) -> anyhow::Result<Exit> {
    let desk = Desk::open(action, order, global, config).await?;
    let until = lasting.map(|lasting| desk.now + std::time::Duration::from(lasting));
    desk.serve(until).await
}

pub(super) async fn cancel(args: &CancelArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let desk = Desk::open(Action::Cancel, &args.order, global, config).await?;
    // An order that will be refused anyway needs no confirmation.
    if !args.yes && !args.order.clear && desk.scope.campaign().is_some() {
        let Concerned { runs, people: n } = desk.database.store.concerned(desk.scope).await?;
        let (what, runs, people) = (desk.order.what(), counted(runs, "run"), people(n));
        bail!("this cancels {what} for ever ({runs}, {people}); `--yes` does it");
    }
    desk.serve(None).await
}

/// An order to give or clear, with its actor and time.
struct Desk<'a> {
    database: Database,
    action: Action,
    order: &'a Order,
    scope: Scope,
    actor: String,
    now: Timestamp,
}

impl<'a> Desk<'a> {
    async fn open(action: Action, order: &'a Order, global: &Global, config: &Config) -> anyhow::Result<Self> {
        let database = Database::open(global, config, 2).await?;
        let (now, _) = database.store.now().await?;
        let campaign = match &order.campaign {
            Some(name) => Some(campaign(&database.store, name).await?),
            None => None,
        };
        let account = match &order.account {
            Some(id) => Some(known::account_id(&database.store, id).await?),
            None => None,
        };
        let scope = Scope::of(account, campaign).context("name a campaign, an account, or both")?;
        let actor = actor::actor(order.actor.as_deref(), config)?.to_owned();
        Ok(Self { database, action, order, scope, actor, now })
    }

    async fn serve(&self, until: Option<Timestamp>) -> anyhow::Result<Exit> {
        let outcome = if self.order.clear { self.clear().await? } else { self.give(until).await? };
        let said = OrderReport { action: self.action, order: self.order, actor: &self.actor, until, outcome: &outcome };
        print::line(&match self.order.output {
            Format::Text => said.text(),
            Format::Json => serde_json::to_string_pretty(&said.effect())?,
        });
        Ok(Exit::Fine)
    }

    async fn give(&self, until: Option<Timestamp>) -> anyhow::Result<Outcome> {
        let order = Override {
            scope: self.scope,
            action: self.action,
            actor: self.actor.clone(),
            reason: self.order.reason.as_deref().unwrap_or_default().trim().to_owned(),
            until,
        };
        let store = &self.database.store;
        loop {
            match store.set_override(&in_force::program(store).await?, &order, self.now).await? {
                Ordered::Done(outcome) => return Ok(outcome),
                Ordered::Refused(fault) => bail!("{fault}"),
                // Another revision was accepted meanwhile: the order is tried again.
                Ordered::Outdated => {}
            }
        }
    }

    async fn clear(&self) -> anyhow::Result<Outcome> {
        let store = &self.database.store;
        let Some(Override { action, .. }) = store.override_of(self.scope, self.now).await? else {
            bail!("nothing is ordered for {}", self.order.what());
        };
        if action != self.action {
            let (what, typed) = (self.order.what(), self.order.typed());
            bail!("what is ordered for {what} is to {action}; `relancectl {action} {typed} --clear` takes it back");
        }
        loop {
            match store.clear_override(&in_force::program(store).await?, self.scope, &self.actor, self.now).await? {
                Ordered::Done(outcome) => return Ok(outcome),
                Ordered::Refused(fault) => bail!("{fault}"),
                Ordered::Outdated => {}
            }
        }
    }
}

async fn campaign(store: &Store, name: &str) -> anyhow::Result<CampaignId> {
    known::campaign(store, name).await?;
    let in_force = store.in_force().await?;
    let id = Name::parse(name).ok().and_then(|name| in_force.campaigns.get(&name).copied());
    id.with_context(|| format!("campaign `{name}` is over: its manifest is gone"))
}
