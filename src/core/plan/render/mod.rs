//! Plans as text and as Markdown.

pub(super) mod markdown;
pub mod text;
