//! Domain types that cannot hold invalid values: identifiers, periods, zones and windows, phones, countries,
//! languages. Constructors refuse bad values with a sentence; nothing here does I/O.

mod callback;
mod country;
mod fact;
mod fold;
mod gender;
mod hex;
mod hours;
mod id;
mod invisible;
mod language;
mod local;
mod name;
mod period;
mod phone;
mod seed;
mod signal;
mod source_id;

pub use chrono::{DateTime, NaiveDate, Utc};

pub use self::callback::{Callback, InstallationId};
pub use self::country::Country;
pub use self::fact::{AccountFact, Consent, KnownAccount, ReferralFact, Rejection, Stated, WhatsappStatus};
pub use self::fold::fold;
pub use self::gender::Gender;
pub use self::hex::hex;
pub use self::id::{AccountId, CampaignId, MessageKey, ReferralId, TargetKey};
pub use self::invisible::{is_unseen, visible};
pub use self::language::Language;
pub use self::local::{Clock, Moment, Opening, Weekday, Window, Windows, Zone};
pub use self::name::Name;
pub use self::period::{Period, rough};
pub use self::phone::Phone;
pub use self::seed::mix;
pub use self::signal::{Heard, Signal};
pub use self::source_id::SourceId;

/// An instant in UTC with microsecond precision, as in Postgres.
pub type Timestamp = DateTime<Utc>;
