//! The process's copy of the desired state, refreshed when it changes.

use std::fmt;
use std::sync::Arc;

use super::blocking::blocking;
use crate::channel::{Channels, Open};
use crate::core::dispatch::program::Program;
use crate::store;
use crate::store::Store;

/// The program and channels as of the last refresh.
#[derive(Clone)]
pub struct Loaded {
    open: Open,
    held: Option<(Arc<Program>, Arc<Channels>)>,
}

impl Loaded {
    /// Creates an empty copy; `open` opens the channels.
    pub fn new(open: Open) -> Self {
        Self { open, held: None }
    }

    /// Returns the program and channels in force. It loads them anew when the generation has changed.
    pub async fn in_force(&mut self, store: &Store) -> Result<(Arc<Program>, Arc<Channels>), store::Error> {
        let generation = store.generation().await?;
        if let Some((program, channels)) = self.held.as_ref().filter(|(program, _)| program.generation == generation) {
            return Ok((Arc::clone(program), Arc::clone(channels)));
        }
        let now = store.in_force().await?;
        let compile = move || (Program::compile(&now.desired, &now.campaigns, now.generation, now.revision), now);
        let (program, now) = blocking(compile).await;
        let program = Arc::new(program);
        let channels = Arc::new(Channels::open(&now.desired.channels, &self.open));
        for campaign in program.frozen.values() {
            let (name, why) = (campaign.name.as_str(), &campaign.why);
            tracing::warn!(campaign.name = name, "the campaign `{name}` is frozen: {why}");
        }
        self.held = Some((Arc::clone(&program), Arc::clone(&channels)));
        Ok((program, channels))
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("held", &self.held).finish_non_exhaustive()
    }
}
