//! Four weights in one word, as the extraction of two at a time (SXTB16) wants them.
//!
//! The bytes are `w0 w2 w1 w3`: the even ones, sign-extended to 16 bits, are `(w0, w1)`, and the odd ones `(w2, w3)`. So they lie as the
//! activations `x0 .. x3` do in two words, and two dual multiply-accumulates take the four products.

/// Four weights in the order of their bytes.
pub(super) fn pack([w0, w1, w2, w3]: [i8; 4]) -> [i8; 4] {
    [w0, w2, w1, w3]
}

/// `sum` and four products; `weights` are [packed](pack).
#[inline(always)]
pub(super) fn multiply(sum: i32, weights: &[i8; 4], x: &[i16; 4]) -> i32 {
    let product = |x: i16, w: i8| i32::from(x).wrapping_mul(w.into());
    let (first, second) = (product(x[0], weights[0]), product(x[1], weights[2]));
    let (third, fourth) = (product(x[2], weights[1]), product(x[3], weights[3]));
    sum.wrapping_add(first).wrapping_add(second).wrapping_add(third).wrapping_add(fourth)
}
