//! The gate: the only decision whether a target may get a message now, with its reasons.
//!
//! The checks run in this order: the run and the account, then the person, then time and quota. The first check that
//! does not pass decides. `docs/src/concepts/gate.md` lists them.

mod check;
mod inputs;
mod question;
mod verdict;

pub use self::check::Check;
pub use self::inputs::Setting;
pub use self::question::{Account, LaneRestriction, Person, Question, Quota, Run};
pub use self::verdict::{Hold, Scope, Verdict};

/// A check with its inputs and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub check: Check,
    /// The inputs in words.
    pub inputs: String,
    /// The verdict of this check alone; `None` if it passes.
    pub verdict: Option<Verdict>,
    /// True for the first check that does not pass: its verdict decides.
    pub decides: bool,
}

/// Returns the verdict of the first check that does not pass, otherwise [`Verdict::Send`].
pub fn decide(question: &Question) -> Verdict {
    Check::ALL.into_iter().find_map(|check| check.verdict(question)).unwrap_or(Verdict::Send)
}

/// Returns every check in order, including those after the deciding one.
pub fn steps(question: &Question, setting: &Setting<'_>) -> Vec<Step> {
    let mut open = true;
    let step = |check: Check| {
        let verdict = check.verdict(question);
        let decides = verdict.is_some() && open;
        open &= verdict.is_none();
        Step { check, inputs: inputs::inputs(check, question, setting), verdict, decides }
    };
    Check::ALL.into_iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::{Account, Check, Hold, LaneRestriction, Person, Question, Quota, Run, Setting, Verdict, decide, steps};
    use crate::core::domain::{Consent, Opening, Timestamp, Windows, Zone};
    use crate::core::lifecycle::detail::Detail;
    use crate::core::lifecycle::run::Phase;
    use crate::core::lifecycle::target::Exit;
    use crate::core::manifest::desired::ConsentPolicy;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn person() -> Person {
        Person {
            paid: false,
            consent: Some(Consent::OptedIn),
            suppressed: false,
            near_opt_out: false,
            last_written_on: Some("2026-11-30".parse().unwrap()),
            today: "2026-12-01".parse().unwrap(),
        }
    }

    fn yes() -> Question {
        Question {
            now: at("2026-12-01T08:00:00Z"),
            run: Run { phase: Phase::Active, end_at: None, exit_on_paid: true, consent: ConsentPolicy::Required },
            sending: true,
            account: Account::new(None, true),
            person: Some(person()),
            opening: Opening::Open(at("2026-12-01T19:00:00Z")),
            own_windows: false,
            account_quota: Quota { cap: Some(2), taken: 1 },
            campaign_quota: Quota { cap: None, taken: 9 },
            day_ends_at: at("2026-12-01T23:00:00Z"),
            next_slot_at: Some(at("2026-12-01T08:00:00Z")),
        }
    }

    #[test]
    fn every_gate_check_gives_its_verdict_in_order() {
        let someone = |change: fn(&mut Person)| {
            let mut person = person();
            change(&mut person);
            Question { person: Some(person), ..yes() }
        };
        let cases = [
            ("all well", yes()),
            ("run paused", Question { run: Run { phase: Phase::Paused, ..yes().run }, ..yes() }),
            ("run cancelled", Question { run: Run { phase: Phase::Cancelled, ..yes().run }, ..yes() }),
            ("run over", Question { run: Run { end_at: Some(yes().now), ..yes().run }, ..yes() }),
            ("sending off", Question { sending: false, ..yes() }),
            ("expired", Question { account: Account::new(Some(yes().now), true), ..yes() }),
            ("offline", Question { account: Account::new(None, false), ..yes() }),
            ("halted", {
                let halt = Some(LaneRestriction { until: None });
                Question { account: Account { halt, ..yes().account }, ..yes() }
            }),
            ("halted for a while", {
                let halt = Some(LaneRestriction { until: Some(at("2026-12-01T09:00:00Z")) });
                Question { account: Account { halt, ..yes().account }, ..yes() }
            }),
            ("halted until now", {
                let halt = Some(LaneRestriction { until: Some(yes().now) });
                Question { account: Account { halt, ..yes().account }, ..yes() }
            }),
            ("paid", someone(|p| p.paid = true)),
            ("paid, asked for", {
                let question = someone(|p| p.paid = true);
                Question { run: Run { exit_on_paid: false, ..yes().run }, ..question }
            }),
            ("suppressed", someone(|p| p.suppressed = true)),
            ("opted out", someone(|p| p.consent = Some(Consent::OptedOut))),
            ("unclear reply", someone(|p| p.near_opt_out = true)),
            ("unclear, opted out", { someone(|p| (p.near_opt_out, p.consent) = (true, Some(Consent::OptedOut))) }),
            ("unknown consent", someone(|p| p.consent = None)),
            ("legacy consent", {
                let question = someone(|p| p.consent = None);
                Question { run: Run { consent: ConsentPolicy::Legacy, ..yes().run }, ..question }
            }),
            ("night", Question { opening: Opening::Opens(at("2026-12-02T07:00:00Z")), ..yes() }),
            ("no window", Question { opening: Opening::Never, ..yes() }),
            ("account cap", Question { account_quota: Quota { cap: Some(2), taken: 2 }, ..yes() }),
            ("campaign cap", Question { campaign_quota: Quota { cap: Some(9), taken: 9 }, ..yes() }),
            ("written today", someone(|p| p.last_written_on = Some(p.today))),
            ("too fast", Question { next_slot_at: Some(at("2026-12-01T08:01:30Z")), ..yes() }),
            ("too fast for the provider", {
                let throttled_until = Some(at("2026-12-01T08:00:04Z"));
                Question { account: Account { throttled_until, ..yes().account }, ..yes() }
            }),
        ];
        let mut table = String::new();
        for (name, question) in &cases {
            let verdict = match decide(question) {
                Verdict::Send => "send".to_owned(),
                Verdict::Hold { reason, until: Some(until) } => format!("hold {reason} until {}", until.to_rfc3339()),
                Verdict::Hold { reason, until: None } => format!("hold {reason}"),
                Verdict::Exit(exit) => format!("exit {exit}"),
            };
            table += &format!("{name:<26} {verdict}\n");
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn the_first_failing_gate_check_decides() {
        let mut question = Question { opening: Opening::Never, ..yes() };
        question.person = Some(Person { paid: true, ..person() });
        assert_eq!(decide(&question), Verdict::Exit(Exit::Paid));
        question.run.phase = Phase::Paused;
        assert_eq!(decide(&question), Verdict::Hold { reason: Hold::RunNotActive, until: None });
        assert_eq!(Check::ALL.into_iter().filter_map(|check| check.verdict(&question)).count(), 3);
        question.run.phase = Phase::Active;
        question.sending = false;
        question.account.connected = false;
        assert_eq!(decide(&question), Verdict::Hold { reason: Hold::SendingOff, until: None });
    }

    #[test]
    fn exactly_one_explained_step_decides() {
        let deciding = |question: &Question| {
            let (windows, zone) = (Windows { windows: vec![], blackouts: vec![] }, Zone::utc());
            let setting = Setting {
                run: (Phase::Active, &Detail::None),
                windows: &windows,
                zone: &zone,
                paid_at: None,
                consent_source: None,
                consent_at: None,
                suppressed_at: None,
                held_at: None,
            };
            let steps = steps(question, &setting).into_iter();
            steps.filter(|step| step.decides).map(|step| step.check).collect::<Vec<_>>()
        };
        let (opening, slot) = (Opening::Opens(at("2026-12-02T07:00:00Z")), Some(at("2026-12-01T08:01:30Z")));
        assert_eq!(deciding(&Question { opening, next_slot_at: slot, ..yes() }), [Check::Window]);
        assert_eq!(deciding(&yes()), []);
    }

    #[test]
    fn the_gate_evaluates_a_run_without_a_person() {
        assert_eq!(decide(&Question { person: None, ..yes() }), Verdict::Send);
    }
}
