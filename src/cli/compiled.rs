//! One campaign from the files, compiled so that its messages can be rendered.

use anyhow::bail;

use super::{Global, known, print, validate};
use crate::config::Config;
use crate::core::dispatch::program::{CampaignProgram, Program};
use crate::core::domain::CampaignId;
use crate::core::manifest::{Checked, Sources, check};
use crate::source;

const NUMBER: CampaignId = CampaignId(0);

/// A campaign without errors, and the files it comes from.
pub(super) struct Compiled {
    pub(super) sources: Sources,
    pub(super) checked: Checked,
    program: Program,
}

impl Compiled {
    /// Compiles the campaign of this name. Prints the findings and returns `None` when the campaign, or something it
    /// refers to, has errors.
    pub(super) fn load(campaign: &str, global: &Global, config: &Config) -> anyhow::Result<Option<Self>> {
        let sources = source::load(&global.directories())?;
        let checked = check(&sources);
        let name = known::campaign_in_files(campaign, &checked)?;
        if !checked.desired.campaigns.contains_key(&name) {
            validate::show(&sources, &checked, config);
            print::note(&format!("nothing is shown: `{name}`, or what it refers to, has errors"));
            return Ok(None);
        }
        let program = Program::compile(&checked.desired, &[(name, NUMBER)].into(), 0, 0);
        if let Some(frozen) = program.frozen.get(&NUMBER) {
            bail!("{}", frozen.why);
        }
        Ok(Some(Self { sources, checked, program }))
    }

    pub(super) fn campaign(&self) -> &CampaignProgram {
        self.program.campaign(NUMBER).expect("a sound campaign has a program")
    }

    /// Refuses a day that the campaign does not have.
    pub(super) fn has(&self, day: u16) -> anyhow::Result<()> {
        let campaign = self.campaign();
        let days = campaign.cadence.days();
        if !(1..=days).contains(&day) {
            bail!("`{}` has no day {day}: its days are 1 to {days}", campaign.name);
        }
        Ok(())
    }
}
