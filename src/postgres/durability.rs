//! The durability of the embedded server.

/// The loss that a crash of the machine may cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// No committed data is lost.
    Full,
    /// All data may be lost: for tests.
    Disposable,
}
