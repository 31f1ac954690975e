//! Exports of referrals.

use chrono::NaiveDate;

use super::columns::{Cell, Column};
use super::reader;
use super::reader::{Cells, Source};
use super::signal::signal;
use super::{Error, Interrupted, Row, time, value};
use crate::core::domain::{
    AccountId, Consent, Country, Gender, Language, Phone, ReferralFact, Rejection, Signal, Stated, Timestamp, Zone,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    Id,
    Account,
    Name,
    Phone,
    Email,
    Language,
    Country,
    Gender,
    Profession,
    BirthDate,
    RegisteredAt,
    PaidAt,
    Consent,
    ConsentSource,
    ConsentAt,
    Timezone,
    UpdatedAt,
}

static COLUMNS: [Column<Is>; 17] = [
    Column::required("id", Is::Id),
    Column::required("account_id", Is::Account),
    Column::required("name", Is::Name),
    Column::required("phone", Is::Phone),
    Column::optional("email", Is::Email),
    Column::optional("language", Is::Language),
    Column::required("country", Is::Country),
    Column::optional("gender", Is::Gender),
    Column::optional("profession", Is::Profession),
    Column::optional("birth_date", Is::BirthDate),
    Column::required("registered_at", Is::RegisteredAt),
    Column::optional("paid_at", Is::PaidAt),
    Column::optional("consent", Is::Consent),
    Column::optional("consent_source", Is::ConsentSource),
    Column::optional("consent_at", Is::ConsentAt),
    Column::optional("timezone", Is::Timezone),
    Column::optional("updated_at", Is::UpdatedAt),
];

/// Passes every row of an export of referrals to `take`, in order, and returns the number of rows.
///
/// A refused row comes with what it states against messages. `account` finds the known accounts by their ids in exports;
/// a referral of any other account is refused. `now` serves to refuse a birth date or an age in the future.
pub fn referrals(
    source: Source,
    account: &dyn Fn(&str) -> Option<AccountId>,
    now: Timestamp,
    mut take: impl FnMut(u64, Row<ReferralFact<'_>>, Option<Signal>) -> Result<(), Interrupted>,
) -> Result<u64, Error> {
    reader::read(source, &COLUMNS, |line, row| {
        let (row, signal) = match row {
            Ok(row) => match referral(&row, account, now) {
                Ok(fact) => (Ok(fact), None),
                Err(rejection) => (Err(rejection), signal(line, &reader::pieces_of(row.cells), account, now)),
            },
            Err(torn) => (Err(torn.rejection), signal(line, &torn.pieces, account, now)),
        };
        let good = row.is_ok();
        take(line, row, signal).map(|()| good)
    })
}

fn referral<'a>(
    row: &Cells<'a, Is>,
    account: &dyn Fn(&str) -> Option<AccountId>,
    now: Timestamp,
) -> Row<ReferralFact<'a>> {
    let mut draft = Draft::default();
    let written = row.cells.iter().find(|cell| cell.column == Some(Is::Country));
    // A phone cannot be parsed without a valid country, so only the country is reported as wrong.
    let country = written.and_then(|cell| Country::parse(cell.text.trim()).ok());
    for cell in row.cells {
        draft
            .read(cell, country, account, now)
            .map_err(|reason| Rejection::new(row.line, cell.name, cell.text, reason))?;
    }
    draft.finish().map_err(|column| Rejection::new(row.line, column, "", "missing"))
}

#[derive(Default)]
struct Draft<'a> {
    id: Option<&'a str>,
    account: Option<AccountId>,
    name: Option<&'a str>,
    phone: Option<Phone>,
    email: Stated<&'a str>,
    language: Stated<Language>,
    country: Option<Country>,
    gender: Stated<Gender>,
    profession: Stated<&'a str>,
    birth_date: Stated<NaiveDate>,
    registered_at: Option<Timestamp>,
    paid_at: Stated<Timestamp>,
    consent: Stated<Consent>,
    consent_source: Stated<&'a str>,
    consent_at: Stated<Timestamp>,
    timezone: Stated<Zone>,
    attributes: Vec<(&'a str, Option<&'a str>)>,
    updated_at: Option<Timestamp>,
}

impl<'a> Draft<'a> {
    fn read(
        &mut self,
        cell: &Cell<'a, Is>,
        country: Option<Country>,
        account: &dyn Fn(&str) -> Option<AccountId>,
        now: Timestamp,
    ) -> Result<(), String> {
        let Some(column) = cell.column else {
            self.attributes.push(value::attribute(cell)?);
            return Ok(());
        };
        match column {
            Is::Id => self.id = Some(value::id(cell)?),
            Is::Account => {
                let known = account(value::id(cell)?);
                self.account = Some(known.ok_or("no account has this id: import the accounts first")?);
            }
            Is::Name => self.name = Some(value::written(cell)?),
            Is::Phone => {
                let text = value::written(cell)?;
                if text.is_empty() {
                    return Err("missing".to_owned());
                }
                self.phone = country.map(|country| Phone::parse(text, Some(country))).transpose()?;
            }
            Is::Email => self.email = value::given(cell, value::email)?,
            Is::Language => self.language = value::given(cell, Language::parse)?,
            Is::Country => self.country = value::must(cell, Country::parse)?,
            Is::Gender => self.gender = value::given(cell, Gender::parse)?,
            Is::Profession => self.profession = value::given(cell, Ok)?,
            Is::BirthDate => self.birth_date = value::given(cell, |text| birth_date(text, now))?,
            Is::RegisteredAt => self.registered_at = value::must(cell, time::instant)?,
            Is::PaidAt => self.paid_at = value::given(cell, time::instant)?,
            Is::Consent => self.consent = value::consent(value::text(cell)?)?,
            Is::ConsentSource => self.consent_source = value::given(cell, Ok)?,
            Is::ConsentAt => self.consent_at = value::given(cell, time::instant)?,
            Is::Timezone => self.timezone = value::given(cell, Zone::parse)?,
            Is::UpdatedAt => self.updated_at = value::updated_at(cell, now)?,
        }
        Ok(())
    }

    /// Returns the fact, once every cell of the row is parsed.
    ///
    /// # Errors
    ///
    /// Returns the column that the row lacks.
    fn finish(self) -> Result<ReferralFact<'a>, &'static str> {
        Ok(ReferralFact {
            id: self.id.ok_or("id")?,
            account: self.account.ok_or("account_id")?,
            name: self.name.ok_or("name")?,
            country: self.country.ok_or("country")?,
            phone: self.phone.ok_or("phone")?,
            email: self.email,
            language: self.language,
            gender: self.gender,
            profession: self.profession,
            birth_date: self.birth_date,
            registered_at: self.registered_at.ok_or("registered_at")?,
            paid_at: self.paid_at,
            consent: self.consent,
            consent_source: self.consent_source,
            consent_at: self.consent_at,
            timezone: self.timezone,
            attributes: self.attributes,
            updated_at: self.updated_at,
        })
    }
}

fn birth_date(text: &str, now: Timestamp) -> Result<NaiveDate, String> {
    let date = time::date(text)?;
    if date > now.date_naive() { Err("a birth date in the future".to_owned()) } else { Ok(date) }
}
