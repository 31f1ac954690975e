//! `relancectl describe revision`.

use anyhow::bail;
use serde::Serialize;

use crate::cli::layout::{facts, footer, maybe, section, when};
use crate::cli::table::one_line;
use crate::core::domain::Timestamp;
use crate::core::plan::stored as done;
use crate::store::Store;
use crate::store::query::{Manifest, Revision, Wanted};

#[derive(Debug, Serialize)]
pub(super) struct Description {
    #[serde(flatten)]
    revision: Revision,
    /// The manifests this revision set that are still in force unchanged.
    in_force: Vec<Manifest>,
}

pub(super) async fn look(store: &Store, id: i32) -> anyhow::Result<Description> {
    let Some(revision) = store.revision(id).await? else {
        let last = store.revisions(&Wanted { limit: Some(1), ..Wanted::default() }).await?.pop();
        match last {
            Some(last) => bail!("no revision {id}; the last one is {}", last.id),
            None => bail!("no revision {id}: none was applied yet; `relancectl apply` does"),
        }
    };
    let in_force = store.manifests_of(id).await?;
    Ok(Description { revision, in_force })
}

pub(super) fn text(Description { revision, in_force }: &Description, now: Timestamp) -> String {
    let mut lines = vec![
        ("Accepted", when(revision.accepted_at, now)),
        ("Commit", maybe(revision.commit.as_deref())),
        ("Author", maybe(revision.author.as_deref())),
        ("Applied by", maybe(revision.applied_by.as_deref())),
    ];
    if let (Some(who), Some(why)) = (&revision.approved_by, &revision.approval_reason) {
        lines.push(("Approved by", format!("{}: {}", one_line(who), one_line(why))));
    }
    lines.push(("Source", maybe(revision.source_shown())));
    lines.push(("Plan", maybe(revision.plan_digest.as_deref())));
    lines.push(("Files", revision.digest.clone()));
    lines.push(("Changed", done::summary(&revision.changes).to_string()));
    let left = if in_force.is_empty() {
        "nothing; later revisions changed all of it".to_owned()
    } else {
        in_force.iter().map(|one| format!("{} {}", one.kind, one.name)).collect::<Vec<_>>().join(", ")
    };
    lines.push(("In force", left));
    let changes = done::text(&revision.changes);
    let changes = changes.unwrap_or_else(|_| "saved by a newer relancectl; `-o json` has it".to_owned());
    facts(&format!("Revision {}", revision.id), &lines) + &section("Changes", &changes) + &footer(now)
}
