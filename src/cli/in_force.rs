//! The desired state in force, compiled.

use crate::core::dispatch::program::Program;
use crate::store::Store;

/// Compiles the desired state in force.
pub(super) async fn program(store: &Store) -> anyhow::Result<Program> {
    let in_force = store.in_force().await?;
    Ok(Program::compile(&in_force.desired, &in_force.campaigns, in_force.generation, in_force.revision))
}
