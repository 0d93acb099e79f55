//! The wire format of protocol buffers: checked fields of a message, nothing copied.
//!
//! A message is a run of fields, each a number, a wire type and a value. Views borrow the file, so a hostile one costs no more
//! memory than what its reader decides to keep.

/// Where and why a file is not what it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct WireError {
    /// Message and field.
    pub place: String,
    /// Byte offset in the file.
    pub offset: usize,
    /// What is wrong there.
    pub what: String,
}

/// A message's bytes, and where in the file they begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// The message's name in the format's definition.
    pub name: &'static str,
    bytes: &'a [u8],
    offset: usize,
}

/// A field's value.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// Its number in the format's definition.
    pub number: u32,
    message: &'static str,
    /// Where its value begins.
    offset: usize,
    value: Value<'a>,
}

impl<'a> Message<'a> {
    /// The file's outermost message.
    pub fn root(name: &'static str, bytes: &'a [u8]) -> Self {
        Self { name, bytes, offset: 0 }
    }

    /// Bytes that it takes in the file.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Its fields in the file's order.
    pub fn fields(&self) -> Fields<'a> {
        Fields { name: self.name, bytes: self.bytes, offset: self.offset }
    }

    /// Something is wrong with it.
    pub fn fault(&self, what: impl Into<String>) -> WireError {
        WireError { place: self.name.into(), offset: self.offset, what: what.into() }
    }
}

/// Iterates over the fields of a message.
pub(crate) struct Fields<'a> {
    name: &'static str,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Fields<'a> {
    fn fault(&self, what: &str) -> WireError {
        WireError { place: self.name.into(), offset: self.offset, what: what.into() }
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], WireError> {
        let count = usize::try_from(count).ok().filter(|&n| n <= self.bytes.len());
        let count = count.ok_or_else(|| self.fault("a field is longer than what is left of the message"))?;
        let (taken, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        self.offset += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let (value, used) = varint(self.bytes).ok_or_else(|| self.fault("a number does not end"))?;
        self.bytes = &self.bytes[used..];
        self.offset += used;
        Ok(value)
    }

    fn field(&mut self) -> Result<Field<'a>, WireError> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|&n| n > 0);
        let number = number.ok_or_else(|| self.fault("a field's number is impossible"))?;
        let mut offset = self.offset;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                offset = self.offset;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(self.array()?),
            other => return Err(self.fault(&format!("wire type {other} is unknown"))),
        };
        Ok(Field { number, message: self.name, offset, value })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.bytes = &[];
        }
        Some(field)
    }
}

/// A number of 7 bits a byte, lowest first, and the bytes it took.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

impl<'a> Field<'a> {
    /// Something is wrong with it.
    pub fn fault(&self, what: impl Into<String>) -> WireError {
        WireError { place: format!("{}, field {}", self.message, self.number), offset: self.offset, what: what.into() }
    }

    fn wrong(&self, expected: &str) -> WireError {
        let found = match self.value {
            Value::Varint(_) => "a number",
            Value::Fixed64(_) => "8 bytes",
            Value::Bytes(_) => "bytes",
            Value::Fixed32(_) => "4 bytes",
        };
        self.fault(format!("{expected} is expected, but it is {found}"))
    }

    /// A signed number.
    pub fn int(&self) -> Result<i64, WireError> {
        match self.value {
            Value::Varint(value) => Ok(value as i64),
            _ => Err(self.wrong("a number")),
        }
    }

    /// A single-precision number.
    pub fn float(&self) -> Result<f32, WireError> {
        match self.value {
            Value::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err(self.wrong("a float")),
        }
    }

    /// Bytes.
    pub fn bytes(&self) -> Result<&'a [u8], WireError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong("a run of bytes")),
        }
    }

    /// Text.
    pub fn text(&self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| self.fault("it is not UTF-8 text"))
    }

    /// A message within this one.
    pub fn message(&self, name: &'static str) -> Result<Message<'a>, WireError> {
        Ok(Message { name, bytes: self.bytes()?, offset: self.offset })
    }

    /// The numbers of a repeated field, of which this is one or all: a field for each, or all packed into one.
    pub fn ints(&self, mut keep: impl FnMut(i64)) -> Result<(), WireError> {
        match self.value {
            Value::Varint(value) => keep(value as i64),
            Value::Bytes(mut bytes) => {
                while !bytes.is_empty() {
                    let (value, used) = varint(bytes).ok_or_else(|| self.fault("a number does not end"))?;
                    keep(value as i64);
                    bytes = &bytes[used..];
                }
            }
            _ => return Err(self.wrong("a list of numbers")),
        }
        Ok(())
    }

    /// The little-endian bytes of a repeated field of `size`-byte numbers, one or all packed.
    pub fn fixed(&self, size: usize, mut keep: impl FnMut(&[u8])) -> Result<(), WireError> {
        match &self.value {
            Value::Fixed32(bytes) if size == 4 => keep(bytes),
            Value::Fixed64(bytes) if size == 8 => keep(bytes),
            Value::Bytes(bytes) if bytes.len() % size == 0 => keep(bytes),
            _ => return Err(self.wrong(&format!("a list of {size}-byte numbers"))),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_with_their_numbers_and_values() {
        // Field 1: 300. Field 2: "hi". Field 3: 1.0 as four bytes.
        let bytes = [0x08, 0xac, 0x02, 0x12, 2, b'h', b'i', 0x1d, 0, 0, 0x80, 0x3f];
        let fields: Vec<Field<'_>> = Message::root("M", &bytes).fields().collect::<Result<_, _>>().unwrap();
        assert_eq!(fields.iter().map(|f| f.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(fields[0].int(), Ok(300));
        assert_eq!(fields[1].text(), Ok("hi"));
        assert_eq!(fields[2].float(), Ok(1.0));
        assert!(fields[0].text().is_err() && fields[1].int().is_err());
    }

    #[test]
    fn what_does_not_end_is_refused_with_its_place() {
        for bytes in [&[0x08][..], &[0x08, 0xff], &[0x12, 5, 1], &[0x0b], &[0x00, 0], &[0x1d, 0, 0]] {
            let last = Message::root("M", bytes).fields().last().unwrap();
            let fault = last.unwrap_err();
            assert_eq!(fault.place, "M", "{bytes:?}");
            assert!(fault.offset <= bytes.len(), "{bytes:?}");
        }
    }
}
