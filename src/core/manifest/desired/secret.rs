//! Secrets: manifests reference them and never contain them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The location of a secret, which is read at each use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Secret {
    /// An environment variable of the process that uses the secret.
    FromEnv(String),
    /// A file on the machine that uses the secret; the line break at its end is dropped.
    FromFile(String),
}

/// Plain text, or a reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MaybeSecret {
    Plain(String),
    Secret(Secret),
}

impl MaybeSecret {
    /// Returns the plain text, if it is not a secret.
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Secret(_) => None,
        }
    }
}

impl JsonSchema for MaybeSecret {
    fn schema_name() -> Cow<'static, str> {
        "MaybeSecret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = Secret::json_schema(generator);
        json_schema!({
            "type": ["string", "object"],
            "if": {"type": "object"},
            "then": secret,
        })
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "fromEnv": {"type": "string", "minLength": 1, "description": "The name of a variable of the environment."},
                "fromFile": {"type": "string", "minLength": 1, "description": "The path of a file."},
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}
