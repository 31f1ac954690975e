//! Requests that carry an idempotency key: each takes effect once, however often it is sent.
//!
//! The answer is saved in the transaction of the effect. A key without an answer therefore has had no effect yet.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;
use sqlx::PgConnection;

use crate::core::domain::Timestamp;
use crate::store::{Error, Store};

/// A key is free again after this time.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// A request without an answer for this long has died with its process.
const ABANDONED: TimeDelta = TimeDelta::minutes(1);

/// A request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    /// The number of the token.
    pub token: i32,
    pub key: String,
    /// The digest of the method, the path and the body.
    pub digest: [u8; 32],
    pub begun_at: Timestamp,
}

/// The state of a key when a request arrives with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The request is the first.
    New,
    /// The same request is still running.
    Running,
    /// The same request was answered.
    Answered(Value),
    /// The key belongs to another request.
    Other,
}

/// The effect of a verb: the value that it returns on success.
pub type Effect = dyn Any + Send + Sync;

/// Makes the answer of an effect.
pub type Render = Arc<dyn Fn(&Effect) -> Value + Send + Sync>;

/// The request that the verbs of a store answer.
#[derive(Clone)]
pub(crate) struct Answering {
    request: KeyedRequest,
    render: Render,
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").field("request", &self.request).finish_non_exhaustive()
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    digest: Vec<u8>,
    answer: Option<Value>,
}

impl Store {
    /// Returns this database with the answer to `request` saved in the transaction of the next effect.
    #[must_use]
    pub fn answering(&self, request: KeyedRequest, render: Render) -> Self {
        Self { answering: Some(Arc::new(Answering { request, render })), ..self.clone() }
    }

    /// Takes the key of `request`, unless another request has it.
    pub async fn begin_request(&self, request: &KeyedRequest) -> Result<Begun, Error> {
        const OPERATION: &str = "take the key of a request";
        let KeyedRequest { token, key, digest, begun_at } = request;
        let mut tx = self.pool.begin().await.map_err(Error::during(OPERATION))?;
        sqlx::query(
            "delete from api_request where (token_id, key) in (
               select token_id, key from api_request where begun_at <= $1 order by begun_at limit 100
               for update skip locked)",
        )
        .bind(*begun_at - KEPT)
        .execute(&mut *tx)
        .await
        .map_err(Error::during("forget old requests"))?;
        let taken = sqlx::query(
            "insert into api_request as r (token_id, key, digest, begun_at) values ($1, $2, $3, $4)
             on conflict (token_id, key) do update set digest = excluded.digest, begun_at = excluded.begun_at, answer = null
               where r.begun_at <= $5 or (r.answer is null and r.begun_at <= $6)",
        )
        .bind(token)
        .bind(key)
        .bind(&digest[..])
        .bind(begun_at)
        .bind(*begun_at - KEPT)
        .bind(*begun_at - ABANDONED)
        .execute(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        if taken.rows_affected() > 0 {
            tx.commit().await.map_err(Error::during(OPERATION))?;
            return Ok(Begun::New);
        }
        let found: Option<Row> =
            sqlx::query_as("select digest, answer from api_request where token_id = $1 and key = $2")
                .bind(token)
                .bind(key)
                .fetch_optional(&mut *tx)
                .await
                .map_err(Error::during(OPERATION))?;
        Ok(match found {
            Some(row) if row.digest != digest => Begun::Other,
            Some(Row { answer: Some(answer), .. }) => Begun::Answered(answer),
            // The row that was in the way is gone: its request failed a moment ago.
            Some(Row { answer: None, .. }) | None => Begun::Running,
        })
    }

    /// Frees the key of a request that had no effect.
    pub async fn drop_request(&self, request: &KeyedRequest) -> Result<(), Error> {
        sqlx::query("delete from api_request where token_id = $1 and key = $2 and begun_at = $3 and answer is null")
            .bind(request.token)
            .bind(&request.key)
            .bind(request.begun_at)
            .execute(&self.pool)
            .await
            .map_err(Error::during("free the key of a request"))?;
        Ok(())
    }

    /// Saves the answer of `effect`, if this store [answers](Store::answering) a request.
    ///
    /// # Errors
    /// Also when another request took the key meanwhile: then the effect must not be committed.
    pub(in crate::store) async fn answer(&self, tx: &mut PgConnection, effect: &Effect) -> Result<(), Error> {
        const OPERATION: &str = "save the answer to a request";
        let Some(Answering { request, render }) = self.answering.as_deref() else { return Ok(()) };
        let saved = sqlx::query(
            "update api_request set answer = $4 where token_id = $1 and key = $2 and begun_at = $3 and answer is null",
        )
        .bind(request.token)
        .bind(&request.key)
        .bind(request.begun_at)
        .bind(render(effect))
        .execute(tx)
        .await
        .map_err(Error::during(OPERATION))?;
        if saved.rows_affected() == 0 {
            return Err(Error::new(OPERATION, sqlx::Error::RowNotFound));
        }
        Ok(())
    }
}
