//! The history of people.

use sqlx::PgConnection;

use super::entry::{Entry, EntryKind};
use super::runs::{PhaseRow, phase_columns};
use crate::core::domain::{Consent, Timestamp, rough};
use crate::core::lifecycle::message::State;
use crate::core::lifecycle::target::Exit;
use crate::store::Error;
use crate::store::query::{Standing, TargetName};
use crate::store::rows::{decode, strange};

/// The delay in seconds up to which a message is not late: waiting for a lane's turn and handing over take time.
const PUNCTUAL_SECONDS: i64 = 60;

/// People as arrays of their key columns.
#[derive(Debug, Default)]
pub(super) struct People {
    accounts: Vec<i32>,
    referrals: Vec<i64>,
}

/// Returns the people with these external ids.
pub(super) async fn find(tx: &mut PgConnection, ids: &[String]) -> Result<People, Error> {
    let rows: Vec<(i32, i64)> = sqlx::query_as("select account_id, id from referral where external_id = any($1)")
        .bind(ids)
        .fetch_all(tx)
        .await
        .map_err(Error::during("look for people"))?;
    let (accounts, referrals) = rows.into_iter().unzip();
    Ok(People { accounts, referrals })
}

/// Returns the latest campaign of that name that has this person as a target.
pub(super) async fn latest(tx: &mut PgConnection, name: &TargetName) -> Result<Option<i32>, Error> {
    sqlx::query_scalar(
        "select max(t.campaign_id) from target t
         join referral r on r.account_id = t.account_id and r.id = t.referral_id
         join campaign c on c.id = t.campaign_id where c.name = $1 and r.external_id = $2",
    )
    .bind(&name.campaign)
    .bind(&name.referral)
    .fetch_one(tx)
    .await
    .map_err(Error::during("look for a target"))
}

/// Returns all entries of `people` in no particular order, for one campaign or for all.
pub(super) async fn history(
    tx: &mut PgConnection,
    people: &People,
    campaign: Option<i32>,
) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    facts(tx, people).await?.into_iter().for_each(|row| row.entries(&mut entries));
    for row in stays(tx, people, campaign).await? {
        row.entries(&mut entries).map_err(decode("read enrolled people"))?;
    }
    entries.extend(messages(tx, people, campaign).await?.into_iter().flat_map(MessageRow::entries));
    entries.extend(phases(tx, people, campaign).await?.into_iter().map(PhaseRow::entry));
    Ok(entries)
}

#[derive(sqlx::FromRow)]
struct FactRow {
    account: String,
    referral: String,
    registered_at: Timestamp,
    paid_at: Option<Timestamp>,
    consent: Option<String>,
    consent_source: Option<String>,
    consent_at: Option<Timestamp>,
    suppressed_at: Option<Timestamp>,
    suppression: Option<String>,
}

async fn facts(tx: &mut PgConnection, people: &People) -> Result<Vec<FactRow>, Error> {
    sqlx::query_as(
        "select a.external_id as account, r.external_id as referral, r.registered_at, r.paid_at, r.consent,
                r.consent_source, r.consent_at, s.suppressed_at,
                concat_ws(': ', concat_ws(' ', s.source, s.actor), s.reason) as suppression
         from unnest($1::int[], $2::bigint[]) as p (account_id, id)
         join referral r using (account_id, id) join account a on a.id = r.account_id
         left join suppression s on s.phone = r.phone",
    )
    .bind(&people.accounts)
    .bind(&people.referrals)
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the facts of a history"))
}

