//! Checks of names that users type; an unknown name is an error that suggests the nearest known one.

use anyhow::{Context, anyhow, bail};

use crate::core::diagnostic::nearest;
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, Name, Timestamp};
use crate::core::manifest::{Checked, Kind};
use crate::store::Store;
use crate::store::query::{Case, TargetName};

/// Maximum number of names listed when none is near.
const LISTED: usize = 10;

pub(super) async fn campaign(store: &Store, name: &str) -> anyhow::Result<()> {
    let names = store.campaign_names().await?;
    one_of("campaign", name, &names, "none was applied yet; `relancectl apply` does")
}

pub(super) async fn account(store: &Store, id: &str) -> anyhow::Result<()> {
    let ids = store.account_names().await?;
    one_of("account", id, &ids, "none was imported yet; `relancectl import` does")
}

/// Returns the internal id of the account with this name.
pub(super) async fn account_id(store: &Store, id: &str) -> anyhow::Result<AccountId> {
    account(store, id).await?;
    store.find_accounts(&[id]).await?.remove(id).with_context(|| format!("account `{id}` was just removed"))
}

/// Returns the campaign of this name in the files, with or without errors.
pub(super) fn campaign_in_files(name: &str, checked: &Checked) -> anyhow::Result<Name> {
    let broken = checked.broken.iter().filter(|(kind, _)| *kind == Kind::Campaign).map(|(_, name)| name);
    let names: Vec<String> = checked.desired.campaigns.keys().chain(broken).map(ToString::to_string).collect();
    one_of("campaign", name, &names, "there is none in these files; `--dir` names others")?;
    Name::parse(name).map_err(|error| anyhow!(error))
}

/// Checks that the referral exists. With `account`, looks only there for it and for similar names.
pub(super) async fn referral(store: &Store, id: &str, account: Option<&str>) -> anyhow::Result<()> {
    let Some(account) = account else {
        if store.knows_referral(id).await? {
            return Ok(());
        }
        let near = store.referral_names_near(id).await?;
        let near = nearest(id, near.iter().map(String::as_str));
        bail!("no referral `{id}`{}", near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default());
    };
    let ids = store.referral_names(account).await?;
    one_of("referral", id, &ids, &format!("account `{account}` has none"))
}

/// Returns the target of an id as `get targets` shows it.
pub(super) async fn target(store: &Store, id: &str) -> anyhow::Result<TargetName> {
    if let Some(name) = store.find_target(id).await? {
        return Ok(name);
    }
    // The next checks find the wrong part of the id.
    let parts: Vec<&str> = id.splitn(3, '/').collect();
    let [campaign, account, referral] = parts[..] else {
        bail!("`{id}` is not the id of a target: write `campaign/account/referral`, as `get targets` shows it");
    };
    self::campaign(store, campaign).await?;
    self::account(store, account).await?;
    self::referral(store, referral, Some(account)).await?;
    bail!(
        "`{referral}` is not in the run of `{campaign}` for `{account}`: it was not enrolled; \
         `relancectl explain referral {referral}` says why"
    )
}

/// Returns the latest case of the target, as of `now`.
pub(super) async fn case(store: &Store, name: &TargetName, program: &Program, now: Timestamp) -> anyhow::Result<Case> {
    let cases = store.cases(program, &name.referral, Some(&name.campaign), now).await?;
    cases.into_iter().next().ok_or_else(|| anyhow!("`{}` was just removed", name.referral))
}

/// Checks that `names` contains `name`; `none` is the message for an empty list.
pub(super) fn one_of(noun: &str, name: &str, names: &[String], none: &str) -> anyhow::Result<()> {
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    if names.is_empty() {
        bail!("no {noun} `{name}`: {none}");
    }
    if let Some(near) = nearest(name, names.iter().map(String::as_str)) {
        bail!("no {noun} `{name}`; did you mean `{near}`?");
    }
    if names.len() <= LISTED {
        bail!("no {noun} `{name}`; there are: {}", names.join(", "));
    }
    bail!("no {noun} `{name}`; `relancectl get {noun}s` lists them")
}

#[cfg(test)]
mod tests {
    use super::one_of;

    #[test]
    fn an_unknown_name_suggests_the_nearest_known_one() {
        let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let answer = |name: &str, list: &[&str]| match one_of("campaign", name, &names(list), "none yet") {
            Ok(()) => "known".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(answer("welcome", &["welcome"]), "known");
        assert_eq!(answer("wellcome", &["welcome", "sleepers"]), "no campaign `wellcome`; did you mean `welcome`?");
        assert_eq!(answer("x", &["welcome", "sleepers"]), "no campaign `x`; there are: welcome, sleepers");
        assert_eq!(answer("x", &[]), "no campaign `x`: none yet");
        assert_eq!(answer("x", &["longer"; 11]), "no campaign `x`; `relancectl get campaigns` lists them");
    }
}
