//! Exports as spreadsheets leave them: separators, blank rows, encodings, invisible characters, amounts, local times.

use std::io::{Cursor, Write};
use std::process::{Command, Output, Stdio};

use relance::core::domain::Timestamp;
use relance::core::lifecycle::detail::Facts;
use relance::facts::import::Report;
use relance::facts::{Days, Error, Reading, Source, import};
use relance::store::{Age, Ending};

use crate::support::database::{TestDatabase, database};
use crate::support::rows::column;

const NOW: &str = "2026-11-30T08:00:00Z";
const ACCOUNTS: &str = "id,name,timezone\na1,Sol,Africa/Douala\na2,Lua,America/Sao_Paulo\n";
const HEADER: &str = "id,account_id,name,phone,country,registered_at,consent";

async fn world() -> TestDatabase {
    let db = database().await;
    let now: Timestamp = NOW.parse().unwrap();
    let accounts = Source::stream("accounts", Cursor::new(ACCOUNTS));
    import::accounts(&db.store, accounts, Age { as_of: now, now }).await.unwrap();
    db
}

async fn attempt(db: &TestDatabase, bytes: impl Into<Vec<u8>>, reading: Reading) -> Result<Report, import::Error> {
    let now: Timestamp = NOW.parse().unwrap();
    let source = Source::stream("people", Cursor::new(bytes.into())).read_as(reading);
    import::referrals(&db.store, source, Age { as_of: now, now }).await
}

async fn read(db: &TestDatabase, bytes: impl Into<Vec<u8>>) -> Report {
    attempt(db, bytes, Reading::default()).await.unwrap()
}

fn faults(report: &Report) -> Vec<String> {
    report.rejected.iter().map(|it| format!("{} {}: {}", it.line, it.column, it.reason)).collect()
}

async fn people(db: &TestDatabase) -> Vec<String> {
    column(&db.pool, "select external_id || ' ' || name || ' ' || phone from referral order by external_id").await
}

