//! The memory that kernels work in, with or without checks of bounds.
//!
//! A kernel is written once, with `arena[i]` and `weights[i]`. Whether that is checked is a type parameter:
//! - [`Checked`] is what the host uses: made from slices by safe functions, any access outside panics.
//! - [`Certified`] is what firmware uses: a bare pointer, no length, no check, no way to panic. It can only be made by an `unsafe fn`,
//!   whose caller vouches for every access.
//!
//! The invariant that matters: a kernel reaches activations and constants through these types alone, so that a run that passes
//! with [`Checked`] makes exactly the accesses that the same run makes with [`Certified`].

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Index, IndexMut, Range};
use core::ptr::NonNull;
use core::slice;

mod sealed {
    pub trait Sealed {}
}
use sealed::Sealed;

/// Whether accesses are checked: [`Checked`] or [`Certified`].
pub trait Bounds: Copy + fmt::Debug + Sealed + 'static {
    /// What is known of a length.
    #[doc(hidden)]
    type Len: Copy;
    /// What is known of a hole.
    #[doc(hidden)]
    type Hole: Copy;
    #[doc(hidden)]
    fn len(len: usize) -> Self::Len;
    #[doc(hidden)]
    fn hole(hole: Range<usize>) -> Self::Hole;
    /// Panics unless `index < len`, if that is known.
    #[doc(hidden)]
    fn check_index(len: Self::Len, index: usize);
    /// Panics unless `from <= to <= len`, if that is known.
    #[doc(hidden)]
    fn check_range(len: Self::Len, from: usize, to: usize);
    /// Panics unless `count` elements from `from` on lie wholly on one side of the hole, if that is known.
    #[doc(hidden)]
    fn check_apart(hole: Self::Hole, from: usize, count: usize);
    /// Panics unless `address` is a multiple of `alignment`, if such things are checked.
    #[doc(hidden)]
    fn check_aligned(address: usize, alignment: usize);
}

/// Every access is checked, and one outside panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checked {}

/// No access is checked: whoever made the value vouched for all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Certified {}

impl Sealed for Checked {}
impl Sealed for Certified {}

impl Bounds for Checked {
    type Len = usize;
    type Hole = (usize, usize);

    #[inline(always)]
    fn len(len: usize) -> usize {
        len
    }

    #[inline(always)]
    fn hole(hole: Range<usize>) -> (usize, usize) {
        (hole.start, hole.end)
    }

    #[inline(always)]
    #[track_caller]
    fn check_index(len: usize, index: usize) {
        if index >= len {
            outside(index, index, len);
        }
    }

    #[inline(always)]
    #[track_caller]
    fn check_range(len: usize, from: usize, to: usize) {
        if from > to || to > len {
            outside(from, to, len);
        }
    }

    #[inline(always)]
    #[track_caller]
    fn check_apart((start, end): (usize, usize), from: usize, count: usize) {
        // The range is inside the memory, so the sum does not overflow.
        if from < end && from + count > start {
            outside(from, from + count, start);
        }
    }

