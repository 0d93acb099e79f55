//! Prints `arena.rs` and `constants.rs`: the only generated files with unsafe code beside the calls of the kernels.

use crate::source::Source;
use crate::steps::Steps;
use smidgen_program::Program;

/// Alignment of the arena and of the constants: enough for every element type, and what double-word loads like best.
pub(crate) const ALIGN: usize = 16;

/// The constants behind one another, and where each begins.
pub(crate) fn pack(program: &Program) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let mut places = Vec::new();
    for constant in &program.constants {
        // A word at a time, whatever the elements: kernels load several bytes at once.
        bytes.resize(bytes.len().next_multiple_of(constant.align.max(4)), 0);
        places.push(bytes.len());
        bytes.extend(&constant.bytes);
    }
    (bytes, places)
}

/// `arena.rs`.
pub(crate) fn arena(program: &Program, steps: &Steps) -> String {
    let mut out = Source::default();
    out.line("//! The arena: all memory that the network needs but its constants.\n");
    out.line("use smidgen_kernels::memory::Element;\nuse smidgen_kernels::{Arena as Memory, Certified};\n");
    out.line("/// Bytes of the arena.");
    out.line(format!("pub const ARENA_BYTES: usize = {};\n", program.arena_bytes));
    if program.variables.is_empty() {
        out.line("/// The arena: activations, rings of rows, accumulators and scratch. Between inferences its bytes mean nothing, so that other");
        out.line("/// code, or another network, may have the same memory then.");
    } else {
        out.line("/// The arena: activations, rings of rows, accumulators, scratch, and the state that outlives an inference.");
    }
    out.line(format!("#[repr(C, align({ALIGN}))]"));
    out.line("pub struct Arena([u8; ARENA_BYTES]);\n");
    out.add(ARENA);
    for element in &steps.arena {
        out.line("");
        out.line(format!("    /// All of it as `{element}`."));
        out.line("    ///");
        out.line("    /// # Safety");
        out.line("    /// What is accessed must lie in the arena, as every access of a certified Program does.");
        out.line(format!("    pub(crate) unsafe fn {element}s(&mut self) -> Memory<'_, {element}, Certified> {{"));
        out.line(
            "        // SAFETY: the caller vouches for the accesses; the memory is aligned, initialised and borrowed.",
        );
        out.line("        unsafe { Memory::certified(self.0.as_mut_ptr().cast()) }");
        out.line("    }");
    }
    out.line("}\n");
    out.line("impl Default for Arena {\n    fn default() -> Self {\n        Self::new()\n    }\n}");
    out.text
}

const ARENA: &str = "\
impl Arena {
    /// An arena of zeros.
    pub const fn new() -> Self {
        Self([0; ARENA_BYTES])
    }

    /// The arena in memory of the caller's, say of another network's arena; `None` if that is too short or not aligned as an
    /// [`Arena`] is.
    pub fn from_bytes(bytes: &mut [u8]) -> Option<&mut Self> {
        let start = bytes.as_mut_ptr().cast::<Self>();
        if bytes.len() < ARENA_BYTES || !start.is_aligned() {
            return None;
        }
        // SAFETY: long enough and aligned, borrowed for as long as the result, and any bytes are an arena.
        Some(unsafe { &mut *start })
    }

    /// The elements from byte `FROM` on.
    pub(crate) fn get<T: Element, const FROM: usize, const COUNT: usize>(&self) -> &[T; COUNT] {
        const { assert!(FROM + COUNT * size_of::<T>() <= ARENA_BYTES && FROM.is_multiple_of(align_of::<T>())) };
        // SAFETY: inside and aligned, as just asserted, and any bytes are numbers.
        unsafe { &*self.0.as_ptr().add(FROM).cast() }
    }

    /// Like [`get`](Self::get), to write.
    pub(crate) fn get_mut<T: Element, const FROM: usize, const COUNT: usize>(&mut self) -> &mut [T; COUNT] {
        const { assert!(FROM + COUNT * size_of::<T>() <= ARENA_BYTES && FROM.is_multiple_of(align_of::<T>())) };
        // SAFETY: inside and aligned, as just asserted, and any bytes are numbers.
        unsafe { &mut *self.0.as_mut_ptr().add(FROM).cast() }
    }
";

/// `constants.rs`, for this many bytes; `used` are the functions that the other files call.
pub(crate) fn constants(len: usize, used: &[&str]) -> String {
    let mut out = Source::default();
    if used.is_empty() {
        out.line("//! The network has no constants.\n");
        out.line("/// Bytes of the constants.");
        out.line("pub const CONSTANT_BYTES: usize = 0;");
        return out.text;
    }
    out.line("//! Weights, biases and tables, in the order in which the kernels read them.\n");
    let certified = used.contains(&"Flash") || used.contains(&"elements");
    if certified {
        out.line("use smidgen_kernels::Certified;");
    }
    out.line("use smidgen_kernels::memory::Element;");
    out.line("\n/// Bytes of the constants.");
    out.line(format!("pub const CONSTANT_BYTES: usize = {len};\n"));
    if certified {
        out.line("/// Elements in flash.");
        out.line("pub(crate) type Flash<T> = smidgen_kernels::Flash<'static, T, Certified>;\n");
    }
    out.line(format!("#[repr(C, align({ALIGN}))]"));
    out.line("struct Aligned([u8; CONSTANT_BYTES]);\n");
    out.line("static CONSTANTS: Aligned = Aligned(*include_bytes!(\"constants.bin\"));");
    out.line("\n/// Where `count` elements begin at byte `from`. It is called when compiling, so that a wrong place does not compile.");
    out.line("const fn place<T: Element>(from: usize, count: usize) -> *const T {");
    out.line("    assert!(from + count * size_of::<T>() <= CONSTANT_BYTES && from.is_multiple_of(align_of::<T>()));");
    out.line("    // SAFETY: inside, as just asserted.");
    out.line("    unsafe { CONSTANTS.0.as_ptr().add(from).cast() }");
    out.line("}");
    if used.contains(&"elements") {
        out.add(ELEMENTS);
    }
    if used.contains(&"array") {
        out.add(ARRAY);
    }
    out.text
}

const ELEMENTS: &str = "
/// `count` elements from byte `from` on.
pub(crate) const fn elements<T: Element>(from: usize, count: usize) -> Flash<T> {
    // SAFETY: the place is checked; the kernels of a certified Program access no more elements of a constant than it has.
    unsafe { Flash::certified(place(from, count)) }
}
";

const ARRAY: &str = "
/// `N` elements from byte `from` on.
pub(crate) const fn array<T: Element, const N: usize>(from: usize) -> &'static [T; N] {
    // SAFETY: the place is checked, any bits are numbers, and nothing writes to them.
    unsafe { &*place::<T>(from, N).cast() }
}
";
