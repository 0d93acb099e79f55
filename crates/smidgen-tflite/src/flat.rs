//! Checked reading of FlatBuffers tables, on top of `planus`.
//!
//! The one invariant: nothing here believes the file. Every offset and length is compared with the bytes there are
//! before it is followed, nothing is allocated, and every failure names the table, the field and the byte at which it lies.
//! [`Record`] is one table, [`Records`] a vector of tables, [`Numbers`] a vector of scalars; [`Field`] says which field of which
//! table holds what, so that [`crate::schema`] is the only place with field numbers.

use planus::errors::ErrorKind;
use planus::table_reader::Table;
use planus::{SliceWithStartOffset, TableRead};
use std::fmt;
use std::marker::PhantomData;

/// Why a table could not be followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    /// Table and field, as the schema names them: `Tensor.shape`.
    pub place: String,
    /// Byte offset in the file of the table or vector that is at fault.
    pub offset: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.place, self.offset, self.what)
    }
}

/// A field of a table: its number in the schema, its names, and (by `T`) what it holds.
pub(crate) struct Field<T> {
    /// Number of the field in its table.
    pub id: u16,
    table: &'static str,
    name: &'static str,
    holds: PhantomData<fn() -> T>,
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Field<T> {}

impl<T> Field<T> {
    pub(crate) const fn new(table: &'static str, name: &'static str, id: u16) -> Self {
        Self { id, table, name, holds: PhantomData }
    }

    /// Where the field's offset stands in a table's vtable: after its two sizes, two bytes for each field.
    pub(crate) const fn slot(self) -> u16 {
        4 + 2 * self.id
    }

    fn fault(self, offset: usize, what: impl fmt::Display) -> Fault {
        Fault { place: format!("{}.{}", self.table, self.name), offset, what: what.to_string() }
    }
}

/// What a field can hold, and how it is seen when read.
pub(crate) trait Held {
    /// The view of a field of a file that lives for `'a`.
    type View<'a>: TableRead<'a>;
}

macro_rules! scalars {
    ($($t:ty),*) => {$(impl Held for $t {
        type View<'a> = $t;
    })*};
}
scalars!(bool, i8, u8, i32, u32, u64, f32);

/// A string, in a [`Field`].
pub(crate) enum Str {}
/// A vector of scalars, in a [`Field`].
pub(crate) struct Vector<T>(PhantomData<T>);
/// A table, in a [`Field`].
pub(crate) enum One {}
/// A vector of tables, in a [`Field`].
pub(crate) enum Many {}

impl Held for Str {
    type View<'a> = Text<'a>;
}
impl<T: Scalar> Held for Vector<T> {
    type View<'a> = Numbers<'a, T>;
}
impl Held for One {
    type View<'a> = Record<'a>;
}
impl Held for Many {
    type View<'a> = Records<'a>;
}

/// A number that a vector can hold.
pub(crate) trait Scalar: Copy {
    /// Bytes.
    const SIZE: usize;
    /// From as many little-endian bytes as `SIZE` says.
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! vector_scalars {
    ($($t:ty),*) => {$(impl Scalar for $t {
        const SIZE: usize = size_of::<$t>();
        fn from_bytes(bytes: &[u8]) -> Self {
            let mut raw = [0; size_of::<$t>()];
            raw.copy_from_slice(bytes);
            <$t>::from_le_bytes(raw)
        }
    })*};
}
vector_scalars!(u8, i32, i64, f32);

/// One table.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    table: Table<'a>,
    /// Byte offset of the table in the file.
    at: usize,
}

impl<'a> Record<'a> {
    /// The root table of a file, whose offset is the file's first four bytes.
    pub(crate) fn root(bytes: &'a [u8]) -> Result<Self, Fault> {
        let file = SliceWithStartOffset { buffer: bytes, offset_from_start: 0 };
        <Self as TableRead>::from_buffer(file, 0).map_err(|kind| Fault {
            place: "the root offset".into(),
            offset: 0,
            what: describe(kind),
        })
    }

    /// The field, or `None` if the table does not hold it.
    pub(crate) fn get<T: Held>(&self, field: Field<T>) -> Result<Option<T::View<'a>>, Fault> {
        self.table
            .access(field.id.into(), field.table, field.name)
            .map_err(|error: planus::Error| field.fault(self.at, describe(error.error_kind)))
    }

    /// A vector of tables, empty if there is none.
    pub(crate) fn records(&self, field: Field<Many>) -> Result<Records<'a>, Fault> {
        Ok(self.get(field)?.unwrap_or(Records { elements: None, name: field.table }).named(field.name))
    }

    /// The numbers of a vector, none if there is no vector.
    pub(crate) fn numbers<T: Scalar>(&self, field: Field<Vector<T>>) -> Result<Numbers<'a, T>, Fault> {
        Ok(self.get(field)?.unwrap_or(Numbers { bytes: &[], at: self.at, of: PhantomData }))
    }

    /// Byte offset in the file of the vector of tables that a field refers to.
    #[cfg(test)]
    pub(crate) fn position(&self, field: Field<Many>) -> Option<usize> {
        let records = self.get(field).ok()??;
        records.elements.map(|(buffer, _)| buffer.offset_from_start)
    }

    /// A fault of this table's field, for what only the caller can know to be wrong.
    pub(crate) fn fault<T>(&self, field: Field<T>, what: impl fmt::Display) -> Fault {
        field.fault(self.at, what)
    }
}

