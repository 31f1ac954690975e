//! `relancectl version`.

use super::{Exit, print};

#[expect(clippy::unnecessary_wraps, reason = "every command has this shape")]
pub(super) fn run() -> anyhow::Result<Exit> {
    print::line(&format!("relancectl {}", env!("CARGO_PKG_VERSION")));
    Ok(Exit::Fine)
}
