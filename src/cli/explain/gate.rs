//! The checks of the gate, in the form shown to users.

use serde::Serialize;

use crate::cli::table::{Cell, Table, Tone};
use crate::core::dispatch::gate;
use crate::core::dispatch::gate::{Check, Setting, Verdict, steps};
use crate::core::dispatch::program::{Program, Whereabouts};
use crate::core::domain::{Country, Timestamp, Zone};
use crate::store::query::Case;

/// One check of the gate.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    check: Check,
    #[serde(skip)]
    name: &'static str,
    /// The inputs of the check, in words.
    inputs: String,
    /// The verdict of this check alone: `pass`, `hold` or `exit`.
    verdict: &'static str,
    reason: Option<&'static str>,
    until: Option<Timestamp>,
    /// True for the first check that does not pass; it decides the verdict of the gate.
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

/// Lists every check of the gate for `case`, as of now. Returns none when the gate does not apply to the case.
pub(super) fn checks(case: &Case, program: &Program) -> anyhow::Result<Vec<Step>> {
    let campaign = program.campaigns().find(|(_, campaign)| campaign.name.as_str() == case.target.campaign);
    let (Some(asked), Some((_, campaign))) = (&case.asked, campaign) else { return Ok(Vec::new()) };
    let (person, circumstances) = (&case.circumstances.person, &case.circumstances);
    let account = Zone::parse(&person.timezone).map_err(|error| anyhow::anyhow!(error))?;
    let own = person.own_timezone.as_deref().and_then(|name| Zone::parse(name).ok());
    let country = Country::parse(&person.country).map_err(|error| anyhow::anyhow!(error))?;
    let whereabouts = Whereabouts { timezone: own.as_ref(), country };
    let setting = Setting {
        run: (circumstances.run_phase, &circumstances.run_detail),
        windows: &campaign.spec.schedule.windows,
        zone: campaign.zone_for(whereabouts, &account),
        paid_at: person.paid_at,
        consent_source: person.consent_source.as_deref(),
        consent_at: person.consent_at,
        suppressed_at: person.suppressed_at,
        held_at: person.held_at,
    };
    Ok(steps(&asked.now, &setting).into_iter().map(Step::from).collect())
}

pub(super) fn table(checks: &[Step]) -> Table {
    let mut table = Table::new().text(["CHECK", "VERDICT", "BECAUSE"]);
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
