//! Versions of operators under which the interpreter's reference kernels are known.
//!
//! The kernel of DEPTHWISE_CONV_2D computes with int4 weights, which came with version 7 of the operator; but among the reference
//! kernels it is listed up to version 6 only, so that the interpreter refuses what it could run. A model is therefore handed to it
//! with the older number.

use std::borrow::Cow;

/// Number of DEPTHWISE_CONV_2D.
const DEPTHWISE_CONV_2D: u32 = 4;
/// Its version with int4 weights, and the newest that the reference kernel is listed with.
const VERSIONS: [u32; 2] = [7, 6];
/// Places of fields in their tables: a model's operator codes; a code's version and number.
const OPERATOR_CODES: usize = 1;
const VERSION: usize = 2;
const BUILTIN_CODE: usize = 3;

/// The model as the reference kernels take it. Whatever is no model stays as it is.
pub(crate) fn known(model: &[u8]) -> Cow<'_, [u8]> {
    let mut known = Cow::Borrowed(model);
    for at in versions(model).unwrap_or_default() {
        known.to_mut()[at..at + 4].copy_from_slice(&VERSIONS[1].to_le_bytes());
    }
    known
}

/// Where the versions stand that must be lowered; `None` if the bytes are no model.
fn versions(model: &[u8]) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    let place = field(model, follow(model, 0)?, OPERATOR_CODES)??;
    let codes = follow(model, place)?;
    for index in 0..word(model, codes)? as usize {
        let table = follow(model, codes.checked_add(4 * index + 4)?)?;
        let (Some(code), Some(version)) = (field(model, table, BUILTIN_CODE)?, field(model, table, VERSION)?) else {
            continue;
        };
        if word(model, code)? == DEPTHWISE_CONV_2D && word(model, version)? == VERSIONS[0] {
            found.push(version);
        }
    }
    Some(found)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// What an offset points to: it counts from where it stands.
fn follow(bytes: &[u8], at: usize) -> Option<usize> {
    at.checked_add(word(bytes, at)? as usize)
}

/// The place of a table's field. Before the table lies, at a signed distance, the list of its fields' places.
fn field(bytes: &[u8], table: usize, index: usize) -> Option<Option<usize>> {
    let list = table.checked_add_signed((word(bytes, table)? as i32 as isize).checked_neg()?)?;
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)));
    if 2 * index + 4 >= half(list)? {
        return Some(None);
    }
    let place = half(list + 2 * index + 4)?;
    Some((place > 0).then_some(table + place))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of nothing but one operator code.
    fn model(code: u32, version: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let words = |bytes: &mut Vec<u8>, words: &[u32]| words.iter().for_each(|w| bytes.extend(w.to_le_bytes()));
        let halves = |bytes: &mut Vec<u8>, halves: &[u16]| halves.iter().for_each(|h| bytes.extend(h.to_le_bytes()));
        words(&mut bytes, &[12]);
        // Fields of the root at 4, the root at 12, the list of codes at 20, the code's fields at 28, the code at 40.
        halves(&mut bytes, &[8, 8, 0, 4]);
        words(&mut bytes, &[8, 4, 1, 16]);
        halves(&mut bytes, &[12, 12, 0, 0, 4, 8]);
        words(&mut bytes, &[12, version, code]);
        bytes
    }

    #[test]
    fn only_int4_depthwise_is_lowered() {
        assert_eq!(known(&model(4, 7)), model(4, 6));
        for same in [model(4, 3), model(3, 7), b"not a model".to_vec(), Vec::new(), vec![255; 64]] {
            assert_eq!(known(&same), same);
        }
        let whole = model(4, 7);
        (0..whole.len()).for_each(|end| assert_eq!(&*known(&whole[..end]), &whole[..end]));
    }
}
