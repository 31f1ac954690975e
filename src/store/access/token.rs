//! The tokens of the API. Nothing here knows a token itself, only its hash.

use serde::Serialize;

use crate::core::access::{Role, Token};
use crate::core::domain::{AccountId, Timestamp};
use crate::store::{Error, Store};

/// A token to create.
#[derive(Debug)]
pub struct NewToken<'a> {
    pub name: &'a str,
    pub token: &'a Token,
    /// `None` means every account.
    pub account: Option<AccountId>,
    /// `None` means that it never expires.
    pub expires_at: Option<Timestamp>,
}

/// A token that is not revoked, as a request presents it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Bearer {
    pub id: i32,
    pub name: String,
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// The only account that it may see; `None` means every account.
    pub account_id: Option<i32>,
    /// The account's external id.
    pub account: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

/// A token as users see it: `token list -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct TokenRow {
    pub name: String,
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// The account's external id; null for every account.
    pub account: Option<String>,
    /// The beginning of the token.
    pub prefix: String,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Option<Timestamp>,
    /// Known to a few minutes.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub revoked_by: Option<String>,
}

/// The result of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    Done,
    /// A token of this name was revoked before.
    Already,
    Unknown,
}

impl Store {
    /// Saves a token, created by `actor`. Returns false if another token that is not revoked has the name.
    pub async fn create_token(&self, new: &NewToken<'_>, actor: &str, now: Timestamp) -> Result<bool, Error> {
        let saved = sqlx::query(
            "insert into api_token (name, role, account_id, hash, prefix, created_at, created_by, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (name) where revoked_at is null do nothing",
        )
        .bind(new.name)
        .bind(new.token.role().as_str())
        .bind(new.account.map(|account| account.0))
        .bind(&new.token.hash()[..])
        .bind(new.token.prefix())
        .bind(now)
        .bind(actor)
        .bind(new.expires_at)
        .execute(&self.pool)
        .await
        .map_err(Error::during("save a token"))?;
        Ok(saved.rows_affected() > 0)
    }

    /// Returns all tokens, those that work first, then by name.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, Error> {
        sqlx::query_as(
            "select t.name, t.role, a.external_id as account, t.prefix, t.created_at, t.created_by, t.expires_at,
                    t.last_used_at, t.revoked_at, t.revoked_by
             from api_token t left join account a on a.id = t.account_id
             order by t.revoked_at is not null, t.name, t.id",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the tokens"))
    }

    /// Revokes the token of this name: the next request with it is refused.
    pub async fn revoke_token(&self, name: &str, actor: &str, now: Timestamp) -> Result<Revoked, Error> {
        let revoked =
            sqlx::query("update api_token set revoked_at = $2, revoked_by = $3 where name = $1 and revoked_at is null")
                .bind(name)
                .bind(now)
                .bind(actor)
                .execute(&self.pool)
                .await
                .map_err(Error::during("revoke a token"))?;
        if revoked.rows_affected() > 0 {
            return Ok(Revoked::Done);
        }
        let is_known: bool = sqlx::query_scalar("select exists (select from api_token where name = $1)")
            .bind(name)
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during("look for a token"))?;
        Ok(if is_known { Revoked::Already } else { Revoked::Unknown })
    }

    /// Returns the token with this hash, unless it is unknown, revoked, or expired at `now`.
    pub async fn bearer(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<Bearer>, Error> {
        sqlx::query_as(
            "select t.id, t.name, t.role, t.account_id, a.external_id as account, t.expires_at, t.last_used_at
             from api_token t left join account a on a.id = t.account_id
             where t.hash = $1 and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)",
        )
        .bind(&hash[..])
        .bind(now)
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::during("look for a token"))
    }

    /// Records the use of a token at `now`.
    pub async fn token_used(&self, id: i32, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "update api_token set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $2)",
        )
        .bind(id)
        .bind(now)
        .execute(&self.pool)
        .await
        .map_err(Error::during("record the use of a token"))?;
        Ok(())
    }
}
