//! Batches: rows that a statement reads from arrays, one array per column.
//!
//! [`columns!`] declares a row once, as a struct whose fields are the columns. The statement names the same columns
//! again, in `unnest($1::int[], $2::text[]) as u (account_id, phone)`, so that it can be pasted beside `explain`.
//! [`Batch`] compares both while the program compiles: numbers, types, names and order.

mod statement;

use std::marker::PhantomData;

use sqlx::postgres::PgArguments;
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::types::Json;
use sqlx::{Encode, FromRow, Postgres, Type};

use self::statement::names;
use crate::core::domain::{AccountId, CampaignId, NaiveDate, ReferralId, Timestamp};

/// A column of a batch: its name, and the SQL type of its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
}

/// A value of a column.
pub(super) trait Value {
    const KIND: &'static str;
    type Sql;

    fn sql(self) -> Self::Sql;
}

macro_rules! values {
    ($($kind:literal $type:ty $(as $sql:ty)?;)*) => { $(values!(@ $kind $type $(as $sql)?);)* };
    (@ $kind:literal $type:ty) => {
        impl Value for $type {
            const KIND: &'static str = $kind;
            type Sql = Self;

            fn sql(self) -> Self {
                self
            }
        }
    };
    (@ $kind:literal $type:ty as $sql:ty) => {
        impl Value for $type {
            const KIND: &'static str = $kind;
            type Sql = $sql;

            fn sql(self) -> $sql {
                self.0
            }
        }
    };
}

values! {
    "boolean" bool;
    "smallint" i16;
    "int" i32;
    "int" AccountId as i32;
    "int" CampaignId as i32;
    "bigint" i64;
    "bigint" ReferralId as i64;
    "text" &str;
    "date" NaiveDate;
    "timestamptz" Timestamp;
}

impl<T> Value for Json<T> {
    const KIND: &'static str = "jsonb";
    type Sql = Self;

    fn sql(self) -> Self {
        self
    }
}

impl<T: Value> Value for Option<T> {
    const KIND: &'static str = T::KIND;
    type Sql = Option<T::Sql>;

    fn sql(self) -> Self::Sql {
        self.map(T::sql)
    }
}

/// A query that takes arguments.
pub(super) trait Bind<'q> {
    fn bind<T: 'q + Encode<'q, Postgres> + Type<Postgres>>(self, value: T) -> Self;
}

impl<'q> Bind<'q> for Query<'q, Postgres, PgArguments> {
    fn bind<T: 'q + Encode<'q, Postgres> + Type<Postgres>>(self, value: T) -> Self {
        self.bind(value)
    }
}

impl<'q, O> Bind<'q> for QueryAs<'q, Postgres, O, PgArguments> {
    fn bind<T: 'q + Encode<'q, Postgres> + Type<Postgres>>(self, value: T) -> Self {
        self.bind(value)
    }
}

impl<'q, O> Bind<'q> for QueryScalar<'q, Postgres, O, PgArguments> {
    fn bind<T: 'q + Encode<'q, Postgres> + Type<Postgres>>(self, value: T) -> Self {
        self.bind(value)
    }
}

/// A row of a batch; see [`columns!`].
pub(super) trait Row: Sized {
    const COLUMNS: &'static [Column];

    /// Binds one array per column, in the order of the columns.
    fn bind<'q, Q: Bind<'q>>(rows: impl IntoIterator<Item = Self>, query: Q) -> Q
    where
        Self: 'q;
}

/// Declares a row of a batch: a struct whose fields are the columns, by name and type.
macro_rules! columns {
    ($(#[$doc:meta])* $vis:vis struct $row:ident $(<$life:lifetime>)? { $($column:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        $vis struct $row $(<$life>)? {
            $($vis $column: $type,)+
        }

        impl $(<$life>)? $crate::store::columns::Row for $row $(<$life>)? {
            const COLUMNS: &'static [$crate::store::columns::Column] = &[$($crate::store::columns::Column {
                name: stringify!($column),
                kind: <$type as $crate::store::columns::Value>::KIND,
            },)+];

            fn bind<'q, Q: $crate::store::columns::Bind<'q>>(rows: impl IntoIterator<Item = Self>, query: Q) -> Q
            where
                Self: 'q,
            {
                let rows = rows.into_iter();
                let size = rows.size_hint().0;
                $(let mut $column = Vec::with_capacity(size);)+
                for row in rows {
                    $($column.push($crate::store::columns::Value::sql(row.$column));)+
                }
                $(let query = query.bind($column);)+
                query
            }
        }
    };
}
pub(super) use columns;

/// A statement that reads a batch of `R` as its first parameters. A statement that reads two batches is a
/// `Batch<(A, B)>`, with the arrays of `B` after those of `A`. Other parameters follow.
#[derive(Debug)]
pub(super) struct Batch<R> {
    sql: &'static str,
    rows: PhantomData<fn() -> R>,
}

impl<R: Row> Batch<R> {
    /// # Panics
    /// If `sql` does not name the columns of `R`. In a constant this is an error of the compiler.
    pub(super) const fn of(sql: &'static str) -> Self {
        assert!(names(sql, R::COLUMNS, 1), "the statement does not read the columns of its rows");
        Self { sql, rows: PhantomData }
    }

