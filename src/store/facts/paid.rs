//! People who paid: they leave the campaigns that a payment ends, when the payment is recorded.

use sqlx::PgConnection;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::{Postgres, query_as};

use crate::core::domain::{AccountId, CampaignId, ReferralId, TargetKey, Timestamp};
use crate::core::lifecycle::target;
use crate::core::lifecycle::target::Exit;
use crate::store::Error;
use crate::store::schedule::wake::{Changed, look_again};
use crate::store::send::target_rows::TargetRows;

/// The targets that wait for a day, of people `p` who have paid, in campaigns with `exitOnPaid`. A target whose last
/// message is on its way stays: a payment stops nothing of it.
macro_rules! targets_of {
    ($payers:literal) => {
        concat!(
            "select t.account_id, t.campaign_id, t.referral_id from ",
            $payers,
            " join referral r on (r.account_id, r.id) = (p.account_id, p.id)
              join run n on n.account_id = p.account_id and n.finished_at is null
              join campaign c on c.id = n.campaign_id and c.removed_at is null
              join manifest m on m.kind = 'Campaign' and m.name = c.name and (m.body ->> 'exitOnPaid')::boolean
              join target t on (t.account_id, t.campaign_id, t.referral_id) = (n.account_id, n.campaign_id, p.id)
              where r.paid_at is not null and t.state = 'active' and t.due_at is not null"
        )
    };
}

type Row = (i32, i32, i64);

/// Makes people of an event leave. The lanes are locked.
pub(super) async fn leave(
    tx: &mut PgConnection,
    (accounts, referrals): (Vec<i32>, Vec<i64>),
    now: Timestamp,
) -> Result<(), Error> {
    let targets = query_as(targets_of!("unnest($1::int[], $2::bigint[]) as p (account_id, id)"));
    exit(tx, targets.bind(accounts).bind(referrals), now).await
}

/// Makes people of an import leave: those of changed rows, of `merged` rows, and of `signals` in refused rows. The lanes
/// are locked.
pub(super) async fn leave_by_import(
    tx: &mut PgConnection,
    (merged, signals): (bool, bool),
    now: Timestamp,
) -> Result<(), Error> {
    exit(tx, query_as(targets_of!("changed p")).persistent(false), now).await?;
    if merged {
        exit(tx, query_as(targets_of!("primary_row p")).persistent(false), now).await?;
    }
    if signals {
        let people = targets_of!("(select distinct account_id, id from concerned where sure) p");
        exit(tx, query_as(people).persistent(false), now).await?;
    }
    Ok(())
}

async fn exit(
    tx: &mut PgConnection,
    targets: QueryAs<'_, Postgres, Row, PgArguments>,
    now: Timestamp,
) -> Result<(), Error> {
    let rows: Vec<Row> =
        targets.fetch_all(&mut *tx).await.map_err(Error::during("find the targets of people who paid"))?;
    let (mut changed, mut targets) = (Vec::new(), TargetRows::default());
    for (account, campaign, referral) in rows {
        let (account, campaign) = (AccountId(account), CampaignId(campaign));
        let key = TargetKey { account, campaign, referral: ReferralId(referral) };
        // The quota of a message in flight stays taken until its outcome.
        changed.push(Changed::of(key, now, false));
        targets.push(key, target::Event::Left(Exit::Paid), now);
    }
    targets.save(tx).await?;
    look_again(tx, changed).await
}
