//! Random people and filters, and the plain reading of a filter. It follows the promises of the manifests, not the SQL.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;
use relance::core::domain::{Country, Gender, Language, Moment, Name, Period, Windows, Zone};
use relance::core::manifest::desired::{
    AccountSelector, Campaign, CampaignType, ConsentPolicy, DesiredState, Enrollment, Filter, Limits, PastSubscription,
    Schedule, Subscription, ZoneOf,
};
use relance::store::WhyNot;

pub(super) const CASES: u32 = 400;
pub(super) const ZONES: [&str; 4] = ["Africa/Douala", "Europe/Paris", "Pacific/Kiritimati", "America/St_Johns"];
/// As it was imported, and as a filter of which folded word takes it.
pub(super) const PROFESSIONS: [(&str, &str); 4] = [
    ("Étudiante", "etudiante"),
    ("ETUDIANTE", "etudiante"),
    ("Élève  infirmier", "eleve infirmier"),
    ("Ingénieur", "ingenieur"),
];
/// Around changes of clocks, months and years.
pub(super) const MOMENTS: [&str; 6] = [
    "2026-10-25T02:30",
    "2026-11-01",
    "2026-11-01T02:30:00+01:00",
    "2027-03-28T02:30",
    "2027-01-01",
    "2026-12-31T12:00:00Z",
];
pub(super) const NOWS: [&str; 6] = [
    "2026-11-01T03:15:00Z",
    "2027-02-28T10:30:00Z",
    "2027-03-01T04:00:00Z",
    "2028-02-29T12:00:00Z",
    "2027-03-28T01:00:00Z",
    "2027-12-31T23:30:00Z",
];
pub(super) const BIRTHS: [&str; 8] =
    ["2008-02-29", "2009-02-28", "2009-03-01", "2004-02-29", "2008-11-01", "2008-10-31", "1997-03-28", "2007-12-31"];

#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) account: usize,
    pub(super) country: &'static str,
    pub(super) gender: Option<&'static str>,
    pub(super) profession: Option<&'static str>,
    pub(super) birth: Option<&'static str>,
    pub(super) language: Option<&'static str>,
    pub(super) city: Option<&'static str>,
    /// Around which moment, and how many microseconds from it; `None`: around what `enrollAfter` asks for.
    pub(super) registered: (Option<&'static str>, i64),
    pub(super) paid: bool,
    pub(super) consent: Option<&'static str>,
    /// Another row of the account's first person.
    pub(super) old_row: bool,
    pub(super) suppressed: bool,
    /// State of a target in this campaign, and in another one.
    pub(super) target: Option<&'static str>,
    pub(super) elsewhere: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) now: &'static str,
    pub(super) filter: Filter,
    pub(super) legacy: bool,
    pub(super) enroll_after: u64,
    pub(super) schedule_zone: Option<&'static str>,
    pub(super) targets: Option<u32>,
    pub(super) daily: Option<u32>,
    /// People each run has taken already on its local day, or the day before.
    pub(super) enrolled: Vec<(bool, u32)>,
    /// The account whose enrollment is off.
    pub(super) off: Option<usize>,
    pub(super) facts: Vec<Fact>,
}

pub(super) fn maybe<T: Clone + std::fmt::Debug + 'static>(items: &[T]) -> impl Strategy<Value = Option<T>> + use<T> {
    proptest::option::weighted(0.7, select(items.to_vec()))
}

pub(super) fn fact() -> impl Strategy<Value = Fact> {
    let near = select(vec![-3_600_000_000_i64, -1, 0, 1, 1_800_000_000, 3_600_000_000]);
    let who = (0..ZONES.len(), select(vec!["CM", "SN", "FR"]), maybe(&["male", "female", "other"]));
    let what = (
        maybe(&PROFESSIONS.map(|p| p.0)),
        maybe(&BIRTHS),
        maybe(&["fr", "fr-CM", "en", "pt-BR", "fra"]),
        maybe(&["Douala", "douala"]),
    );
    let when = (proptest::option::weighted(0.8, select(MOMENTS.to_vec())), near);
    // Mostly people who can be taken, so that the other conditions are met at all.
    let state = (
        proptest::bool::weighted(0.2),
        select(vec![Some("opted_in"), Some("opted_in"), Some("opted_in"), None, Some("opted_out")]),
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.1),
        proptest::option::weighted(0.1, select(vec!["active", "completed"])),
        proptest::option::weighted(0.3, select(vec!["active", "completed"])),
    );
    (who, what, when, state).prop_map(|(who, what, registered, state)| Fact {
        account: who.0,
        country: who.1,
        gender: who.2,
        profession: what.0,
        birth: what.1,
        language: what.2,
        city: what.3,
        registered,
        paid: state.0,
        consent: state.1,
        old_row: state.2,
        suppressed: state.3,
        target: state.4,
        elsewhere: state.5,
    })
}