fn relancectl(db: &TestDatabase, args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_relancectl"))
        .args(["--database-url", &db.url(), "import"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may end without reading.
    child.stdin.take().unwrap().write_all(input).ok();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn a_stated_separator_blank_rows_and_rows_of_several_lengths_are_no_faults() {
    let rows = |separator: &str| {
        let line = |fields: &[&str]| fields.join(separator);
        let header = line(&["id", "account_id", "name", "phone", "country", "registered_at", "consent", "", ""]);
        let first = line(&["s1", "a1", "Ada", "+237671000101", "CM", "2026-11-20T10:00:00Z", "opted_in", "", ""]);
        let short = line(&["s2", "a1", "Bea", "+237671000102", "CM", "2026-11-20T10:00:00Z", "opted_in"]);
        let long =
            line(&["s3", "a1", "Cyr", "+237671000103", "CM", "2026-11-20T10:00:00Z", "opted_in", "", "", " ", ""]);
        let blank = separator.repeat(8);
        format!("{header}\n{first}\n{blank}\n{blank}\n{short}\n{long}\n\u{a0}{blank}\u{200b}\n\"\"{separator}\n")
    };
    for (start, separator) in
        [("sep=;\n", ";"), ("", ";"), ("", "\t"), ("\"sep=|\"\r\n", "|"), ("sep=,,,,\n,,,\n", ",")]
    {
        let db = world().await;
        let report = read(&db, format!("{start}{}", rows(separator))).await;
        assert_eq!((report.read, report.inserted, faults(&report)), (3, 3, vec![]), "{start:?} {separator:?}");
        assert_eq!(people(&db).await[2], "s3 Cyr +237671000103");
    }
}

#[tokio::test]
async fn utf_16_is_recognised_and_windows_1252_is_named_and_read_on_request() {
    let file = format!(
        "{HEADER}\nw1,a1,Zoé Étoundi,+237671000102,CM,2026-11-20T10:00:00Z,\nw2,a1,Bo,+237671000103,CM,2026-11-20T10:00:00Z,\n"
    );
    let expected = ["w1 Zoé Étoundi +237671000102", "w2 Bo +237671000103"];
    let wide = |mark: &str, bytes: fn(u16) -> [u8; 2]| {
        (mark.to_owned() + &file).encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    };
    let encoded = [
        wide("\u{feff}", u16::to_le_bytes),
        wide("\u{feff}", u16::to_be_bytes),
        wide("", u16::to_le_bytes),
        wide("", u16::to_be_bytes),
        format!("\u{feff}{file}").into_bytes(),
    ];
    for bytes in encoded {
        let db = world().await;
        assert_eq!(faults(&read(&db, bytes).await), [""; 0]);
        assert_eq!(people(&db).await, expected);
    }

    let narrow: Vec<u8> = file.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let db = world().await;
    let report = read(&db, narrow.clone()).await;
    assert_eq!((report.inserted, report.rejected.len()), (1, 1));
    let reason = &report.rejected[0].reason;
    assert!(reason.contains("in Windows-1252 it reads `Zoé Étoundi`"), "{reason}");
    assert!(reason.contains("--encoding windows-1252"), "{reason}");
    let reading = Reading { encoding: Some(Reading::encoding("windows-1252").unwrap()), ..Reading::default() };
    assert_eq!(faults(&attempt(&db, narrow, reading).await.unwrap()), [""; 0]);
    assert_eq!(people(&db).await, expected);
    assert!(Reading::encoding("windows-9").unwrap_err().contains("windows-1252"));

    let header = b"id,account_id,pr\xe9nom,name,phone,country,registered_at\n".to_vec();
    let error = attempt(&db, header, Reading::default()).await.unwrap_err().to_string();
    assert!(error.contains("the header is not UTF-8: in Windows-1252 it reads `prénom`"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_text_is_named_with_what_to_do() {
    let db = world().await;
    let cases: [(&[u8], &str); 7] = [
        (b"PK\x03\x04\x14\0\x06\0[Content_Types].xml", "an Excel workbook (`.xlsx`): save the sheet as `CSV UTF-8`"),
        (b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "an OpenDocument spreadsheet: save"),
        (b"PK\x03\x04people.csv", "a workbook or an archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (`.xls`): save the sheet"),
        (b"\x1f\x8b\x08\0", "compressed with gzip: unpack it"),
        (b"\n<html><table><tr><td>id</td>", "HTML or XML"),
        (b"%PDF-1.7", "a PDF document"),
    ];
    for (bytes, reason) in cases {
        let error = attempt(&db, bytes, Reading::default()).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[tokio::test]
async fn invisible_characters_are_in_no_header_id_phone_name_or_answer() {
    let db = world().await;
    let csv = "id,account_id,name,\u{200b}phone,country ,\u{feff}registered_at,consent,shop\u{ad}\n\
               z1,a1\u{200b},Zed,+237671000107,CM,2026-11-20T10:00:00Z,opted_in,big\n\
               z2\u{200b},a1,Zo\u{2060}e,+237671000108,CM\u{feff},2026-11-20T10:00:00Z,opted\u{200d}_in,big\n\
               z3, a1,Zac\u{200b},\u{202a}+237671000109\u{202c},CM,2026-11-20T10:00:00Z,\u{a0}opted_in,b\u{200b}ig\n";
    let report = read(&db, csv).await;
    assert_eq!((report.inserted, faults(&report)), (3, vec![]));
    let json = "{\"id\":\"z2\",\"account\u{200b}Id\":\"a1\\u200b\",\"name\":\"\\u200bZoe\",\"phone\":\"+237671000108\\ufeff\",\
                \"country\":\"CM\",\"registered_at\":\"2026-11-20T10:00:00Z\",\"consent\":\"opted_in\\u200c\",\"shop\":\"big\"}";
    let report = read(&db, json).await;
    assert_eq!((report.unchanged, faults(&report)), (1, vec![]), "the same person as in CSV");
    assert_eq!(people(&db).await, ["z1 Zed +237671000107", "z2 Zoe +237671000108", "z3 Zac +237671000109"]);
    let rest: Vec<String> = column(&db.pool, "select distinct consent || attributes from referral").await;
    assert_eq!(rest, ["opted_in{\"shop\": \"big\"}"]);
}

#[tokio::test]
async fn a_phone_that_a_spreadsheet_made_an_amount_is_refused_with_the_reason() {
    let db = world().await;
    let row = |n: usize, phone: &str, country: &str| format!("p{n},a1,N,\"{phone}\",{country},2026-11-20T10:00:00Z,\n");
    let amounts = [
        ("24106031219.0", "GA"),
        ("4917612345.0", "DE"),
        ("211233233.0", "NZ"),
        ("237671000001,0", "CM"),
        ("+237671000001.00", "CM"),
        ("237,671,000,001.00", "CM"),
        ("237 671 000 001,00", "CM"),
        ("٢٣٧٦٧١٠٠٠٠٠١.٠", "CM"),
        ("2.37671E+11", "CM"),
        ("2,37671E+11", "CM"),
        ("237671E6", "CM"),
    ];
    let rows: String = amounts.iter().enumerate().map(|(n, (phone, country))| row(n, phone, country)).collect();
    let report = read(&db, format!("{HEADER}\n{rows}")).await;
    assert_eq!((report.inserted, report.rejected.len()), (0, amounts.len()), "{:?}", people(&db).await);
    for (at, fault) in report.rejected.iter().enumerate() {
        let expected = if at < 8 { "a number with decimals" } else { "scientific notation" };
        assert!(fault.reason.starts_with(expected) && fault.reason.contains("format the column as text"), "{fault:?}");
    }
    let written = ["+237.671.00.00.21", "6 71 00 00 22", "237.671000023", "=\"\"+237671000024\"\"", "671-00-00-25"];
    let rows: String = written.iter().enumerate().map(|(n, phone)| row(n, phone, "CM")).collect();
    assert_eq!(faults(&read(&db, format!("{HEADER}\n{rows}")).await), [""; 0]);

    let ids =
        "1.23457E+14,a1,N,+237671000001,CM,2026-11-20T10:00:00Z,\nq,a1,#REF!,+237671000001,CM,2026-11-20T10:00:00Z,\n";
    let report = read(&db, format!("{HEADER}\n{ids}")).await;
    let expected = [
        "2 id: scientific notation, in which a spreadsheet has dropped digits: format the column as text",
        "3 name: the error of a formula, not a value: correct the cell in the spreadsheet",
    ];
    assert_eq!(faults(&report), expected);
}

#[tokio::test]
async fn all_faults_of_a_row_are_told_at_once_and_the_row_counts_once() {
    let db = world().await;
    let file = "id,account_id,name,phone,email,country,gender,birth_date,registered_at,paid_at,consent\n\
                ,gone,Ada,12,ada@x,XX,robot,31/12/2000,yesterday,soon,perhaps\n\
                r2,a1,Bo,12,,CM,,2040-01-01,2026-11-20T10:00:00Z,,\n\
                r3,a1,Cy,+237671000103,,CM,,,2026-11-20T10:00:00Z,,\n";
    let report = read(&db, file).await;
    assert_eq!((report.read, report.inserted, report.rejected_rows()), (3, 1, 2));
    let places: Vec<String> = report.rejected.iter().map(|it| format!("{} {}", it.line, it.column)).collect();
    let expected = [
        "2 id",
        "2 account_id",
        "2 email",
        "2 country",
        "2 gender",
        "2 birth_date",
        "2 registered_at",
        "2 paid_at",
        "2 consent",
        "3 phone",
        "3 birth_date",
    ];
    assert_eq!(places, expected);
    let done = relancectl(&db, &["referrals", "-"], file.as_bytes());
    assert!(out(&done).starts_with("3 read: 0 inserted, 0 updated, 1 unchanged, 2 rejected\n"), "{}", out(&done));

    let now: Timestamp = NOW.parse().unwrap();
    let file = "id,name,timezone,phone,language,subscription_ends_at\n,Sol,localtime,12,x!,soon\n";
    let source = Source::stream("accounts", Cursor::new(file));
    let report = import::accounts(&db.store, source, Age { as_of: now, now }).await.unwrap();
    let columns: Vec<&str> = report.rejected.iter().map(|fault| fault.column.as_str()).collect();
    assert_eq!(columns, ["id", "timezone", "phone", "language", "subscription_ends_at"]);
}

#[tokio::test]
async fn days_and_times_without_an_offset_are_those_of_the_account_s_zone() {
    let db = world().await;
    let times = "select external_id || ' ' || to_char(registered_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
                 from referral order by 1";
    let rows = |days: [&str; 4]| {
        let row = |(n, day): (usize, &&str)| {
            let account = if n < 2 { "a1" } else { "a2" };
            format!("t{n},{account},N,+23767100010{n},CM,\"{day}\",\n")
        };
        format!("{HEADER}\n{}", days.iter().enumerate().map(row).collect::<String>())
    };
    let expected =
        ["t0 2026-11-19 23:00:00", "t1 2026-11-20 09:30:00", "t2 2026-11-20 13:30:00", "t3 2026-11-20 10:30:00"];
    let iso = ["2026-11-20", "2026-11-20 10:30", "2026-11-20T10:30:00", "2026-11-20T10:30:00Z"];
    assert_eq!(faults(&read(&db, rows(iso)).await), [""; 0]);
    let found: Vec<String> = column(&db.pool, times).await;
    assert_eq!(found, expected);
    let french = ["20/11/2026", "20/11/26 10:30", "20/11/2026 10h30", "20/11/2026 10:30:00Z"];
    let american = ["11/20/2026", "11/20/26 10:30 AM", "11/20/2026, 10:30", "11-20-2026 10:30:00+00"];
    for (form, days) in [("dd/mm/yyyy", french), ("%m/%d/%Y %H:%M", american)] {
        let reading = Reading { days: Days::parse(form).unwrap(), ..Reading::default() };
        let report = attempt(&db, rows(days), reading).await.unwrap();
        assert_eq!((report.unchanged, faults(&report)), (4, vec![]), "{form}");
    }
    let report = read(&db, rows(french)).await;
    assert_eq!(report.rejected.len(), 4);
    assert!(report.rejected[0].reason.contains("`--date-format dd/mm/yyyy`"), "{:?}", report.rejected[0]);
}

const FRENCH: &str = "Réf;Parrain;Nom;Téléphone;Pays;Inscrit le;Ville\n\
                      m1;a1;Éva;+237671000111;CM;20/11/2026;Douala\n";

#[tokio::test]
async fn french_headers_are_mapped_once_and_the_database_remembers_them() {
    let db = world().await;
    let without = relancectl(&db, &["referrals", "-"], FRENCH.as_bytes());
    assert_eq!(without.status.code(), Some(2));
    let advice = "--map 'Réf=id' --map 'Parrain=account_id' --map 'Nom=name' --map 'Téléphone=phone' --map 'Pays=country' \
                  --map 'Inscrit le=registered_at'";
    assert!(out(&without).contains(advice), "{}", out(&without));
    for (map, reason) in [
        ("Tel=phone", "the header has no `Tel`"),
        ("Téléphone=fone", "there is no column `fone`: did you mean `phone`?"),
        ("Téléphone", "is not `HEADER=COLUMN`"),
    ] {
        let wrong = relancectl(&db, &["referrals", "-", "--map", map], FRENCH.as_bytes());
        assert_eq!(wrong.status.code(), Some(2), "{map}");
        assert!(out(&wrong).contains(reason), "{}", out(&wrong));
    }
    let maps = [
        "Réf=id",
        "PARRAIN=account_id",
        "Nom=name",
        "telephone=Phone",
        "Pays=country",
        "Inscrit le=registered_at",
        "Ville=attributes.city",
    ];
    let maps: Vec<&str> = maps.iter().flat_map(|map| ["--map", map]).collect();
    let first = [&["referrals", "-", "--date-format", "jj/mm/aaaa"], &maps[..]].concat();
    let tried = relancectl(&db, &[&first[..], &["--dry-run"]].concat(), FRENCH.as_bytes());
    assert_eq!(tried.status.code(), Some(0), "{}", out(&tried));
    assert!(out(&tried).starts_with("dry run, nothing was written: 1 read: 1 inserted"), "{}", out(&tried));
    let again = relancectl(&db, &["referrals", "-"], FRENCH.as_bytes());
    assert_eq!(again.status.code(), Some(2), "a dry run remembers nothing");

    let mapped = relancectl(&db, &first, FRENCH.as_bytes());
    assert_eq!(mapped.status.code(), Some(0), "{}", out(&mapped));
    assert!(out(&mapped).contains("the database remembers `Réf` is `id`"), "{}", out(&mapped));
    let again = relancectl(&db, &["referrals", "-", "--date-format", "dd/mm/yyyy"], FRENCH.as_bytes());
    assert!(out(&again).starts_with("1 read: 0 inserted, 0 updated, 1 unchanged, 0 rejected"), "{}", out(&again));
    assert!(out(&again).contains("columns that the database remembers: "), "{}", out(&again));
    let city: Vec<String> = column(&db.pool, "select attributes::text from referral").await;
    assert_eq!(city, ["{\"city\": \"Douala\"}"]);
    let forgot = relancectl(&db, &["referrals", "-", "--forget-map"], FRENCH.as_bytes());
    assert_eq!(forgot.status.code(), Some(2));
    let both = relancectl(&db, &["referrals", "-", "--map", "Nom=phone"], FRENCH.as_bytes());
    assert!(out(&both).contains("two columns mean the same: `Nom` and `Téléphone`"), "{}", out(&both));
}

#[tokio::test]
async fn a_dry_run_tells_what_an_import_would_do_and_writes_nothing() {
    let db = world().await;
    let now: Timestamp = NOW.parse().unwrap();
    let file = format!(
        "{HEADER}\nd1,a1,Ada,+237671000101,CM,2026-11-20T10:00:00Z,opted_out\nd2,a1,Bo,12,CM,2026-11-20T10:00:00Z,no\n\
         d3,a1,Cy,+237671000103,CM,2026-11-20T10:00:00Z,perhaps\n"
    );
    let import = async |ending| {
        let source = Source::stream("people", Cursor::new(file.clone()));
        import::import(&db.store, Facts::Referrals, source, Age { as_of: now, now }, ending).await.unwrap()
    };
    let state = "select 'p' || phone from referral union all select 's' || phone from suppression
                 union all select 'e' || id from event union all select 'f' || facts from facts_generation order by 1";
    let before: Vec<String> = column(&db.pool, state).await;
    let dry = import(Ending::Rollback).await;
    assert_eq!(column::<String>(&db.pool, state).await, before);
    let real = import(Ending::Commit).await;
    assert!(dry.dry_run && !real.dry_run);
    assert_eq!(Report { dry_run: false, ..dry }, real);
    assert_ne!(column::<String>(&db.pool, state).await, before);
}

#[tokio::test]
async fn help_lists_the_columns_and_the_template_has_all_of_them() {
    let db = world().await;
    let help = out(&relancectl(&db, &["--help"], b""));
    for line in ["Columns of accounts:", "timezone", "Columns of referrals:", "registered_at", "time of the payment"] {
        assert!(help.contains(line), "{help}");
    }
    let header = relancectl(&db, &["referrals", "--template"], b"");
    assert_eq!(header.status.code(), Some(0), "{}", out(&header));
    let row = "h1,a1,Ada,+237671000101,,,CM,,,,2026-11-20T10:00:00Z,,,,,,\n";
    let report = read(&db, out(&header) + row).await;
    assert_eq!((report.inserted, faults(&report)), (1, vec![]));
    let column: Vec<String> = column(&db.pool, "select attributes::text from referral").await;
    assert_eq!(column, ["{}"], "every column of the template is known");
}

#[tokio::test]
async fn a_header_that_is_missing_names_what_the_file_has() {
    let db = world().await;
    let error = attempt(&db, ";;\nid;nom\n", Reading::default()).await.unwrap_err();
    let import::Error::Facts(Error::MissingColumns { line, missing, found, .. }) = error else { panic!("{error}") };
    assert_eq!((line, missing.len(), found), (2, 5, vec!["id".to_owned(), "nom".to_owned()]));
}
