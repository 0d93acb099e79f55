//! Which operators can be read: the rows of [`ops`](crate::ops), by their names. [`SUPPORTED`] is printed from them.

use crate::ops::{Row, Translate, all};
use smidgen_ir::front::SupportEntry;
use std::sync::LazyLock;

/// The rows in alphabetical order.
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let mut rows: Vec<Row> = all().collect();
    rows.sort_by_key(|row| row.name);
    rows
});

/// Every supported operator, in alphabetical order.
pub static SUPPORTED: LazyLock<Vec<SupportEntry>> = LazyLock::new(|| {
    let entry = |row: &Row| SupportEntry { name: row.name, types: row.types, remarks: row.remarks };
    ROWS.iter().map(entry).collect()
});

/// What is known of an operator of this name.
pub(crate) enum Known {
    /// It has a translation.
    Translated(Translate),
    /// It is computed when reading, of constants.
    Folded,
    /// It is not supported.
    Unknown,
}

pub(crate) fn find(name: &str) -> Known {
    match ROWS.binary_search_by(|row| row.name.cmp(name)) {
        Ok(index) => ROWS[index].translate.map_or(Known::Folded, Known::Translated),
        Err(_) => Known::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_has_one_row() {
        for pair in ROWS.windows(2) {
            assert_ne!(pair[0].name, pair[1].name);
        }
    }
}