    #[inline(always)]
    #[track_caller]
    fn check_aligned(address: usize, alignment: usize) {
        assert!(address.is_multiple_of(alignment), "memory is not aligned to {alignment} bytes");
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn outside(from: usize, to: usize, len: usize) -> ! {
    panic!("elements {from} to {to} lie outside a memory of {len}, or in a part of it that was carved out");
}

impl Bounds for Certified {
    type Len = ();
    type Hole = ();

    #[inline(always)]
    fn len(_: usize) {}

    #[inline(always)]
    fn hole(_: Range<usize>) {}

    #[inline(always)]
    fn check_index((): (), _: usize) {}

    #[inline(always)]
    fn check_range((): (), _: usize, _: usize) {}

    #[inline(always)]
    fn check_apart((): (), _: usize, _: usize) {}

    #[inline(always)]
    fn check_aligned(_: usize, _: usize) {}
}

/// Numbers that memory can be viewed as: any bits are a value, and none is padding.
pub trait Element: Copy + Sealed + 'static {}

macro_rules! elements {
    ($($t:ty),*) => { $( impl Sealed for $t {} impl Element for $t {} )* };
}
elements!(i8, u8, i16, u16, i32, u32, i64, u64, f32);

/// What activations are stored as: two's complement of 8 or 16 bits.
pub trait Integer: Element + Ord + Into<i32> {
    /// The least.
    const MIN: Self;
    /// The greatest.
    const MAX: Self;
    /// Bits that ADD and SUB shift their operands left by before they bring them to a common scale: as many as leave room for the sum.
    const SUM_SHIFT: u32;

    /// The lowest bits of an int32.
    fn wrap(x: i32) -> Self;
}

macro_rules! integers {
    ($($t:ident $shift:literal),*) => { $(
        impl Integer for $t {
            const MIN: Self = $t::MIN;
            const MAX: Self = $t::MAX;
            const SUM_SHIFT: u32 = $shift;

            #[inline(always)]
            fn wrap(x: i32) -> Self {
                x as $t
            }
        }
    )* };
}
integers!(i8 20, i16 15);

/// The arena, or a part of it, as elements that a kernel may read and write.
///
/// With [`Certified`] it is no bigger than a pointer.
pub struct Arena<'a, T, B: Bounds = Checked> {
    start: NonNull<T>,
    len: B::Len,
    borrowed: PhantomData<&'a mut [T]>,
}

impl<'a, T> Arena<'a, T, Checked> {
    /// The elements of a slice.
    #[inline]
    pub fn new(elements: &'a mut [T]) -> Self {
        Self { len: elements.len(), start: NonNull::from(elements).cast(), borrowed: PhantomData }
    }
}

impl<T> Arena<'_, T, Certified> {
    /// The elements from `start` on.
    ///
    /// # Safety
    /// For as long as the result and what is made from it live, every element that is accessed through them must lie in one
    /// allocation from `start` on, initialised, aligned for its type, and accessed by nothing else. A kernel call of a Program that
    /// `smidgen_certify::certify` has certified accesses nothing else
    /// than the `arena_bytes` of that Program, at offsets aligned for their types where `start` is aligned to 16 bytes.
    #[inline(always)]
    pub const unsafe fn certified(start: *mut T) -> Self {
        // SAFETY: the start of an allocation is not null.
        Self { start: unsafe { NonNull::new_unchecked(start) }, len: (), borrowed: PhantomData }
    }
}

