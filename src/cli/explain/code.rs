//! `relancectl explain CODE`.

use anyhow::bail;

use crate::cli::{Exit, print};
use crate::core::diagnostic::{Code, did_you_mean};

pub(super) fn run(code: &str) -> anyhow::Result<Exit> {
    let Some(found) = Code::find(code) else {
        let near = did_you_mean(code, Code::ALL.iter().flat_map(|code| [code.id(), code.name()]));
        let near = near.map(|near| format!(": {near}")).unwrap_or_default();
        bail!("there is no code `{code}`{near}");
    };
    print::line(&format!("{} {} ({})\n\n{}", found.id(), found.name(), found.severity(), found.explanation()));
    Ok(Exit::Fine)
}
