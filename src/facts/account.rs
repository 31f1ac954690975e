//! Exports of accounts.

use super::columns::{Cell, Column};
use super::reader;
use super::row::Cells;
use super::source::Source;
use super::time::Times;
use super::{Error, Interrupted, Row, value};
use crate::core::domain::{AccountFact, Country, Language, Phone, Stated, Timestamp, WhatsappStatus, Zone};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    Id,
    Name,
    Phone,
    Email,
    Language,
    Country,
    Timezone,
    SubscriptionPlan,
    SubscriptionEndsAt,
    WhatsappStatus,
    UpdatedAt,
}

pub(super) static COLUMNS: [Column<Is>; 11] = [
    Column::required("id", Is::Id, "id of the account in your system; it never changes"),
    Column::required("name", Is::Name, "name of the member, as `referrerName` in templates"),
    Column::optional("phone", Is::Phone, "phone number; the national form needs `country`"),
    Column::optional("email", Is::Email, "e-mail address"),
    Column::optional("language", Is::Language, "language by BCP 47, such as `fr`"),
    Column::optional("country", Is::Country, "country by ISO 3166, such as `CM`"),
    Column::required("timezone", Is::Timezone, "IANA time zone, such as `Africa/Douala`"),
    Column::optional("subscription_plan", Is::SubscriptionPlan, "name of the subscription"),
    Column::optional("subscription_ends_at", Is::SubscriptionEndsAt, "time at which the subscription ends"),
    Column::optional("whatsapp_status", Is::WhatsappStatus, "`connected`, `disconnected` or `expired`"),
    Column::optional("updated_at", Is::UpdatedAt, "time of the row's last change: an older row changes nothing"),
];

/// Passes every row of an export of accounts to `take`, in order, and returns the number of rows.
///
/// `now` serves to refuse an age in the future.
pub fn accounts(
    source: Source,
    now: Timestamp,
    mut take: impl FnMut(u64, Row<AccountFact<'_>>) -> Result<(), Interrupted>,
) -> Result<u64, Error> {
    reader::read(source, &COLUMNS, |row| {
        let (line, row) = match row {
            Ok(row) => (row.line, account(row, now)),
            Err(torn) => (torn.rejection.line, Err(vec![torn.rejection])),
        };
        let faults = row.as_ref().err().map_or(0, Vec::len);
        take(line, row).map(|()| faults)
    })
}

fn account(mut row: Cells<'_, Is>, now: Timestamp) -> Row<AccountFact<'_>> {
    let mut draft = Draft::default();
    let written = row.find(Is::Country).filter(|cell| !cell.text.trim().is_empty());
    let country = written.map(|cell| Country::parse(cell.text.trim())).transpose();
    // Without a valid zone the form of times is checked, and only the zone is reported as wrong.
    let zone = row.find(Is::Timezone).and_then(|cell| Zone::parse(cell.text.trim()).ok()).unwrap_or_else(Zone::utc);
    let times = Times { days: row.days, zone: Some(&zone) };
    let faults = row.faults(&COLUMNS, |cell| draft.read(cell, &country, times, now));
    if faults.is_empty() { draft.finish().ok_or(faults) } else { Err(faults) }
}

#[derive(Default)]
struct Draft<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    phone: Stated<Phone>,
    email: Stated<&'a str>,
    language: Stated<Language>,
    country: Stated<Country>,
    timezone: Option<Zone>,
    subscription_plan: Stated<&'a str>,
    subscription_ends_at: Stated<Timestamp>,
    whatsapp_status: Stated<WhatsappStatus>,
    attributes: Vec<(&'a str, Option<&'a str>)>,
    updated_at: Option<Timestamp>,
}

impl<'a> Draft<'a> {
    fn read(
        &mut self,
        cell: &Cell<'a, Is>,
        country: &Result<Option<Country>, String>,
        times: Times<'_>,
        now: Timestamp,
    ) -> Result<(), String> {
        let Some(column) = cell.column else {
            self.attributes.push(value::attribute(cell)?);
            return Ok(());
        };
        match column {
            Is::Id => self.id = Some(value::id(cell)?),
            Is::Name => self.name = Some(value::written(cell)?),
            // A phone cannot be parsed without a valid country, so only the country is reported as wrong.
            Is::Phone => match country {
                Ok(country) => self.phone = value::given(cell, |text| Phone::parse(text, *country))?,
                Err(_) => drop(value::written(cell)?),
            },
            Is::Email => self.email = value::given(cell, value::email)?,
            Is::Language => self.language = value::given(cell, Language::parse)?,
            Is::Country => self.country = value::given(cell, Country::parse)?,
            Is::Timezone => self.timezone = value::must(cell, Zone::parse)?,
            Is::SubscriptionPlan => self.subscription_plan = value::given(cell, Ok)?,
            Is::SubscriptionEndsAt => self.subscription_ends_at = value::given(cell, |text| times.instant(text))?,
            Is::WhatsappStatus => self.whatsapp_status = value::given(cell, value::whatsapp_status)?,
            Is::UpdatedAt => self.updated_at = value::updated_at(cell, times, now)?,
        }
        Ok(())
    }

    /// Returns the fact, once every required cell of the row is parsed.
    fn finish(self) -> Option<AccountFact<'a>> {
        Some(AccountFact {
            id: self.id?,
            name: self.name?,
            phone: self.phone,
            email: self.email,
            language: self.language,
            country: self.country,
            timezone: self.timezone?,
            subscription_plan: self.subscription_plan,
            subscription_ends_at: self.subscription_ends_at,
            whatsapp_status: self.whatsapp_status,
            attributes: self.attributes,
            updated_at: self.updated_at,
        })
    }
}