impl<'a, T, B: Bounds> Arena<'a, T, B> {
    /// The same memory for a shorter time, to hand on and keep.
    #[inline(always)]
    pub fn reborrow(&mut self) -> Arena<'_, T, B> {
        Arena { start: self.start, len: self.len, borrowed: PhantomData }
    }

    /// `count` elements from `from` on.
    ///
    /// # Panics
    /// If [`Checked`] and they are not all inside.
    #[inline(always)]
    #[track_caller]
    pub fn span(&self, from: usize, count: usize) -> &[T] {
        &self[from..from.wrapping_add(count)]
    }

    /// Like [`span`](Self::span), to write.
    ///
    /// # Panics
    /// As [`span`](Self::span).
    #[inline(always)]
    #[track_caller]
    pub fn span_mut(&mut self, from: usize, count: usize) -> &mut [T] {
        &mut self[from..from.wrapping_add(count)]
    }

    /// Address of element `from`, good for `count` elements: for blocks of assembly. Several such addresses may be in use together,
    /// and overlap, while the arena is not used otherwise.
    ///
    /// # Panics
    /// As [`span`](Self::span).
    #[inline(always)]
    #[track_caller]
    pub fn pointer(&mut self, from: usize, count: usize) -> *mut T {
        B::check_range(self.len, from, from.wrapping_add(count));
        // SAFETY: checked, or vouched for by who made a certified arena.
        unsafe { self.start.as_ptr().add(from) }
    }

    /// Spans of `count` elements that may overlap: one to be read, say, while another is written.
    ///
    /// # Panics
    /// As [`span`](Self::span).
    #[inline(always)]
    #[track_caller]
    pub fn cells<const N: usize>(&mut self, from: [usize; N], count: usize) -> [&[Cell<T>]; N] {
        from.map(|from| {
            let start = self.pointer(from, count).cast::<Cell<T>>().cast_const();
            // SAFETY: `pointer` gives `count` elements, a cell is laid out as what it holds, and the arena is borrowed mutably for as
            // long as the cells live.
            unsafe { slice::from_raw_parts(start, count) }
        })
    }

    /// The `N` elements from `from` on.
    ///
    /// # Panics
    /// As [`span`](Self::span).
    #[inline(always)]
    #[track_caller]
    pub fn load<const N: usize>(&self, from: usize) -> [T; N]
    where
        T: Element,
    {
        B::check_range(self.len, from, from.wrapping_add(N));
        // SAFETY: checked, or vouched for; an array is aligned as its elements are.
        unsafe { self.start.as_ptr().add(from).cast::<[T; N]>().read() }
    }

    /// Writes the `N` elements from `from` on.
    ///
    /// # Panics
    /// As [`span`](Self::span).
    #[inline(always)]
    #[track_caller]
    pub fn store<const N: usize>(&mut self, from: usize, elements: [T; N])
    where
        T: Element,
    {
        let to = self.pointer(from, N);
        // SAFETY: `pointer` gives N elements; an array is aligned as its elements are.
        unsafe { to.cast::<[T; N]>().write(elements) }
    }

    /// Copies `count` elements within the arena; the two places may overlap.
    ///
    /// # Panics
    /// As [`span`](Self::span), of either place.
    #[inline(always)]
    #[track_caller]
    pub fn copy(&mut self, from: usize, to: usize, count: usize)
    where
        T: Element,
    {
        let (from, to) = (self.pointer(from, count).cast_const(), self.pointer(to, count));
        // SAFETY: both are good for `count` elements; `copy` allows overlap.
        unsafe { core::ptr::copy(from, to, count) }
    }

    /// Copies `count` elements of a constant, from its element `at` on, to element `to`.
    ///
    /// # Panics
    /// As [`span`](Self::span), of either place.
    #[inline(always)]
    #[track_caller]
    pub fn copy_constant(&mut self, constant: Flash<'_, T, B>, at: usize, to: usize, count: usize)
    where
        T: Element,
    {
        let (from, to) = (constant.span(at, count).as_ptr(), self.pointer(to, count));
        // SAFETY: both are good for `count` elements, and a constant lies outside the arena.
        unsafe { core::ptr::copy_nonoverlapping(from, to, count) }
    }

    /// Takes `count` elements of another type out, from element `from` of this one on: the arena around them, and they themselves.
    ///
    /// # Panics
    /// If [`Checked`] and they are not all inside, or not aligned for their type.
    #[inline(always)]
    #[track_caller]
    pub fn carve<U: Element>(mut self, from: usize, count: usize) -> (Around<'a, T, B>, Arena<'a, U, B>)
    where
        T: Element,
    {
        // Elements of one byte in almost every call, where this is no division; a size is not 0.
        let taken = count.wrapping_mul(size_of::<U>()).div_ceil(size_of::<T>());
        let start = self.pointer(from, taken);
        B::check_aligned(start.addr(), align_of::<U>());
        // SAFETY: not null, since it lies inside.
        let start = unsafe { NonNull::new_unchecked(start.cast()) };
        let hole = B::hole(from..from.wrapping_add(taken));
        (Around { all: self, hole }, Arena { start, len: B::len(count), borrowed: PhantomData })
    }
}

impl<T, B: Bounds> Index<usize> for Arena<'_, T, B> {
    type Output = T;

    #[inline(always)]
    #[track_caller]
    fn index(&self, index: usize) -> &T {
        B::check_index(self.len, index);
        // SAFETY: checked, or vouched for by who made a certified arena; borrowed as the arena is.
        unsafe { &*self.start.as_ptr().add(index) }
    }
}

