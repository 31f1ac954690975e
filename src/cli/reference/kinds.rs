//! The page of each kind of manifest, from its JSON Schema.

use serde_json::Value;

use super::{Page, head, row, titled, types};
use crate::core::manifest;
use crate::core::manifest::Kind;

/// Maximum characters of a default that is shown in a column.
const SHORT: usize = 60;
const LEFT_OUT: &str = " when left out";

pub(super) fn pages() -> Vec<Page> {
    let mut pages: Vec<Page> = Kind::ALL.into_iter().map(page).collect();
    pages.push(overview());
    pages
}

fn overview() -> Page {
    let mut text = titled("Manifests");
    text += "\nA manifest is a YAML document with `apiVersion: relance/v1`, `kind`, `metadata` and `spec`. A file may hold \
             several, separated by `---`. Folders and file names have no meaning.\n\n";
    text += &head(&["Kind", "Purpose"]);
    for kind in Kind::ALL {
        let description = manifest::schema(kind)["description"].as_str().unwrap_or_default().to_owned();
        text += &row(&[&format!("[`{kind}`]({})", file(kind)), &description]);
    }
    text += "\n## Metadata\n\n";
    let schema = manifest::schema(Kind::Campaign);
    text += &fields(&schema["properties"]["metadata"]);
    text += "\n## Types\n\n";
    text += &types::table();
    Page { path: "kinds/overview.md".to_owned(), text }
}

fn file(kind: Kind) -> String {
    format!("{}.md", kind.as_str().to_lowercase())
}

fn page(kind: Kind) -> Page {
    let schema = manifest::schema(kind);
    let mut text = titled(kind.as_str());
    text += &format!("\n{}\n", schema["description"].as_str().unwrap_or_default());
    text += &format!(
        "\nThe [overview](overview.md) explains `metadata` and the types. The JSON Schema is `schemas/{}`.\n",
        manifest::schema_file_name(kind)
    );
    section("spec", &schema["properties"]["spec"], &mut text);
    Page { path: format!("kinds/{}", file(kind)), text }
}

/// Adds the fields of an object, then those of the objects inside it.
fn section(path: &str, object: &Value, text: &mut String) {
    *text += &format!("\n## `{path}`\n\n{}", fields(object));
    for (name, field) in properties(object) {
        if let Some((suffix, inner)) = types::inner(field) {
            section(&format!("{path}.{name}{suffix}"), inner, text);
        }
    }
}

fn properties(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object["properties"].as_object().into_iter().flatten()
}

fn fields(object: &Value) -> String {
    let required = |name: &str| object["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let mut text = head(&["Field", "Type", "Default", "Description"]);
    for (name, field) in properties(object) {
        let (description, default) = split(field["description"].as_str().unwrap_or_default());
        let default = match field.get("default") {
            Some(value) => format!("`{value}`"),
            None if required(name) => "required".to_owned(),
            None => default.to_owned(),
        };
        text += &row(&[&format!("`{name}`"), &types::name(field), &default, &description]);
    }
    text
}

/// Splits `the version; `v1` when left out.` into the description and the default.
fn split(description: &str) -> (String, &str) {
    let whole = || (description.to_owned(), "");
    if let Some((default, rest)) = description.split_once(" when left out; ").filter(|(default, _)| is_short(default)) {
        return (rest.to_owned(), default);
    }
    let Some(text) = description.strip_suffix('.').and_then(|text| text.strip_suffix(LEFT_OUT)) else { return whole() };
    match ["; ", ": ", ". "].iter().filter_map(|by| text.rfind(by)).max() {
        Some(at) if is_short(&text[at..]) => (format!("{}.", text[..at].trim_end_matches('.')), &text[at + 2..]),
        None if is_short(text) => (String::new(), text),
        Some(_) | None => whole(),
    }
}

/// Returns true if the default fits into a column; a longer one stays in its sentence.
fn is_short(default: &str) -> bool {
    default.len() <= SHORT && !default.contains(". ")
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_default_value_is_split_from_its_description() {
        let check = |text, rest: &str, default| assert_eq!(split(text), (rest.to_owned(), default));
        check("The version; `v1` when left out.", "The version.", "`v1`");
        check("`active` when left out.", "", "`active`");
        check("2m when left out; `0s` turns pacing off.", "`0s` turns pacing off.", "2m");
        check("All of it: none when left out. More.", "All of it: none when left out. More.", "");
    }
}
