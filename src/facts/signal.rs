//! Reads opt-outs and payments in refused rows of an export.
//!
//! A torn row has a field too many or too few, so a column may be found in two places. A JSON object may have a key
//! twice. Both cells are read, and different readings make the column unreadable, unless none is an opt-out, a payment
//! or unreadable itself. Neighbouring cells may show which place is right.

use super::columns::Cell;
use super::referral::{Is, Known};
use super::row::Piece;
use super::time::{Days, Times};
use super::value;
use crate::core::domain::{Consent, Country, Phone, Rejection, Signal, Stated, Timestamp, Zone};

/// Returns the opt-out, the payment or the unreadable cell of a refused row, if it has any of them.
pub(super) fn signal(
    line: u64,
    pieces: &[Piece<'_, Is>],
    account: Known<'_, '_>,
    days: Days,
    now: Timestamp,
) -> Option<Signal> {
    // A payment counts whenever it was, so without a known account any zone will do.
    let zone = one(all(pieces, Is::Account).filter_map(|cell| account(value::id(cell).ok()?)));
    let zone = zone.map_or_else(Zone::utc, |account| account.zone.clone());
    let times = Times { days, zone: Some(&zone) };
    let country = one(all(pieces, Is::Country).filter_map(|cell| Country::parse(cell.text.trim()).ok()));
    let known = |cell: &Cell<'_, Is>| Some(account(value::id(cell).ok()?)?.id);
    let phone = |cell: &Cell<'_, Is>| Phone::parse(cell.text.trim(), country).ok();
    let sound = |cell: &Cell<'_, Is>| match cell.column {
        Some(Is::Account) => known(cell).is_some(),
        Some(Is::Phone) => phone(cell).is_some(),
        Some(Is::Country) => Country::parse(cell.text.trim()).is_ok(),
        Some(Is::RegisteredAt) => times.instant(cell.text.trim()).is_ok(),
        _ => false,
    };
    let pieces = &placed(pieces, sound, |cell| reads(cell, times));
    let consent = agreed(
        pieces,
        Is::Consent,
        |cell| value::text(cell).and_then(value::consent),
        |consent| *consent == Stated::Value(Consent::OptedOut),
    );
    let paid_at = agreed(pieces, Is::PaidAt, |cell| paid(cell, times), |paid| paid.value().is_some());
    let signal = Signal {
        line,
        id: one(all(pieces, Is::Id).filter_map(|cell| value::id(cell).ok())).map(str::to_owned),
        account: one(all(pieces, Is::Account).filter_map(known)),
        phone: one(all(pieces, Is::Phone).filter_map(phone)),
        opted_out: matches!(consent, Ok(Some(_))),
        paid_at: paid_at.as_ref().ok().copied().flatten().and_then(|paid| paid.value().copied()),
        unreadable: consent.err().or(paid_at.err()),
        updated_at: one(
            all(pieces, Is::UpdatedAt).filter_map(|cell| value::updated_at(cell, times, now).ok().flatten())
        ),
    };
    signal.is_any().then_some(signal)
}

/// Returns true unless the cell is a consent or a payment that cannot be read.
fn reads(cell: &Cell<'_, Is>, times: Times<'_>) -> bool {
    match cell.column {
        Some(Is::Consent) => value::text(cell).and_then(value::consent).is_ok(),
        Some(Is::PaidAt) => paid(cell, times).is_ok(),
        _ => true,
    }
}

fn paid(cell: &Cell<'_, Is>, times: Times<'_>) -> Result<Stated<Timestamp>, String> {
    value::given(cell, |text| times.instant(text))
}

fn all<'a, 'p>(pieces: &'p [Piece<'a, Is>], is: Is) -> impl Iterator<Item = &'p Cell<'a, Is>> {
    pieces.iter().map(|piece| &piece.cell).filter(move |cell| cell.column == Some(is))
}

/// Returns the value on which all agree.
fn one<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// Returns the value of a column if it is an opt-out or a payment, as `against` decides.
///
/// # Errors
/// Returns the name and the text of a cell that cannot be read, or that is read in two ways.
fn agreed<'a, T: PartialEq>(
    pieces: &[Piece<'a, Is>],
    is: Is,
    read: impl Fn(&Cell<'a, Is>) -> Result<T, String>,
    against: impl Fn(&T) -> bool,
) -> Result<Option<T>, String> {
    let readings = || all(pieces, is).map(&read);
    let heard = readings().find(|reading| reading.as_ref().map_or(true, &against));
    let Some(heard) = heard else { return Ok(None) };
    if let Some(Ok(value)) = one(readings()) {
        return Ok(Some(value));
    }
    let worst = all(pieces, is).find(|cell| read(cell) == heard);
    // A rejection shortens the text. Postgres keeps no NUL.
    let quoted = |cell: &Cell<'_, Is>| Rejection::new(0, cell.name, cell.text, "").value.replace(char::is_control, " ");
    Err(worst.map(|cell| format!("{} `{}`", cell.name, quoted(cell))).unwrap_or_default())
}

/// Leaves out cells in the wrong place of a torn row. A field too many or too few stands at one place: cells before it
/// are counted from the start, and cells after it from the end. `sound` recognises cells by their text, and `reads` those
/// of consents and payments that can be read.
fn placed<'a>(
    pieces: &[Piece<'a, Is>],
    sound: impl Fn(&Cell<'a, Is>) -> bool,
    reads: impl Fn(&Cell<'a, Is>) -> bool,
) -> Vec<Piece<'a, Is>> {
    let is_sound = |place, from_end| {
        pieces.iter().any(|piece| piece.place == place && piece.from_end == from_end && sound(&piece.cell))
    };
    let only = |from_end: bool| {
        let places = pieces.iter().map(|piece| piece.place);
        places.filter(move |place| is_sound(*place, from_end) && !is_sound(*place, !from_end))
    };
    let (start, end) = (only(false).max(), only(true).min());
    // A row that ends early lacks its last cells, so an unreadable cell counted from the end is ignored there.
    let is_cut = |piece: &Piece<'a, Is>| {
        let missing = !pieces.iter().any(|other| !other.from_end && other.place == piece.place);
        missing && piece.from_end && !reads(&piece.cell)
    };
    let kept = |piece: &&Piece<'a, Is>| {
        if is_cut(piece) {
            return false;
        }
        let (before, after) = (start.is_some_and(|at| piece.place <= at), end.is_some_and(|at| piece.place >= at));
        before == after || before != piece.from_end
    };
    pieces.iter().filter(kept).copied().collect()
}
