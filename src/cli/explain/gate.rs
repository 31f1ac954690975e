//! The checks of the gate as they are shown.

use serde::Serialize;

use crate::cli::table::{Cell, Table, Tone};
use crate::core::dispatch::gate;
use crate::core::dispatch::gate::{Check, Setting, Verdict, steps};
use crate::core::dispatch::program::Program;
use crate::core::domain::{Timestamp, Zone};
use crate::store::query::Case;

/// One check.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    check: Check,
    #[serde(skip)]
    name: &'static str,
    /// What it goes by, in words.
    inputs: String,
    /// `pass`, `hold` or `exit`: what it says on its own.
    verdict: &'static str,
    reason: Option<&'static str>,
    until: Option<Timestamp>,
    /// Whether it is the first that does not let pass, and so has the say.
    decides: bool,
}

impl From<gate::Step> for Step {
    fn from(step: gate::Step) -> Self {
        let (verdict, reason, until) = match step.verdict {
            None | Some(Verdict::Send) => ("pass", None, None),
            Some(Verdict::Hold { reason, until }) => ("hold", Some(reason.as_str()), until),
            Some(Verdict::Exit(exit)) => ("exit", Some(exit.as_str()), None),
        };
        let gate::Step { check, inputs, decides, .. } = step;
        Self { check, name: check.as_str(), inputs, verdict, reason, until, decides }
    }
}

/// Every check of the gate about `case`, asked now; none when it is not asked about it.
pub(super) fn checks(case: &Case, program: &Program) -> anyhow::Result<Vec<Step>> {
    let campaign = program.campaigns().find(|(_, campaign)| campaign.name.as_str() == case.target.campaign);
    let (Some(asked), Some((_, campaign))) = (&case.asked, campaign) else { return Ok(Vec::new()) };
    let (person, circumstances) = (&case.circumstances.person, &case.circumstances);
    let account = Zone::parse(&person.timezone).map_err(|error| anyhow::anyhow!(error))?;
    let setting = Setting {
        run: (circumstances.run_phase, &circumstances.run_message),
        windows: &campaign.spec.schedule.windows,
        zone: campaign.zone(&account),
        paid_at: person.paid_at,
        consent_source: person.consent_source.as_deref(),
        consent_at: person.consent_at,
        suppressed_at: person.suppressed_at,
        held_at: person.held_at,
    };
    Ok(steps(&asked.now, &setting).into_iter().map(Step::from).collect())
}

pub(super) fn table(checks: &[Step]) -> Table {
    let mut table = Table::new().text(["CHECK", "VERDICT", "GOES BY"]);
    for step in checks {
        let tone = match step.verdict {
            "pass" => Tone::Good,
            _ if !step.decides => Tone::Faint,
            "hold" => Tone::Waiting,
            _ => Tone::Bad,
        };
        let verdict = match step.reason {
            None => step.verdict.to_owned(),
            Some(reason) => format!("{} ({reason}){}", step.verdict, if step.decides { " ←" } else { "" }),
        };
        table.row([Cell::from(step.name), Cell::new(verdict, tone), Cell::from(&*step.inputs)]);
    }
    table
}
