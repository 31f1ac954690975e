//! The API, the command line and the database show the same numbers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::desk::{Desk, world};
use crate::get::relancectl;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_and_the_command_line_show_the_same_rows() {
    let desk = Desk::open(world().await).await;
    let url = desk.world().url();
    for noun in ["campaigns", "runs", "targets", "messages", "accounts", "revisions"] {
        let (printed, error, code) = relancectl(&url, &["get", noun, "-o", "json"]);
        assert_eq!(code, Some(0), "{error}");
        let printed: Vec<Value> = serde_json::from_str(&printed).unwrap();
        let served = desk.all(&desk.operator, &format!("/{noun}"), 2);
        // Only some lists have the same order.
        let set = |rows: &[Value]| rows.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        assert_eq!((set(&served), served.len()), (set(&printed), printed.len()), "{noun}");
        if matches!(noun, "campaigns" | "runs" | "accounts") {
            assert_eq!(served, printed, "{noun}");
        }
    }
    let (printed, ..) = relancectl(&url, &["log", "-o", "json"]);
    let mut printed: Vec<Value> = serde_json::from_str(&printed).unwrap();
    printed.reverse();
    assert_eq!(desk.all(&desk.operator, "/events", 3), printed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_of_campaigns_and_runs_are_those_of_the_rows() {
    let desk = Desk::open(world().await).await;
    for campaign in ["first", "second", "shared"] {
        let shown = desk.get(&desk.viewer, &format!("/campaigns/{campaign}")).json();
        let rows = async |what: &str| {
            let of = format!("campaign_id = (select id from campaign where name = '{campaign}')");
            json!(desk.world().count(&what.replace("{of}", &of)).await)
        };
        assert_eq!(shown["enrolled"], rows("target where {of}").await, "{campaign}");
        assert_eq!(shown["active"], rows("target where {of} and state = 'active'").await);
        assert_eq!(shown["sent"], rows("message where {of} and state in ('sent', 'delivered', 'read')").await);
        assert_eq!(shown["uncertain"], rows("message where {of} and state = 'uncertain'").await);
        assert_eq!(shown["runs"]["active"], rows("run where {of} and phase = 'active'").await);
        let sum = |rows: &Value, field: &str| {
            rows.as_array().unwrap().iter().map(|row| row[field].as_i64().unwrap()).sum::<i64>()
        };
        let runs = desk.get(&desk.viewer, &format!("/runs?campaign={campaign}")).json();
        for field in ["sent", "delivered", "read", "failed", "uncertain"] {
            assert_eq!(json!(sum(&runs["items"], field)), shown[field], "{campaign} {field}");
            assert_eq!(json!(sum(&shown["days"], field)), shown[field], "{campaign} {field}");
        }
    }
}
