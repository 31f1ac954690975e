//! Numbering plans that changed, and handsets that two numbers reach.
//!
//! The digits below begin with the calling code and have no `+`. The table repeats the published changes of each plan;
//! tests hold every new form against the phone library. WhatsApp reports numbers (`wa_id`) in the form of the day on
//! which a person registered, so old forms stay in use for years.

/// Translates the digits after one calling code; `None`: no older form.
type Rule = fn(&str) -> Option<String>;

/// Plans by calling code, with the year of the change. No calling code begins with another one.
const CHANGED: [(&str, Rule); 13] = [
    // Egypt, 2011: mobile numbers got a tenth digit, by operator.
    ("20", |rest| {
        let (old, line) = rest.split_at_checked(2).filter(|_| rest.len() == 9)?;
        let new = match (old, line.split_at_checked(1)?) {
            ("10" | "11" | "12", _) => format!("{old}{}", &old[1..]),
            ("14", _) => "114".to_owned(),
            ("16", _) => "106".to_owned(),
            ("17" | "18", _) => format!("12{}", &old[1..]),
            ("19", _) => "109".to_owned(),
            _ => return None,
        };
        Some(format!("20{new}{line}"))
    }),
    // Mexico, 2019: no `1` before mobile numbers. `01`, `044` and `045` were dialled before it.
    ("52", |rest| {
        let line = ["1", "01", "044", "045"].iter().find_map(|old| rest.strip_prefix(old).filter(|n| n.len() == 10))?;
        Some(format!("52{line}"))
    }),
    // Argentina: `15` is dialled within the country, and the `9` from elsewhere.
    ("54", |rest| {
        if rest.len() == 10 {
            return Some(format!("549{rest}"));
        }
        let line = rest.strip_prefix('9').filter(|line| line.len() == 12)?;
        let at = (2..=4).find(|at| line[*at..].starts_with("15"))?;
        Some(format!("549{}{}", &line[..at], &line[at + 2..]))
    }),
    // Brazil, 2012 to 2016: mobile numbers got a ninth digit.
    ("55", |rest| {
        let (area, line) = rest.split_at_checked(2).filter(|_| rest.len() == 10)?;
        line.starts_with(['6', '7', '8', '9']).then(|| format!("55{area}9{line}"))
    }),
    // Vietnam, 2018: mobile numbers lost a digit, by operator.
    ("84", |rest| {
        let (old, line) = rest.split_at_checked(3).filter(|_| rest.len() == 10)?;
        let new = match old {
            "120" => "70",
            "121" => "79",
            "122" => "77",
            "123" => "83",
            "124" => "84",
            "125" => "85",
            "126" => "76",
            "127" => "81",
            "128" => "78",
            "129" => "82",
            "162" | "163" | "164" | "165" | "166" | "167" | "168" | "169" => {
                return Some(format!("843{}{line}", &old[2..]));
            }
            "186" => "56",
            "188" => "58",
            "199" => "59",
            _ => return None,
        };
        Some(format!("84{new}{line}"))
    }),
    // Côte d'Ivoire, 2021: a prefix for each operator, by the second digit of a mobile number.
    ("225", |rest| {
        let first_two = rest.as_bytes().first_chunk::<2>().filter(|_| rest.len() == 8)?;
        let prefix = match first_two {
            // Fixed lines of Orange. Those of other operators need another prefix, which makes this one invalid.
            [b'2' | b'3', _] => "27",
            [_, b'0'..=b'3'] => "01",
            [_, b'4'..=b'6'] => "05",
            _ => "07",
        };
        Some(format!("225{prefix}{rest}"))
    }),
    // Benin, 2024: `01` before all numbers.
    ("229", |rest| (rest.len() == 8).then(|| format!("22901{rest}"))),
    // Mauritius, 2013: mobile numbers got an eighth digit.
    ("230", |rest| (rest.len() == 7).then(|| format!("2305{rest}"))),
    // Cameroon, 2014: `6` before mobile and `2` before fixed numbers.
    ("237", |rest| {
        let prefix = if rest.starts_with(['2', '3']) { '2' } else { '6' };
        (rest.len() == 8).then(|| format!("237{prefix}{rest}"))
    }),
    // Gabon, 2019: `01` became `011`; `02`, `05`, `06` got a `6`, and `04`, `07` a `7`. The zero is dialled at home alone.
    ("241", |rest| {
        let line = rest.strip_prefix('0').unwrap_or(rest);
        let prefix = match (line.len(), line.as_bytes().first()?) {
            (7, b'1') => '1',
            (7, b'2' | b'5' | b'6') => '6',
            (7, b'4' | b'7') => '7',
            _ => return None,
        };
        Some(format!("241{prefix}{line}"))
    }),
    // Kosovo, 2017: its operators had numbers of Monaco and Slovenia.
    ("377", |rest| {
        (rest.len() == 8 && (rest.starts_with("44") || rest.starts_with("45"))).then(|| format!("383{rest}"))
    }),
    ("386", |rest| {
        (rest.len() == 8 && (rest.starts_with("43") || rest.starts_with("49"))).then(|| format!("383{rest}"))
    }),
    // Sint Maarten, 2011.
    ("599", |rest| (rest.len() == 7 && rest.starts_with('5')).then(|| format!("1721{rest}"))),
];