    pub(super) fn query<'q>(&self, rows: impl IntoIterator<Item = R>) -> Query<'q, Postgres, PgArguments>
    where
        R: 'q,
    {
        R::bind(rows, sqlx::query(self.sql))
    }

    pub(super) fn query_as<'q, O>(&self, rows: impl IntoIterator<Item = R>) -> QueryAs<'q, Postgres, O, PgArguments>
    where
        R: 'q,
        O: for<'r> FromRow<'r, sqlx::postgres::PgRow>,
    {
        R::bind(rows, sqlx::query_as(self.sql))
    }

    pub(super) fn query_scalar<'q, O>(
        &self,
        rows: impl IntoIterator<Item = R>,
    ) -> QueryScalar<'q, Postgres, O, PgArguments>
    where
        R: 'q,
        (O,): for<'r> FromRow<'r, sqlx::postgres::PgRow>,
    {
        R::bind(rows, sqlx::query_scalar(self.sql))
    }
}

impl<A: Row, B: Row> Batch<(A, B)> {
    /// # Panics
    /// If `sql` does not name the columns of `A`, and then those of `B`. In a constant this is an error of the compiler.
    pub(super) const fn of_both(sql: &'static str) -> Self {
        assert!(names(sql, A::COLUMNS, 1), "the statement does not read the columns of its first rows");
        let second = A::COLUMNS.len() + 1;
        assert!(names(sql, B::COLUMNS, second), "the statement does not read the columns of its second rows");
        Self { sql, rows: PhantomData }
    }

    pub(super) fn query_both<'q>(
        &self,
        first: impl IntoIterator<Item = A>,
        second: impl IntoIterator<Item = B>,
    ) -> Query<'q, Postgres, PgArguments>
    where
        A: 'q,
        B: 'q,
    {
        B::bind(second, A::bind(first, sqlx::query(self.sql)))
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Arguments, Execute};

    use super::{Batch, Column, Row, names};
    use crate::core::domain::AccountId;

    columns! {
        struct Person<'a> {
            account_id: AccountId,
            phone: &'a str,
            day: Option<i16>,
        }
    }

    columns! {
        struct Channel<'a> {
            name: &'a str,
        }
    }

    const READS: &str = "select * from unnest($1::int[], $2::text[],
                                              $3::smallint[]) as u (account_id, phone, day) where phone <> $4";

    /// True if a statement with this instead of `$1::int[], …` reads persons.
    fn reads(arrays: &str, names_of: &str) -> bool {
        names(&format!("select * from unnest({arrays}) {names_of}"), Person::COLUMNS, 1)
    }

    const ARRAYS: &str = "$1::int[], $2::text[], $3::smallint[]";
    const NAMES: &str = "as u (account_id, phone, day)";

    #[test]
    fn a_batch_is_one_array_per_column() {
        const READ: Batch<Person<'_>> = Batch::of(READS);
        let phone = "+237671000001".to_owned();
        let person = Person { account_id: AccountId(7), phone: &phone, day: None };
        let arguments = READ.query([person.clone(), person]).take_arguments().unwrap().unwrap();
        assert_eq!(arguments.len(), Person::COLUMNS.len());
    }

    #[test]
    fn a_statement_reads_the_columns_that_its_rows_declare() {
        assert!(reads(ARRAYS, NAMES));
        assert!(reads(ARRAYS, "with ordinality as u (account_id, phone, day, place)"));
    }

    #[test]
    fn a_statement_with_mismatched_columns_is_refused() {
        assert!(!reads(ARRAYS, "as u (phone, account_id, day)"), "names in another order");
        assert!(!reads(ARRAYS, "as u (account_id, phone, days)"), "another name");
        assert!(!reads(ARRAYS, "as u (account_id, phone)"), "a name is missing");
        assert!(!reads(ARRAYS, "as u (account_id, phone, day, place)"), "a name too many");
        assert!(!reads(ARRAYS, "with ordinality as u (account_id, phone, day)"), "no name for the place");
        assert!(!reads("$2::int[], $1::text[], $3::smallint[]", NAMES), "numbers in another order");
        assert!(!reads("$1::int[], $2::text[], $13::smallint[]", NAMES), "another number");
        assert!(!reads("$1::int[], $2::text[], $3::int[]", NAMES), "another type");
        assert!(!reads("$1::int[], $2::text[]", NAMES), "an array is missing");
        assert!(!reads("$1::int[], $2::text[], $3::smallint[], $4::int[]", NAMES), "an array too many");
        assert!(!names("select $1, $2, $3", Person::COLUMNS, 1), "no batch at all");
    }

    #[test]
    #[should_panic(expected = "does not read the columns of its rows")]
    fn a_batch_of_another_statement_is_refused() {
        drop(Batch::of(READS).query([Channel { name: "whatsapp" }]));
    }

    #[test]
    fn a_second_batch_follows_the_first() {
        let both = "from unnest($1::text[]) as c (name), unnest($2::int[], $3::text[], $4::smallint[])
                      as p (account_id, phone, day)";
        assert!(names(both, Channel::COLUMNS, 1) && names(both, Person::COLUMNS, 2));
        assert!(!names(both, Person::COLUMNS, 1));
        let kinds: Vec<&str> = Person::COLUMNS.iter().map(|Column { kind, .. }| *kind).collect();
        assert_eq!(kinds, ["int", "text", "smallint"]);
    }
}
