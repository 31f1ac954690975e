//! The roles of tokens.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// The rights of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything. Phones are masked.
    Viewer,
    /// Reads everything, phones too, and gives orders.
    Operator,
    /// Pushes facts and reads nothing.
    Ingest,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Ingest];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Ingest => "ingest",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Returns true if the role may read campaigns, people and messages.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Viewer | Self::Operator)
    }

    /// Returns true if the role may give orders.
    pub const fn orders(self) -> bool {
        matches!(self, Self::Operator)
    }

    /// Returns true if the role sees whole phones. An operator needs them to suppress one.
    pub const fn sees_phones(self) -> bool {
        matches!(self, Self::Operator)
    }
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a role"))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