/// Plans whose older numbers the library still accepts.
const STILL_ACCEPTED: [&str; 4] = ["55", "241", "377", "386"];

/// Returns the digits that reach the line today, if `digits` are of an older plan. The caller checks the result.
pub(super) fn renumbered(digits: &str) -> Option<String> {
    let (code, rule) = CHANGED.iter().find(|(code, _)| digits.starts_with(code))?;
    rule(&digits[code.len()..])
}

/// Returns [`renumbered`] for digits that the library accepts.
pub(super) fn renumbered_though_valid(digits: &str) -> Option<String> {
    STILL_ACCEPTED.iter().any(|code| digits.starts_with(code)).then(|| renumbered(digits)).flatten()
}

/// Returns whether these digits, which are no number, may be one of an older plan.
pub(super) fn may_be_older(digits: &str) -> bool {
    let mut lines = CHANGED.iter().filter_map(|(code, _)| digits.strip_prefix(code));
    lines.any(|line| (7..=11).contains(&line.len()))
}

/// Returns the normal form if it is another number of the same handset. In Argentina, this is the number without the
/// `9` that is dialled from abroad: both reach the handset, and no number is both fixed and mobile.
pub(super) fn same_handset(digits: &str) -> Option<String> {
    let line = digits.strip_prefix("549").filter(|line| line.len() == 10)?;
    Some(format!("54{line}"))
}

/// Returns candidates for digits of a plan that this table lacks. Behind the calling code, one or two digits are added
/// or removed, or one is replaced by two. `code` is the length of the calling code.
pub(super) fn alike(digits: &str, code: usize) -> impl Iterator<Item = String> {
    let (code, line) = digits.split_at(code);
    let prefixes = (0..10).map(|n| format!("{n}")).chain((0..100).map(|n| format!("{n:02}")));
    let longer = prefixes.map(move |prefix| format!("{code}{prefix}{line}"));
    let changed = line.get(1..).into_iter().flat_map(move |end| (0..100).map(move |n| format!("{code}{n:02}{end}")));
    let shorter = [line.get(1..), line.get(2..)].into_iter().flatten().map(move |end| format!("{code}{end}"));
    longer.chain(changed).chain(shorter)
}

/// Returns the mobile number that a valid fixed number of Brazil may stand for: WhatsApp leaves out the ninth digit, and
/// some mobile numbers without it look like fixed ones.
pub(super) fn with_ninth_digit(digits: &str) -> Option<String> {
    let rest = digits.strip_prefix("55").filter(|rest| rest.len() == 10)?;
    let (area, line) = rest.split_at(2);
    line.starts_with(['2', '3', '4', '5']).then(|| format!("55{area}9{line}"))
}

/// Returns other digits that providers still write for a normal form.
pub(super) fn older_forms(digits: &str) -> Vec<String> {
    let without = |prefix: &str, code: &str, length: usize| {
        let line = digits.strip_prefix(prefix).filter(|line| line.len() == length);
        line.map(|line| format!("{code}{line}"))
    };
    let brazil = digits.get(..4).filter(|head| head.starts_with("55") && digits.len() == 13);
    let brazil = brazil.and_then(|head| digits.strip_prefix(&format!("{head}9")).map(|line| format!("{head}{line}")));
    let ivory = digits.strip_prefix("225").filter(|line| line.len() == 10).map(|line| format!("225{}", &line[2..]));
    let gabon = ["2411", "2416", "2417"].iter().find_map(|head| without(head, "", 7));
    let all = [
        without("54", "549", 10),
        without("52", "521", 10),
        without("22901", "229", 8),
        without("2376", "237", 8),
        without("2372", "237", 8),
        gabon.as_ref().map(|line| format!("241{line}")),
        gabon.as_ref().map(|line| format!("2410{line}")),
        brazil,
        ivory,
    ];
    all.into_iter().flatten().collect()
}