pub(super) fn filter() -> impl Strategy<Value = Filter> {
    let rarely = |items: &[&'static str]| {
        proptest::option::weighted(0.25, proptest::sample::subsequence(items.to_vec(), 1..=items.len()))
    };
    let ages = (proptest::option::weighted(0.25, 17_u16..20), proptest::option::weighted(0.25, 18_u16..31));
    let moments = (
        proptest::option::weighted(0.3, select(MOMENTS.to_vec())),
        proptest::option::weighted(0.3, select(MOMENTS.to_vec())),
    );
    let lists =
        (rarely(&["CM", "SN"]), rarely(&["etudiante", "eleve infirmier", "nobody"]), rarely(&["fr", "pt-BR", "en-GB"]));
    let rest = (
        proptest::option::weighted(0.2, select(vec![Gender::Male, Gender::Female, Gender::Other])),
        select(vec![Subscription::Unpaid, Subscription::Unpaid, Subscription::Paid, Subscription::Any]),
        any::<bool>(),
        proptest::option::weighted(0.2, Just("Douala")),
    );
    (lists, ages, moments, rest).prop_map(|(lists, ages, moments, rest)| Filter {
        countries: lists.0.iter().flatten().map(|code| Country::parse(code).unwrap()).collect(),
        professions: lists.1.iter().flatten().map(ToString::to_string).collect(),
        languages: lists.2.iter().flatten().map(|tag| Language::parse(tag).unwrap()).collect(),
        age_min: ages.0,
        age_max: ages.1,
        registered_from: moments.0.map(|text| Moment::parse(text).unwrap()),
        registered_to: moments.1.map(|text| Moment::parse(text).unwrap()),
        gender: rest.0,
        subscription: rest.1,
        exclude_current_targets: rest.2,
        attributes: rest.3.map(|city| ("city".to_owned(), city.to_owned())).into_iter().collect(),
    })
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    let limits = (proptest::option::weighted(0.3, 0_u32..5), proptest::option::weighted(0.3, 1_u32..4));
    let enrolled = proptest::collection::vec((any::<bool>(), 0_u32..3), ZONES.len());
    let enrolled = (enrolled, proptest::option::weighted(0.3, 0..ZONES.len()));
    let rules = (any::<bool>(), select(vec![0_u64, 3_600]), proptest::option::weighted(0.3, select(ZONES.to_vec())));
    (select(NOWS.to_vec()), filter(), rules, limits, enrolled, proptest::collection::vec(fact(), 1..40)).prop_map(
        |(now, filter, rules, limits, enrolled, facts)| Case {
            now,
            filter,
            legacy: rules.0,
            enroll_after: rules.1,
            schedule_zone: rules.2,
            targets: limits.0,
            daily: limits.1,
            enrolled: enrolled.0,
            off: enrolled.1,
            facts,
        },
    )
}

impl Case {
    pub(super) fn now(&self) -> jiff::Timestamp {
        self.now.parse().unwrap()
    }

    pub(super) fn registered(&self, fact: &Fact) -> jiff::Timestamp {
        let (around, micros) = fact.registered;
        let around = match around {
            Some(moment) => instant(moment, ZONES[fact.account]),
            None => self.now() - jiff::SignedDuration::from_secs(self.enroll_after.try_into().unwrap()),
        };
        around + jiff::SignedDuration::from_micros(micros)
    }

    pub(super) fn phone(&self, at: usize) -> String {
        let fact = &self.facts[at];
        // An old row has the phone of the account's first person, who may be an old row too.
        let first = self.facts.iter().position(|other| other.account == fact.account).unwrap();
        format!("+237671{:06}", if fact.old_row { first } else { at })
    }

    pub(super) fn today(&self, account: usize) -> Date {
        self.now().to_zoned(TimeZone::get(ZONES[account]).unwrap()).date()
    }

