//! One manifest as it is written, in memory.

use serde_json::Value;

use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;

/// One manifest as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub kind: Kind,
    pub name: Name,
    pub value: Value,
}

impl Written {
    /// Finds out what a value is; `None` when it does not say.
    pub fn of(value: &Value) -> Option<Self> {
        let kind = Kind::parse(value.get("kind")?.as_str()?)?;
        let name = Name::parse(value.pointer("/metadata/name")?.as_str()?).ok()?;
        Some(Self { kind, name, value: value.clone() })
    }
}
