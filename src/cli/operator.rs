//! `relancectl pause`, `resume`, `start` and `cancel`: what an operator orders beats the manifests until it is taken back.

use anyhow::{Context, bail};

use super::database::Database;
use super::table::{counted, one_line, thousands, time};
use super::{Exit, Global, get, known, print};
use crate::config::Config;
use crate::domain::{Name, Period, Timestamp};
use crate::lifecycle::operator::{Action, Override, Scope};
use crate::lifecycle::run::{Phase, Reason};
use crate::store::{Concerned, Group, Ordered, Outcome, look};

/// Which runs, and why.
#[derive(Debug, clap::Args)]
struct Order {
    /// The campaign; without one, every campaign of `--account`
    #[arg(value_name = "CAMPAIGN", required_unless_present = "account")]
    campaign: Option<String>,
    /// Only for this account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", required_unless_present = "clear")]
    reason: Option<String>,
    /// Who orders it [default: $USER]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Take the order back: what it was about goes by the manifests again
    #[arg(long, conflicts_with_all = ["reason", "actor"])]
    clear: bool,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    order: Order,
    /// For so long only, as in `90m`, `2h` or `7d` [default: until it is cleared]
    #[arg(long = "for", value_name = "DURATION", value_parser = Period::parse, conflicts_with = "clear")]
    lasting: Option<Period>,
}

#[derive(Debug, clap::Args)]
pub struct CancelArgs {
    #[command(flatten)]
    order: Order,
    /// Do it: a cancelled run is over for ever
    #[arg(long, conflicts_with = "clear")]
    yes: bool,
}

pub(super) async fn run(action: Action, args: &Args, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let desk = Desk::open(action, &args.order, global, config).await?;
    if args.order.clear {
        return desk.clear().await;
    }
    let until = args.lasting.map(|lasting| desk.now + std::time::Duration::from(lasting));
    desk.give(&args.order, until, config).await
}

pub(super) async fn cancel(args: &CancelArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let desk = Desk::open(Action::Cancel, &args.order, global, config).await?;
    if args.order.clear {
        return desk.clear().await;
    }
    // What is refused anyway needs no yes.
    if !args.yes && desk.scope.campaign().is_some() {
        let Concerned { runs, people: n } = desk.database.store.concerned(desk.scope).await?;
        let (runs, people) = (counted(runs, "run"), people(n));
        bail!("this cancels {} for ever: {runs}, with {people} who leave; `--yes` does it", desk.what);
    }
    desk.give(&args.order, None, config).await
}

/// An order about to be given or taken back.
struct Desk {
    database: Database,
    action: Action,
    scope: Scope,
    /// What it is about, as people say it.
    what: String,
    /// The same as one types it.
    typed: String,
    now: Timestamp,
}

impl Desk {
    async fn open(action: Action, order: &Order, global: &Global, config: &Config) -> anyhow::Result<Self> {
        let database = Database::open(global, config, 2).await?;
        let store = &database.store;
        let (now, _) = store.now().await?;
        let campaign = match &order.campaign {
            Some(name) => {
                known::campaign(store, name).await?;
                let id = Name::parse(name).ok();
                let id = match id {
                    Some(name) => store.in_force().await?.campaigns.get(&name).copied(),
                    None => None,
                };
                Some(id.with_context(|| format!("campaign `{name}` is over: its manifest is gone"))?)
            }
            None => None,
        };
        let account = match &order.account {
            Some(id) => {
                known::account(store, id).await?;
                store.find_accounts(&[id]).await?.remove(id)
            }
            None => None,
        };
        let scope = Scope::of(account, campaign).context("name a campaign, an account, or both")?;
        let (what, typed) = match (&order.campaign, &order.account) {
            (Some(campaign), Some(account)) => {
                (format!("`{campaign}` for account `{account}`"), format!("{campaign} --account {account}"))
            }
            (Some(campaign), None) => (format!("`{campaign}`"), campaign.clone()),
            (None, account) => {
                let account = account.as_deref().unwrap_or_default();
                (format!("every campaign of account `{account}`"), format!("--account {account}"))
            }
        };
        Ok(Self { database, action, scope, what, typed, now })
    }

    async fn give(&self, order: &Order, until: Option<Timestamp>, config: &Config) -> anyhow::Result<Exit> {
        let actor = order.actor.as_ref().or(config.user.as_ref());
        let actor = actor.context("nobody says who orders this: add `--actor NAME` ($USER is not set)")?;
        let order = Override {
            scope: self.scope,
            action: self.action,
            actor: actor.trim().to_owned(),
            reason: order.reason.as_deref().unwrap_or_default().trim().to_owned(),
            until,
        };
        let store = &self.database.store;
        let outcome = loop {
            match store.set_override(&get::program(store).await?, &order, self.now).await? {
                Ordered::Done(outcome) => break outcome,
                Ordered::Refused(fault) => bail!("{fault}"),
                // A revision was accepted in this moment.
                Ordered::Outdated => {}
            }
        };
        print::line(&self.given(&outcome, until));
        Ok(Exit::Fine)
    }

