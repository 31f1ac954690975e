//! The check of a whole tree into [`Desired`](crate::core::manifest::Desired): it collects every problem and keeps
//! every sound manifest.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::thread;

use super::annotations;
use super::blame;
use super::checked::Checked;
use super::desired::resolve;
use super::read::{Reading, read};
use super::versions::versions;
use crate::core::diagnostic;
use crate::core::diagnostic::{Code, Diagnostic, Lines, Span};
use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::syntax::document::File;
use crate::core::manifest::syntax::expansion::Expansion;
use crate::core::manifest::syntax::sources::Sources;

/// Checks a tree. Files are read in parallel; the result does not depend on the order.
pub fn check(sources: &Sources) -> Checked {
    let files: Vec<File<'_>> = sources.files.iter().map(File::new).collect();
    let mut checked = Checked { files: files.len(), ..Checked::default() };
    let (mut manifests, mut grounds) = (Vec::new(), BTreeMap::new());
    let mut hides_defaults = false;
    for (file, reading) in files.iter().zip(read_within(&files)) {
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
    for unread in &sources.unread {
        let place = Lines::new(&unread.path, b"").place(Span::default(), "");
        let message = format!("`{}` is {}, which is never read", unread.path, unread.kind);
        let help = "remove it; meanwhile nothing counts as removed, because it may stand in place of a manifest";
        checked.diagnostics.push(Diagnostic::new(Code::NotAFile, place, message).help(help));
        checked.unnamed = true;
        hides_defaults = true;
    }
    checked.hides_defaults = hides_defaults && !grounds.values().flatten().any(|ground| ground.of.0 == Kind::Defaults);
    checked.versions = versions(&manifests);
    annotations::collect(&manifests, &mut checked);
    resolve(manifests, &mut checked);
    annotations::settle(&mut checked);
    diagnostic::sort(&mut checked.diagnostics);
    checked.why = blame::why(&checked.diagnostics, &checked.broken, &checked.blame, &grounds);
    checked
}

/// Reads all files within the budget for aliases.
fn read_within<'a>(files: &'a [File<'a>]) -> Vec<Reading<'a>> {
    let expansion = Expansion::default();
    let readings = read_all(files, &expansion);
    if !expansion.is_exceeded() {
        return readings;
    }
    drop(readings);
    read_all(files, &Expansion::none())
}

fn read_all<'a>(files: &'a [File<'a>], expansion: &Expansion) -> Vec<Reading<'a>> {
    /// The minimum number of files per thread: below it, a second thread costs more than it saves.
    const WORTH_A_THREAD: usize = 64;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = files.len().div_ceil(cores).max(WORTH_A_THREAD);
    if files.len() <= share {
        return files.iter().map(|file| read(file, expansion)).collect();
    }
    thread::scope(|scope| {
        let readers: Vec<_> = files
            .chunks(share)
            .map(|chunk| scope.spawn(move || chunk.iter().map(|file| read(file, expansion)).collect::<Vec<_>>()))
            .collect();
        readers.into_iter().flat_map(|reader| reader.join().expect("reading manifests does not panic")).collect()
    })
}