impl FactRow {
    fn entries(self, entries: &mut Vec<Entry>) {
        let by = |source: Option<&str>| source.map(|source| format!(" ({source})")).unwrap_or_default();
        let consent = match self.consent.as_deref().and_then(Consent::parse) {
            Some(Consent::OptedIn) => Some("agreed to be written to"),
            Some(Consent::OptedOut) => Some("opted out"),
            None => None,
        };
        let consent = consent.map(|words| format!("{words}{}", by(self.consent_source.as_deref())));
        let suppressed = format!("asked to get no messages{}", by(self.suppression.as_deref()));
        let happened = [
            (EntryKind::Registered, Some(self.registered_at), "registered".to_owned()),
            (EntryKind::Consent, self.consent_at.filter(|_| consent.is_some()), consent.unwrap_or_default()),
            (EntryKind::Paid, self.paid_at, "paid".to_owned()),
            (EntryKind::Suppressed, self.suppressed_at, suppressed),
        ];
        entries.extend(happened.into_iter().filter_map(|(kind, at, sentence)| {
            let (account, referral) = (self.account.clone(), Some(self.referral.clone()));
            Some(Entry { at: at?, kind, account, referral, campaign: None, day: None, sentence })
        }));
    }
}

#[derive(sqlx::FromRow)]
struct StayRow {
    account: String,
    referral: String,
    campaign: String,
    state: String,
    exit_reason: Option<String>,
    day: i16,
    enrolled_at: Timestamp,
    revision_id: i32,
    ended_at: Option<Timestamp>,
}

async fn stays(tx: &mut PgConnection, people: &People, campaign: Option<i32>) -> Result<Vec<StayRow>, Error> {
    sqlx::query_as(
        "select a.external_id as account, r.external_id as referral, c.name as campaign, t.state, t.exit_reason, t.day,
                t.enrolled_at, t.revision_id, t.ended_at
         from unnest($1::int[], $2::bigint[]) as p (account_id, id)
         join run o on o.account_id = p.account_id and ($3::int is null or o.campaign_id = $3)
         join target t on (t.account_id, t.campaign_id, t.referral_id) = (p.account_id, o.campaign_id, p.id)
         join referral r on r.account_id = p.account_id and r.id = p.id
         join account a on a.id = p.account_id join campaign c on c.id = t.campaign_id
         order by t.account_id, t.campaign_id, t.referral_id",
    )
    .bind(&people.accounts)
    .bind(&people.referrals)
    .bind(campaign)
    .fetch_all(tx)
    .await
    .map_err(Error::during("read enrolled people"))
}

impl StayRow {
    fn entries(self, entries: &mut Vec<Entry>) -> Result<(), sqlx::Error> {
        let entry = |at, kind, sentence| Entry {
            at,
            kind,
            account: self.account.clone(),
            referral: Some(self.referral.clone()),
            campaign: Some(self.campaign.clone()),
            day: None,
            sentence,
        };
        let enrolled = format!("enrolled by revision {}", self.revision_id);
        entries.push(entry(self.enrolled_at, EntryKind::Enrolled, enrolled));
        let Some(ended_at) = self.ended_at else { return Ok(()) };
        let standing = Standing::parse(&self.state).ok_or_else(|| strange("the state of a target", &self.state))?;
        entries.push(match (standing, self.exit_reason.as_deref().and_then(Exit::parse)) {
            (Standing::Exited, Some(exit)) => {
                entry(ended_at, EntryKind::Exited, format!("left ({exit}): {}", exit.meaning()))
            }
            (Standing::Completed | Standing::Exited | Standing::Active, _) => {
                entry(ended_at, EntryKind::Completed, format!("completed: day {} was the last", self.day))
            }
        });
        Ok(())
    }
}

#[derive(sqlx::FromRow)]
struct MessageRow {
    account: String,
    referral: String,
    campaign: String,
    day: i16,
    #[sqlx(try_from = "String")]
    state: State,
    attempts: i16,
    language: String,
    /// The name of the WhatsApp template that was sent.
    template: Option<String>,
    due_at: Option<Timestamp>,
    queued_at: Timestamp,
    sent_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
    error: Option<String>,
}

