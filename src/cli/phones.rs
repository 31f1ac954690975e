//! Phones that users type.

use std::collections::BTreeSet;

use anyhow::bail;

use crate::core::domain::{Country, Phone};

/// Parses all `texts`, or fails with the fault of each that is not a phone.
pub(super) fn parse(texts: &[String], country: Option<Country>) -> anyhow::Result<BTreeSet<Phone>> {
    let mut phones = BTreeSet::new();
    let mut wrong = Vec::new();
    for text in texts {
        match Phone::parse(text, country) {
            Ok(phone) => drop(phones.insert(phone)),
            Err(reason) => wrong.push(format!("`{text}`: {reason}")),
        }
    }
    if !wrong.is_empty() {
        let hint = if country.is_none() { "; `--country` reads national numbers" } else { "" };
        bail!("{}{hint}", wrong.join("; "));
    }
    Ok(phones)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::core::domain::{Country, Phone};

    #[test]
    fn all_invalid_phones_are_reported_together() {
        let texts = ["+237671000001", "671000002", "x"].map(str::to_owned);
        let expected = "`671000002`: without a country a phone number must begin with `+` and the calling code; \
                    `x`: not a phone number: it may hold digits, a leading `+`, spaces and `-.()/` only; \
                    `--country` reads national numbers";
        assert_eq!(parse(&texts, None).unwrap_err().to_string(), expected);
        let phones = parse(&texts[..2], Country::parse("CM").ok()).unwrap();
        assert_eq!(phones.iter().map(Phone::as_str).collect::<Vec<_>>(), ["+237671000001", "+237671000002"]);
    }
}
