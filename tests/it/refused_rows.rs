//! Opt-outs, withdrawn consent and payments in rows of an import that are refused for another fault.

use std::io::Cursor;

use chrono::TimeDelta;
use relance::core::domain::{Heard, Phone};
use relance::facts::import::Report;
use relance::facts::{Source, import};
use relance::store::Age;

use crate::accidents::tree;
use crate::support::facts::Person;
use crate::support::world::World;

const HEADER: &str = "id,account_id,name,phone,email,country,birth_date,registered_at,paid_at,consent\n";

async fn import(world: &World, rows: &str) -> Report {
    import_file(world, format!("{HEADER}{rows}\n")).await
}

async fn import_file(world: &World, file: String) -> Report {
    let source = Source::stream("test", Cursor::new(file.into_bytes()));
    import::referrals(world.store(), source, Age { as_of: world.now, now: world.now }).await.unwrap()
}

/// Six people of one account in a campaign, who were not written to yet, and another account.
async fn world() -> World {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    world.account("a1").await;
    world.account("a2").await;
    for (id, phone) in [("q1", "01"), ("q2", "02"), ("q3", "03"), ("q4", "04"), ("q5", "05"), ("q6", "06")] {
        world.person(Person::new(id, &format!("+2376710006{phone}"))).await;
    }
    world.apply(&tree("")).await;
    world.settle().await;
    world
}

async fn suppressed(world: &World) -> Vec<String> {
    world.column("select phone || ' ' || source from suppression order by 1").await
}

async fn paid(world: &World) -> Vec<String> {
    world.column("select external_id from referral where paid_at is not null order by 1").await
}

async fn held(world: &World) -> Vec<String> {
    world.column("select phone || ' ' || text from person_hold order by 1").await
}

#[tokio::test]
async fn a_refused_row_still_applies_its_opt_out_or_payment() {
    let mut world = world().await;
    let report = import(
        &world,
        "q1,a1,Ada,+237671000601,ada@example,CM,2000-01-01,2026-11-20T10:00:00Z,,opted_out\n\
         q2,a1,Ben,+237671000602,,CM,01/01/2000,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z,opted_in\n\
         q3,a1,Cyr,+237671000603,,CM,,2026-11-20T10:00:00Z,,perhaps not\n\
         q4,a1,Dia,+237671000604,,CM,,2026-11-20T10:00:00Z,28/11/2026,opted_in\n\
         ,a1,Eli,+237671000605,,CM,,2026-11-20T10:00:00Z,,unsubscribed",
    )
    .await;
    assert_eq!((report.rejected.len(), report.heard), (5, Heard { opted_out: 2, paid: 1, held: 2 }));
    assert_eq!(suppressed(&world).await, ["+237671000601 import", "+237671000605 import"]);
    let withdrawn = world.column("select external_id from referral where consent = 'opted_out' order by 1").await;
    assert_eq!(withdrawn, ["q1", "q5"]);
    assert_eq!(paid(&world).await, ["q2"]);
    let texts = [
        "+237671000603 line 4 of an import: consent `perhaps not`",
        "+237671000604 line 5 of an import: paid_at `28/11/2026`",
    ];
    assert_eq!(held(&world).await, texts);
    let log = world.sentences("select detail from event where kind::text in ('near-opt-out', 'near_opt_out')").await;
    assert_eq!(log.len(), 1);
    assert!(log[0].starts_with("held 2 people: an import"), "{log:?}");
    world.run_for(TimeDelta::days(3)).await;
    assert!(world.channel.delivered().iter().all(|(phone, _)| phone == "+237671000606"));
    assert!(!world.channel.delivered().is_empty());
}

#[tokio::test]
async fn a_refused_row_without_opt_out_or_payment_changes_nothing() {
    let world = world().await;
    let report = import(
        &world,
        "q1,a1,Ada,+237671000601,ada@example,CM,,2026-11-20T10:00:00Z,,opted_in\n\
         q2,a1,Ben,+237671000602,ben@example,CM,,2026-11-20T10:00:00Z,,\n\
         q3,a1,Cyr, the elder,+237671000603,,CM,,2026-11-20T10:00:00Z,,opted_in",
    )
    .await;
    assert_eq!((report.rejected.len(), report.heard), (3, Heard::default()));
    assert_eq!(suppressed(&world).await, [""; 0]);
    assert_eq!(held(&world).await, [""; 0]);
}

