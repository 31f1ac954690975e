//! The arguments of an order: the runs it concerns, and the reason.

use clap::ValueEnum;

/// The runs of an order, and its reason.
#[derive(Debug, clap::Args)]
pub(super) struct Order {
    /// Campaign; without one, every campaign of `--account`
    #[arg(value_name = "CAMPAIGN", required_unless_present = "whose")]
    pub(super) campaign: Option<String>,
    /// Only for this account
    #[arg(long, value_name = "ID")]
    pub(super) account: Option<String>,
    /// Reason, recorded with the order
    #[arg(long, value_name = "TEXT", required_unless_present = "clear")]
    pub(super) reason: Option<String>,
    /// Name of the operator [default: $USER]
    #[arg(long, value_name = "NAME")]
    pub(super) actor: Option<String>,
    /// Clear the order, so that the manifests apply again
    #[arg(long, conflicts_with = "reason")]
    pub(super) clear: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub(super) output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

impl Order {
    /// Describes the scope of the order in words.
    pub(super) fn what(&self) -> String {
        match (&self.campaign, &self.account) {
            (Some(campaign), Some(account)) => format!("`{campaign}` for account `{account}`"),
            (Some(campaign), None) => format!("`{campaign}`"),
            (None, account) => format!("every campaign of account `{}`", account.as_deref().unwrap_or_default()),
        }
    }

    /// Renders the scope as command-line arguments.
    pub(super) fn typed(&self) -> String {
        let account = self.account.as_ref().map(|account| format!("--account {account}"));
        self.campaign.iter().cloned().chain(account).collect::<Vec<_>>().join(" ")
    }
}
