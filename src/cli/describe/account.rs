//! `relancectl describe account`.

use serde::Serialize;
use serde_json::Value;

use crate::cli::layout::{facts, footer, maybe, section, when};
use crate::cli::rows::quota;
use crate::cli::table::{Cell, Table, counted, one_line, thousands};
use crate::cli::{in_force, known};
use crate::core::domain::Timestamp;
use crate::core::manifest::desired::policy::Origin;
use crate::core::manifest::desired::{Pacing, Safety};
use crate::store::Store;
use crate::store::query::{Account, Wanted};

#[derive(Debug, Serialize)]
pub(super) struct Description {
    account: Account,
    /// The settings in effect for the account, each with the manifest that sets it.
    policy: Vec<Origin>,
}

pub(super) async fn look(store: &Store, id: &str, now: Timestamp) -> anyhow::Result<Description> {
    known::account(store, id).await?;
    let program = in_force::program(store).await?;
    let wanted = Wanted { account: Some(id.to_owned()), ..Wanted::default() };
    let rows = store.accounts(&program, &wanted, now).await?;
    let account = rows.into_iter().next().expect("an account that is known has a row");
    let policy = program.policies.origins(&account.id, &account.labels);
    Ok(Description { account, policy })
}

pub(super) fn text(seen: &Description, _wide: bool, now: Timestamp, colour: bool) -> String {
    let Description { account, policy } = seen;
    let labels: Vec<String> = account.labels.as_object().into_iter().flatten().map(label).collect();
    let [referrals, unpaid, targets] = [account.referrals, account.unpaid, account.active_targets].map(thousands);
    let runs = counted(account.active_runs, "active run");
    let lines = [
        ("Name", one_line(&account.name)),
        ("Timezone", account.timezone.clone()),
        ("WhatsApp", maybe(account.whatsapp_status.as_deref())),
        ("Subscription ends", account.subscription_ends_at.map_or_else(|| "-".to_owned(), |at| when(at, now))),
        ("Labels", if labels.is_empty() { "-".to_owned() } else { one_line(&labels.join(", ")) }),
        ("People", format!("{referrals}, {unpaid} unpaid; {targets} in {runs}")),
        ("Sent today", quota(account.sent_today, account.messages_per_day)),
    ];
    let mut table = Table::new().text(["SETTING", "VALUE", "FROM"]);
    for Origin { setting, value, manifest } in policy {
        let from = manifest.as_ref().map_or("Defaults".to_owned(), |name| format!("Account {name}"));
        table.row([Cell::from(*setting), Cell::from(shown(setting, value)), Cell::from(from)]);
    }
    let text = facts(&format!("Account {}", account.id), &lines);
    text + &section("What holds for it", &table.render(colour)) + &footer(now)
}

fn label((key, value): (&String, &Value)) -> String {
    value.as_str().map_or_else(|| format!("{key}={value}"), |text| format!("{key}={text}"))
}

/// Renders a setting's value for people.
fn shown(setting: &str, value: &Value) -> String {
    match (setting, value) {
        ("limits.messagesPerDay", Value::Null) => "no cap".to_owned(),
        ("channelRef", Value::Null) => "sandbox".to_owned(),
        (_, Value::Null) => "-".to_owned(),
        ("pacing", value) => serde_json::from_value(value.clone()).map_or_else(|_| value.to_string(), |it| pace(&it)),
        ("safety", value) => serde_json::from_value(value.clone()).map_or_else(|_| value.to_string(), |it| safety(&it)),
        (_, Value::String(text)) => one_line(text),
        (_, Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        (_, other) => other.to_string(),
    }
}

/// Renders the failure and opt-out rates that restrict the account, and the rate that causes a warning.
fn safety(safety: &Safety) -> String {
    let Safety { failure_percent, opt_out_warn_percent, opt_out_pause_percent, floor, window } = safety;
    format!(
        "{failure_percent} % failed, {opt_out_pause_percent} % opted out (told above {opt_out_warn_percent} %), of {floor} or \
         more in {window}"
    )
}

fn pace(pacing: &Pacing) -> String {
    if pacing.is_off() {
        return "off".to_owned();
    }
    let mut text = match pacing.waves.len() {
        0 => format!("every {}", pacing.every),
        1 => "a wave".to_owned(),
        waves => format!("{waves} waves"),
    };
    let waves = pacing.waves.iter().map(|w| format!("{} every {}, pause {}", w.messages, w.every, w.pause_after));
    let waves: Vec<String> = waves.collect();
    if !waves.is_empty() {
        text = format!("{text}: {}", waves.join("; "));
    }
    if pacing.jitter.is_zero() { text } else { format!("{text}, up to {} more", pacing.jitter) }
}
