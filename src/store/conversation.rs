//! Open conversations: WhatsApp takes free text for 24 hours after a person wrote to an account.

use chrono::TimeDelta;
use sqlx::PgConnection;

use super::{Error, Store};
use crate::core::dispatch::lane::Send;
use crate::core::domain::{AccountId, Phone, Timestamp};

/// How long a conversation stays open after the person's last message.
const WINDOW: TimeDelta = TimeDelta::hours(24);

impl Store {
    /// Says, in the same order, if each person wrote to the account within the window before `now`.
    pub async fn open_windows(&self, people: &[(AccountId, &Phone)], now: Timestamp) -> Result<Vec<bool>, Error> {
        let mut connection = self.pool.acquire().await.map_err(Error::during("look for open conversations"))?;
        let people: Vec<_> = people.iter().map(|(account, phone)| (*account, *phone, now)).collect();
        open(&mut connection, &people).await
    }
}

/// Marks those of `sends` whose conversation is open at the instant beside them, and the others as templates. One
/// statement; none for an empty list.
pub(super) async fn mark(tx: &mut PgConnection, sends: Vec<(AccountId, Timestamp, &mut Send)>) -> Result<(), Error> {
    if sends.is_empty() {
        return Ok(());
    }
    let people: Vec<_> = sends.iter().map(|(account, at, send)| (*account, &send.phone, *at)).collect();
    let open = open(tx, &people).await?;
    for ((.., send), open) in sends.into_iter().zip(open) {
        send.in_conversation = open;
        send.as_template = !open && send.content.template.is_some();
    }
    Ok(())
}

async fn open(tx: &mut PgConnection, people: &[(AccountId, &Phone, Timestamp)]) -> Result<Vec<bool>, Error> {
    sqlx::query_scalar(
        "select coalesce(c.last_inbound_at > u.since, false)
         from unnest($1::int[], $2::text[], $3::timestamptz[]) with ordinality as u (account_id, phone, since, place)
         left join conversation c on (c.account_id, c.phone) = (u.account_id, u.phone) order by place",
    )
    .bind(people.iter().map(|(account, ..)| account.0).collect::<Vec<_>>())
    .bind(people.iter().map(|(_, phone, _)| phone.as_str()).collect::<Vec<_>>())
    .bind(people.iter().map(|(.., at)| *at - WINDOW).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during("look for open conversations"))
}
