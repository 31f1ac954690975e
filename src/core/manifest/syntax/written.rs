//! Manifests as written, held in memory.

use serde_json::Value;

use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;

/// One manifest as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub kind: Kind,
    pub name: Name,
    pub value: Value,
}

impl Written {
    /// Reads the kind and name of a value; returns `None` when it has none.
    pub fn of(value: &Value) -> Option<Self> {
        let kind = Kind::parse(value.get("kind")?.as_str()?)?;
        let name = Name::parse(value.pointer("/metadata/name")?.as_str()?).ok()?;
        Some(Self { kind, name, value: value.clone() })
    }
}
