//! The answers of the Graph API: error codes, limits, and the endpoint for marketing.

use std::sync::Arc;

use relance::channel::fake_graph::{ApiError, Fault, Order};
use relance::channel::whatsapp::reaction;
use relance::channel::{Outcome, Reaction};
use relance::core::dispatch::OutgoingMessage;

use super::{Meta, NUMBER, TOKEN, asks_for, error, is_accepted, message, phone};

/// All of the table, in its order.
pub(crate) const CODES: [i64; 51] = [
    130_429, 4, 80_007, 131_056, 1, 2, 131_000, 131_016, 131_057, 133_004, 131_026, 131_047, 131_049, 131_050, 130_472,
    130_403, 131_048, 131_064, 131_051, 131_008, 131_009, 100, 135_000, 131_021, 131_030, 131_052, 131_053, 132_000,
    132_001, 132_005, 132_007, 132_012, 132_018, 132_015, 132_016, 190, 0, 3, 10, 200, 299, 131_005, 368, 131_031,
    130_497, 131_042, 33, 131_045, 133_010, 133_006, 131_037,
];

#[tokio::test]
async fn an_error_text_holds_no_phone_and_no_token() {
    let meta = Meta::new().await;
    meta.fail_next(Fault::Error(ApiError::new(131_026, format!("+237671000009, 237671000009 by {TOKEN}"))));
    let Outcome::Refused(refusal) = meta.one(message(9)).await else { panic!() };
    assert_eq!(refusal.error, "131026: …, … by …");
}

#[tokio::test]
async fn every_error_code_has_its_reaction() {
    let meta = Meta::new().await;
    let (mut messages, mut told) = (Vec::new(), String::new());
    for (place, code) in (0_i64..).zip(CODES.into_iter().chain([999_999])) {
        meta.fake_graph.order(Order::FailFor { phone: phone(place), fault: error(code) });
        messages.extend([1, 2].map(|attempts| OutgoingMessage { attempts, ..message(place) }));
    }
    let outcomes = meta.hand_over(&messages).await;
    for (code, pair) in CODES.into_iter().chain([999_999]).zip(outcomes.chunks(2)) {
        let expected = [1, 2].map(|attempts| Outcome::refused(format!("{code}: said so"), reaction(code, attempts)));
        assert_eq!(pair, expected);
        let [first, second] = [0, 1].map(|place| asks_for(&pair[place]).unwrap());
        told += &if first == second {
            format!("{code} {first:?}\n")
        } else {
            format!("{code} {first:?}, then {second:?}\n")
        };
    }
    insta::assert_snapshot!(told);
    assert_eq!(meta.fake_graph.ledger(), []);
}

#[tokio::test]
async fn a_rate_limit_waits_as_long_as_meta_says() {
    let meta = Meta::new().await;
    for (retry_after, regain_after, seconds) in
        [(None, None, None), (Some(90), None, Some(90)), (Some(90), Some(3), Some(180))]
    {
        meta.fail_next(Fault::Error(ApiError { retry_after, regain_after, ..ApiError::new(80_007, "slow") }));
        let after = seconds.map(chrono::TimeDelta::seconds);
        assert_eq!(asks_for(&meta.one(message(1)).await), Some(Reaction::Throttle { after }));
    }
    meta.behave(|behaviour| behaviour.messages_per_second = Some(3));
    let outcomes = meta.hand_over(&(0..9).map(message).collect::<Vec<_>>()).await;
    let throttled = outcomes.iter().filter(|one| asks_for(one) == Some(Reaction::Throttle { after: None })).count();
    assert_eq!(throttled + meta.fake_graph.ledger().len(), 9);
    assert!(throttled > 0);
}

#[tokio::test]
async fn a_fault_of_a_shared_number_pauses_the_channel() {
    let mut meta = Meta::new().await;
    meta.spec.phone_number_id = Some("1".to_owned());
    let mut shared = message(2);
    shared.policy = Arc::default();
    for code in [131_048, 133_010, 131_031] {
        for person in [1, 2] {
            meta.fake_graph.order(Order::FailFor { phone: phone(person), fault: error(code) });
        }
        let outcomes = meta.hand_over(&[message(1), shared.clone()]).await;
        let asked = outcomes.iter().map(|outcome| asks_for(outcome).unwrap()).collect::<Vec<_>>();
        assert_eq!(asked, [Reaction::PauseAccount, Reaction::PauseChannel], "{code}");
    }
    meta.fake_graph.order(Order::Heal {});
    meta.hand_over(&[message(1), shared]).await;
    let mut numbers: Vec<String> = meta.fake_graph.ledger().into_iter().map(|one| one.number).collect();
    numbers.sort();
    assert_eq!(numbers, ["1", NUMBER]);
}

#[tokio::test]
async fn marketing_goes_to_its_own_endpoint_once_the_other_refuses() {
    let mut meta = Meta::new().await;
    meta.writes(&phone(2));
    meta.behave(|behaviour| behaviour.marketing_only = true);
    let outcomes = meta.hand_over(&[message(1), message(2)]).await;
    assert!(outcomes.iter().all(is_accepted), "{outcomes:?}");
    let mut ledger = meta.fake_graph.ledger();
    ledger.sort_by(|one, other| one.to.cmp(&other.to));
    assert_eq!(ledger.iter().map(|one| one.marketing).collect::<Vec<_>>(), [true, false]);
    assert_eq!(ledger[0].body["product_policy"], "CLOUD_API_FALLBACK");
    assert_eq!(meta.fake_graph.traffic().calls, 3);
    // Whoever is sent there in vain is not sent there again.
    meta.behave(|_| ());
    meta.fake_graph.order(Order::FailFor { phone: phone(1), fault: error(131_063) });
    assert_eq!(asks_for(&meta.one(message(1)).await), Some(Reaction::PauseChannel));
    assert_eq!(meta.fake_graph.traffic().calls, 5);
}
