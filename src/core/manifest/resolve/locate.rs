//! The places of templates in files, for mistakes that show only when a message is rendered for a person.

use std::ops::Range;

use super::read::read;
use crate::core::diagnostic::Place;
use crate::core::domain::{Language, Name};
use crate::core::manifest::desired::{Part, Slot};
use crate::core::manifest::kind::Kind;
use crate::core::manifest::syntax::document::{Document, File, join};
use crate::core::manifest::syntax::expansion::Expansion;
use crate::core::manifest::syntax::sources::Sources;
use crate::core::manifest::syntax::yaml::Node;

/// Finds a template of a day in the first of `owners` that has the day. `range` counts bytes of the template.
pub fn locate(
    sources: &Sources,
    owners: &[(Kind, &Name)],
    day: u16,
    part: &Part,
    range: Option<&Range<usize>>,
) -> Option<Place> {
    let files: Vec<File<'_>> = sources.files.iter().map(File::new).collect();
    let expansion = Expansion::default();
    let manifests: Vec<_> = files.iter().flat_map(|file| read(file, &expansion).manifests).collect();
    owners.iter().find_map(|owner| {
        let manifest = manifests.iter().find(|manifest| (manifest.kind, &manifest.name) == *owner)?;
        let document = &manifest.document;
        let pointer = pointer(document, day, part)?;
        Some(match range {
            Some(range) => document.part(&pointer, range.clone()),
            None => document.place(&pointer),
        })
    })
}

fn pointer(document: &Document<'_>, day: u16, part: &Part) -> Option<String> {
    const DAYS: &str = "/spec/days";
    let days = document.node(DAYS).map(Node::items).unwrap_or_default();
    let index = days.iter().position(|node| node.get("day").is_some_and(|number| number.to_json() == day))?;
    let text = |key: &str, language: &Language| {
        let texts = days[index].get(key)?.entries();
        let (written, _) = texts.iter().find(|(tag, _)| Language::parse(&tag.name).as_ref() == Ok(language))?;
        Some(join(&format!("{DAYS}/{index}/{key}"), &written.name))
    };
    match part {
        Part::Text(language) => text("text", language),
        Part::Subject(language) => text("subject", language),
        Part::Caption(media) => Some(format!("{DAYS}/{index}/media/{media}/caption")),
        Part::Template(slot) => {
            let at = format!("{DAYS}/{index}/whatsappTemplate");
            Some(match slot {
                Slot::Header => {
                    let at = format!("{at}/header");
                    // The placeholder of the header may have a name.
                    let named = document.node(&at).and_then(|node| node.entries().first());
                    named.map_or_else(|| at.clone(), |(name, _)| join(&at, &name.name))
                }
                Slot::Parameter(place) => format!("{at}/parameters/{place}"),
                Slot::Named(name) => join(&format!("{at}/parameters"), name),
                Slot::Body => format!("{at}/parameters"),
                Slot::Button(place) => format!("{at}/buttons/{place}/value"),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Language, Name, Part, Slot, Sources, locate};
    use crate::core::manifest::SourceFile;

    #[test]
    fn a_template_is_located_in_its_override_or_its_sequence() {
        let text = "kind: Sequence
apiVersion: relance/v1
metadata: {name: week}
spec:
  days:
    - {day: 1, text: {FR: 'a'}}
    - {day: 2, text: {fr: 'ç {{ attributes.town }}'}, media: [{type: image, url: 'https://x.y', caption: 'c'}]}
    - day: 3
      text: {fr: 'd'}
      whatsappTemplate: {name: t, header: {who: 'h'}, parameters: {first: 'p'}, buttons: [{type: url, value: 'v'}]}
---
kind: Campaign
apiVersion: relance/v1
metadata: {name: welcome}
spec: {type: filtered, sequenceRef: week, days: [{day: 1, text: {fr: 'b'}}]}
";
        let file = SourceFile { path: "tree.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
        let sources = Sources::from(vec![file]);
        let (campaign, sequence) = (Name::parse("welcome").unwrap(), Name::parse("week").unwrap());
        let owners = [(Kind::Campaign, &campaign), (Kind::Sequence, &sequence)];
        let fr = Part::Text(Language::parse("fr").unwrap());
        let found = |owners: &[(Kind, &Name)], day, part: &Part, range| {
            let place = locate(&sources, owners, day, part, range)?;
            Some((place.start.line, text[place.span.start..place.span.end].to_owned()))
        };
        assert_eq!(found(&owners, 1, &fr, None), Some((15, "'b'".to_owned())));
        assert_eq!(found(&owners[1..], 1, &fr, None), Some((6, "'a'".to_owned())));
        assert_eq!(found(&owners, 2, &fr, Some(&(6..21))), Some((7, "attributes.town".to_owned())));
        assert_eq!(found(&owners, 2, &Part::Caption(0), None), Some((7, "'c'".to_owned())));
        let of_template = |slot| found(&owners, 3, &Part::Template(slot), None);
        assert_eq!(of_template(Slot::Header), Some((10, "'h'".to_owned())));
        assert_eq!(of_template(Slot::Named("first".to_owned())), Some((10, "'p'".to_owned())));
        assert_eq!(of_template(Slot::Button(0)), Some((10, "'v'".to_owned())));
        assert_eq!(found(&owners, 4, &fr, None), None);
        assert_eq!(found(&owners, 1, &Part::Subject(Language::parse("fr").unwrap()), None), None);
    }
}
