//! A tree of tables as typed fields, and its bytes.
//!
//! Whole files are built as a [`Node`] first, because a FlatBuffer is written from its leaves up. The same tree gives the same
//! bytes on every machine.

use crate::flat::{Field, Many, One, Str, Vector};
use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, WIPOffset};

/// Alignment of constants' bytes, which kernels may load as vectors.
const DATA_ALIGNMENT: usize = 16;

/// What a field holds.
enum Value<'a> {
    Bool(bool),
    I8(i8),
    U8(u8),
    I32(i32),
    U32(u32),
    #[cfg(test)]
    U64(u64),
    F32(f32),
    Text(String),
    Bytes(&'a [u8]),
    I32s(Vec<i32>),
    I64s(Vec<i64>),
    F32s(Vec<f32>),
    Table(Node<'a>),
    Tables(Vec<Node<'a>>),
}

/// A table to be written.
#[derive(Default)]
pub(crate) struct Node<'a>(Vec<(u16, Value<'a>)>);

/// What may be put in a [`Field`] of type `Self`.
pub(crate) trait Holds<'a> {
    type Input;
    #[doc(hidden)]
    fn put(node: &mut Node<'a>, slot: u16, input: Self::Input);
}

macro_rules! holds {
    ($($t:ty, $input:ty => $variant:ident;)*) => {$(impl<'a> Holds<'a> for $t {
        type Input = $input;
        fn put(node: &mut Node<'a>, slot: u16, input: $input) {
            node.0.push((slot, Value::$variant(input)));
        }
    })*};
}
holds! {
    bool, bool => Bool;
    i8, i8 => I8;
    u8, u8 => U8;
    i32, i32 => I32;
    u32, u32 => U32;
    f32, f32 => F32;
    Str, String => Text;
    Vector<u8>, &'a [u8] => Bytes;
    Vector<i32>, Vec<i32> => I32s;
    Vector<i64>, Vec<i64> => I64s;
    Vector<f32>, Vec<f32> => F32s;
    One, Node<'a> => Table;
    Many, Vec<Node<'a>> => Tables;
}

#[cfg(test)]
holds! {
    u64, u64 => U64;
}

impl<'a> Node<'a> {
    /// True if it has this field.
    #[cfg(test)]
    pub(crate) fn holds<T>(&self, field: Field<T>) -> bool {
        self.0.iter().any(|(slot, _)| *slot == field.slot())
    }

    /// The table with this field added. Fields are written even where they hold the schema's default.
    pub(crate) fn with<T: Holds<'a>>(mut self, field: Field<T>, value: T::Input) -> Self {
        T::put(&mut self, field.slot(), value);
        self
    }
}

/// The bytes of a file with this root table, a multiple of 16 so that aligned parts stay so from the file's start. `size` is
/// about how many they will be.
pub(crate) fn serialise(root: &Node<'_>, identifier: &str, size: usize) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::with_capacity(size);
    let root = table(&mut builder, root);
    // The root offset and the identifier come in front: 8 bytes.
    pad(&mut builder, 8);
    builder.finish(root, Some(identifier));
    builder.finished_data().to_vec()
}

/// Pads so that after `following` more bytes the file, which is written from its end, has a multiple of 16.
fn pad(builder: &mut FlatBufferBuilder<'_>, following: usize) {
    while !(builder.unfinished_data().len() + following).is_multiple_of(DATA_ALIGNMENT) {
        builder.push(0u8);
    }
}

fn table<'b>(builder: &mut FlatBufferBuilder<'b>, node: &Node<'_>) -> WIPOffset<UnionWIPOffset> {
    let children: Vec<Option<WIPOffset<UnionWIPOffset>>> =
        node.0.iter().map(|(_, value)| child(builder, value)).collect();
    let start = builder.start_table();
    for ((slot, value), child) in node.0.iter().zip(children) {
        match (value, child) {
            (_, Some(offset)) => builder.push_slot_always(*slot, offset),
            (Value::Bool(v), _) => builder.push_slot_always(*slot, *v),
            (Value::I8(v), _) => builder.push_slot_always(*slot, *v),
            (Value::U8(v), _) => builder.push_slot_always(*slot, *v),
            (Value::I32(v), _) => builder.push_slot_always(*slot, *v),
            (Value::U32(v), _) => builder.push_slot_always(*slot, *v),
            #[cfg(test)]
            (Value::U64(v), _) => builder.push_slot_always(*slot, *v),
            (Value::F32(v), _) => builder.push_slot_always(*slot, *v),
            // Everything else is a child and was matched above.
            _ => {}
        }
    }
    builder.end_table(start).as_union_value()
}

/// Writes what a table refers to by offset; `None` for what lies in the table itself.
fn child(builder: &mut FlatBufferBuilder<'_>, value: &Value<'_>) -> Option<WIPOffset<UnionWIPOffset>> {
    Some(match value {
        Value::Bool(_) | Value::I8(_) | Value::U8(_) | Value::I32(_) | Value::U32(_) | Value::F32(_) => return None,
        #[cfg(test)]
        Value::U64(_) => return None,
        Value::Text(text) => builder.create_string(text).as_union_value(),
        Value::Bytes(bytes) => {
            // A string of bytes is a vector of bytes with a zero behind it, and is copied at once.
            pad(builder, bytes.len() + 1);
            builder.create_byte_string(bytes).as_union_value()
        }
        Value::I32s(list) => builder.create_vector(list).as_union_value(),
        Value::I64s(list) => builder.create_vector(list).as_union_value(),
        Value::F32s(list) => builder.create_vector(list).as_union_value(),
        Value::Table(node) => table(builder, node),
        Value::Tables(nodes) => {
            let offsets: Vec<_> = nodes.iter().map(|node| table(builder, node)).collect();
            builder.create_vector(&offsets).as_union_value()
        }
    })
}
