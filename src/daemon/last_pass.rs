//! The state that the last pass found in order. While neither the files nor the desired state change, no pass is
//! needed.

use crate::source;
use crate::source::Tree;
use crate::store;
use crate::store::Store;

/// The digest of the files and the generation of the desired state that were last found in order, if any.
#[derive(Debug, Default)]
pub(super) struct Settled(Option<State>);

/// The digest of the files and the generation of the desired state in force.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State(String, i64);

impl Settled {
    /// Returns the current state, or `None` when it equals the state last found in order.
    pub(super) async fn news(&self, tree: &Tree, store: &Store) -> Result<Option<State>, store::Error> {
        let state = State(source::digest(&tree.sources), store.generation().await?);
        Ok((self.0.as_ref() != Some(&state)).then_some(state))
    }

    /// Notes the result of a pass over `state`. A revision applied during the pass has another generation and so needs
    /// another pass.
    pub(super) fn note(&mut self, state: State, is_in_order: bool) {
        self.0 = is_in_order.then_some(state);
    }
}
