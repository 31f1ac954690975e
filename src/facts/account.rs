//! Exports of accounts.

use super::columns::{Cell, Column};
use super::reader;
use super::reader::{Cells, Source};
use super::{Error, Interrupted, Row, time, value};
use crate::core::domain::{AccountFact, Country, Language, Phone, Rejection, Stated, Timestamp, WhatsappStatus, Zone};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
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

static COLUMNS: [Column<Is>; 11] = [
    Column::required("id", Is::Id),
    Column::required("name", Is::Name),
    Column::optional("phone", Is::Phone),
    Column::optional("email", Is::Email),
    Column::optional("language", Is::Language),
    Column::optional("country", Is::Country),
    Column::required("timezone", Is::Timezone),
    Column::optional("subscription_plan", Is::SubscriptionPlan),
    Column::optional("subscription_ends_at", Is::SubscriptionEndsAt),
    Column::optional("whatsapp_status", Is::WhatsappStatus),
    Column::optional("updated_at", Is::UpdatedAt),
];

/// Passes every row of an export of accounts to `take`, in order, and returns the number of rows.
///
/// `now` serves to refuse an age in the future.
pub fn accounts(
    source: Source,
    now: Timestamp,
    mut take: impl FnMut(u64, Row<AccountFact<'_>>) -> Result<(), Interrupted>,
) -> Result<u64, Error> {
    reader::read(source, &COLUMNS, |line, row| {
        let row = row.map_err(|torn| torn.rejection).and_then(|row| account(&row, now));
        let good = row.is_ok();
        take(line, row).map(|()| good)
    })
}

fn account<'a>(row: &Cells<'a, Is>, now: Timestamp) -> Row<AccountFact<'a>> {
    let mut draft = Draft::default();
    let written = row.cells.iter().find(|cell| cell.column == Some(Is::Country) && !cell.text.trim().is_empty());
    let country = written.map(|cell| Country::parse(cell.text.trim())).transpose();
    for cell in row.cells {
        draft.read(cell, &country, now).map_err(|reason| Rejection::new(row.line, cell.name, cell.text, reason))?;
    }
    draft.finish().map_err(|column| Rejection::new(row.line, column, "", "missing"))
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
            Is::Phone => {
                if let Ok(country) = country {
                    self.phone = value::given(cell, |text| Phone::parse(text, *country))?;
                }
            }
            Is::Email => self.email = value::given(cell, value::email)?,
            Is::Language => self.language = value::given(cell, Language::parse)?,
            Is::Country => self.country = value::given(cell, Country::parse)?,
            Is::Timezone => self.timezone = value::must(cell, Zone::parse)?,
            Is::SubscriptionPlan => self.subscription_plan = value::given(cell, Ok)?,
            Is::SubscriptionEndsAt => self.subscription_ends_at = value::given(cell, time::instant)?,
            Is::WhatsappStatus => self.whatsapp_status = value::given(cell, value::whatsapp_status)?,
            Is::UpdatedAt => self.updated_at = value::updated_at(cell, now)?,
        }
        Ok(())
    }

    /// Returns the fact, once every cell of the row is parsed.
    ///
    /// # Errors
    ///
    /// Returns the column that the row lacks.
    fn finish(self) -> Result<AccountFact<'a>, &'static str> {
        Ok(AccountFact {
            id: self.id.ok_or("id")?,
            name: self.name.ok_or("name")?,
            phone: self.phone,
            email: self.email,
            language: self.language,
            country: self.country,
            timezone: self.timezone.ok_or("timezone")?,
            subscription_plan: self.subscription_plan,
            subscription_ends_at: self.subscription_ends_at,
            whatsapp_status: self.whatsapp_status,
            attributes: self.attributes,
            updated_at: self.updated_at,
        })
    }
}
