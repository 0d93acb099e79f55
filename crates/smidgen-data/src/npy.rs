//! NumPy's `.npy` format, versions 1 to 3 (numpy/lib/format.py, "NEP 1"): a magic number, a header that is a Python
//! dictionary, then the elements.
//!
//! The invariant that matters: nothing is allocated on the word of the header; the elements it promises must be there.

use crate::array::{Array, Dtype};

/// The first bytes of every `.npy` file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// Why bytes are not a `.npy` array that smidgen reads.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NpyError {
    /// The magic number is missing.
    #[error("not a NumPy array: it does not begin with the bytes \\x93NUMPY")]
    Magic,
    /// The file ends inside its header.
    #[error("the file ends inside its header")]
    Truncated,
    /// The header is not the dictionary that NumPy writes.
    #[error("the header is not what NumPy writes: {0}")]
    Header(&'static str),
    /// An element type that no network input or output has.
    #[error("elements of type `{0}` are not supported")]
    Dtype(String),
    /// The dimensions' product, in bytes, does not fit this machine.
    #[error("the shape {0:?} has too many elements")]
    TooLarge(Vec<usize>),
    /// The header promises another number of bytes than follow it.
    #[error("the header promises {promised} bytes of elements, the file has {found}")]
    Length {
        /// What shape and element type ask for.
        promised: usize,
        /// What follows the header.
        found: usize,
    },
}

/// Reads an array. Big-endian and Fortran-ordered arrays are brought to the order of [`Array`].
///
/// # Errors
/// If the bytes are not a `.npy` file, or hold a type that smidgen does not use (complex numbers, text, records, Python
/// objects), or more or fewer elements than the header says.
pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Array, NpyError> {
    let mut bytes: Vec<u8> = bytes.into();
    let total = bytes.len();
    let rest = bytes.strip_prefix(MAGIC).ok_or(NpyError::Magic)?;
    let (&[major, _minor], rest) = rest.split_first_chunk::<2>().ok_or(NpyError::Truncated)?;
    let (length, rest) = if major == 1 {
        let (&length, rest) = rest.split_first_chunk::<2>().ok_or(NpyError::Truncated)?;
        (usize::from(u16::from_le_bytes(length)), rest)
    } else {
        let (&length, rest) = rest.split_first_chunk::<4>().ok_or(NpyError::Truncated)?;
        (u32::from_le_bytes(length) as usize, rest)
    };
    let (header, data) = rest.split_at_checked(length).ok_or(NpyError::Truncated)?;
    let header = std::str::from_utf8(header).map_err(|_| NpyError::Header("it is not text"))?;
    let Header { descr, fortran_order, shape } = Header::parse(header)?;

    let (dtype, big_endian) = element_type(&descr).ok_or(NpyError::Dtype(descr))?;
    let promised = shape
        .iter()
        .try_fold(dtype.size(), |n, &d| n.checked_mul(d))
        .ok_or_else(|| NpyError::TooLarge(shape.clone()))?;
    if promised != data.len() {
        return Err(NpyError::Length { promised, found: data.len() });
    }
    // What is large is kept where it is.
    let start = total - promised;
    bytes.drain(..start);
    let mut data = bytes;
    if big_endian {
        data.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
    }
    if fortran_order && shape.len() > 1 {
        data = row_major(&data, &shape, dtype.size());
    }
    Ok(Array { dtype, shape, data })
}

/// The bytes of a version 1 `.npy` file.
pub fn to_bytes(array: &Array) -> Vec<u8> {
    let mark = if array.dtype.size() == 1 { '|' } else { '<' };
    let kind = match array.dtype {
        Dtype::Float32 | Dtype::Float64 => 'f',
        Dtype::Uint8 => 'u',
        Dtype::Bool => 'b',
        Dtype::Int8 | Dtype::Int16 | Dtype::Int32 | Dtype::Int64 => 'i',
    };
    let dims: String = array.shape.iter().map(|d| format!("{d}, ")).collect();
    // `(3,)` needs its comma; NumPy reads a trailing one after more dimensions as well.
    let shape = dims.trim_end();
    let mut header =
        format!("{{'descr': '{mark}{kind}{}', 'fortran_order': False, 'shape': ({shape}), }}", array.dtype.size());
    // The format asks that the elements begin at a multiple of 64, after a line feed.
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a shape of fewer than a thousand dimensions");
    [MAGIC, &[1, 0], &length.to_le_bytes(), header.as_bytes(), &array.data].concat()
}

/// The element type that NumPy's `descr` names, and whether its bytes are big endian.
fn element_type(descr: &str) -> Option<(Dtype, bool)> {
    let (order, name) = descr.split_at_checked(1)?;
    let dtype = match name {
        "f4" => Dtype::Float32,
        "f8" => Dtype::Float64,
        "i1" => Dtype::Int8,
        "i2" => Dtype::Int16,
        "i4" => Dtype::Int32,
        "i8" => Dtype::Int64,
        "u1" => Dtype::Uint8,
        "b1" => Dtype::Bool,
        _ => return None,
    };
    match order {
        "<" | "|" | "=" => Some((dtype, false)),
        ">" => Some((dtype, true)),
        _ => None,
    }
}

