//! `relancectl explain`.

use anyhow::bail;

use super::{Exit, print};
use crate::diagnostic::{Code, did_you_mean};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A code such as `RL0107`, or its name
    code: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let Some(code) = Code::find(&args.code) else {
        let near = did_you_mean(&args.code, Code::ALL.iter().flat_map(|code| [code.id(), code.name()]));
        let near = near.map(|near| format!(": {near}")).unwrap_or_default();
        bail!("there is no code `{}`{near}", args.code);
    };
    print::line(&format!("{} {} ({})\n\n{}", code.id(), code.name(), code.severity(), code.explanation()));
    Ok(Exit::Fine)
}