impl<T, B: Bounds> IndexMut<usize> for Arena<'_, T, B> {
    #[inline(always)]
    #[track_caller]
    fn index_mut(&mut self, index: usize) -> &mut T {
        B::check_index(self.len, index);
        // SAFETY: checked, or vouched for by who made a certified arena; borrowed as the arena is.
        unsafe { &mut *self.start.as_ptr().add(index) }
    }
}

impl<T, B: Bounds> Index<Range<usize>> for Arena<'_, T, B> {
    type Output = [T];

    #[inline(always)]
    #[track_caller]
    fn index(&self, range: Range<usize>) -> &[T] {
        B::check_range(self.len, range.start, range.end);
        // SAFETY: checked, or vouched for by who made a certified arena; borrowed as the arena is.
        unsafe { slice::from_raw_parts(self.start.as_ptr().add(range.start), range.end.wrapping_sub(range.start)) }
    }
}

impl<T, B: Bounds> IndexMut<Range<usize>> for Arena<'_, T, B> {
    #[inline(always)]
    #[track_caller]
    fn index_mut(&mut self, range: Range<usize>) -> &mut [T] {
        B::check_range(self.len, range.start, range.end);
        let count = range.end.wrapping_sub(range.start);
        // SAFETY: checked, or vouched for by who made a certified arena; borrowed as the arena is.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr().add(range.start), count) }
    }
}

impl<T, B: Bounds> fmt::Debug for Arena<'_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").finish_non_exhaustive()
    }
}

/// An arena of which a part, say a kernel's scratch, was [carved out](Arena::carve). Elements keep their indices.
#[derive(Debug)]
pub struct Around<'a, T, B: Bounds = Checked> {
    all: Arena<'a, T, B>,
    hole: B::Hole,
}

impl<T, B: Bounds> Around<'_, T, B> {
    /// `count` elements from `from` on.
    ///
    /// # Panics
    /// If [`Checked`] and they are not all inside and on one side of what was carved out.
    #[inline(always)]
    #[track_caller]
    pub fn span(&self, from: usize, count: usize) -> &[T] {
        let span = self.all.span(from, count);
        B::check_apart(self.hole, from, count);
        span
    }

    /// Like [`span`](Self::span), to write.
    ///
    /// # Panics
    /// As [`span`](Self::span).
    #[inline(always)]
    #[track_caller]
    pub fn span_mut(&mut self, from: usize, count: usize) -> &mut [T] {
        let span = self.all.span_mut(from, count);
        B::check_apart(self.hole, from, count);
        span
    }

    /// Like [`Arena::pointer`].
    ///
    /// # Panics
    /// As [`span`](Self::span).
    #[inline(always)]
    #[track_caller]
    pub fn pointer(&mut self, from: usize, count: usize) -> *mut T {
        let pointer = self.all.pointer(from, count);
        B::check_apart(self.hole, from, count);
        pointer
    }

    /// Like [`Arena::load`].
    ///
    /// # Panics
    /// As [`span`](Self::span).
    #[inline(always)]
    #[track_caller]
    pub fn load<const N: usize>(&self, from: usize) -> [T; N]
    where
        T: Element,
    {
        let elements = self.all.load(from);
        B::check_apart(self.hole, from, N);
        elements
    }

    /// Like [`Arena::store`].
    ///
    /// # Panics
    /// As [`span`](Self::span).
    #[inline(always)]
    #[track_caller]
    pub fn store<const N: usize>(&mut self, from: usize, elements: [T; N])
    where
        T: Element,
    {
        let to = self.pointer(from, N);
        // SAFETY: `pointer` gives N elements; an array is aligned as its elements are.
        unsafe { to.cast::<[T; N]>().write(elements) }
    }
}

impl<T, B: Bounds> Index<usize> for Around<'_, T, B> {
    type Output = T;

    #[inline(always)]
    #[track_caller]
    fn index(&self, index: usize) -> &T {
        let element = &self.all[index];
        B::check_apart(self.hole, index, 1);
        element
    }
}