async fn messages(tx: &mut PgConnection, people: &People, campaign: Option<i32>) -> Result<Vec<MessageRow>, Error> {
    sqlx::query_as(
        "select a.external_id as account, r.external_id as referral, c.name as campaign, m.day, m.state, m.attempts,
                m.language, m.template ->> 'name' as template, m.due_at, m.queued_at, m.sent_at, m.delivered_at, m.read_at, m.error
         from unnest($1::int[], $2::bigint[]) as p (account_id, id)
         join message m on m.account_id = p.account_id and m.referral_id = p.id
                       and ($3::int is null or m.campaign_id = $3)
         join referral r on r.account_id = p.account_id and r.id = p.id
         join account a on a.id = p.account_id join campaign c on c.id = m.campaign_id
         order by m.account_id, m.referral_id, m.campaign_id, m.day",
    )
    .bind(&people.accounts)
    .bind(&people.referrals)
    .bind(campaign)
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the messages of a history"))
}

impl MessageRow {
    /// Returns the entries of a message. A failure has no instant of its own, so its entry takes that of the hand-over.
    fn entries(self) -> Vec<Entry> {
        let day = self.day;
        let tries = match self.attempts {
            1 => String::new(),
            n => format!(", at attempt {n}"),
        };
        let handed_over = self.sent_at.unwrap_or(self.queued_at);
        let error = self.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        let sent = match &self.template {
            None => format!("sent in `{}`{tries}", self.language),
            Some(template) => format!("sent as the template `{template}` in `{}`{tries}", self.language),
        };
        let (kind, what) = match self.state {
            State::Queued => (EntryKind::HandedOver, format!("could not be sent{tries} and waits for the next{error}")),
            State::Sending => (EntryKind::HandedOver, format!("handed over{tries}, its outcome is not known yet")),
            State::Sent | State::Delivered | State::Read => (EntryKind::Sent, sent),
            State::Failed if self.sent_at.is_some() => (EntryKind::Failed, format!("{sent}, and failed later{error}")),
            State::Failed => (EntryKind::Failed, format!("failed{tries}{error}")),
            State::Uncertain => (EntryKind::Uncertain, format!("may have been sent{tries}{error}")),
        };
        let first = self.late(handed_over).map(|late| format!("{what}; {late}")).unwrap_or(what);
        let later = [
            (EntryKind::Delivered, self.delivered_at, "delivered".to_owned()),
            (EntryKind::Read, self.read_at, "read".to_owned()),
        ];
        let all = [(kind, Some(handed_over), first)].into_iter().chain(later);
        let entry = |(kind, at, what)| {
            Some(Entry {
                at: at?,
                kind,
                account: self.account.clone(),
                referral: Some(self.referral.clone()),
                campaign: Some(self.campaign.clone()),
                day: Some(day),
                sentence: format!("day {day} {what}"),
            })
        };
        all.filter_map(entry).collect()
    }

    /// Returns a remark on the delay after the due instant, if it is long enough to mention.
    fn late(&self, handed_over: Timestamp) -> Option<String> {
        let due = self.due_at?;
        let waited = handed_over - due;
        let words = || format!("it was due {} earlier, {}", rough(waited), due.format("%Y-%m-%d %H:%M UTC"));
        (waited.num_seconds() >= PUNCTUAL_SECONDS).then(words)
    }
}

/// Returns the phase changes of runs while `people` were in them.
async fn phases(tx: &mut PgConnection, people: &People, campaign: Option<i32>) -> Result<Vec<PhaseRow>, Error> {
    sqlx::query_as(concat!(
        "select distinct ",
        phase_columns!(),
        " from unnest($1::int[], $2::bigint[]) as p (account_id, id)
         join event e on e.account_id = p.account_id and ($3::int is null or e.campaign_id = $3)
                     and e.kind in ('run-created', 'run-phase')
         join target t on (t.account_id, t.campaign_id, t.referral_id) = (p.account_id, e.campaign_id, p.id)
                      and e.at > t.enrolled_at
                      and (t.ended_at is null or e.at < t.ended_at
                           -- The end of the run that was theirs too.
                           or e.at = t.ended_at and t.exit_reason in ('cancelled', 'expired'))
         join account a on a.id = e.account_id join campaign c on c.id = e.campaign_id order by e.id"
    ))
    .bind(&people.accounts)
    .bind(&people.referrals)
    .bind(campaign)
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the events of a history"))
}
