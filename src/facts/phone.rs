//! Lists of phones.

use super::columns::Column;
use super::reader;
use super::reader::{Cells, Source};
use super::{Error, Interrupted, Row, value};
use crate::core::domain::{Country, Phone, Rejection};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Phone,
    Country,
}

static COLUMNS: [Column<Is>; 2] = [Column::required("phone", Is::Phone), Column::optional("country", Is::Country)];

/// Passes every phone of a list to `take`, in order, and returns the number of rows.
///
/// A row without a country has the country `country`. Other columns are ignored.
pub fn phones(
    source: Source,
    country: Option<Country>,
    mut take: impl FnMut(u64, Row<Phone>) -> Result<(), Interrupted>,
) -> Result<u64, Error> {
    reader::read(source, &COLUMNS, |line, row| {
        let row = row.map_err(|torn| torn.rejection).and_then(|row| phone(&row, country));
        let good = row.is_ok();
        take(line, row).map(|()| good)
    })
}

fn phone(row: &Cells<'_, Is>, country: Option<Country>) -> Row<Phone> {
    let cell = |is| row.cells.iter().find(|cell| cell.column == Some(is));
    let missing = || Rejection::new(row.line, "phone", "", "missing");
    let country = match cell(Is::Country) {
        Some(cell) => value::given(cell, Country::parse)
            .map_err(|reason| Rejection::new(row.line, cell.name, cell.text, reason))?
            .value()
            .copied()
            .or(country),
        None => country,
    };
    let cell = cell(Is::Phone).ok_or_else(missing)?;
    value::must(cell, |text| Phone::parse(text, country))
        .map_err(|reason| Rejection::new(row.line, cell.name, cell.text, reason))?
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::phones;
    use crate::core::domain::Country;
    use crate::facts::Source;

    fn read(text: &str, country: Option<&str>) -> Vec<String> {
        let mut found = Vec::new();
        let source = Source::stream("test", Cursor::new(text.to_owned().into_bytes()));
        let country = country.map(|code| Country::parse(code).unwrap());
        let rows = phones(source, country, |line, row| {
            found.push(match row {
                Ok(phone) => format!("{line}: {phone}"),
                Err(rejection) => format!("{line}! {} {}", rejection.column, rejection.reason),
            });
            Ok(())
        });
        assert_eq!(rows.unwrap(), found.len() as u64);
        found
    }

    #[test]
    fn every_row_is_a_phone_or_says_what_is_wrong() {
        let list = "name,Phone,country\nPaul,+237 671 00 00 01,\n,671000002,CM\n,671000003,\n,,CM\n,12,CM\n,1,XX\n";
        let wrong = [
            "6! Phone not a valid phone number of `CM`".to_owned(),
            format!("7! country {}", Country::parse("XX").unwrap_err()),
        ];
        let mut without = vec![
            "2: +237671000001".to_owned(),
            "3: +237671000002".to_owned(),
            "4! Phone without a country a phone number must begin with `+` and the calling code".to_owned(),
            "5! Phone missing".to_owned(),
        ];
        without.extend(wrong);
        assert_eq!(read(list, None), without);
        without[2] = "4: +237671000003".to_owned();
        assert_eq!(read(list, Some("CM")), without);
    }
}