impl<T, B: Bounds> IndexMut<usize> for Around<'_, T, B> {
    #[inline(always)]
    #[track_caller]
    fn index_mut(&mut self, index: usize) -> &mut T {
        let element = &mut self.all[index];
        B::check_apart(self.hole, index, 1);
        element
    }
}

/// A constant: weights, a bias, a table. It lies outside the arena, on a device in flash.
///
/// With [`Certified`] it is no bigger than a pointer.
pub struct Flash<'a, T, B: Bounds = Checked> {
    start: NonNull<T>,
    len: B::Len,
    borrowed: PhantomData<&'a [T]>,
}

// SAFETY: it gives no more than shared references to the elements, as a shared slice does.
unsafe impl<T: Sync, B: Bounds> Send for Flash<'_, T, B> {}
// SAFETY: as above.
unsafe impl<T: Sync, B: Bounds> Sync for Flash<'_, T, B> {}

impl<T, B: Bounds> Clone for Flash<'_, T, B> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, B: Bounds> Copy for Flash<'_, T, B> {}

impl<'a, T> Flash<'a, T, Checked> {
    /// The elements of a slice.
    #[inline]
    pub fn new(elements: &'a [T]) -> Self {
        Self { len: elements.len(), start: NonNull::from(elements).cast(), borrowed: PhantomData }
    }
}

impl<T> Flash<'_, T, Certified> {
    /// The elements from `start` on.
    ///
    /// # Safety
    /// For as long as the result and what is made from it live, every element that is accessed through them must lie in one
    /// allocation from `start` on, initialised, aligned, and written by nothing. A kernel call of a Program that
    /// `smidgen_certify::certify` has certified accesses nothing else of a constant than the bytes that `Kernel::demands` names.
    #[inline(always)]
    pub const unsafe fn certified(start: *const T) -> Self {
        // SAFETY: the start of an allocation is not null.
        Self { start: unsafe { NonNull::new_unchecked(start.cast_mut()) }, len: (), borrowed: PhantomData }
    }
}

impl<'a, T, B: Bounds> Flash<'a, T, B> {
    /// `count` elements from `from` on.
    ///
    /// # Panics
    /// If [`Checked`] and they are not all inside.
    #[inline(always)]
    #[track_caller]
    pub fn span(self, from: usize, count: usize) -> &'a [T] {
        B::check_range(self.len, from, from.wrapping_add(count));
        // SAFETY: checked, or vouched for by who made a certified constant.
        unsafe { slice::from_raw_parts(self.start.as_ptr().add(from), count) }
    }

    /// The `N` elements from `from` on.
    ///
    /// # Panics
    /// As [`span`](Self::span).
    #[inline(always)]
    #[track_caller]
    pub fn array<const N: usize>(self, from: usize) -> &'a [T; N] {
        B::check_range(self.len, from, from.wrapping_add(N));
        // SAFETY: checked, or vouched for; an array is aligned as its elements are.
        unsafe { &*self.start.as_ptr().add(from).cast::<[T; N]>() }
    }
}

impl<T, B: Bounds> Index<usize> for Flash<'_, T, B> {
    type Output = T;

    #[inline(always)]
    #[track_caller]
    fn index(&self, index: usize) -> &T {
        B::check_index(self.len, index);
        // SAFETY: checked, or vouched for by who made a certified constant.
        unsafe { &*self.start.as_ptr().add(index) }
    }
}

impl<T, B: Bounds> Index<Range<usize>> for Flash<'_, T, B> {
    type Output = [T];

    #[inline(always)]
    #[track_caller]
    fn index(&self, range: Range<usize>) -> &[T] {
        B::check_range(self.len, range.start, range.end);
        // SAFETY: checked, or vouched for by who made a certified constant.
        unsafe { slice::from_raw_parts(self.start.as_ptr().add(range.start), range.end.wrapping_sub(range.start)) }
    }
}

