//! Manifests: what a team writes in YAML, read, checked and resolved.

pub mod desired;

pub use self::desired::Desired;
