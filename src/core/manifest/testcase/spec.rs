//! The schema of `kind: CampaignTest`: people, channel and steps.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::expect_spec::ExpectSpec;
use super::values::{FaultOutcome, Instant, kinds};
use crate::core::domain::{Country, Gender, Language, NaiveDate, Name, Period, Zone};
use crate::core::manifest::kind::Kind;

/// A unit test of the tree: invented people, a clock, events and expectations. A test changes only its own database,
/// which is deleted afterwards.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct CampaignTestSpec {
    /// The time at which the test begins. The manifests are applied at this time.
    pub(super) clock: Instant,
    /// The accounts of the test.
    pub(super) accounts: Option<Vec<AccountSpec>>,
    /// The referrals that exist from the start.
    pub(super) referrals: Option<Vec<ReferralSpec>>,
    pub(super) channel: Option<TestChannelSpec>,
    /// Complete manifests for this test. Each replaces the manifest of the same kind and name, or is added.
    #[schemars(schema_with = "manifests")]
    #[serde(default)]
    pub(super) overlay: Option<Vec<Value>>,
    /// The events and expectations, in order.
    #[schemars(length(min = 1))]
    pub(super) steps: Vec<StepSpec>,
}

impl CampaignTestSpec {
    /// Returns the JSON pointers of the overlay manifests.
    pub(in crate::core::manifest) fn overlay_places(&self) -> impl Iterator<Item = String> {
        (0..self.overlay.iter().flatten().count()).map(|index| format!("/spec/overlay/{index}"))
    }
}

/// An account, which invites people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountSpec {
    pub id: String,
    /// The name; by default the id.
    pub name: Option<String>,
    pub language: Option<Language>,
    pub country: Option<Country>,
    /// The time zone; `UTC` by default.
    pub timezone: Option<Zone>,
    pub phone: Option<String>,
    /// The time at which the subscription of the account ends.
    pub subscription_ends_at: Option<Instant>,
    /// `true` if the number of the account can send. By default the state is unknown, which counts as `true`.
    pub connected: Option<bool>,
    /// Extra columns of the import, which `matchLabels` compares.
    pub labels: Option<BTreeMap<String, String>>,
}

/// A referral: a person who was invited.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReferralSpec {
    pub id: String,
    /// The id of an account of this test.
    pub account: String,
    pub phone: String,
    pub country: Country,
    /// The time zone, for schedules with `zone: recipient`; by default the only zone of the country.
    pub timezone: Option<Zone>,
    /// The time of registration.
    pub registered_at: Instant,
    /// The name; by default the id.
    pub name: Option<String>,
    pub language: Option<Language>,
    #[schemars(schema_with = "genders")]
    #[serde(default)]
    pub gender: Option<Gender>,
    pub profession: Option<String>,
    pub birth_date: Option<NaiveDate>,
    /// The time of payment; by default the person has not paid.
    pub paid_at: Option<Instant>,
    /// The consent; `unknown` by default, which gets no message unless a campaign has `consent: legacy`.
    pub consent: Option<ConsentSpec>,
    /// Extra columns of the import.
    pub attributes: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentSpec {
    OptedIn,
    OptedOut,
    Unknown,
}

/// The channel of the test. It replaces every channel of the tree, keeps all messages, and fails as configured.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestChannelSpec {
    /// The results of particular sends; all other sends succeed.
    pub(super) faults: Option<Vec<FaultSpec>>,
}

/// The result of a send. Several faults for one person and day apply to the sends of that message in order; after
/// them, sends succeed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultSpec {
    /// The id of a referral of this test.
    pub(super) referral: String,
    /// The day of the message.
    #[schemars(range(min = 1, max = 366))]
    pub(super) day: u16,
    /// The campaign of the message; any campaign by default.
    pub(super) campaign: Option<Name>,
    /// The result. `accepted` succeeds. `rejected:<code>` is handled like that WhatsApp code; any other word is
    /// permanent. `timeout` leaves the message uncertain, `throttled` delays it. With `crash-before-outcome` the
    /// message is sent, but the daemon stops before it records that.
    pub(super) outcome: FaultOutcome,
    /// The number of consecutive sends that it applies to; 1 by default.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) times: Option<u16>,
}