/// Elements stored with the first index fastest, brought to the last index fastest.
fn row_major(data: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = size;
    for &d in shape {
        strides.push(stride);
        stride *= d;
    }
    let mut out = Vec::with_capacity(data.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..data.len() / size {
        let at: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
        out.extend_from_slice(&data[at..at + size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

/// The three entries of the header's dictionary.
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, NpyError> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        let mut scan = Scan(text.trim());
        scan.expect('{', "no dictionary")?;
        while !scan.take('}') {
            let key = scan.quoted().ok_or(NpyError::Header("a key is not quoted"))?;
            scan.expect(':', "no colon after a key")?;
            match key {
                // A record type is a list of fields: kept as text, for the message.
                "descr" if scan.starts_with('[') => return Err(NpyError::Dtype("record".into())),
                "descr" => descr = Some(scan.quoted().ok_or(NpyError::Header("descr is not text"))?.to_owned()),
                "fortran_order" => fortran_order = Some(scan.boolean()?),
                "shape" => shape = Some(scan.tuple()?),
                _ => return Err(NpyError::Header("an entry other than descr, fortran_order and shape")),
            }
            scan.take(',');
        }
        Ok(Self {
            descr: descr.ok_or(NpyError::Header("no descr"))?,
            fortran_order: fortran_order.ok_or(NpyError::Header("no fortran_order"))?,
            shape: shape.ok_or(NpyError::Header("no shape"))?,
        })
    }
}

/// What is left of the header.
struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    fn starts_with(&self, c: char) -> bool {
        self.0.trim_start().starts_with(c)
    }

    fn take(&mut self, c: char) -> bool {
        match self.0.trim_start().strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char, otherwise: &'static str) -> Result<(), NpyError> {
        if self.take(c) { Ok(()) } else { Err(NpyError::Header(otherwise)) }
    }

    fn quoted(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (inside, rest) = text[1..].split_once(quote)?;
        self.0 = rest;
        Some(inside)
    }

    fn boolean(&mut self) -> Result<bool, NpyError> {
        let text = self.0.trim_start();
        for (word, value) in [("False", false), ("True", true)] {
            if let Some(rest) = text.strip_prefix(word) {
                self.0 = rest;
                return Ok(value);
            }
        }
        Err(NpyError::Header("fortran_order is neither True nor False"))
    }

    fn tuple(&mut self) -> Result<Vec<usize>, NpyError> {
        const WHAT: NpyError = NpyError::Header("shape is not a tuple of numbers");
        self.expect('(', "shape is not a tuple of numbers")?;
        let mut dims = Vec::new();
        while !self.take(')') {
            let text = self.0.trim_start();
            let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            dims.push(text[..digits].parse().map_err(|_| WHAT)?);
            // Python 2 wrote long integers with an L.
            self.0 = text[digits..].trim_start_matches('L');
            if !self.take(',') && !self.starts_with(')') {
                return Err(WHAT);
            }
        }
        Ok(dims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn reads_what_numpy_writes() {
        let header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }   \n";
        assert_eq!(parse(file(header, &[1, 0, 255, 255])).unwrap().to_f64(), [1.0, -1.0]);
        let scalar = "{'descr': '|u1', 'fortran_order': False, 'shape': (), }\n";
        assert_eq!(parse(file(scalar, &[200])).unwrap().to_f64(), [200.0]);
    }

    #[test]
    fn big_endian_and_fortran_order_are_brought_to_ours() {
        let header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3)}";
        // Column by column: (0,0) (1,0) (0,1) (1,1) (0,2) (1,2).
        let data: Vec<u8> = [1i16, 4, 2, 5, 3, 6].iter().flat_map(|v| v.to_be_bytes()).collect();
        assert_eq!(parse(file(header, &data)).unwrap().to_f64(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(parse(b"PK\x03\x04"), Err(NpyError::Magic));
        assert_eq!(parse(b"\x93NUMPY\x01\x00\xff"), Err(NpyError::Truncated));
        let header =
            |descr: &str, shape: &str| format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}");
        assert_eq!(parse(file(&header("<c8", "(1,)"), &[0; 8])), Err(NpyError::Dtype("<c8".into())));
        assert_eq!(parse(file(&header("|O", "(1,)"), &[])), Err(NpyError::Dtype("|O".into())));
        assert_eq!(parse(file(&header("<f4", "(2, 2)"), &[0; 15])), Err(NpyError::Length { promised: 16, found: 15 }));
        let huge = "(9999999999, 9999999999, 9999999999)";
        assert!(matches!(parse(file(&header("<f4", huge), &[])), Err(NpyError::TooLarge(_))));
        assert!(matches!(parse(file(&header("<f4", "(-1,)"), &[])), Err(NpyError::Header(_))));
        let record = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}";
        assert_eq!(parse(file(record, &[])), Err(NpyError::Dtype("record".into())));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(shape in prop::collection::vec(0usize..5, 0..5), kind in 0..Dtype::ALL.len()) {
            let dtype = Dtype::ALL[kind];
            let bytes = shape.iter().product::<usize>() * dtype.size();
            let array = Array::new(dtype, &shape, (0..bytes).map(|i| i as u8).collect());
            let file = to_bytes(&array);
            prop_assert_eq!((file.len() - bytes) % 64, 0);
            prop_assert_eq!(parse(file), Ok(array));
        }

        #[test]
        fn no_header_panics(header in "[{}()\\[\\]',:0-9A-Za-z<|> ]{0,80}", data in prop::collection::vec(any::<u8>(), 0..16)) {
            let _ = parse(file(&header, &data));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse([MAGIC, &bytes].concat());
        }
    }
}
