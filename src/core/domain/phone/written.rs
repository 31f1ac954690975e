//! The digits of a phone number in any notation.

/// The limit of digits in any notation: E.164 has 15, and `00` and a trunk zero may precede them.
const MAX_DIGITS: usize = 20;
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
    for c in text.trim_start_matches('\'').chars() {
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
    matches!(c, '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ad}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}
