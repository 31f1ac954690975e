//! The ways in which one handset is written.

use super::Phone;
use crate::core::domain::Country;

fn parse(text: &str, country: &str) -> Result<String, String> {
    Phone::parse(text, Some(Country::parse(country).unwrap())).map(|phone| phone.normal)
}

#[test]
fn common_spellings_of_one_phone_are_read() {
    for text in [
        "+237671697846",
        "+237 6 71 69 78 46",
        "00237671697846",
        "+00237671697846",
        "237671697846",
        "6 71 69 78 46",
        "+237 671697846 ",
        "\u{a0}+237\u{202f}671\u{2011}69\u{2011}78\u{2011}46",
        "(+237) 671.69.78.46",
        "\u{202a}+237671697846\u{202c}",
        "'671697846",
        "٦٧١٦٩٧٨٤٦",
        "۶۷۱۶۹۷۸۴۶",
        "+٢٣٧ ٦٧١ ٦٩٧ ٨٤٦",
    ] {
        assert_eq!(parse(text, "CM").as_deref(), Ok("+237671697846"), "{text}");
    }
}

#[test]
fn a_double_zero_prefix_always_means_a_plus() {
    assert_eq!(parse("002348026131860", "NG").as_deref(), Ok("+2348026131860"));
    assert_eq!(parse("0016135550123", "CA").as_deref(), Ok("+16135550123"));
    assert_eq!(parse("0033612345678", "CM").as_deref(), Ok("+33612345678"));
}

#[test]
fn national_phone_formats_are_read_by_country() {
    assert_eq!(parse("0802 613 1860", "NG").as_deref(), Ok("+2348026131860"));
    assert_eq!(parse("06 12 34 56 78", "FR").as_deref(), Ok("+33612345678"));
    assert_eq!(parse("+33 (0)6 12 34 56 78", "CM").as_deref(), Ok("+33612345678"));
    assert_eq!(parse("(613) 555-0123", "CA").as_deref(), Ok("+16135550123"));
    assert_eq!(parse("0195256517", "BJ").as_deref(), Ok("+2290195256517"));
}

#[test]
fn accident_02_a_phone_is_never_a_number() {
    for bad in ["2.37671697846E+11", "2.37671697846E11", "237671697846.0", "12345", "not a phone", "", "+", "00"] {
        assert!(parse(bad, "CM").is_err(), "{bad}");
    }
    assert!(serde_json::from_str::<Phone>("237671697846").is_err());
    let phone: Phone = serde_json::from_str("\"+237671697846\"").unwrap();
    assert_eq!(serde_json::to_string(&phone).unwrap(), "\"+237671697846\"");
}

#[test]
fn a_national_number_requires_a_country() {
    assert!(Phone::parse("671697846", None).is_err());
    assert!(Phone::parse("237671697846", None).is_err());
    assert_eq!(Phone::parse("00237671697846", None).map(|phone| phone.normal).as_deref(), Ok("+237671697846"));
    assert!(serde_json::from_str::<Phone>("\"671697846\"").is_err());
}

#[test]
fn a_foreign_number_requires_a_plus() {
    assert!(parse("33612345678", "CM").is_err());
    assert_eq!(parse("+33612345678", "CM").as_deref(), Ok("+33612345678"));
}

#[test]
fn a_masked_phone_shows_only_its_country_and_end() {
    assert_eq!(Phone::trusted("+237671697801".into()).masked(), "+2376*****01");
    assert_eq!(Phone::trusted("+12345".into()).masked(), "+1234*****");
}

/// A country, the normal form, and other ways to write the same handset.
const HANDSETS: [(&str, &str, &[&str]); 22] = [
    (
        "AR",
        "+541123456789",
        &[
            "+54 9 11 2345-6789",
            "+54 11 2345-6789",
            "011 15-2345-6789",
            "+54 9 11 15 2345-6789",
            "5491123456789",
            "541123456789",
            "11 2345 6789",
        ],
    ),
    ("AR", "+543514567890", &["+54 9 351 456 7890", "0351 15 456 7890", "+54 351 4567890"]),
    (
        "MX",
        "+525512345678",
        &["+52 1 55 1234 5678", "5215512345678", "044 55 1234 5678", "01 55 1234 5678", "55 1234 5678"],
    ),
    (
        "BR",
        "+5531988887777",
        &["+55 31 8888-7777", "553188887777", "031 8888 7777", "(31) 98888-7777", "5531988887777"],
    ),
    ("BR", "+5511987654321", &["551187654321", "+55 (11) 8765-4321"]),
    ("BJ", "+2290197123456", &["+229 97 12 34 56", "22997123456", "97 12 34 56", "01 97 12 34 56", "0022997123456"]),
    ("CI", "+2250707662170", &["+225 07 66 21 70", "22507662170", "07 66 21 70", "07 07 66 21 70"]),
    ("CI", "+2250545678901", &["+225 45 67 89 01"]),
    ("CI", "+2250102030405", &["02 03 04 05"]),
    ("CI", "+2252720312345", &["20 31 23 45", "+225 20312345"]),
    ("CM", "+237671697846", &["+237 71 69 78 46", "23771697846", "71697846", "6 71 69 78 46"]),
    ("CM", "+237233401234", &["33 40 12 34", "+237 33401234"]),
    ("GA", "+24177123456", &["+241 07 12 34 56", "+241 077 12 34 56", "07 12 34 56", "077123456", "2417123456"]),
    ("GA", "+24162123456", &["+241 02 12 34 56", "062 12 34 56"]),
    ("GA", "+24111123456", &["01 12 34 56", "011 12 34 56"]),
    ("VN", "+84351234567", &["+84 165 123 4567", "0165 123 4567", "84351234567"]),
    ("VN", "+84701234567", &["0120 123 4567"]),
    ("EG", "+201001234567", &["010 1234567", "+20 10 1234567", "0100 123 4567"]),
    ("EG", "+201061234567", &["+20 16 1234567"]),
    ("MU", "+23057123456", &["+230 712 3456", "7123456"]),
    ("XK", "+38344123456", &["+377 44 123 456", "+383 44 123 456"]),
    ("SX", "+17215205555", &["+599 520 5555", "+1 721 520 5555"]),
];

