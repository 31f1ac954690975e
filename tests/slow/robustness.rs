//! Files that mean harm, or were harmed: a clear error or the right value, never a panic.

use std::fmt::Write as _;

use relance::core::diagnostic::{Code, json, text};
use relance::core::manifest::{Checked, check};

use crate::support::trees::sources;

const SAMPLE: &str = include_str!("../manifests/good/full.yaml");

fn codes(bytes: &[u8]) -> Vec<Code> {
    look(bytes).diagnostics.iter().map(|one| one.code).collect()
}

/// Checks and renders, so that a bad span would be noticed.
fn look(bytes: &[u8]) -> Checked {
    let sources = sources(&[("x.yaml", bytes)]);
    let checked = check(&sources);
    for one in &checked.diagnostics {
        assert!(one.place.span.start <= one.place.span.end && one.place.span.end <= bytes.len());
        assert!(!text::render(one, |path| sources.bytes(path), true).is_empty());
    }
    serde_json::to_string(&json::report(&checked.diagnostics, 1, 1)).unwrap();
    checked
}

#[test]
fn yaml_bombs_and_deep_nesting_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{items}]").unwrap();
    }
    let block: String = (0..10_000).fold(String::new(), |mut all, depth| {
        writeln!(all, "{}a:", " ".repeat(depth.min(400))).unwrap();
        all
    });
    let sequences = "- ".repeat(10_000);
    for text in [bomb, "[".repeat(10_000), "{a: ".repeat(10_000), sequences, "&a [*a]".to_owned(), block] {
        let found = codes(text.as_bytes());
        assert!(
            matches!(found[..], [Code::YamlTooComplex | Code::InvalidYaml | Code::NotAMapping]),
            "{found:?}: {}",
            &text[..40.min(text.len())]
        );
    }
}

#[test]
fn large_files_are_refused_by_size() {
    let mut text = String::from("apiVersion: relance/v1\nkind: Filter\nmetadata: {name: a}\nspec: {professions: [");
    text.push_str(&"x".repeat(50_000_000));
    assert_eq!(codes(text.as_bytes()), [Code::FileTooLarge]);
}

#[test]
fn the_number_of_reported_problems_is_limited() {
    let documents = look("a: 1\n---\n".repeat(2_000).as_bytes());
    assert_eq!(documents.diagnostics.last().unwrap().code, Code::TooManyProblems);
    assert!(documents.diagnostics.len() < 1_010 && documents.unnamed);
    let head = "apiVersion: relance/v1\nkind: Filter\nmetadata: {name: a}\nspec: {";
    let same: String = head.to_owned() + &"a: 1, ".repeat(5_000) + "}\n";
    assert!(look(same.as_bytes()).diagnostics.len() < 1_110);
    let unknown = (0..5_000).fold(head.to_owned(), |all, n| all + &format!("a{n}: 1, ")) + "}\n";
    assert!(look(unknown.as_bytes()).diagnostics.len() < 1_110);
}

#[test]
fn line_endings_byte_order_marks_and_tabs_are_handled() {
    let plain = look(SAMPLE.as_bytes());
    assert_eq!(plain.diagnostics, []);
    let crlf = look(format!("\u{feff}{}", SAMPLE.replace('\n', "\r\n")).as_bytes());
    assert_eq!((crlf.diagnostics, crlf.desired), (Vec::new(), plain.desired));
    assert_eq!(codes(SAMPLE.replace("  name:", "\tname:").as_bytes())[0], Code::InvalidYaml);
    assert_eq!(codes(b"\xff\xfea\0p\0i\0"), [Code::InvalidUtf8]);
    assert_eq!(codes(b"a: \0\0\0"), [Code::InvalidYaml]);
    assert_eq!(codes(b""), []);
    assert_eq!(codes("\u{feff}".as_bytes()), []);
    assert_eq!(codes(b"---\n---\n...\n"), []);
}

#[test]
fn every_truncation_is_read_or_refused() {
    let bytes = SAMPLE.as_bytes();
    for end in (0..bytes.len()).step_by(3) {
        look(&bytes[..end]);
    }
}

#[test]
fn thousands_of_mutations_are_read_or_refused() {
    const ODD: [&[u8]; 16] = [
        b"\0",
        b"\t",
        b"\r",
        b"\xff",
        b"\xc3",
        b"\xf0\x9f\x99\x82",
        b"\xef\xbb\xbf",
        b"{{",
        b"%}",
        b"[",
        b"*a",
        b"&a ",
        b"!x ",
        b"- ",
        b": ",
        b"\n---\n",
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    for _ in 0..3_000 {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes.splice(at..at, ODD[random(ODD.len())].iter().copied()).for_each(drop),
                1 => bytes[at] = u8::try_from(random(256)).unwrap(),
                _ => bytes.drain(at..(at + random(40)).min(bytes.len())).for_each(drop),
            }
        }
        look(&bytes);
    }
}