impl<'a> TableRead<'a> for Record<'a> {
    fn from_buffer(buffer: SliceWithStartOffset<'a>, offset: usize) -> Result<Self, ErrorKind> {
        let target = follow(buffer, offset)?;
        Ok(Self { table: Table::from_buffer(buffer, offset)?, at: target.offset_from_start })
    }
}

/// A vector of tables.
#[derive(Clone, Copy)]
pub(crate) struct Records<'a> {
    /// The length prefix and what follows, cut after the last element only by the file's end; the number of elements.
    elements: Option<(SliceWithStartOffset<'a>, usize)>,
    name: &'static str,
}

impl<'a> Records<'a> {
    fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(crate) fn len(&self) -> usize {
        self.elements.map_or(0, |(_, len)| len)
    }

    /// The table at `index`, or `None` if there are not so many.
    pub(crate) fn get(&self, index: usize) -> Result<Option<Record<'a>>, Fault> {
        let Some((buffer, len)) = self.elements else { return Ok(None) };
        if index >= len {
            return Ok(None);
        }
        let place = 4 + 4 * index;
        <Record as TableRead>::from_buffer(buffer, place).map(Some).map_err(|kind| Fault {
            place: format!("{}[{index}]", self.name),
            offset: buffer.offset_from_start + place,
            what: describe(kind),
        })
    }
}

impl<'a> TableRead<'a> for Records<'a> {
    fn from_buffer(buffer: SliceWithStartOffset<'a>, offset: usize) -> Result<Self, ErrorKind> {
        let (vector, len) = vector(buffer, offset, 4)?;
        Ok(Self { elements: Some((vector, len)), name: "" })
    }
}

/// A vector of scalars.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a, T> {
    bytes: &'a [u8],
    /// Byte offset of the first element in the file.
    pub at: usize,
    of: PhantomData<T>,
}

impl<'a, T: Scalar + 'a> Numbers<'a, T> {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / T::SIZE
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = T> + 'a {
        self.bytes.chunks_exact(T::SIZE).map(T::from_bytes)
    }

    /// The elements as they lie in the file.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a, T: Scalar> TableRead<'a> for Numbers<'a, T> {
    fn from_buffer(buffer: SliceWithStartOffset<'a>, offset: usize) -> Result<Self, ErrorKind> {
        let (vector, len) = vector(buffer, offset, T::SIZE)?;
        let bytes = &vector.buffer[4..4 + len * T::SIZE];
        Ok(Self { bytes, at: vector.offset_from_start + 4, of: PhantomData })
    }
}

/// A string. Names may hold anything, so bytes that are not UTF-8 are replaced rather than refused.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a>(pub &'a [u8]);

impl Text<'_> {
    pub(crate) fn lossy(&self) -> String {
        String::from_utf8_lossy(self.0).into_owned()
    }
}

impl<'a> TableRead<'a> for Text<'a> {
    fn from_buffer(buffer: SliceWithStartOffset<'a>, offset: usize) -> Result<Self, ErrorKind> {
        Numbers::<u8>::from_buffer(buffer, offset).map(|numbers| Self(numbers.bytes))
    }
}

/// Follows the forward offset stored at `offset`.
fn follow(buffer: SliceWithStartOffset<'_>, offset: usize) -> Result<SliceWithStartOffset<'_>, ErrorKind> {
    let forward = <u32 as TableRead>::from_buffer(buffer, offset)? as usize;
    buffer.advance(offset.checked_add(forward).ok_or(ErrorKind::InvalidOffset)?)
}

/// Follows the offset at `offset` to a vector whose elements take `size` bytes, all of which lie in the file. They need not be
/// aligned, as numbers are put together from their bytes: writers other than TensorFlow's do not align what takes 8 bytes.
fn vector(
    buffer: SliceWithStartOffset<'_>,
    offset: usize,
    size: usize,
) -> Result<(SliceWithStartOffset<'_>, usize), ErrorKind> {
    let vector = follow(buffer, offset)?;
    let len = <u32 as TableRead>::from_buffer(vector, 0)? as usize;
    let fits = len.checked_mul(size).is_some_and(|bytes| bytes <= vector.buffer.len() - 4);
    if !fits {
        return Err(ErrorKind::InvalidLength);
    }
    Ok((vector, len))
}

fn describe(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::InvalidOffset => "its offset leads outside the file".into(),
        ErrorKind::InvalidLength => "it is longer than the file".into(),
        ErrorKind::InvalidVtableLength { length } => format!("a table cannot have a field list of {length} bytes"),
        other => other.to_string(),
    }
}
