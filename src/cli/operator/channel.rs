//! `relancectl resume --channel`: lifts a provider's restrictions on a channel after an operator has checked it.

use anyhow::bail;
use serde_json::json;

use super::order::{Format, Order};
use crate::cli::database::Database;
use crate::cli::table::{counted, one_line};
use crate::cli::{Exit, Global, actor, known, print};
use crate::config::Config;

pub(super) async fn resume(name: &str, order: &Order, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let database = Database::open(global, config, 2).await?;
    let store = &database.store;
    let (now, _) = store.now().await?;
    let names: Vec<String> = store.in_force().await?.desired.channels.keys().map(ToString::to_string).collect();
    known::one_of("channel", name, &names, "no manifest in force has one")?;
    let actor = actor::actor(order.actor.as_deref(), config)?;
    let reason = order.reason.as_deref().unwrap_or_default().trim();
    if reason.is_empty() {
        bail!("give a reason for the log: `--reason`");
    }
    let resumed = store.resume_channel(name, (actor, reason), now).await?;
    if resumed.lifted.is_empty() {
        bail!("nothing stops the channel `{name}`");
    }
    print::line(&match order.output {
        Format::Json => serde_json::to_string_pretty(&json!({
            "action": "resume",
            "channel": name,
            "actor": actor,
            "reason": reason,
            "lifted": resumed.lifted.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "runs": resumed.runs,
        }))?,
        Format::Text => {
            let runs = counted(resumed.runs, "run");
            let lines: Vec<String> =
                resumed.lifted.iter().map(|why| format!("\n  {}", one_line(&why.to_string()))).collect();
            format!(
                "Resumed the channel `{name}`: {runs} that waited are looked at. What stopped it:{}",
                lines.concat()
            )
        }
    });
    Ok(Exit::Fine)
}