#[tokio::test]
async fn a_misaligned_row_applies_its_opt_out_or_goes_to_review() {
    let world = world().await;
    let report = import(
        &world,
        "q1,a1,Ada, the elder,+237671000601,,CM,,2026-11-20T10:00:00Z,,opted_out\n\
         q2,a1,Ben,+237671000602,CM,,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z,opted_in\n\
         q3,a1,Cyr,+237671000603,,CM,,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z\n\
         q4,a1,Dia,+237671000604,,CM,,2026-11-20T10:00:00Z,,opted_out,x,\n\
         q5,a1,Eli,+237671000605",
    )
    .await;
    assert_eq!(report.rejected.len(), 5);
    assert_eq!(suppressed(&world).await, ["+237671000601 import"]);
    assert_eq!(paid(&world).await, ["q2"]);
    let texts = [
        "+237671000603 line 4 of an import: paid_at `2026-11-28T10:00:00Z`",
        "+237671000604 line 5 of an import: consent `opted_out`",
    ];
    assert_eq!(
        held(&world).await,
        texts,
        "what may be a payment or an opt-out holds, and a row that ends early does not"
    );
    assert_eq!(report.heard, Heard { opted_out: 1, paid: 1, held: 2 });
}

#[tokio::test]
async fn a_row_that_only_blank_fields_make_too_long_is_whole_and_one_that_they_hide_is_heard() {
    let world = world().await;
    let report = import(
        &world,
        "q1,a1,Ada,+237671000601,,CM,,2026-11-20T10:00:00Z,,opted_out,,\n\
         q2,a1,Ben,+237671000602,,CM,,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z,,\n\
         q3,a1,Cyr, the elder,+237671000603,,CM,,2026-11-20T10:00:00Z,,\n\
         q4,a1,Dia, the elder,+237671000604,,CM,,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z,",
    )
    .await;
    assert_eq!((report.rejected_rows(), report.updated), (2, 2));
    assert_eq!(suppressed(&world).await, ["+237671000601 import"]);
    assert_eq!(paid(&world).await, ["q2", "q4"], "the registration of q3 is no payment");
    assert_eq!(held(&world).await, [""; 0]);
}

#[tokio::test]
async fn what_stops_messages_is_heard_whatever_a_spreadsheet_did_to_the_row() {
    let world = world().await;
    // A phone as a float and in scientific notation, the error of a formula, Windows-1252, an invisible character in the
    // answer, a local time.
    let rows = [
        &b"q1,a1,Ada,237671000601.0,,CM,,2026-11-20T10:00:00Z,,opted_out\n"[..],
        b"q2,a1,Ben,2.37671E+11,,CM,,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z,\n",
        b"q3,a1,#NAME?,+237671000603,,CM,,2026-11-20T10:00:00Z,,unsubscribed\n",
        b"q4,a1,Dor\xe9,+237671000604,,CM,,2026-11-20T10:00:00Z,,opted_out\n",
        b"q5,a1,Eli,+237671000605,eli@example,CM,,2026-11-20T10:00:00Z,,\xe2\x80\x8bopted\xe2\x80\x8b_out\n",
        b"q6,a1,Fay,+237671000606,fay@example,CM,,2026-11-20 10:00,2026-11-28 10:00,\n",
    ];
    let file = [HEADER.as_bytes(), &rows.concat()].concat();
    let source = Source::stream("test", Cursor::new(file));
    let age = Age { as_of: world.now, now: world.now };
    let report = import::referrals(world.store(), source, age).await.unwrap();
    assert_eq!((report.rejected_rows(), report.heard), (6, Heard { opted_out: 4, paid: 2, held: 0 }));
    let phones = ["01", "03", "04", "05"].map(|end| format!("+2376710006{end} import"));
    assert_eq!(suppressed(&world).await, phones);
    assert_eq!(paid(&world).await, ["q2", "q6"]);
}