    /// Why the campaign does not take somebody, by the words of the manifests.
    pub(super) fn reasons(&self, at: usize, suppressed: &BTreeSet<String>) -> Vec<WhyNot> {
        let (fact, filter) = (&self.facts[at], &self.filter);
        let registered = self.registered(fact);
        let zone = ZONES[fact.account];
        let moment = |moment: Moment| instant(&String::from(moment), zone);
        let age = fact.birth.map(|birth| age(birth.parse().unwrap(), self.today(fact.account)));
        let language = |wanted: &Language| {
            let wanted = wanted.as_str();
            fact.language.is_some_and(|own| own == wanted || own.split('-').next() == Some(wanted))
        };
        let profession = |wanted: &String| {
            fact.profession.is_some_and(|own| PROFESSIONS.iter().any(|(raw, folded)| *raw == own && folded == wanted))
        };
        let wait = jiff::SignedDuration::from_secs(self.enroll_after.try_into().unwrap());
        let reasons = [
            (WhyNot::NotCurrent, fact.old_row),
            (WhyNot::Paid, filter.subscription == Subscription::Unpaid && fact.paid),
            (WhyNot::NotPaid, filter.subscription == Subscription::Paid && !fact.paid),
            (WhyNot::Suppressed, suppressed.contains(&self.phone(at))),
            (WhyNot::ConsentMissing, fact.consent.is_none() && !self.legacy),
            (WhyNot::OptedOut, fact.consent == Some("opted_out")),
            (WhyNot::AlreadyTarget, fact.target.is_some()),
            (WhyNot::InAnotherRun, filter.exclude_current_targets && fact.elsewhere == Some("active")),
            (WhyNot::TooYoung, !wait.is_zero() && self.now().duration_since(registered) <= wait),
            (
                WhyNot::Country,
                !filter.countries.is_empty()
                    && !filter.countries.iter().any(|country| country.as_str() == fact.country),
            ),
            (
                WhyNot::Registered,
                filter.registered_from.is_some_and(|from| registered < moment(from))
                    || filter.registered_to.is_some_and(|to| registered >= moment(to)),
            ),
            (WhyNot::Gender, filter.gender.is_some_and(|gender| fact.gender != Some(gender.as_str()))),
            (WhyNot::Profession, !filter.professions.is_empty() && !filter.professions.iter().any(profession)),
            (
                WhyNot::Age,
                filter.age_min.is_some_and(|min| age.is_none_or(|age| age < i32::from(min)))
                    || filter.age_max.is_some_and(|max| age.is_none_or(|age| age > i32::from(max))),
            ),
            (WhyNot::Language, !filter.languages.is_empty() && !filter.languages.iter().any(language)),
            (
                WhyNot::Attributes,
                !filter.attributes.iter().all(|(key, value)| key == "city" && fact.city == Some(value)),
            ),
            (WhyNot::EnrollmentOff, self.off == Some(fact.account)),
        ];
        reasons.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason).collect()
    }

    pub(super) fn suppressed(&self) -> BTreeSet<String> {
        (0..self.facts.len()).filter(|at| self.facts[*at].suppressed).map(|at| self.phone(at)).collect()
    }

    /// How many more this account's run may take now.
    pub(super) fn room(&self, account: usize) -> usize {
        let ever = self.facts.iter().filter(|fact| fact.account == account && fact.target.is_some()).count();
        let (today, count) = self.enrolled[account];
        let today = if today { count } else { 0 };
        let left =
            |limit: Option<u32>, taken: usize| limit.map_or(usize::MAX, |limit| (limit as usize).saturating_sub(taken));
        left(self.targets, ever).min(left(self.daily, today as usize))
    }

    /// By account: everybody who is taken now, the newest registration first.
    pub(super) fn expected(&self) -> Vec<Vec<usize>> {
        let suppressed = self.suppressed();
        (0..ZONES.len())
            .map(|account| {
                let own = (0..self.facts.len()).filter(|at| self.facts[*at].account == account);
                let mut taken: Vec<usize> = own.filter(|at| self.reasons(*at, &suppressed).is_empty()).collect();
                // Of two who registered at the same instant, the one who came later first.
                taken.sort_by_key(|at| std::cmp::Reverse((self.registered(&self.facts[*at]), *at)));
                taken.truncate(self.room(account));
                taken
            })
            .collect()
    }

    pub(super) fn campaign(&self) -> Campaign {
        Campaign {
            kind: CampaignType::Filtered,
            state: DesiredState::Active,
            accounts: AccountSelector::All,
            filter: self.filter.clone(),
            schedule: Schedule {
                start_at: None,
                end_at: None,
                timezone: self.schedule_zone.map(|name| Zone::parse(name).unwrap()),
                zone: ZoneOf::Account,
                windows: Windows { windows: vec![], blackouts: vec![] },
                first_after: Period::hours(6),
                every: Period::hours(24),
            },
            run_after: None,
            past_subscription: PastSubscription::default(),
            priority: 1,
            sequence: Name::parse("days").unwrap(),
            days: BTreeMap::new(),
            limits: Limits { messages_per_day: None, targets: self.targets, daily_enrollments: self.daily },
            enrollment: Enrollment::Continuous,
            enroll_after: Period::seconds(self.enroll_after),
            consent: if self.legacy { ConsentPolicy::Legacy } else { ConsentPolicy::Required },
            exit_on_paid: false,
            channel: None,
        }
    }
}

/// Whole years on `today`; who was born on 29 February has their birthday on 1 March in other years.
pub(super) fn age(birth: Date, today: Date) -> i32 {
    let years = i32::from(today.year()) - i32::from(birth.year());
    let before_birthday = (today.month(), today.day()) < (birth.month(), birth.day());
    years - i32::from(before_birthday)
}

/// An absolute time, or a wall time in `zone`.
pub(super) fn instant(text: &str, zone: &str) -> jiff::Timestamp {
    if let Ok(absolute) = text.parse() {
        return absolute;
    }
    let wall: jiff::civil::DateTime = text.parse().unwrap();
    wall.in_tz(zone).unwrap().timestamp()
}
