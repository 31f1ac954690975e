//! The digits of a phone number in any notation.

use crate::core::domain::invisible::{is_invisible, is_joiner};

/// The limit of digits in any notation: E.164 has 15, and `00` and a trunk zero may precede them.
const MAX_DIGITS: usize = 20;
/// The minimum number of digits before a decimal point: fewer are a group of a phone number, such as `555.12`.
const SHORTEST_AMOUNT: usize = 7;
/// The schemes that contact cards and gateways put before a number.
const SCHEMES: [&str; 3] = ["tel:", "sms:", "whatsapp:"];
/// The domains that WhatsApp gateways put behind the digits of a person.
const DOMAINS: [&str; 2] = ["@s.whatsapp.net", "@c.us"];

/// Returns the digits of `text` in ASCII, with a leading `+` if the text begins with `+` or `00`, or ends with
/// the domain of a gateway: gateways always write the calling code.
pub(super) fn digits(text: &str) -> Result<String, String> {
    let (text, is_full) = bare(text.trim());
    let mut digits = String::with_capacity(text.len() + 1);
    // Spreadsheets put an apostrophe before text that looks like a number.
    let text = text.trim_start_matches('\'');
    if let Some(reason) = damage(text) {
        return Err(reason.to_owned());
    }
    for c in text.chars() {
        match c {
            '+' | '＋' if digits.is_empty() => digits.push('+'),
            c if digit(c).is_some() => digits.extend(digit(c)),
            c if c.is_whitespace() || filler(c) => {}
            _ => {
                return Err("not a phone number: it may hold digits, a leading `+`, spaces and `-.()/` only".to_owned());
            }
        }
        if digits.len() > MAX_DIGITS {
            return Err("too many digits for a phone number".to_owned());
        }
    }
    let number = digits.trim_start_matches('+');
    if number.is_empty() {
        return Err("no digits in it".to_owned());
    }
    Ok(match number.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None if is_full => format!("+{number}"),
        None => digits,
    })
}

/// Returns the text without a scheme or the domain of a gateway, and whether it had such a domain.
fn bare(text: &str) -> (&str, bool) {
    let scheme = SCHEMES.iter().find_map(|scheme| {
        let (head, rest) = text.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let text = scheme.unwrap_or(text);
    match DOMAINS.iter().find_map(|domain| text.strip_suffix(domain)) {
        // Gateways number the devices of a person: `237671000001:12@s.whatsapp.net`.
        Some(person) => (person.split(':').next().unwrap_or(person), true),
        None => (text, false),
    }
}

/// Returns the reason if a spreadsheet stored the number as an amount, and so changed its digits or added some.
fn damage(text: &str) -> Option<&'static str> {
    if !text.contains(['.', ',', '\u{66b}', 'e', 'E']) {
        return None;
    }
    let plain: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && !is_invisible(*c))
        .map(|c| digit(c).unwrap_or(if c == '\u{66b}' { '.' } else { c }))
        .collect();
    let plain = plain.trim_start_matches(['+', '＋', '-']);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some((number, power)) = plain.split_once(['e', 'E']) {
        let power = power.trim_start_matches(['+', '-']);
        return (is_number(&number.replace(['.', ','], "")) && is_number(power)).then_some(
            "scientific notation, in which a spreadsheet has dropped digits: format the column as text and export again",
        );
    }
    let (whole, decimals) = plain.rsplit_once(['.', ','])?;
    // The other sign may separate thousands. The same sign twice separates the pairs of a phone number.
    let thousands = if plain[whole.len()..].starts_with('.') { ',' } else { '.' };
    let whole = whole.replace(thousands, "");
    let is_amount = is_number(decimals) && (decimals.len() <= 2 || decimals.bytes().all(|b| b == b'0'));
    (is_number(&whole) && whole.len() >= SHORTEST_AMOUNT && is_amount).then_some(
        "a number with decimals, as a spreadsheet or a script stores phones: format the column as text and export again",
    )
}

fn digit(c: char) -> Option<char> {
    let zero = match c {
        '0'..='9' => return Some(c),
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        '\u{966}'..='\u{96f}' => 0x966,
        '\u{ff10}'..='\u{ff19}' => 0xff10,
        _ => return None,
    };
    char::from_digit(u32::from(c) - zero, 10)
}

/// Returns true for punctuation between digits, and for the invisible marks that phones add to copied numbers.
fn filler(c: char) -> bool {
    matches!(c, '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}') || is_invisible(c) || is_joiner(c)
}
