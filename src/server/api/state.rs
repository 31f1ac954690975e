//! The state that all requests of the API share.

use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::FromRef;

use crate::core::dispatch::program::Program;
use crate::server::access::{Exposure, Gate};
use crate::server::problem::{Kind, Problem};
use crate::store::Store;

/// The state that all requests of the API share.
#[derive(Debug)]
pub(crate) struct Api {
    /// The connections of the daemon, for writes.
    pub(super) store: Store,
    pub(super) readers: Store,
    pub(super) gate: Gate,
    pub(super) exposure: Exposure,
    program: RwLock<Arc<Program>>,
}

impl FromRef<Arc<Api>> for Gate {
    fn from_ref(api: &Arc<Api>) -> Self {
        api.gate.clone()
    }
}

impl Api {
    pub(crate) fn new(store: Store, exposure: Exposure) -> Self {
        let readers = store.readers();
        let gate = Gate::new(store.clone(), readers.clone());
        Self { store, readers, gate, exposure, program: RwLock::default() }
    }

    /// Forgets clients that were quiet.
    pub(crate) fn forget(&self) {
        self.gate.forget();
    }

    /// Closes the connections of the readers.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
    }

    /// Returns the program in force, compiled again only when the generation has changed.
    pub(super) async fn program(&self) -> Result<Arc<Program>, Problem> {
        let generation = self.readers.generation().await?;
        let known = Arc::clone(&self.program.read().unwrap_or_else(PoisonError::into_inner));
        if known.generation == generation {
            return Ok(known);
        }
        let now = self.readers.in_force().await?;
        // Thousands of campaigns take a while to compile.
        let compile = move || Program::compile(&now.desired, &now.campaigns, now.generation, now.revision);
        let compiled = tokio::task::spawn_blocking(compile).await.map_err(|_| Problem::of(Kind::Internal))?;
        let compiled = Arc::new(compiled);
        *self.program.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&compiled);
        Ok(compiled)
    }
}
