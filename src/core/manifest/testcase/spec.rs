//! `kind: CampaignTest` as it is written: the people, the channel, and what happens.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::expect_spec::ExpectSpec;
use super::values::{FaultOutcome, Instant, kinds};
use crate::core::domain::{Country, Gender, Language, NaiveDate, Name, Period, Zone};
use crate::core::manifest::kind::Kind;

/// A unit test of the tree: invented people, a clock, what happens, and what must be so. A test changes nothing
/// but a database of its own, which is thrown away.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct CampaignTestSpec {
    /// When the test begins. The manifests are applied at this instant.
    pub(super) clock: Instant,
    pub(super) accounts: Option<Vec<AccountSpec>>,
    pub(super) referrals: Option<Vec<ReferralSpec>>,
    pub(super) channel: Option<TestChannelSpec>,
    /// Whole manifests that this test has instead of those of the tree with the same kind and name, or besides them.
    #[schemars(schema_with = "manifests")]
    #[serde(default)]
    pub(super) overlay: Option<Vec<Value>>,
    /// What happens and what must be so, one after the other.
    #[schemars(length(min = 1))]
    pub(super) steps: Vec<StepSpec>,
}

impl CampaignTestSpec {
    /// The pointers of the manifests of its overlay.
    pub(in crate::core::manifest) fn overlay_places(&self) -> impl Iterator<Item = String> {
        (0..self.overlay.iter().flatten().count()).map(|index| format!("/spec/overlay/{index}"))
    }
}

/// Somebody who invites people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountSpec {
    pub id: String,
    /// The id when left out.
    pub name: Option<String>,
    pub language: Option<Language>,
    pub country: Option<Country>,
    /// `UTC` when left out.
    pub timezone: Option<Zone>,
    pub phone: Option<String>,
    pub subscription_ends_at: Option<Instant>,
    /// Whether its number can send. When left out, nobody said, which counts as yes.
    pub connected: Option<bool>,
    /// Extra columns of the import, which `matchLabels` goes by.
    pub labels: Option<BTreeMap<String, String>>,
}

/// Somebody who was invited.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReferralSpec {
    pub id: String,
    /// The id of an account of this test.
    pub account: String,
    pub phone: String,
    pub country: Country,
    pub registered_at: Instant,
    /// The id when left out.
    pub name: Option<String>,
    pub language: Option<Language>,
    #[schemars(schema_with = "genders")]
    #[serde(default)]
    pub gender: Option<Gender>,
    pub profession: Option<String>,
    pub birth_date: Option<NaiveDate>,
    pub paid_at: Option<Instant>,
    /// `unknown` when left out: by default nobody writes to such a person.
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

/// Every channel of the tree is replaced by one that keeps what it is handed and fails as told.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestChannelSpec {
    pub(super) faults: Option<Vec<FaultSpec>>,
}

/// How one hand-over ends. Several for one person and day are for the hand-overs of that message in their order;
/// once they are used up, all is well.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultSpec {
    /// The id of a referral of this test.
    pub(super) referral: String,
    #[schemars(range(min = 1, max = 366))]
    pub(super) day: u16,
    /// Any campaign when left out.
    pub(super) campaign: Option<Name>,
    /// `accepted`, `rejected:<code>` (what follows is as for that code of WhatsApp; any other word is for good), `timeout`
    /// (nobody knows whether it left), `throttled` (later), or `crash-before-outcome` (it left, and the daemon died before it
    /// could say so).
    pub(super) outcome: FaultOutcome,
    /// For so many hand-overs in a row; 1 when left out.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) times: Option<u16>,
}

/// One thing that happens, or that must be so. Exactly one key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct StepSpec {
    /// Time goes on by so much; whatever is due meanwhile happens at its instant.
    pub(super) advance: Option<Period>,
    /// Time goes on up to this instant.
    pub(super) at: Option<Instant>,
    pub(super) event: Option<EventSpec>,
    pub(super) edit: Option<EditSpec>,
    pub(super) remove: Option<RemoveSpec>,
    /// The daemon dies and comes back.
    pub(super) restart: Option<RestartSpec>,
    #[serde(rename = "override")]
    pub(super) overriding: Option<OverrideSpec>,
    pub(super) expect: Option<ExpectSpec>,
}

/// Something that others do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EventSpec {
    #[serde(rename = "type")]
    pub(super) kind: EventType,
    /// `paid`, `reply`, `receipt`: the id of a referral. `registered`: a whole referral.
    pub(super) referral: Option<WhoSpec>,
    /// `subscriptionEnded`, `disconnected`, `connected`: the id of an account.
    pub(super) account: Option<String>,
    /// `reply`: what the person wrote.
    pub(super) text: Option<String>,
    /// `receipt`: the day of the message.
    #[schemars(range(min = 1, max = 366))]
    pub(super) day: Option<u16>,
    /// `receipt`: the campaign of the message; needed where the person has one of that day in several.
    pub(super) campaign: Option<Name>,
    /// `receipt`: what became of the message.
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

/// A manifest changes: `kind`, `name` and `patch`, or a whole `manifest`.
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
    /// Replaces the manifest of its kind and name, or comes as a new one.
    #[schemars(schema_with = "any_mapping")]
    #[serde(default)]
    pub(super) manifest: Option<Value>,
}

/// A manifest goes.
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

/// What an operator orders, whatever the manifest says: for a `campaign`, for an `account`, or, with both, for one run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideSpec {
    pub(super) action: Option<OverrideAction>,
    /// Instead of `action`: what was ordered ends.
    pub(super) clear: Option<bool>,
    pub(super) campaign: Option<Name>,
    /// The id of an account of this test.
    pub(super) account: Option<String>,
    /// Why, as `relancectl` asks for it too.
    pub(super) reason: Option<String>,
    /// The order ends by itself after so long.
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
