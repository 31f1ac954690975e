//! The binary format of `COPY`.

use chrono::{DateTime, NaiveDate};

use crate::core::domain::Timestamp;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: i16 = -1;
/// The size in bytes from which a buffer is sent.
const FULL: usize = 256 * 1024;
/// Postgres counts from 2000-01-01.
const EPOCH: Timestamp = DateTime::from_timestamp(946_684_800, 0).expect("a time of the calendar");

/// Rows in the binary format of `COPY`, buffer by buffer.
#[derive(Debug)]
pub(super) struct Rows {
    buffer: Vec<u8>,
}

impl Rows {
    pub(super) fn new() -> Self {
        let mut buffer = Vec::with_capacity(FULL + FULL / 4);
        buffer.extend_from_slice(SIGNATURE);
        Self { buffer }
    }

    /// Returns the buffer if it is large enough to send.
    pub(super) fn full(&mut self) -> Option<Vec<u8>> {
        (self.buffer.len() >= FULL).then(|| std::mem::replace(&mut self.buffer, Vec::with_capacity(FULL + FULL / 4)))
    }

    /// Returns the last buffer.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.buffer.extend_from_slice(&TRAILER.to_be_bytes());
        self.buffer
    }

    pub(super) fn row(&mut self, fields: i16) -> &mut Self {
        self.buffer.extend_from_slice(&fields.to_be_bytes());
        self
    }

    pub(super) fn null(&mut self) -> &mut Self {
        self.buffer.extend_from_slice(&(-1_i32).to_be_bytes());
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.field(text.as_bytes())
    }

    pub(super) fn maybe_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    pub(super) fn int4(&mut self, number: i32) -> &mut Self {
        self.field(&number.to_be_bytes())
    }

    pub(super) fn int8(&mut self, number: i64) -> &mut Self {
        self.field(&number.to_be_bytes())
    }

    pub(super) fn boolean(&mut self, value: bool) -> &mut Self {
        self.field(&[u8::from(value)])
    }

    pub(super) fn instant(&mut self, instant: Timestamp) -> &mut Self {
        self.int8(instant.timestamp_micros() - EPOCH.timestamp_micros())
    }

    pub(super) fn maybe_instant(&mut self, instant: Option<&Timestamp>) -> &mut Self {
        match instant {
            Some(instant) => self.instant(*instant),
            None => self.null(),
        }
    }

    pub(super) fn maybe_date(&mut self, date: Option<&NaiveDate>) -> &mut Self {
        let days = date.map(|date| date.signed_duration_since(EPOCH.date_naive()).num_days());
        match days.and_then(|days| i32::try_from(days).ok()) {
            Some(days) => self.int4(days),
            None => self.null(),
        }
    }

    /// Writes attributes as `jsonb`, with JSON null for an empty cell; no attributes at all become SQL null.
    pub(super) fn attributes(&mut self, attributes: &[(&str, Option<&str>)]) -> &mut Self {
        if attributes.is_empty() {
            return self.null();
        }
        let object: serde_json::Map<_, _> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        self.field(format!("\u{1}{}", serde_json::Value::Object(object)).as_bytes())
    }

    fn field(&mut self, bytes: &[u8]) -> &mut Self {
        let length = i32::try_from(bytes.len()).expect("a row of at most 64 KiB");
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.buffer.extend_from_slice(bytes);
        self
    }
}

/// Declares the table `staged`: each column once, with its name, its SQL type, and its value in the stream of rows.
macro_rules! staging {
    (fn $encode:ident($rows:ident: $of:ty, $($argument:ident: $type:ty),+);
     $first:ident $first_kind:literal $first_method:ident($first_value:expr);
     $($column:ident $kind:literal $method:ident($value:expr);)+) => {
        pub(super) const CREATE: &str = concat!(
            "create temp table staged (", stringify!($first), " ", $first_kind,
            $(", ", stringify!($column), " ", $kind,)+
            ") on commit drop"
        );

        pub(super) fn $encode($rows: $of, $($argument: $type),+) {
            const FIELDS: i16 = 1 $(+ { _ = stringify!($column); 1 })+;
            $rows.row(FIELDS).$first_method($first_value)$(.$method($value))+;
        }
    };
}
pub(super) use staging;

/// Packs flags into bits, the first into the lowest.
pub(super) fn bits(flags: &[bool]) -> i32 {
    flags.iter().rev().fold(0, |bits, flag| bits << 1 | i32::from(*flag))
}

#[cfg(test)]
mod tests {
    use super::{Rows, bits};

    #[test]
    fn the_first_flag_is_the_lowest_bit() {
        assert_eq!(bits(&[true, false, true]), 5);
    }

    #[test]
    fn a_stream_begins_with_its_signature_and_ends_with_its_trailer() {
        let mut rows = Rows::new();
        rows.row(2).int4(7).null();
        let bytes = rows.end();
        assert!(bytes.starts_with(b"PGCOPY\n\xff\r\n\0"));
        assert_eq!(bytes[19..], [0, 2, 0, 0, 0, 4, 0, 0, 0, 7, 255, 255, 255, 255, 255, 255]);
    }
}
