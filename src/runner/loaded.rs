//! What a process knows of the desired state, kept up to date.

use std::sync::Arc;

use thiserror::Error;

use crate::program::{Broken, Program};
use crate::store::{self, Store};

/// The program in force when it was last looked at.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    program: Option<Arc<Program>>,
}

#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot load the manifests in force")]
    Store(#[from] store::Error),
    #[error("a manifest in force does not compile")]
    Broken(#[from] Broken),
}

impl Loaded {
    /// The program in force: the one held, or a new one when a revision was accepted since.
    pub async fn program(&mut self, store: &Store) -> Result<Arc<Program>, Error> {
        let generation = store.generation().await?;
        if let Some(program) = self.program.as_ref().filter(|program| program.generation == generation) {
            return Ok(Arc::clone(program));
        }
        let in_force = store.in_force().await?;
        let program =
            Program::compile(&in_force.desired, &in_force.campaigns, in_force.generation, in_force.revision)?;
        let program = Arc::new(program);
        self.program = Some(Arc::clone(&program));
        Ok(program)
    }
}
