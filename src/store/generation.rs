//! Generations: counters that show if earlier reads are still current.

use sqlx::PgConnection;

use super::{Error, Store};
use crate::core::dispatch::program::Program;

impl Store {
    /// The generation of the desired state: it grows with every accepted revision.
    pub async fn generation(&self) -> Result<i64, Error> {
        sqlx::query_scalar("select desired from generation")
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during("read the generation"))
    }

    /// Returns the generation of the facts: it grows whenever an import or an event changes one.
    pub async fn facts_generation(&self) -> Result<i64, Error> {
        sqlx::query_scalar("select facts from facts_generation")
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during("read the generation of the facts"))
    }
}

/// Returns true if `program` is in force. The caller must hold the lanes: applying a plan locks them until its commit,
/// so the answer stays true for them.
pub(super) async fn in_force(tx: &mut PgConnection, program: &Program) -> Result<bool, Error> {
    let generation: i64 = sqlx::query_scalar("select desired from generation")
        .fetch_one(tx)
        .await
        .map_err(Error::during("read the generation"))?;
    Ok(generation == program.generation)
}
