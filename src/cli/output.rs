//! The forms in which what is read is printed.

use clap::ValueEnum;
use serde::Serialize;

/// Of what is no list of rows.
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
    /// For scripts; the fields are documented and stay
    Json,
    /// The same as JSON, easier on the eye
    Yaml,
}

impl Output {
    /// Whether a person is going to read it.
    pub(super) fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }

    /// `data` in this form, without a line break at its end; `text` makes what people read, given whether it may be
    /// wide.
    pub(super) fn render(self, data: &impl Serialize, text: impl FnOnce(bool) -> String) -> anyhow::Result<String> {
        Ok(match self {
            Self::Table => text(false),
            Self::Wide => text(true),
            Self::Json => serde_json::to_string_pretty(data)?,
            Self::Yaml => serde_yaml::to_string(data)?.trim_end().to_owned(),
        })
    }
}