#[test]
fn a_handset_has_one_normal_form_for_every_spelling() {
    for (country, normal, written) in HANDSETS {
        let country = Country::parse(country).ok();
        for text in written.iter().chain([&normal]) {
            let phone = Phone::parse(text, country).map(|phone| phone.normal);
            assert_eq!(phone.as_deref(), Ok(normal), "{text}");
        }
    }
}

#[test]
fn normal_and_dialled_forms_parse_to_the_same_handset() {
    for (country, _, written) in HANDSETS {
        for text in written {
            let phone = Phone::parse(text, Country::parse(country).ok()).unwrap();
            for again in [phone.as_str(), phone.dialled()] {
                assert_eq!(Phone::parse(again, None).as_ref(), Ok(&phone), "{text}");
                assert_eq!(Phone::dialled_as(again), phone, "{text}");
                assert_eq!(Phone::reported(&again[1..]), Some(phone.clone()), "{text}");
            }
        }
    }
}

#[test]
fn the_dialled_number_is_the_written_one_if_still_valid() {
    let dialled = |text: &str| Phone::parse(text, None).unwrap().dialled().to_owned();
    assert_eq!(dialled("+54 9 11 2345-6789"), "+5491123456789");
    assert_eq!(dialled("+54 11 2345-6789"), "+541123456789");
    assert_eq!(dialled("+52 1 55 1234 5678"), "+525512345678");
    assert_eq!(dialled("+55 31 8888-7777"), "+5531988887777");
    assert_eq!(dialled("+229 97 12 34 56"), "+2290197123456");
    assert_eq!(dialled("+237671697846"), "+237671697846");
}

#[test]
fn phones_in_gateway_and_contact_card_formats_are_read() {
    for text in ["+237671000001", "237671000001", "tel:+237671000001", "TEL:237671000001", "whatsapp:+237671000001"] {
        assert_eq!(Phone::reported(text).map(|phone| phone.normal).as_deref(), Some("+237671000001"), "{text}");
    }
    for text in ["237671000001@s.whatsapp.net", "237671000001@c.us", "237671000001:12@s.whatsapp.net"] {
        assert_eq!(Phone::parse(text, None).map(|phone| phone.normal).as_deref(), Ok("+237671000001"), "{text}");
    }
    for text in ["CM.42", "120363028@g.us", "4711", "", "+", "nobody"] {
        assert_eq!(Phone::reported(text), None, "{text}");
    }
}

#[test]
fn an_ambiguous_number_lists_every_possible_phone() {
    let alike = |text: &str| Phone::alike(text).into_iter().map(|phone| phone.normal).collect::<Vec<_>>();
    // A fixed number, or a mobile one that WhatsApp writes without its ninth digit.
    assert_eq!(alike("551133334444"), ["+5511933334444"]);
    assert!(alike("237671000001").is_empty() && alike("CM.42").is_empty() && alike("+").is_empty());
    // Plans that changed in ways that the table lacks: Guinea, Togo, a fixed line of another operator in Abidjan.
    for (reported, person) in
        [("22462123456", "+224622123456"), ("2289012345", "+22890012345"), ("22520001234", "+2252520001234")]
    {
        assert!(alike(reported).contains(&person.to_owned()), "{reported}: {:?}", alike(reported));
    }
}

#[test]
fn an_invalid_number_of_a_changed_plan_gets_a_hint() {
    let why = Phone::parse("+225 20 00 12 34", None).unwrap_err();
    assert!(why.ends_with("its numbering plan has changed: write the number as it is dialled today"), "{why}");
    for text in ["+33 99 99 99", "+225 99"] {
        assert!(!Phone::parse(text, None).unwrap_err().contains("plan"), "{text}");
    }
}

#[test]
fn every_listed_spelling_parses_to_its_handset() {
    for (text, count) in [
        ("+541123456789", 2),
        ("+525512345678", 2),
        ("+5531988887777", 2),
        ("+2290197123456", 2),
        ("+2250707662170", 2),
        ("+237671697846", 2),
        ("+24177123456", 3),
        ("+33612345678", 1),
    ] {
        let phone = Phone::parse(text, None).unwrap();
        let spellings = phone.spellings();
        assert_eq!(spellings.len(), count, "{spellings:?}");
        for spelling in spellings {
            assert_eq!(Phone::reported(&spelling).as_ref(), Some(&phone), "{spelling}");
        }
    }
}