#[tokio::test]
async fn an_invalid_json_row_applies_its_opt_out_or_goes_to_review() {
    let world = world().await;
    let row = |id: &str, phone: &str, more: &str| {
        format!(
            r#"{{"id":"{id}","account_id":"a1","name":"A","phone":{phone},"country":"CM",
             "registered_at":"2026-11-20T10:00:00Z",{more}}}"#
        )
        .replace('\n', "")
    };
    let rows = [
        row("q1", "\"+237671000601\"", r#""consent":false,"email":["a@example.com"]"#),
        row("q2", "\"+237671000602\"", r#""consent":"yes","Consent":"no""#),
        row("q3", "\"+237671000603\"", r#""consent":["no"]"#),
        row("new", "237671000604", r#""consent":"no""#),
    ];
    let report = import_file(&world, rows.join("\n")).await;
    assert_eq!((report.rejected.len(), report.heard), (4, Heard { opted_out: 2, paid: 0, held: 2 }));
    assert_eq!(suppressed(&world).await, ["+237671000601 import", "+237671000604 import"]);
    let phones = world.column("select phone from person_hold order by 1").await;
    assert_eq!(phones, ["+237671000602", "+237671000603"]);
}

#[tokio::test]
async fn a_row_for_another_account_applies_its_opt_out_or_payment() {
    let world = world().await;
    let report = import(
        &world,
        "q1,a2,Ada,+237671000601,,CM,,2026-11-20T10:00:00Z,,opted_out\n\
         q2,a2,Ben,+237671000602,,CM,,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z,\n\
         q3,a2,Zoe,+237671000699,,CM,,2026-11-20T10:00:00Z,,opted_out\n\
         n1,a1,Noa,+237671000688,,CM,,2026-11-20T10:00:00Z,,\n\
         n1,a2,Noa,+237671000688,,CM,,2026-11-20T10:00:00Z,,opted_out",
    )
    .await;
    assert_eq!((report.rejected.len(), report.inserted), (4, 1), "{report:?}");
    let phones = ["+237671000601 import", "+237671000688 import", "+237671000699 import"];
    assert_eq!(suppressed(&world).await, phones);
    assert_eq!(paid(&world).await, ["q2"]);
    let text = "+237671000603 line 4 of an import: an opt-out or a payment of this person or of another one";
    assert_eq!(held(&world).await, [text]);
    assert_eq!(report.heard, Heard { opted_out: 3, paid: 1, held: 1 });
}

#[tokio::test]
async fn a_payment_without_account_counts_only_for_an_unambiguous_phone() {
    let world = world().await;
    import(&world, "z2,a2,Ben,+237671000602,,CM,,2026-11-20T10:00:00Z,,opted_in").await;
    let report = import(
        &world,
        ",,Ada,+237671000601,,CM,,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z,\n\
         ,gone,Ben,+237671000602,,CM,,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z,",
    )
    .await;
    assert_eq!(paid(&world).await, ["q1"]);
    assert_eq!(world.column("select phone from person_hold").await, ["+237671000602", "+237671000602"]);
    assert_eq!(report.heard, Heard { opted_out: 0, paid: 1, held: 1 });
}

#[tokio::test]
async fn a_refused_opt_out_row_covers_every_phone_of_the_handset() {
    let world = world().await;
    world.sql("insert into alias (id, phone) values ('CM.1', '+237671000601'), ('CM.1', '+237671000602')").await;
    import(&world, "q1,a1,Ada,+237671000601,ada@example,CM,,2026-11-20T10:00:00Z,,STOP").await;
    assert_eq!(suppressed(&world).await, ["+237671000601 import", "+237671000602 import"]);
}

#[tokio::test]
async fn an_imported_opt_out_reaches_phones_that_only_the_digits_of_a_name_spell() {
    // The name of the handset is the number of another person, of nobody, or another spelling of the number.
    let names =
        [("237671000602", "+237671000602"), ("237699000000", "+237699000000"), ("23771000602", "+237671000602")];
    for (name, other) in names {
        for is_refused in [true, false] {
            for (named, opted_out) in [("+237671000601", "+237671000601"), ("+237671000601", other)] {
                let world = world().await;
                world.sql(&format!("insert into alias (id, phone) values ('{name}', '{named}')")).await;
                let mail = if is_refused { "ada@example" } else { "" };
                let row = format!("q9,a1,Ada,{opted_out},{mail},CM,,2026-11-20T10:00:00Z,,opted_out");
                let report = import(&world, &row).await;
                assert_eq!(report.rejected.len(), usize::from(is_refused));
                let both = [format!("{named} import"), format!("{other} import")];
                assert_eq!(suppressed(&world).await, both, "{name} {opted_out} {is_refused}");
            }
        }
    }
    // A name of too many phones tells nothing.
    let world = world().await;
    world.sql("insert into alias select '1', '+23767100060' || n from generate_series(1, 6) n").await;
    import(&world, "q9,a1,Ada,+237671000601,,CM,,2026-11-20T10:00:00Z,,opted_out").await;
    assert_eq!(suppressed(&world).await, ["+237671000601 import"]);
}

#[tokio::test]
async fn a_repeated_refused_row_changes_nothing() {
    let world = world().await;
    let rows = "q1,a1,Ada,+237671000601,ada@example,CM,,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z,perhaps\n\
                q2,a1,Ben,+237671000602,ben@example,CM,,2026-11-20T10:00:00Z,,opted_out";
    let first = import(&world, rows).await;
    world.sql("delete from suppression").await;
    let second = import(&world, rows).await;
    assert_eq!((first.heard, second.heard), (Heard { opted_out: 1, paid: 1, held: 1 }, first.heard));
    let held = world.count("event where kind::text in ('near-opt-out', 'near_opt_out')").await;
    assert_eq!(held, 1);
    assert_eq!(suppressed(&world).await, [""; 0], "an opt-out that was lifted since is not made again by the same row");
}

#[tokio::test]
async fn an_outdated_refused_row_is_ignored() {
    let world = world().await;
    let header = HEADER.replace("consent", "consent,updated_at");
    let old =
        "q1,a1,Ada,+237671000601,ada@example,CM,,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z,no,2020-01-01T00:00:00Z";
    let report = import_file(&world, format!("{header}{old}\n")).await;
    assert_eq!(report.heard, Heard::default());
    assert_eq!((suppressed(&world).await, paid(&world).await), (vec![], vec![]));
}

#[tokio::test]
async fn a_refused_row_restores_nothing_of_an_erased_person() {
    let world = world().await;
    let phone = Phone::trusted("+237671000601".to_owned());
    world.store().forget(&phone, "a letter", world.now).await.unwrap();
    let rows = "q1,a1,Ada,+237671000601,ada@example,CM,,2026-11-20T10:00:00Z,,opted_out\n\
                q9,a1,Ada,+237671000601,ada@example,CM,,2026-11-20T10:00:00Z,28/11/2026,perhaps";
    let report = import(&world, rows).await;
    assert_eq!(report.heard, Heard::default());
    assert_eq!((suppressed(&world).await, held(&world).await), (vec![], vec![]));
}

#[tokio::test]
async fn a_payment_in_a_refused_row_counts_for_every_row_of_the_person() {
    let world = world().await;
    let known = "q7,a1,Ada,+237671000607,,CM,,2026-11-20T10:00:00Z,,opted_in\n\
                 q8,a1,Ada,671000607,,CM,,2026-11-21T10:00:00Z,,opted_in";
    assert!(import(&world, known).await.rejected.is_empty());
    let refused = "q7,a1,Ada,+237671000607,,CM,yesterday,2026-11-20T10:00:00Z,2026-11-28T10:00:00Z,opted_in";
    assert_eq!(import(&world, refused).await.rejected.len(), 1);
    assert_eq!(paid(&world).await, ["q7", "q8"]);
}
