//! From any tree to any other: what is in force becomes what the files ask for, a second look finds nothing to do, and
//! nobody who ever was in a run is lost.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use relance::core::domain::Name;
use relance::core::manifest;
use relance::core::manifest::{Kind, SourceFile, Sources};
use relance::core::plan;
use relance::daemon::reconcile::{By, Outcome, compare};

use crate::forecast::Case;
use crate::support::database::database;
use crate::support::rows::column;

/// Edits of one world.
const EDITS: usize = 5;

/// Who is or was in a run of a campaign, how that ended, and how many messages there are.
type People = BTreeMap<(i32, i32, i64, String), (String, i64)>;

impl Case {
    async fn people(&self) -> People {
        let rows: Vec<(i32, i32, i64, String, String, i64)> = sqlx::query_as(
            "select t.account_id, t.campaign_id, t.referral_id, c.name, coalesce(t.exit_reason, t.state),
                    (select count(*) from message m
                     where (m.account_id, m.campaign_id, m.referral_id) = (t.account_id, t.campaign_id, t.referral_id))
             from target t join campaign c on c.id = t.campaign_id",
        )
        .fetch_all(&self.db.pool)
        .await
        .unwrap();
        let rows = rows.into_iter();
        rows.map(|(account, campaign, referral, name, end, messages)| {
            ((account, campaign, referral, name), (end, messages))
        })
        .collect()
    }

    /// Whatever is active is so in a run that goes on, of a campaign that is in force.
    async fn stranded(&self) -> Vec<String> {
        column(
            &self.db.pool,
            "select concat_ws(' ', c.name, t.account_id, t.referral_id) from target t
             join run r on (r.account_id, r.campaign_id) = (t.account_id, t.campaign_id)
             join campaign c on c.id = t.campaign_id
             where t.state = 'active' and (r.finished_at is not null or c.removed_at is not null
                                           or not exists (select from manifest m where m.kind = 'Campaign' and m.name = c.name))",
        )
        .await
    }
}

fn sources(yaml: &str) -> Sources {
    Sources::from(vec![SourceFile { path: "tree.yaml".to_owned(), bytes: yaml.as_bytes().to_vec() }])
}

/// Breaks the first campaign of the tree, or something that has no name.
fn broken(yaml: &str, unnamed: bool) -> String {
    if unnamed {
        return format!("{yaml}---\nkind: [\n");
    }
    yaml.replacen("priority: ", "priority: high", 1)
}

#[tokio::test]
async fn any_tree_converges_to_any_other_without_losing_anyone() {
    let mut db = database().await;
    for seed in 0..25 {
        let mut case = Case::begin(seed, db).await;
        let mut before = People::new();
        for edit in 0..EDITS {
            let tree = case.tree();
            let (yaml, by) = match case.dice.below(4) {
                // A daemon freezes what is broken, and has what looks like an accident approved.
                0 => (broken(&tree, false), By::Daemon),
                1 => (broken(&tree, true), By::Daemon),
                _ => (tree, By::Person { mass_change: true, digest: None }),
            };
            let told = || format!("seed {seed}, edit {edit}\n{yaml}");
            let mut pass = case.world.reconcile(&sources(&yaml), by).await.unwrap();
            if matches!(pass.outcome, Outcome::Refused(_)) {
                let approved =
                    case.db.store.approve_plan(&pass.digest, "maria", "meant", case.world.now()).await.unwrap();
                pass = case.world.reconcile(&sources(&yaml), by).await.unwrap();
                assert!(matches!(pass.outcome, Outcome::Applied { .. }), "{approved:?}\n{}", told());
            }
            assert!(
                matches!(pass.outcome, Outcome::Applied { .. } | Outcome::InSync),
                "{:?}\n{}",
                pass.outcome,
                told()
            );
            // Nothing is left to do, and what is in force is what was meant.
            let again = compare(sources(&yaml).into(), &case.db.store).await.unwrap();
            assert!(again.plan.is_empty(), "{:#?}\n{}", again.plan.changes, told());
            assert_eq!(again.desired.to_objects(), again.in_force.objects, "{}", told());
            let checked = manifest::check(&sources(&yaml));
            let none = BTreeMap::new();
            for change in plan::plan(&checked.desired.to_objects(), &again.in_force.objects, &none).changes {
                assert!(checked.has_errors(), "not in force though nothing is wrong: {change:?}\n{}", told());
            }
            let hours = i64::try_from(case.dice.below(90)).unwrap();
            case.world.run_until(case.world.now() + TimeDelta::hours(hours)).await.unwrap();
            let after = case.people().await;
            for (person, (state, messages)) in &before {
                let name = Name::parse(&person.3).unwrap();
                let is_wanted = checked.unnamed
                    || checked.broken.contains(&(Kind::Campaign, name.clone()))
                    || checked.desired.campaigns.contains_key(&name);
                let (now, more) = after.get(person).unwrap_or_else(|| panic!("{person:?} is gone\n{}", told()));
                assert!(more >= messages, "{person:?} lost a message\n{}", told());
                assert!(state == "active" || state == now, "{person:?} was {state} and is {now}\n{}", told());
                let is_cancelled = state == "active" && now == "cancelled";
                assert!(!is_cancelled || !is_wanted, "{person:?} left what is in the files\n{}", told());
            }
            assert_eq!(case.stranded().await, Vec::<String>::new(), "{}", told());
            before = after;
        }
        db = case.db;
    }
}
