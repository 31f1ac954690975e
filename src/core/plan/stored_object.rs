//! Decodes stored objects one by one, so that a defect stops only its own object.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::objects::{DISABLED, Kind, Objects, PRUNE};
use crate::core::domain::Name;
use crate::core::manifest::Desired;
use crate::core::manifest::desired::{Defect, Unusable};

/// The format of the objects that this version writes, and the only one that it reads.
pub const FORMAT: i32 = 1;

/// The key under which plans show the format of an object that has another one.
const FORMAT_KEY: &str = "format";

/// An object as the database holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredObject {
    pub kind: Kind,
    pub name: Name,
    pub format: i32,
    /// The body as JSON text.
    pub body: String,
    /// The digest of the manifests that it was made from.
    pub source: String,
}

impl Desired {
    /// Reads stored objects. Returns the state that they describe, and their bodies. Objects that cannot be read become
    /// `Desired::unusable`.
    pub fn from_stored(stored: impl IntoIterator<Item = StoredObject>) -> (Self, Objects) {
        let (mut desired, mut objects) = (Self::default(), Objects::new());
        for StoredObject { kind, name, format, body, source } in stored {
            let body = serde_json::from_str(&body).map_err(|error| (Value::String(body), malformed(&error)));
            let (body, read) = match body {
                Ok(body) if format != FORMAT => {
                    (with_format(body, format), Err(Defect::Format { found: format, known: FORMAT }))
                }
                Ok(body) => {
                    let read = desired.take(kind, &name, &body);
                    (body, read)
                }
                Err((text, defect)) => (text, Err(defect)),
            };
            if body.get(PRUNE).is_some_and(|prune| prune == DISABLED) {
                desired.protected.insert((kind.manifest(), name.clone()));
            }
            if let Err(defect) = read {
                let unusable = Unusable { defect, stored: body.clone(), source };
                desired.unusable.insert((kind.manifest(), name.clone()), unusable);
            }
            objects.insert((kind, name), body);
        }
        (desired, objects)
    }

    fn take(&mut self, kind: Kind, name: &Name, body: &Value) -> Result<(), Defect> {
        let name = name.clone();
        match kind {
            Kind::Campaign => drop(self.campaigns.insert(name, decode(body)?)),
            Kind::Sequence => drop(self.sequences.insert(name, decode(body)?)),
            Kind::Channel => drop(self.channels.insert(name, decode(body)?)),
            Kind::Queue => drop(self.queues.insert(name, decode(body)?)),
            Kind::Notifier => drop(self.notifiers.insert(name, decode(body)?)),
            Kind::Account => drop(self.accounts.insert(name, decode(body)?)),
            Kind::Defaults => self.defaults = decode(body)?,
        }
        Ok(())
    }
}

/// Decodes a body completely: a field that this version does not know may be a limit, so it is an error.
fn decode<T: DeserializeOwned + Serialize>(body: &Value) -> Result<T, Defect> {
    let object = T::deserialize(body).map_err(|error| malformed(&error))?;
    let known = serde_json::to_value(&object).map_err(|error| malformed(&error))?;
    match unknown(body, &known) {
        Some(field) if field != PRUNE => Err(Defect::UnknownField { field }),
        Some(_) | None => Ok(object),
    }
}

fn malformed(error: &serde_json::Error) -> Defect {
    Defect::Malformed { text: error.to_string() }
}

/// Returns a field of `stored` that is missing in `known`. A null says nothing, so it may be missing.
fn unknown(stored: &Value, known: &Value) -> Option<String> {
    match (stored, known) {
        (Value::Object(stored), Value::Object(known)) => {
            let present = stored.iter().filter(|(_, value)| !value.is_null());
            // A missing `prune` is found last, since it stands beside the spec.
            let mut missing = present.filter_map(|(key, value)| match known.get(key) {
                None => Some(key.clone()),
                Some(other) => unknown(value, other).map(|field| format!("{key}.{field}")),
            });
            let first = missing.next()?;
            if first == PRUNE { Some(missing.next().unwrap_or(first)) } else { Some(first) }
        }
        (Value::Array(stored), Value::Array(known)) => {
            let mut both = stored.iter().zip(known).enumerate();
            both.find_map(|(at, (stored, known))| unknown(stored, known).map(|field| format!("{at}.{field}")))
        }
        _ => None,
    }
}

/// Makes the format visible in the body, so that a plan shows its change.
fn with_format(mut body: Value, format: i32) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.insert(FORMAT_KEY.to_owned(), format.into());
    }
    body
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{FORMAT, Kind, StoredObject};
    use crate::core::domain::Name;
    use crate::core::manifest;
    use crate::core::manifest::Desired;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn object(kind: Kind, named: &str, format: i32, body: &Value) -> StoredObject {
        StoredObject { kind, name: name(named), format, body: body.to_string(), source: "s".to_owned() }
    }

    fn queue() -> Value {
        json!({"campaigns": ["a", "b"], "parallelism": 1})
    }

    /// Returns the defect of the object `q`, read beside a sound one.
    fn why(format: i32, body: &Value) -> Option<String> {
        let sound = object(Kind::Queue, "sound", FORMAT, &queue());
        let (desired, objects) = Desired::from_stored([object(Kind::Queue, "q", format, body), sound]);
        assert!(desired.queues.contains_key(&name("sound")) && objects.len() == 2);
        let unusable = desired.unusable.get(&(manifest::Kind::Queue, name("q")));
        assert_eq!(unusable.is_some(), !desired.queues.contains_key(&name("q")));
        // A plan leaves it as it is stored.
        let key = (Kind::Queue, name("q"));
        assert!(unusable.is_none() || desired.to_objects().get(&key) == objects.get(&key));
        unusable.map(|unusable| unusable.defect.to_string())
    }

    #[test]
    fn an_unreadable_object_states_its_reason_and_affects_no_other() {
        assert_eq!(why(FORMAT, &queue()), None);
        let reasons = [
            (FORMAT + 1, queue()),
            (FORMAT, json!({"campaigns": ["a"], "parallelism": "many"})),
            (FORMAT, json!({"campaigns": ["a"]})),
            (FORMAT, json!([])),
        ]
        .map(|(format, body)| why(format, &body).unwrap());
        assert_eq!(
            reasons,
            [
                "its format is 2, and this version reads format 1",
                "invalid type: string \"many\", expected u32",
                "missing field `parallelism`",
                "invalid length 0, expected struct Queue with 2 elements",
            ]
        );
    }

    #[test]
    fn an_unknown_field_with_a_value_makes_an_object_unreadable() {
        let with = |key: &str, value: Value| {
            let mut body = queue();
            body[key] = value;
            why(FORMAT, &body)
        };
        assert_eq!(with("budget", json!(5)).unwrap(), "this version does not know its field `budget`");
        assert_eq!(with("budget", Value::Null), None);
        assert_eq!(with("prune", json!("disabled")), None);
        let both = json!({"campaigns": [], "parallelism": 1, "prune": "disabled", "zeal": {"of": 1}});
        assert_eq!(why(FORMAT, &both).unwrap(), "this version does not know its field `zeal`");
    }
}
