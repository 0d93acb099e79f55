//! What a kernel may do with a vector: sixteen lanes of f32, the same sixteen whatever the processor's registers hold.
//!
//! The invariant: each operation rounds as this trait says, lane by lane, so that a kernel written with it gives the
//! same bits on every instruction set.

/// Sixteen lanes of f32 on one instruction set.
///
/// Every function asks of its caller that the processor has the instruction set, and of those with a pointer that the
/// elements touched may be read or written; `n` is 1 to 16, and lanes from `n` on are neither read nor written.
pub(super) trait Lanes: Copy {
    /// Sixteen floats.
    type V: Copy;
    /// Rows of a tile of the matrix product.
    const ROWS: usize;
    /// Whether such a tile is two vectors wide: where there are registers for it.
    const PAIR: bool;

    /// Zeros.
    unsafe fn zero() -> Self::V;
    /// `x` in every lane.
    unsafe fn splat(x: f32) -> Self::V;
    /// The 16 elements at `p`.
    unsafe fn load(p: *const f32) -> Self::V;
    /// The `n` elements at `p`, then zeros.
    unsafe fn load_n(p: *const f32, n: usize) -> Self::V;
    /// Writes all lanes to `p`.
    unsafe fn store(p: *mut f32, v: Self::V);
    /// Writes the first `n` lanes to `p`.
    unsafe fn store_n(p: *mut f32, v: Self::V, n: usize);
    /// `a * b + c`, rounded once.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a + b`.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `low` where `low > v`, else `v`: a NaN in `v` stays.
    unsafe fn at_least(low: Self::V, v: Self::V) -> Self::V;
    /// `high` where `high < v`, else `v`: a NaN in `v` stays.
    unsafe fn at_most(high: Self::V, v: Self::V) -> Self::V;
    /// `x` where `low < v && v < high`, else 0.
    unsafe fn inside(low: Self::V, v: Self::V, high: Self::V, x: Self::V) -> Self::V;
    /// The lanes in order.
    unsafe fn array(v: Self::V) -> [f32; 16];

    /// Adds the first `n` lanes to `n` doubles.
    #[inline(always)]
    unsafe fn add_to_doubles(to: *mut f64, v: Self::V, n: usize) {
        // SAFETY: the caller's `n` doubles.
        unsafe {
            for (i, x) in Self::array(v).iter().enumerate().take(n) {
                *to.add(i) += f64::from(*x);
            }
        }
    }
}
