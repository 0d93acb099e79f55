//! Are two outputs the same?

use smidgen_ir::ElementType;

/// Relative error that two floats may have.
const TOLERANCE: f32 = 1e-5;

/// Where two tensors' bytes first differ by more than they may.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    /// Index of the first element that differs.
    pub index: usize,
    /// How many differ.
    pub count: usize,
    /// The reference's value.
    pub expected: String,
    /// Our value.
    pub got: String,
    /// The greatest distance between two floats; infinite where what differs are no numbers.
    pub most: f32,
}

/// Compares the bytes of two tensors of the same element type: integers for equality, floats to 1e-5 relative.
pub fn difference(element: ElementType, expected: &[u8], got: &[u8]) -> Option<Difference> {
    difference_of(element, expected, got, 0.0)
}

/// The same where floats below `unit` are compared as parts of it: the unit of a layer whose outputs are sums of
/// greater numbers, which the reference adds in an order of its own, so that those near 0 keep only what rounding
/// leaves of them.
pub fn difference_of(element: ElementType, expected: &[u8], got: &[u8], unit: f32) -> Option<Difference> {
    if expected.len() != got.len() {
        let show = |bytes: &[u8]| format!("{} bytes", bytes.len());
        let most = f32::INFINITY;
        return Some(Difference { index: 0, count: 0, expected: show(expected), got: show(got), most });
    }
    let width = element.bits().div_ceil(8);
    let pairs = || expected.chunks_exact(width).zip(got.chunks_exact(width)).enumerate();
    let differs = |a: &[u8], b: &[u8]| a != b && !(element == ElementType::Float32 && close(float(a), float(b), unit));
    let (index, (a, b)) = pairs().find(|(_, (a, b))| differs(a, b))?;
    let count = pairs().filter(|(_, (a, b))| differs(a, b)).count();
    let distance = |(_, (a, b)): (usize, (&[u8], &[u8]))| match element {
        ElementType::Float32 if float(a) == float(b) => 0.0,
        // What is no number has no distance.
        ElementType::Float32 => Some((float(a) - float(b)).abs()).filter(|d| !d.is_nan()).unwrap_or(f32::INFINITY),
        _ => f32::INFINITY,
    };
    let most = pairs().map(distance).fold(0.0, f32::max);
    Some(Difference { index, count, expected: show(element, a), got: show(element, b), most })
}

/// The greatest magnitude among floats, at least 1: what most recurrent layers put out lies between -1 and 1.
pub fn greatest(floats: &[u8]) -> f32 {
    floats.chunks_exact(4).fold(1.0, |most, bytes| most.max(float(bytes).abs()))
}

fn float(bytes: &[u8]) -> f32 {
    f32::from_le_bytes(bytes.try_into().expect("a float has four bytes"))
}

fn close(a: f32, b: f32, unit: f32) -> bool {
    // Below the least normal number a float has fewer bits than the tolerance asks for.
    let tolerance = (TOLERANCE * a.abs().max(b.abs()).max(unit)).max(f32::MIN_POSITIVE * TOLERANCE);
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance
}

fn show(element: ElementType, bytes: &[u8]) -> String {
    match element {
        ElementType::Float32 => format!("{:?}", float(bytes)),
        _ => {
            // Sign-extend from the top byte.
            let fill = if bytes[bytes.len() - 1] & 0x80 == 0 { 0 } else { 0xff };
            let mut wide = [fill; 8];
            wide[..bytes.len()].copy_from_slice(bytes);
            i64::from_le_bytes(wide).to_string()
        }
    }
}

#[test]
fn one_step_and_one_part_in_ten_thousand_are_differences() {
    let found = difference(ElementType::Int8, &[1, 2, 0xff], &[1, 2, 0xfe]).unwrap();
    assert_eq!((found.index, found.count, found.expected.as_str(), found.got.as_str()), (2, 1, "-1", "-2"));
    assert_eq!(difference(ElementType::Int8, &[1, 2], &[1, 2]), None);
    assert!(difference(ElementType::Int8, &[1, 2], &[1]).is_some());
    let floats = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
    let near = difference(ElementType::Float32, &floats(&[1.0, -0.0, 1e9]), &floats(&[1.000009, 0.0, 1e9]));
    assert_eq!(near, None);
    let far = difference(ElementType::Float32, &floats(&[0.0, 1.0]), &floats(&[0.0, 1.0001])).unwrap();
    assert_eq!((far.index, far.count), (1, 1));
    assert!((far.most - 1e-4).abs() < 1e-6, "{}", far.most);
    assert!(difference(ElementType::Float32, &floats(&[0.0]), &floats(&[f32::NAN])).is_some());
}
