//! What a process knows of the desired state, kept up to date.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::channel::{Channels, Open};
use crate::core::dispatch::program::{Broken, Program};
use crate::store;
use crate::store::Store;

/// The program and channels in force when they were last looked at.
#[derive(Clone)]
pub struct Loaded {
    open: Open,
    held: Option<(Arc<Program>, Arc<Channels>)>,
}

#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot load the manifests in force")]
    Store(#[from] store::Error),
    #[error("a manifest in force does not compile")]
    Broken(#[from] Broken),
}

impl Loaded {
    /// Nothing is loaded yet; `open` makes the channels.
    pub fn new(open: Open) -> Self {
        Self { open, held: None }
    }

    /// What is in force: the program held, or a new one when a revision was accepted since.
    pub async fn in_force(&mut self, store: &Store) -> Result<(Arc<Program>, Arc<Channels>), Error> {
        let generation = store.generation().await?;
        if let Some((program, channels)) = self.held.as_ref().filter(|(program, _)| program.generation == generation) {
            return Ok((Arc::clone(program), Arc::clone(channels)));
        }
        let now = store.in_force().await?;
        let program = Arc::new(Program::compile(&now.desired, &now.campaigns, now.generation, now.revision)?);
        let channels = Arc::new(Channels::open(&now.desired.channels, &self.open));
        self.held = Some((Arc::clone(&program), Arc::clone(&channels)));
        Ok((program, channels))
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("held", &self.held).finish_non_exhaustive()
    }
}
