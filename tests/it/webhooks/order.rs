//! The last word of a handset counts, by whichever of its phones and in whatever order the words come.

use serde_json::json;

use super::people::{BIA, PAUL, house, said, suppressed};
use crate::support::house::{House, MONDAY, seconds};

/// The digits by which the provider reports the second phone of Paul's handset.
const SECOND: &str = "237671000099";

/// A house where two phones are one handset, as the provider once said.
async fn with_two_phones(is_named_by_digits: bool) -> House {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    let name = if is_named_by_digits {
        format!("insert into alias values ('{SECOND}', '{PAUL}')")
    } else {
        format!("insert into alias values ('CM.1', '{PAUL}'), ('CM.1', '+{SECOND}')")
    };
    house.world.sql(&name).await;
    house
}

fn at(minute: u32) -> String {
    format!("2026-11-30T09:{minute:02}:00Z")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_start_does_not_lift_a_newer_stop_of_another_phone_of_the_handset() {
    for is_named_by_digits in [true, false] {
        for (stops, starts) in [(SECOND, &PAUL[1..]), (&PAUL[1..], SECOND)] {
            let mut house = with_two_phones(is_named_by_digits).await;
            house.tell("messages", &said("in.2", stops, "STOP", &at(5))).await;
            house.tell("messages", &said("in.1", starts, "START", &at(0))).await;
            assert_eq!(suppressed(&house).await, [PAUL, "+237671000099"], "{stops}");
            // A STOP of the same instant counts as the later word too.
            house.tell("messages", &said("in.3", starts, "START", &at(5))).await;
            assert_eq!(suppressed(&house).await, [PAUL, "+237671000099"], "{stops}");
            house.tell("messages", &said("in.4", starts, "START", &at(6))).await;
            assert!(suppressed(&house).await.is_empty(), "{stops}");
            house.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_stop_does_not_undo_a_newer_start_of_another_phone_of_the_handset() {
    for (stops, starts) in [(SECOND, &PAUL[1..]), (&PAUL[1..], SECOND)] {
        let mut house = with_two_phones(true).await;
        house.tell("messages", &said("in.2", starts, "START", &at(5))).await;
        house.tell("messages", &said("in.1", stops, "STOP", &at(0))).await;
        assert!(suppressed(&house).await.is_empty(), "{stops}");
        // Whoever said STOP has left, whatever followed.
        assert_eq!(house.world.targets().await[0], "r1 c exited opted-out day 2");
        assert_eq!(house.world.count("pending_stop").await, 0);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_of_two_phones_in_one_post_count_in_the_order_in_which_they_were_written() {
    let message = |id: &str, from: &str, text: &str, minute: u32| json!({"id": id, "from": from, "timestamp": seconds(&at(minute)), "type": "text", "text": {"body": text}});
    let of = |one, two| json!({"metadata": {"phone_number_id": "901"}, "messages": [one, two]});
    let mut house = with_two_phones(false).await;
    // A STOP was recorded between the words of the post.
    house.tell("messages", &said("in.1", SECOND, "STOP", &at(5))).await;
    let (early, late) = (message("in.2", &PAUL[1..], "START", 0), message("in.3", SECOND, "START", 9));
    house.tell("messages", &of(late, early)).await;
    assert!(suppressed(&house).await.is_empty());
    let (early, late) = (message("in.4", SECOND, "START", 20), message("in.5", &PAUL[1..], "STOP", 25));
    house.tell("messages", &of(late, early)).await;
    assert_eq!(suppressed(&house).await, [PAUL, "+237671000099"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_of_a_number_that_was_left_changes_nothing_for_the_person_who_left_it() {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    house.world.sql(&format!("insert into alias values ('{SECOND}', '{PAUL}', true)")).await;
    house.tell("messages", &said("in.1", SECOND, "STOP", &at(0))).await;
    assert_eq!(suppressed(&house).await, [PAUL, "+237671000099"]);
    // Somebody else has the old number by now, and no word of theirs counts for the new one.
    house.tell("messages", &said("in.2", &PAUL[1..], "START", &at(5))).await;
    assert_eq!(suppressed(&house).await, ["+237671000099"]);
    house.tell("messages", &said("in.3", SECOND, "STOP", &at(3))).await;
    assert!(suppressed(&house).await.contains(&"+237671000099".to_owned()));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_start_ends_a_review_that_another_phone_of_the_handset_caused() {
    let mut house = with_two_phones(true).await;
    house.tell("messages", &said("in.2", SECOND, "START", &at(5))).await;
    house.tell("messages", &said("in.1", &PAUL[1..], "don't cancel my order", &at(0))).await;
    assert_eq!(house.world.count("person_hold").await, 0);
    house.tell("messages", &said("in.3", BIA.1, "don't cancel my order", MONDAY)).await;
    assert_eq!(house.world.count("person_hold").await, 1);
    house.close().await;
}