impl<T, B: Bounds> fmt::Debug for Flash<'_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flash").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn panics<R>(run: impl FnOnce() -> R) -> bool {
        catch_unwind(AssertUnwindSafe(|| drop(run()))).is_err()
    }

    #[test]
    fn what_lies_outside_panics() {
        let mut bytes = [1i8, 2, 3, 4];
        let mut arena = Arena::new(&mut bytes);
        assert_eq!((arena[3], arena.span(2, 2), arena.span(4, 0)), (4, &[3, 4][..], &[][..]));
        assert!(panics(|| arena[4]));
        assert!(panics(|| arena[2..5].len()));
        assert!(panics(|| arena[Range { start: 3, end: 2 }].len()));
        assert!(panics(|| arena.span(2, 3).len()));
        assert!(panics(|| arena.span(2, usize::MAX).len()));
        assert!(panics(|| arena.load::<5>(0)));
        assert!(panics(|| arena.copy(0, 1, 4)));
        arena.copy(0, 1, 3);
        arena.store(0, [9]);
        assert_eq!(bytes, [9, 1, 2, 3]);
        let table = [5i32, 6];
        let flash = Flash::new(&table);
        assert_eq!((flash[1], flash.array::<2>(0)), (6, &[5, 6]));
        assert!(panics(|| flash[2]));
        assert!(panics(|| *flash.array::<2>(1)));
    }

    #[test]
    fn what_is_carved_out_is_no_more_in_the_arena() {
        let mut words = [0i32; 4];
        let mut bytes = Arena::new(&mut words);
        let whole = bytes.pointer(0, 4).cast::<i8>();
        // SAFETY: the 16 bytes are those of `words`, which is not used otherwise meanwhile.
        let bytes = Arena::new(unsafe { slice::from_raw_parts_mut(whole, 16) });
        let (mut around, mut scratch) = bytes.carve::<i16>(4, 3);
        scratch[2] = 0x0102;
        around[3] = 7;
        around.store(10, [8, 9]);
        assert_eq!((around.span(0, 4), around[10], scratch.span(0, 3)), (&[0, 0, 0, 7][..], 8, &[0, 0, 0x0102][..]));
        assert!(panics(|| scratch[3]));
        assert!(panics(|| around[4]));
        assert!(panics(|| around[9]));
        assert!(panics(|| around.span(3, 2).len()));
        assert!(panics(|| around.span(9, 2).len()));
        assert!(panics(|| around.span(0, 16).len()));
        assert!(panics(|| around.span(16, 1).len()));
    }

    #[test]
    fn carving_asks_for_alignment() {
        let mut words = [0u32; 2];
        let mut arena = Arena::new(&mut words);
        let whole = arena.pointer(0, 2).cast::<u8>();
        // SAFETY: the 8 bytes are those of `words`, which is not used otherwise meanwhile.
        let bytes = unsafe { slice::from_raw_parts_mut(whole, 8) };
        assert!(panics(|| Arena::new(&mut *bytes).carve::<i16>(1, 1).1[0]));
        assert!(!panics(|| Arena::new(&mut *bytes).carve::<i16>(2, 1).1[0]));
    }

    #[test]
    fn certified_memory_is_a_bare_pointer_to_the_same_elements() {
        assert_eq!(size_of::<Option<Flash<'_, i8, Certified>>>(), size_of::<usize>());
        assert_eq!(size_of::<Arena<'_, i8, Certified>>(), size_of::<usize>());
        let mut bytes = [1u8, 2, 3, 4];
        // SAFETY: only the four bytes are accessed.
        let mut arena = unsafe { Arena::certified(bytes.as_mut_ptr()) };
        arena[1] = 7;
        arena.reborrow().copy(1, 2, 2);
        assert_eq!(arena.load(0), [1, 7, 7, 3]);
        let (around, scratch) = arena.carve::<u8>(1, 2);
        assert_eq!((around.span(3, 1), scratch.span(0, 2)), (&[3][..], &[7, 7][..]));
    }
}
