//! Which operators can be read and written: the rows of [`ops`](crate::ops), by their codes. [`SUPPORTED`] is printed
//! from them.

use crate::ops::{MOVE, Row, rows};
use crate::read::{AROUND, COMPOSED, COMPUTED, UNROLLED};
use crate::schema::OPERATORS;
use smidgen_ir::ElementType::Int8;
use smidgen_ir::front::SupportEntry;
use std::sync::LazyLock;

/// An operator of the format that can be read, by its value of `BuiltinOperator`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Builtin(usize);

/// For each value of `BuiltinOperator` its row, if there is one.
static ROWS: LazyLock<Vec<Option<Row>>> = LazyLock::new(|| {
    let mut all: Vec<Option<Row>> = OPERATORS.iter().map(|_| None).collect();
    for row in rows() {
        let code = row.builtin.0;
        all[code] = Some(row);
    }
    all
});

/// Every supported operator, in alphabetical order.
pub static SUPPORTED: LazyLock<Vec<SupportEntry>> = LazyLock::new(|| {
    let entry = |row: &Row| SupportEntry { name: row.builtin.name(), types: row.types, remarks: row.remarks };
    let mut all: Vec<SupportEntry> = ROWS.iter().flatten().map(entry).collect();
    all.sort_by_key(|entry| entry.name);
    all
});

/// Every operator that is computed when reading or goes into another one, and is nothing by itself, in alphabetical order. They have no types.
pub static READ_AWAY: LazyLock<Vec<SupportEntry>> = LazyLock::new(|| {
    let mut all = [COMPUTED, &AROUND, &COMPOSED, &UNROLLED].concat();
    all.sort_by_key(|entry| entry.name);
    all
});

impl Builtin {
    /// The operator of this name in the schema, of which there is one with a row: each use of this is in a row.
    pub(crate) const fn named(name: &str) -> Self {
        let mut code = 0;
        while code < OPERATORS.len() {
            if same(OPERATORS[code], name) {
                return Self(code);
            }
            code += 1;
        }
        panic!("the schema has no operator of this name");
    }

    /// The operator with this value of `BuiltinOperator`, if it is supported.
    pub(crate) fn from_code(code: i32) -> Option<Self> {
        let code = usize::try_from(code).ok()?;
        ROWS.get(code)?.as_ref().map(|row| row.builtin)
    }

    /// Its value of `BuiltinOperator`.
    pub(crate) fn code(self) -> i32 {
        self.0 as i32
    }

    /// Its name in the schema.
    pub(crate) fn name(self) -> &'static str {
        OPERATORS[self.0]
    }

    /// True if it computes with quantised integers; else it moves or converts elements, or has no form for such.
    pub(crate) fn computes(self) -> bool {
        let types = self.row().types;
        types.contains(&Int8) && types != MOVE && !matches!(self, Self::Quantize | Self::Dequantize)
    }

    /// Its row.
    pub(crate) fn row(self) -> &'static Row {
        ROWS[self.0].as_ref().expect("each operator is declared with its row")
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// The value of `BuiltinOptions` that goes with an operator; 0 where it has none of interest.
pub(crate) fn options(builtin: Builtin) -> u8 {
    builtin.row().options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_has_one_row() {
        let mut codes: Vec<usize> = rows().map(|row| row.builtin.0).collect();
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "{codes:?}");
        assert_eq!(codes.len(), SUPPORTED.len());
        assert!(SUPPORTED.is_sorted_by_key(|entry| entry.name));
    }

    #[test]
    fn what_is_read_away_is_in_the_schema_and_has_no_row() {
        for entry in READ_AWAY.iter() {
            assert!(OPERATORS.contains(&entry.name), "{}", entry.name);
            assert!(SUPPORTED.iter().all(|row| row.name != entry.name), "{}", entry.name);
        }
        assert!(READ_AWAY.is_sorted_by_key(|entry| entry.name));
    }
}
