//! When an account is stopped for its own good: `safety` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Period;
use crate::core::manifest::desired::Safety;
use crate::core::manifest::syntax::document::Document;

/// Shorter windows hold too little, longer ones too much that is long over.
const WINDOWS: (Period, Period) = (Period::hours(1), Period::hours(30 * 24));

/// When too much fails, or too many people have enough, of what an account sent lately.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct SafetySpec {
    /// Of a hundred messages that so many fail stops the account: more than 10 when left out.
    #[schemars(range(min = 1, max = 100))]
    failure_percent: Option<u32>,
    /// More people than this of a hundred who ask for no more messages, or block, are told of: 2 when left out.
    #[schemars(range(min = 1, max = 100))]
    opt_out_warn_percent: Option<u32>,
    /// More than this stop the account: 5 when left out.
    #[schemars(range(min = 1, max = 100))]
    opt_out_pause_percent: Option<u32>,
    /// Messages below which no rate is worth anything: 20 when left out.
    #[schemars(range(min = 1, max = 1_000_000))]
    floor: Option<u32>,
    /// The time over which rates are taken: 24h when left out.
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

    /// Checks what the shape does not say.
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
