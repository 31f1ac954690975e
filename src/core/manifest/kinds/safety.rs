//! The schema of `safety`: the failure and opt-out rates that stop an account.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Period;
use crate::core::manifest::desired::Safety;
use crate::core::manifest::syntax::document::Document;

/// The allowed range of `window`. A shorter window holds too few messages, a longer one too many old ones.
const WINDOWS: (Period, Period) = (Period::hours(1), Period::hours(30 * 24));

/// The failure and opt-out rates, over recent messages, that stop an account.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct SafetySpec {
    /// The failure rate above which the account stops, in percent of messages; 10 by default.
    #[schemars(range(min = 1, max = 100))]
    failure_percent: Option<u32>,
    /// The opt-out rate above which a notification is sent, in percent of people who opt out or block; 2 by default.
    #[schemars(range(min = 1, max = 100))]
    opt_out_warn_percent: Option<u32>,
    /// The opt-out rate above which the account stops, in percent of people who opt out or block; 5 by default.
    #[schemars(range(min = 1, max = 100))]
    opt_out_pause_percent: Option<u32>,
    /// The minimum number of messages before rates count; 20 by default.
    #[schemars(range(min = 1, max = 1_000_000))]
    floor: Option<u32>,
    /// The time over which rates are measured, from 1h to 30d; 24h by default.
    window: Option<Period>,
}

impl SafetySpec {
    pub(in crate::core::manifest) fn resolve(self) -> Safety {
        let usual = Safety::default();
        Safety {
            failure_percent: self.failure_percent.unwrap_or(usual.failure_percent),
            opt_out_warn_percent: self.opt_out_warn_percent.unwrap_or(usual.opt_out_warn_percent),
            opt_out_pause_percent: self.opt_out_pause_percent.unwrap_or(usual.opt_out_pause_percent),
            floor: self.floor.unwrap_or(usual.floor),
            window: self.window.unwrap_or(usual.window),
        }
    }

    /// Checks what the JSON Schema cannot express.
    pub(in crate::core::manifest) fn check(self, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
        let Safety { opt_out_warn_percent: warn, opt_out_pause_percent: pause, window, .. } = self.resolve();
        if window < WINDOWS.0 || window > WINDOWS.1 {
            let message = format!("`window` must be {} at least and {} at most", WINDOWS.0, WINDOWS.1);
            let place = document.place("/spec/safety/window");
            found.push(Diagnostic::new(Code::OutOfRange, place, message).help("leave it out for 24h"));
        }
        if warn >= pause {
            let message =
                format!("nobody is warned: opt-outs stop the account above {pause} % and are told of above {warn} %");
            let place = document.key_place("/spec/safety");
            found.push(
                Diagnostic::new(Code::NoEffect, place, message)
                    .help("let `optOutWarnPercent` be less than `optOutPausePercent`"),
            );
        }
    }
}
