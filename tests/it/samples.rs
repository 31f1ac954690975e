//! The sample tree over the sample members: who is enrolled, against SQL that was written without relance's matcher.

use std::path::Path;
use std::sync::Arc;

use relance::channel::{Channel, Open};
use relance::core::domain::Timestamp;
use relance::daemon as runner;
use relance::daemon::reconcile::{By, Outcome, reconcile};
use relance::daemon::{Loaded, Sandbox, Watermark};
use relance::facts::{Source, import};
use relance::source;
use relance::store::Age;

use crate::support::database::database;
use crate::support::rows::column;

/// The people of each campaign and account, by the rules of the YAML, independent of the program: the newest row of a
/// person, unpaid, agreed, never opted out.
const INDEPENDENT: &str = "
with person as (
  select distinct on (account_id, phone) * from referral order by account_id, phone, registered_at desc, id desc),
eligible as (
  select p.*, a.external_id as account, a.timezone as account_timezone from person p join account a on a.id = p.account_id
  where p.paid_at is null and p.consent = 'opted_in' and a.whatsapp_status is distinct from 'disconnected'
    and (a.subscription_ends_at is null or a.subscription_ends_at > timestamptz '2026-11-30T07:00:00Z')
    and not exists (select from referral o where o.phone = p.phone and o.consent = 'opted_out')),
expected as (
  select 'default' as campaign, account, count(*) as n from eligible
  where registered_at < timestamptz '2026-11-30T06:00:00Z' group by 2
  union all
  select 'students-cm', account, count(*) from eligible
  where country = 'CM' and translate(lower(trim(profession)), 'é', 'e') in ('etudiant', 'etudiante', 'student') group by 2
  union all
  select 'autumn-adults', account, count(*) from eligible
  where account in ('acc-000002', 'acc-000004')
    and registered_at >= timestamp '2026-10-01' at time zone account_timezone
    and registered_at < timestamp '2026-12-01' at time zone account_timezone
    and extract(year from age(date '2026-11-30', birth_date)) between 25 and 45 group by 2)
select concat_ws(' ', campaign, account, n) from expected order by 1";

const ENROLLED: &str = "
select concat_ws(' ', c.name, a.external_id, count(*)) from target t
join campaign c on c.id = t.campaign_id join account a on a.id = t.account_id
group by c.name, a.external_id order by 1";

#[tokio::test]
async fn the_sample_tree_enrolls_the_people_found_by_an_independent_query() {
    let db = database().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let now: Timestamp = "2026-11-30T07:00:00Z".parse().unwrap();
    let age = Age { as_of: now, now };
    let export = |file: &str| Source::open(&root.join("samples").join(file)).unwrap();
    import::accounts(&db.store, export("accounts.csv"), age).await.unwrap();
    let report = import::referrals(&db.store, export("referrals.csv"), age).await.unwrap();
    assert_eq!((report.inserted, report.unchanged, report.rejected.len()), (53, 1, 2));

    let tree = source::load(&[root.join("campaigns"), root.join("templates")]).unwrap().into();
    let applied = reconcile(tree, &db.store, By::Daemon, now).await.unwrap().outcome;
    assert!(matches!(applied, Outcome::Applied { .. }), "{applied:?}");
    let sandbox: Arc<dyn Channel> = Arc::new(Sandbox::new(db.store.clone(), std::time::Duration::ZERO));
    let open: Open = Arc::new(move |_| Arc::clone(&sandbox));
    let (program, _) = Loaded::new(open).in_force(&db.store).await.unwrap();
    // The totals that `samples/README.md` promises, without the two accounts that cannot send.
    let (mut seen, mut taken) = (Watermark::default(), 0);
    loop {
        let kept = runner::maintenance(&db.store, &program, &mut seen, now).await.unwrap();
        taken += kept.taken;
        if kept.is_nothing() {
            break;
        }
    }
    assert_eq!(taken, 38 + 6 + 11 - 4 - 3 - 1 - 1);

    let expected: Vec<String> = column(&db.pool, INDEPENDENT).await;
    let enrolled: Vec<String> = column(&db.pool, ENROLLED).await;
    assert_eq!(enrolled, expected);
}