    async fn clear(&self) -> anyhow::Result<Exit> {
        let store = &self.database.store;
        match store.override_of(self.scope, self.now).await? {
            None => bail!("nothing is ordered for {}", self.what),
            Some(action) if action != self.action => bail!(
                "what is ordered for {} is to {action}; `relancectl {action} {} --clear` takes it back",
                self.what,
                self.typed
            ),
            Some(_) => {}
        }
        let outcome = loop {
            match store.clear_override(&get::program(store).await?, self.scope, self.now).await? {
                Ordered::Done(outcome) => break outcome,
                Ordered::Refused(fault) => bail!("{fault}"),
                Ordered::Outdated => {}
            }
        };
        let text = format!("Cleared the order to {} {}: {}.", self.action, self.what, self.all_of(&outcome));
        print::line(&(text + &groups(outcome.runs.iter())));
        Ok(Exit::Fine)
    }

    /// What was ordered, for whom, and what it means for them.
    fn given(&self, outcome: &Outcome, until: Option<Timestamp>) -> String {
        let over = match until {
            Some(until) => format!("until {} UTC", time(until)),
            None => format!("until `relancectl {} {} --clear`", self.action, self.typed),
        };
        let (done, meaning) = match self.action {
            Action::Pause => {
                ("Paused", format!("Nobody is enrolled or written to {over}; everybody stays where they are."))
            }
            Action::Resume => (
                "Resumed",
                format!("It goes on where it stood, within pace and daily caps, whatever its manifest says {over}."),
            ),
            Action::Start => (
                "Started",
                format!("It runs from now on, within pace and daily caps, whatever its manifest says {over}."),
            ),
            Action::Cancel => ("Cancelled", format!("{} left. That cannot be undone.", people(outcome.exited))),
        };
        let mut text = format!("{done} {}: {}. {meaning}", self.what, self.all_of(outcome));
        if let Some(before) = outcome.before.filter(|before| *before != self.action) {
            text += &format!(" It takes the place of the order to {before}.");
        }
        text + &groups(outcome.runs.iter().filter(|group| !self.is_obeyed(group)))
    }

    fn all_of(&self, outcome: &Outcome) -> String {
        let runs: i64 = outcome.runs.iter().map(|group| group.runs).sum();
        let n = outcome.exited + outcome.runs.iter().map(|group| group.people).sum::<i64>();
        match runs {
            0 => "no run of it is under way, so it is for those to come".to_owned(),
            _ => format!("{}, {}", counted(runs, "run"), people(n)),
        }
    }

    fn is_obeyed(&self, group: &Group) -> bool {
        match self.action {
            Action::Pause => group.phase == Phase::Paused && group.reason == Reason::Operator.as_str(),
            Action::Resume | Action::Start => group.phase == Phase::Active,
            Action::Cancel => group.phase == Phase::Cancelled,
        }
    }
}

/// Where runs are, a line each.
fn groups<'a>(groups: impl Iterator<Item = &'a Group>) -> String {
    let line = |group: &Group| {
        let verb = if group.runs == 1 { "is" } else { "are" };
        let (runs, message) = (counted(group.runs, "run"), one_line(&group.message));
        format!("\n  {runs} {verb} {} ({}): {message}", group.phase, group.reason)
    };
    groups.map(line).collect()
}

fn people(n: i64) -> String {
    if n == 1 { "1 person".to_owned() } else { format!("{} people", thousands(n)) }
}

/// The overrides that count, a line each; nothing when there are none.
pub(super) fn lines(overrides: &[look::Override]) -> String {
    let line = |order: &look::Override| {
        let what = match (&order.campaign, &order.account) {
            (Some(campaign), Some(account)) => format!("{campaign} for account {account}"),
            (Some(campaign), None) => campaign.clone(),
            (None, account) => format!("every campaign of account {}", account.as_deref().unwrap_or_default()),
        };
        let until = order.until.map_or_else(String::new, |until| format!(", until {}", time(until)));
        let (actor, since) = (one_line(&order.actor), time(order.created_at));
        format!("! {:<7} {what}, by {actor} since {since}{until}: {}", order.action, one_line(&order.reason))
    };
    overrides.iter().map(line).collect::<Vec<_>>().join("\n")
}
