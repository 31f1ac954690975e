//! People who were erased: known by a keyed hash of their phone, so that imports and replies leave them out.

use std::collections::HashSet;

use futures_util::TryStreamExt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sqlx::PgConnection;

use crate::core::domain::{Phone, Rejection, Timestamp};
use crate::store::{Error, Store};

impl Store {
    /// Returns the time of the erasure of the person with `phone`.
    pub async fn erased_at(&self, phone: &Phone) -> Result<Option<Timestamp>, Error> {
        const OPERATION: &str = "look for an erased person";
        let mut db = self.pool.acquire().await.map_err(Error::during(OPERATION))?;
        let Some(key) = key(&mut db).await? else { return Ok(None) };
        sqlx::query_scalar("select erased_at from erasure where hash = $1")
            .bind(hash(&key, phone.as_str()))
            .fetch_optional(&mut *db)
            .await
            .map_err(Error::during(OPERATION))
    }

    /// Returns those of `names` whose people were erased; a name is the digits of a phone, without `+`, or a provider
    /// name.
    pub async fn erased_among(&self, names: &[&str]) -> Result<HashSet<String>, Error> {
        const OPERATION: &str = "look for erased people";
        let mut db = self.pool.acquire().await.map_err(Error::during(OPERATION))?;
        among(&mut db, names).await
    }

    /// Saves hashes of `names`, which are phones or provider names.
    pub(in crate::store) async fn remember_hashes(
        &self,
        tx: &mut PgConnection,
        names: &[String],
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        const OPERATION: &str = "save the erased people to leave out";
        sqlx::query(
            "insert into erasure_key (key) values (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
             on conflict do nothing",
        )
        .execute(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        let key = key(tx).await?.unwrap_or_default();
        sqlx::query(
            "insert into erasure (hash, actor, reason, erased_at) select hash, $2, $3, $4 from unnest($1::bytea[]) as hash
             on conflict do nothing",
        )
        .bind(names.iter().map(|name| hash(&key, name)).collect::<Vec<_>>())
        .bind(self.actor())
        .bind(reason)
        .bind(now)
        .execute(tx)
        .await
        .map_err(Error::during(OPERATION))?;
        Ok(())
    }
}

/// Returns those of `names`, phones or provider names, whose people were erased. Hashes are computed only if there was
/// any erasure.
pub(in crate::store) async fn among(db: &mut PgConnection, names: &[&str]) -> Result<HashSet<String>, Error> {
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let Some(key) = key(db).await? else { return Ok(HashSet::new()) };
    // A provider may write a phone otherwise than in its normal form.
    let both = |name: &&str| [Some(hash(&key, name)), Phone::reported(name).map(|phone| hash(&key, phone.as_str()))];
    let hashes: Vec<[Option<Vec<u8>>; 2]> = names.iter().map(both).collect();
    let gone: Vec<Vec<u8>> = sqlx::query_scalar("select hash from erasure where hash = any($1)")
        .bind(hashes.iter().flatten().flatten().collect::<Vec<_>>())
        .fetch_all(db)
        .await
        .map_err(Error::during("look for erased people"))?;
    let gone: HashSet<Vec<u8>> = gone.into_iter().collect();
    let known = names.iter().zip(&hashes).filter(|(_, both)| both.iter().flatten().any(|hash| gone.contains(hash)));
    Ok(known.map(|(name, _)| (*name).to_owned()).collect())
}

/// Returns the key of the hashes; `None` before the first erasure.
async fn key(db: &mut PgConnection) -> Result<Option<Vec<u8>>, Error> {
    sqlx::query_scalar("select key from erasure_key")
        .fetch_optional(db)
        .await
        .map_err(Error::during("read the key of erasures"))
}

/// Hashes a name; a phone has the same hash with and without its `+`.
fn hash(key: &[u8], name: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(b"+");
    mac.update(name.trim_start_matches('+').as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Removes erased people from the table `staged`, by phone or by id. Hashes are computed only if there was any erasure.
pub(super) async fn reject(tx: &mut PgConnection) -> Result<Vec<Rejection>, Error> {
    const OPERATION: &str = "leave out erased people";
    let Some(key) = key(tx).await? else { return Ok(Vec::new()) };
    let hashes: Vec<Vec<u8>> =
        sqlx::query_scalar("select hash from erasure").fetch_all(&mut *tx).await.map_err(Error::during(OPERATION))?;
    let hashes: HashSet<Vec<u8>> = hashes.into_iter().collect();
    let mut known = Vec::new();
    let mut phones =
        sqlx::query_scalar::<_, String>("select distinct phone from staged").persistent(false).fetch(&mut *tx);
    while let Some(phone) = phones.try_next().await.map_err(Error::during(OPERATION))? {
        if hashes.contains(&hash(&key, &phone)) {
            known.push(phone);
        }
    }
    drop(phones);
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "delete from staged s
         where s.phone = any($1)
            or s.external_id in (select external_id from referral where erased_at is not null)
         returning s.line, s.phone",
    )
    .bind(known)
    .persistent(false)
    .fetch_all(tx)
    .await
    .map_err(Error::during(OPERATION))?;
    let rejection = |(line, phone): (i64, String)| {
        let reason = "the person was erased (`relancectl contact forget`), and no import brings them back";
        Rejection::new(u64::try_from(line).unwrap_or_default(), "phone", &Phone::trusted(phone).masked(), reason)
    };
    Ok(rows.into_iter().map(rejection).collect())
}
