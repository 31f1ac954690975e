//! The output formats of commands that read.

use clap::ValueEnum;
use serde::Serialize;

/// The format of output that is not a list of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    #[default]
    Table,
    /// For people with a wide screen: more columns, nothing shortened
    Wide,
    /// For scripts; the fields are documented and stable
    Json,
    /// The same data as JSON, easier to read
    Yaml,
}

impl Output {
    /// Returns true for the formats that people read.
    pub(super) fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }

    /// Renders `data` in this format, without a final line break. `text` renders the form for people; its argument
    /// allows wide tables.
    pub(super) fn render(self, data: &impl Serialize, text: impl FnOnce(bool) -> String) -> anyhow::Result<String> {
        Ok(match self {
            Self::Table => text(false),
            Self::Wide => text(true),
            Self::Json => serde_json::to_string_pretty(data)?,
            Self::Yaml => serde_yaml::to_string(data)?.trim_end().to_owned(),
        })
    }
}
