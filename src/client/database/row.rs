//! One row of a result, read the same way whatever the engine calls its types.

use sqlx::{
    Column as _, Error, Row as _, TypeInfo as _, mysql::MySqlRow, postgres::PgRow,
    sqlite::SqliteRow,
};

/// A row passed to a callback while a result streams in. Columns count from 0.
pub struct SqlRow<'r>(pub(super) &'r dyn RowCells);

impl SqlRow<'_> {
    /// A number of any width or sign, or a boolean as 0 or 1; `None` is NULL. Unsigned numbers beyond
    /// `i64::MAX` are read as that.
    ///
    /// # Errors
    /// The column is missing or holds no number.
    pub fn int(&self, column: usize) -> Result<Option<i64>, Error> {
        self.0.int(column)
    }

    /// A text of any length; `None` is NULL.
    ///
    /// # Errors
    /// The column is missing or holds no UTF-8.
    pub fn text(&self, column: usize) -> Result<Option<&str>, Error> {
        self.0.text(column)
    }
}

/// Reads the cells of any of the three drivers' rows. Types aren't checked: BOOLEAN in one engine is
/// SMALLINT in another.
pub(super) trait RowCells {
    fn int(&self, column: usize) -> Result<Option<i64>, Error>;
    fn text(&self, column: usize) -> Result<Option<&str>, Error>;
}

impl RowCells for MySqlRow {
    fn int(&self, column: usize) -> Result<Option<i64>, Error> {
        // Without this an unsigned INT above 2³¹ would come out negative.
        if !self.try_column(column)?.type_info().name().ends_with("UNSIGNED") {
            return self.try_get_unchecked(column);
        }
        let number: Option<u64> = self.try_get_unchecked(column)?;
        Ok(number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)))
    }

    fn text(&self, column: usize) -> Result<Option<&str>, Error> {
        self.try_get_unchecked(column)
    }
}

impl RowCells for PgRow {
    fn int(&self, column: usize) -> Result<Option<i64>, Error> {
        // The simple query protocol writes a boolean as t or f.
        if self.try_column(column)?.type_info().name() == "BOOL" {
            let flag: Option<bool> = self.try_get_unchecked(column)?;
            return Ok(flag.map(i64::from));
        }
        self.try_get_unchecked(column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, Error> {
        self.try_get_unchecked(column)
    }
}

impl RowCells for SqliteRow {
    fn int(&self, column: usize) -> Result<Option<i64>, Error> {
        self.try_get_unchecked(column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, Error> {
        self.try_get_unchecked(column)
    }
}