/// One event or expectation. A step has exactly one key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct StepSpec {
    /// Advances the clock by this duration. Everything due in between happens at its own time.
    pub(super) advance: Option<Period>,
    /// Advances the clock to this time.
    pub(super) at: Option<Instant>,
    pub(super) event: Option<EventSpec>,
    pub(super) edit: Option<EditSpec>,
    pub(super) remove: Option<RemoveSpec>,
    /// Stops the daemon abruptly and starts it again.
    pub(super) restart: Option<RestartSpec>,
    #[serde(rename = "override")]
    pub(super) overriding: Option<OverrideSpec>,
    pub(super) expect: Option<ExpectSpec>,
}

/// An event from outside.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EventSpec {
    /// The type of the event, which decides the other keys.
    #[serde(rename = "type")]
    pub(super) kind: EventType,
    /// `paid`, `reply`, `receipt`: the id of a referral. `registered`: a complete referral.
    pub(super) referral: Option<WhoSpec>,
    /// `subscriptionEnded`, `disconnected`, `connected`: the id of an account.
    pub(super) account: Option<String>,
    /// `reply`: the text that the person wrote.
    pub(super) text: Option<String>,
    /// `receipt`: the day of the message.
    #[schemars(range(min = 1, max = 366))]
    pub(super) day: Option<u16>,
    /// `receipt`: the campaign of the message; required if several campaigns sent the person that day.
    pub(super) campaign: Option<Name>,
    /// `receipt`: the delivery status.
    pub(super) status: Option<ReceiptStatus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum EventType {
    Paid,
    Registered,
    Reply,
    Receipt,
    SubscriptionEnded,
    Disconnected,
    Connected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptStatus {
    Delivered,
    Read,
    Failed,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum WhoSpec {
    Id(String),
    Whole(Box<ReferralSpec>),
}

/// A change of a manifest: either `kind`, `name` and `patch`, or a complete `manifest`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EditSpec {
    #[schemars(schema_with = "kinds")]
    #[serde(default)]
    pub(super) kind: Option<Kind>,
    pub(super) name: Option<Name>,
    /// A JSON merge patch (RFC 7386) of the whole manifest: `{spec: {state: paused}}`; `null` removes a key.
    #[schemars(schema_with = "any_mapping")]
    #[serde(default)]
    pub(super) patch: Option<Value>,
    /// A complete manifest. It replaces the one of the same kind and name, or is added.
    #[schemars(schema_with = "any_mapping")]
    #[serde(default)]
    pub(super) manifest: Option<Value>,
}

/// The removal of a manifest.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveSpec {
    #[schemars(schema_with = "kinds")]
    pub(super) kind: Kind,
    pub(super) name: Name,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestartSpec {}

/// An override by an operator, which takes precedence over the manifest: for a `campaign`, for an `account` or, with
/// both, for one run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideSpec {
    /// The order; required unless `clear` is true.
    pub(super) action: Option<OverrideAction>,
    /// `true` ends the override; used instead of `action`.
    pub(super) clear: Option<bool>,
    pub(super) campaign: Option<Name>,
    /// The id of an account of this test.
    pub(super) account: Option<String>,
    /// The reason, which `relancectl` also requires.
    pub(super) reason: Option<String>,
    /// The duration after which the override ends by itself.
    #[serde(rename = "for")]
    pub(super) lasting: Option<Period>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OverrideAction {
    Pause,
    Resume,
    Start,
    Cancel,
}

fn any_mapping(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object"})
}

fn manifests(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "object"}})
}

fn genders(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["male", "female", "other"]})
}

impl JsonSchema for WhoSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Who".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "object"],
            "if": {"type": "string"},
            "else": generator.subschema_for::<ReferralSpec>(),
        })
    }
}
