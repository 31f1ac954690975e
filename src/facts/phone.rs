//! Lists of phones.

use super::columns::Column;
use super::reader;
use super::row::Cells;
use super::source::Source;
use super::{Error, Interrupted, Row, value};
use crate::core::domain::{Country, Phone};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Phone,
    Country,
}

static COLUMNS: [Column<Is>; 2] = [
    Column::required("phone", Is::Phone, "phone number"),
    Column::optional("country", Is::Country, "country of the phone"),
];

/// Passes every phone of a list to `take`, in order, and returns the number of rows.
///
/// A row without a country has the country `country`. Other columns are ignored.
pub fn phones(
    source: Source,
    country: Option<Country>,
    mut take: impl FnMut(u64, Row<Phone>) -> Result<(), Interrupted>,
) -> Result<u64, Error> {
    reader::read(source, &COLUMNS, |row| {
        let (line, row) = match row {
            Ok(row) => (row.line, phone(row, country)),
            Err(torn) => (torn.rejection.line, Err(vec![torn.rejection])),
        };
        let faults = row.as_ref().err().map_or(0, Vec::len);
        take(line, row).map(|()| faults)
    })
}

fn phone(mut row: Cells<'_, Is>, country: Option<Country>) -> Row<Phone> {
    // Other columns may hold anything.
    row.faults.retain(|fault| row.all.iter().any(|cell| cell.column.is_some() && cell.name == fault.column));
    let written =
        row.find(Is::Country).map_or(Ok(None), |cell| value::given(cell, Country::parse).map(|it| it.value().copied()));
    let of_row = written.as_ref().ok().map(|written| written.or(country));
    let mut phone = None;
    let faults = row.faults(&COLUMNS, |cell| match (cell.column, of_row) {
        (Some(Is::Phone), Some(country)) => {
            phone = value::must(cell, |text| Phone::parse(text, country))?;
            Ok(())
        }
        // A phone cannot be parsed without a valid country, so only the country is reported as wrong.
        (Some(Is::Phone), None) => value::written(cell).map(drop),
        (Some(Is::Country), _) => written.clone().map(drop),
        (None, _) => Ok(()),
    });
    phone.filter(|_| faults.is_empty()).ok_or(faults)
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
                Err(faults) => format!("{line}! {} {}", faults[0].column, faults[0].reason),
            });
            Ok(())
        });
        assert_eq!(rows.unwrap(), found.len() as u64);
        found
    }

    #[test]
    fn every_list_row_yields_a_phone_or_an_error() {
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
