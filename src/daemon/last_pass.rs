//! What the last pass found in order: while neither the files nor what is in force change, there is nothing to look for.

use crate::source;
use crate::source::Tree;
use crate::store;
use crate::store::Store;

/// The files and the generation of the desired state that are as they should be.
#[derive(Debug, Default)]
pub(super) struct Settled(Option<State>);

/// The files, beside what is in force.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State(String, i64);

impl Settled {
    /// What there is to look at; `None` when it is what was found in order.
    pub(super) async fn news(&self, tree: &Tree, store: &Store) -> Result<Option<State>, store::Error> {
        let state = State(source::digest(&tree.sources), store.generation().await?);
        Ok((self.0.as_ref() != Some(&state)).then_some(state))
    }

    /// Notes what a pass over `state` came to. What came into force during the pass makes another generation, and is news.
    pub(super) fn note(&mut self, state: State, is_in_order: bool) {
        self.0 = is_in_order.then_some(state);
    }
}
