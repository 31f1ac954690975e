//! The arguments of an order: the runs it concerns, and the reason.

use clap::ValueEnum;

/// Which runs, and why.
#[derive(Debug, clap::Args)]
pub(super) struct Order {
    /// The campaign; without one, every campaign of `--account`
    #[arg(value_name = "CAMPAIGN", required_unless_present = "whose")]
    pub(super) campaign: Option<String>,
    /// Only for this account
    #[arg(long, value_name = "ID")]
    pub(super) account: Option<String>,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", required_unless_present = "clear")]
    pub(super) reason: Option<String>,
    /// Who orders it [default: $USER]
    #[arg(long, value_name = "NAME")]
    pub(super) actor: Option<String>,
    /// Take the order back: what it was about goes by its manifests again
    #[arg(long, conflicts_with = "reason")]
    pub(super) clear: bool,
    /// How to report
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub(super) output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

impl Order {
    /// What it is about, as people say it.
    pub(super) fn what(&self) -> String {
        match (&self.campaign, &self.account) {
            (Some(campaign), Some(account)) => format!("`{campaign}` for account `{account}`"),
            (Some(campaign), None) => format!("`{campaign}`"),
            (None, account) => format!("every campaign of account `{}`", account.as_deref().unwrap_or_default()),
        }
    }

    /// The same as one types it.
    pub(super) fn typed(&self) -> String {
        let account = self.account.as_ref().map(|account| format!("--account {account}"));
        self.campaign.iter().cloned().chain(account).collect::<Vec<_>>().join(" ")
    }
}
