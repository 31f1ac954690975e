//! Exports of referrals.

use chrono::NaiveDate;

use super::columns::{Cell, Column};
use super::reader;
use super::row::Cells;
use super::signal::signal;
use super::source::Source;
use super::time::Times;
use super::{Error, Interrupted, Row, value};
use crate::core::domain::{
    AccountId, Consent, Country, Gender, KnownAccount, Language, Phone, ReferralFact, Signal, Stated, Timestamp, Zone,
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

pub(super) static COLUMNS: [Column<Is>; 17] = [
    Column::required("id", Is::Id, "id of the referral in your system; it never changes"),
    Column::required("account_id", Is::Account, "id of the account that brought the person in"),
    Column::required("name", Is::Name, "name of the person, as `name` in templates"),
    Column::required("phone", Is::Phone, "phone number, international or in the form of `country`"),
    Column::optional("email", Is::Email, "e-mail address"),
    Column::optional("language", Is::Language, "language by BCP 47, such as `fr`; else that of the account"),
    Column::required("country", Is::Country, "country by ISO 3166, such as `CM`"),
    Column::optional("gender", Is::Gender, "`male`, `female` or `other`"),
    Column::optional("profession", Is::Profession, "profession; filters compare it without case and accents"),
    Column::optional("birth_date", Is::BirthDate, "day of birth"),
    Column::required("registered_at", Is::RegisteredAt, "time of the registration"),
    Column::optional("paid_at", Is::PaidAt, "time of the payment; empty if the person has not paid"),
    Column::optional("consent", Is::Consent, "`opted_in`, `opted_out`, or empty if it is unknown"),
    Column::optional("consent_source", Is::ConsentSource, "origin of the consent, such as `registration-form`"),
    Column::optional("consent_at", Is::ConsentAt, "time of the consent"),
    Column::optional("timezone", Is::Timezone, "time zone of the person, such as `Africa/Douala`"),
    Column::optional("updated_at", Is::UpdatedAt, "time of the row's last change: an older row changes nothing"),
];

/// Finds a stored account by its id in exports.
pub(super) type Known<'k, 'f> = &'f dyn Fn(&str) -> Option<&'k KnownAccount>;

/// Passes every row of an export of referrals to `take`, in order, and returns the number of rows.
///
/// A refused row comes with what it states against messages. `account` finds the known accounts by their ids in exports;
/// a referral of any other account is refused. `now` serves to refuse a birth date or an age in the future.
pub fn referrals(
    source: Source,
    account: Known<'_, '_>,
    now: Timestamp,
    mut take: impl FnMut(u64, Row<ReferralFact<'_>>, Option<Signal>) -> Result<(), Interrupted>,
) -> Result<u64, Error> {
    reader::read(source, &COLUMNS, |row| match row {
        Ok(mut row) => match referral(&mut row, account, now) {
            Ok(fact) => take(row.line, Ok(fact), None).map(|()| 0),
            Err(faults) => {
                let signal = signal(row.line, &row.pieces(), account, row.days, now);
                let count = faults.len();
                take(row.line, Err(faults), signal).map(|()| count)
            }
        },
        Err(torn) => {
            let line = torn.rejection.line;
            let signal = signal(line, &torn.pieces, account, torn.days, now);
            take(line, Err(vec![torn.rejection]), signal).map(|()| 1)
        }
    })
}

fn referral<'a>(row: &mut Cells<'a, Is>, account: Known<'_, '_>, now: Timestamp) -> Row<ReferralFact<'a>> {
    let mut draft = Draft::default();
    // A phone cannot be parsed without a valid country, nor a time without an offset outside a known account. Then only
    // the country or the account is reported as wrong.
    let country = row.find(Is::Country).and_then(|cell| Country::parse(cell.text.trim()).ok());
    let owner = row.find(Is::Account).and_then(|cell| account(value::id(cell).ok()?));
    let somewhere = Zone::utc();
    let times = Times { days: row.days, zone: Some(owner.map_or(&somewhere, |owner| &owner.zone)) };
    let rest = Rest { country, owner: owner.map(|owner| owner.id), times, now };
    let faults = row.faults(&COLUMNS, |cell| draft.read(cell, &rest));
    if faults.is_empty() { draft.finish().ok_or(faults) } else { Err(faults) }
}

/// The values of a row on which the reading of other cells depends.
struct Rest<'z> {
    country: Option<Country>,
    owner: Option<AccountId>,
    times: Times<'z>,
    now: Timestamp,
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
    fn read(&mut self, cell: &Cell<'a, Is>, rest: &Rest<'_>) -> Result<(), String> {
        let Rest { country, owner, times, now } = *rest;
        let instant = |text: &str| times.instant(text);
        let Some(column) = cell.column else {
            self.attributes.push(value::attribute(cell)?);
            return Ok(());
        };
        match column {
            Is::Id => self.id = Some(value::id(cell)?),
            Is::Account => {
                value::id(cell)?;
                self.account = Some(owner.ok_or("no account has this id: import the accounts first")?);
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
            Is::BirthDate => self.birth_date = value::given(cell, |text| birth_date(text, times, now))?,
            Is::RegisteredAt => self.registered_at = value::must(cell, instant)?,
            Is::PaidAt => self.paid_at = value::given(cell, instant)?,
            Is::Consent => self.consent = value::consent(value::text(cell)?)?,
            Is::ConsentSource => self.consent_source = value::given(cell, Ok)?,
            Is::ConsentAt => self.consent_at = value::given(cell, instant)?,
            Is::Timezone => self.timezone = value::given(cell, Zone::parse)?,
            Is::UpdatedAt => self.updated_at = value::updated_at(cell, times, now)?,
        }
        Ok(())
    }

    /// Returns the fact, once every required cell of the row is parsed.
    fn finish(self) -> Option<ReferralFact<'a>> {
        Some(ReferralFact {
            id: self.id?,
            account: self.account?,
            name: self.name?,
            country: self.country?,
            phone: self.phone?,
            email: self.email,
            language: self.language,
            gender: self.gender,
            profession: self.profession,
            birth_date: self.birth_date,
            registered_at: self.registered_at?,
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

fn birth_date(text: &str, times: Times<'_>, now: Timestamp) -> Result<NaiveDate, String> {
    let date = times.date(text)?;
    if date > now.date_naive() { Err("a birth date in the future".to_owned()) } else { Ok(date) }
}
