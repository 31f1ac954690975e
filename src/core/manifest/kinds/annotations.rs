//! Annotations of relance in `metadata.annotations`: keys that begin with `relance/`. All other keys belong to the
//! team.

use crate::core::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::syntax::document::{Document, join};
use crate::core::manifest::syntax::yaml::Node;

const PRUNE: &str = "relance/prune";
pub(in crate::core::manifest) const RENAMED_FROM: &str = "relance/renamed-from";
pub(in crate::core::manifest) const AT: &str = "/metadata/annotations";

/// The annotations of one manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::core::manifest) struct Annotations {
    /// `relance/prune: "disabled"`: the resource stays in force when its manifest is removed.
    pub(in crate::core::manifest) is_protected: bool,
    /// `relance/renamed-from`: the previous name of the campaign.
    pub(in crate::core::manifest) renamed_from: Option<Name>,
}

pub(in crate::core::manifest) fn read(
    document: &Document<'_>,
    kind: Kind,
    name: Option<&Name>,
    found: &mut Vec<Diagnostic>,
) -> Annotations {
    let mut read = Annotations::default();
    let ours = |key: &str| key.starts_with("relance/");
    for (key, value) in document.node(AT).map(Node::entries).unwrap_or_default() {
        // The schema reports values that are not text.
        let (Some(text), true) = (value.text(), ours(&key.name)) else { continue };
        let at = join(AT, &key.name);
        let mut say = |code, message: String, help: String| {
            let is_key = matches!(code, Code::UnknownKey);
            let place = if is_key { document.key_place(&at) } else { document.place(&at) };
            found.push(Diagnostic::new(code, place, message).help(help));
        };
        match key.name.as_str() {
            PRUNE if Kind::PRUNED.iter().all(|other| *other != kind) => say(
                Code::UnknownKey,
                format!("`{PRUNE}` means nothing on a `{kind}`"),
                "it is for campaigns, sequences, channels, queues, accounts and notifiers; remove it here".to_owned(),
            ),
            PRUNE => match text {
                "disabled" => read.is_protected = true,
                "enabled" => {}
                _ => say(
                    Code::UnknownValue,
                    format!("`{PRUNE}` cannot be `{text}`"),
                    "write `disabled`: what the manifest asks for then stays when the manifest is gone".to_owned(),
                ),
            },
            RENAMED_FROM if kind != Kind::Campaign => say(
                Code::UnknownKey,
                format!("`{RENAMED_FROM}` means nothing on a `{kind}`"),
                "only campaigns have people in them who stay; remove it here".to_owned(),
            ),
            RENAMED_FROM => match Name::parse(text) {
                Ok(old) if Some(&old) == name => say(
                    Code::InvalidValue,
                    format!("`{RENAMED_FROM}` is the name that the campaign has"),
                    "give the name it had before, or remove it".to_owned(),
                ),
                Ok(old) => read.renamed_from = Some(old),
                Err(reason) => {
                    say(Code::InvalidName, reason, "give the name that the campaign had before".to_owned());
                }
            },
            other => {
                let known = [PRUNE, RENAMED_FROM];
                let help = did_you_mean(other, known).unwrap_or_else(|| format!("there are `{}`", known.join("`, `")));
                say(Code::UnknownKey, format!("there is no annotation `{other}`"), help);
            }
        }
    }
    read
}
