//! JSON Schemas for types of [`crate::core::domain`] and of the resolved model. The patterns only help editors: they
//! accept everything that the constructors accept.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::core::domain::{Clock, Country, Language, Moment, Name, Period, Weekday, Zone};
use crate::core::manifest::desired::policy::Switch;
use crate::core::manifest::desired::{
    AccountSelector, ButtonType, CampaignType, ConsentPolicy, DesiredState, Enrollment, Meaning, MediaType,
    PastSubscription, Subscription, ZoneOf,
};

/// Returns the schema of texts by language, at least one.
pub(in crate::core::manifest) fn texts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": {"format": "relance-language"},
        "additionalProperties": {"type": "string"},
        "minProperties": 1,
    })
}

/// Returns the schema of texts by language, possibly none.
pub(in crate::core::manifest) fn optional_texts(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = texts(generator);
    schema.remove("minProperties");
    schema
}

/// Returns the schema of one language or a list of them.
pub(in crate::core::manifest) fn languages(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "array"],
        "format": "relance-language",
        "items": {"type": "string", "format": "relance-language"},
        "minItems": 1,
        "examples": ["fr", ["fr", "pt-BR"]],
    })
}

pub(in crate::core::manifest) fn template_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "relance-template-name", "pattern": "^[a-z0-9_]{1,512}$"})
}

/// Returns the schema of the placeholder of a header: its value, or its name and its value.
pub(in crate::core::manifest) fn header(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "object"],
        "propertyNames": {"format": "relance-parameter-name"},
        "additionalProperties": {"type": "string"},
        "minProperties": 1,
        "maxProperties": 1,
    })
}

/// Returns the schema of values for placeholders, in order or by name.
pub(in crate::core::manifest) fn parameters(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["array", "object"],
        "items": {"type": "string"},
        "propertyNames": {"format": "relance-parameter-name"},
        "additionalProperties": {"type": "string"},
    })
}

pub(in crate::core::manifest) fn url(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "relance-url"})
}

/// Implements `JsonSchema` for types written as text in a given format.
macro_rules! texts {
    ($($type:ty: $name:literal, $schema:tt;)*) => {
        $(impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        })*
    };
}

texts! {
    Name: "Name", {"type": "string", "format": "relance-name", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"};
    Period: "Duration", {"type": "string", "format": "relance-duration", "pattern": "^[0-9]+[smhd]$", "examples": ["90s", "2m", "24h", "7d"]};
    Country: "Country", {"type": "string", "format": "relance-country", "pattern": "^[A-Za-z]{2}$", "examples": ["CM"]};
    Language: "Language", {"type": "string", "format": "relance-language", "examples": ["fr", "pt-BR"]};
    Moment: "Time", {"type": "string", "format": "relance-time", "examples": ["2026-12-01T08:00:00+01:00", "2026-12-01T08:00"]};
    Clock: "Clock", {"type": "string", "format": "relance-clock", "pattern": "^([01][0-9]|2[0-4]):[0-5][0-9]$"};
    Zone: "Zone", {"type": "string", "format": "relance-timezone", "examples": ["Africa/Douala"]};
    Weekday: "Weekday", {"type": "string", "enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]};
    CampaignType: "CampaignType", {"type": "string", "enum": ["default", "filtered"]};
    DesiredState: "State", {"type": "string", "enum": ["draft", "active", "paused", "cancelled"]};
    Subscription: "Subscription", {"type": "string", "enum": ["unpaid", "paid", "any"]};
    Enrollment: "Enrollment", {"type": "string", "enum": ["untilDrained", "once", "continuous"]};
    PastSubscription: "PastSubscription", {"type": "string", "enum": ["refuse", "pause"]};
    ConsentPolicy: "Consent", {"type": "string", "enum": ["required", "legacy"]};
    ZoneOf: "ZoneOf", {"type": "string", "enum": ["account", "recipient"]};
    Switch: "Switch", {"type": "string", "enum": ["on", "off"]};
    ButtonType: "ButtonType", {"type": "string", "enum": ["quickReply", "url", "copyCode"]};
    MediaType: "MediaType", {"type": "string", "enum": ["image", "video", "document", "audio"]};
    Meaning: "Meaning", {"type": "string", "enum": ["sent", "slow", "retry", "fail", "undeliverable", "suppress", "pauseAccount", "pauseChannel"]};
    AccountSelector: "Accounts", {
        "type": ["string", "object"],
        "if": {"type": "string"},
        "then": {"enum": ["all"]},
        "else": {
            "type": "object",
            "properties": {
                "names": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "Names of accounts, as in the import."},
                "matchLabels": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                    "minProperties": 1,
                    "description": "Extra columns of the import that must have exactly these values.",
                },
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        },
    };
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use schemars::generate::SchemaSettings;
    use serde::de::DeserializeOwned;

    use super::{
        CampaignType, ConsentPolicy, DesiredState, Enrollment, Meaning, MediaType, PastSubscription, Subscription,
        Switch, Weekday, ZoneOf,
    };

    fn every_word_can_be_read<T: JsonSchema + DeserializeOwned>() {
        let schema = T::json_schema(&mut SchemaSettings::draft2020_12().into_generator());
        for word in schema.get("enum").unwrap().as_array().unwrap() {
            assert!(serde_json::from_value::<T>(word.clone()).is_ok(), "{word}");
        }
    }

    #[test]
    fn every_schema_enum_value_parses_as_its_type() {
        every_word_can_be_read::<Weekday>();
        every_word_can_be_read::<CampaignType>();
        every_word_can_be_read::<DesiredState>();
        every_word_can_be_read::<Subscription>();
        every_word_can_be_read::<Enrollment>();
        every_word_can_be_read::<ConsentPolicy>();
        every_word_can_be_read::<PastSubscription>();
        every_word_can_be_read::<MediaType>();
        every_word_can_be_read::<Meaning>();
        every_word_can_be_read::<Switch>();
        every_word_can_be_read::<ZoneOf>();
    }
}
