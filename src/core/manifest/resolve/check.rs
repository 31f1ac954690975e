//! Sources into [`Desired`]: every problem is collected, whatever is sound goes ahead.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::thread;

use super::blame;
use super::blame::Blame;
use super::read::{Reading, read};
use super::references::resolve;
use crate::core::diagnostic;
use crate::core::diagnostic::Diagnostic;
use crate::core::domain::Name;
use crate::core::manifest::desired::Desired;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::kinds::annotations;
use crate::core::manifest::syntax::document::File;
use crate::core::manifest::syntax::sources::Sources;
use crate::core::manifest::testcase::CampaignTest;

/// What [`check`] made of a tree.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    /// The sound manifests, resolved. What is in `broken` is not in it.
    pub desired: Desired,
    /// The sound tests, in the order of the files.
    pub tests: Vec<CampaignTest>,
    /// In the order of the files, from top to bottom.
    pub diagnostics: Vec<Diagnostic>,
    pub files: usize,
    /// Documents that are not empty, sound or not.
    pub manifests: usize,
    /// Manifests that exist but must not be used, because of errors in them or in what they refer to. They are
    /// frozen at their last good version, never taken for removed.
    pub broken: BTreeSet<(Kind, Name)>,
    /// There are also manifests whose kind and name cannot be made out: whatever is missing from `desired` may
    /// be one of them, so nothing may be taken for removed.
    pub unnamed: bool,
    /// The `Defaults`, which are missing, may be one of those: then no campaign is certain.
    pub hides_defaults: bool,
    /// Campaigns that say under which name they were before, by the name they have; broken ones too.
    pub renames: BTreeMap<Name, Name>,
    /// Campaigns that cannot be read, so that nobody knows which name they had before.
    pub unread: BTreeSet<Name>,
    /// Why each of `broken` is, in sentences that name their place.
    pub why: BTreeMap<(Kind, Name), Vec<String>>,
    pub(in crate::core::manifest) blame: Blame,
}

impl Checked {
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Checks a tree. Files are read side by side; the result does not depend on how.
pub fn check(sources: &Sources) -> Checked {
    let files: Vec<File<'_>> = sources.files.iter().map(File::new).collect();
    let mut checked = Checked { files: files.len(), ..Checked::default() };
    let (mut manifests, mut grounds) = (Vec::new(), BTreeMap::new());
    let mut hides_defaults = false;
    for (file, reading) in files.iter().zip(read_all(&files)) {
        grounds.insert(file.source.path.as_str(), blame::grounds(&reading));
        hides_defaults |= reading.hides_defaults;
        checked.diagnostics.extend(reading.found);
        checked.manifests += reading.documents;
        let lost: Vec<(Kind, Name)> = reading.lost.into_iter().map(|(kind, name, _)| (kind, name)).collect();
        checked.unread.extend(lost.iter().filter(|(kind, _)| *kind == Kind::Campaign).map(|(_, name)| name.clone()));
        checked.broken.extend(lost);
        checked.unnamed |= reading.unnamed;
        manifests.extend(reading.manifests);
    }
    checked.hides_defaults = hides_defaults && !grounds.values().flatten().any(|ground| ground.of.0 == Kind::Defaults);
    annotations::collect(&manifests, &mut checked);
    resolve(manifests, &mut checked);
    annotations::settle(&mut checked);
    diagnostic::sort(&mut checked.diagnostics);
    checked.why = blame::why(&checked, &grounds);
    checked
}

fn read_all<'a>(files: &'a [File<'a>]) -> Vec<Reading<'a>> {
    /// Below this many a second thread costs more than it saves.
    const WORTH_A_THREAD: usize = 64;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = files.len().div_ceil(cores).max(WORTH_A_THREAD);
    if files.len() <= share {
        return files.iter().map(read).collect();
    }
    thread::scope(|scope| {
        let readers: Vec<_> =
            files.chunks(share).map(|chunk| scope.spawn(move || chunk.iter().map(read).collect::<Vec<_>>())).collect();
        readers.into_iter().flat_map(|reader| reader.join().expect("reading manifests does not panic")).collect()
    })
}
