//! The certifier: proves of a [`Program`], without trusting whoever made it, that running it reads the right bytes and touches
//! nothing else.
//!
//! It shares nothing with the planner but the data types. [`certify`] is the only way to a [`Certified`] Program, and that is what
//! the executor, the code generator, the simulator, [`live_ranges`], [`occupancy`] and reports take: all their accesses rest on what
//! is proven here. What it takes on trust is each step's declared
//! [order](smidgen_program::footprint::WriteOrder), which is tested against the kernels, and that a kernel reads what its parameters say.
//!
//! Four passes, each of which may rely on the ones before it; none of them panics, overflows, or takes memory that is not in
//! proportion to the Program, whatever the Program says:
//!
//! **Structure**: what can be said of the tables without knowing the kernels.
//! 1. Every index (constant, buffer, step, input) is in range; each step has an output, one access for each input, scratch and
//!    state; a consuming step's first input is a buffer.
//! 2. Extents are not empty and their bytes, like those of the arena, are at most [`MOST_BYTES`]; an operand, target or port seen with
//!    another extent than its buffer's has as many elements, and the buffer is stored whole; a buffer has no more slots and columns
//!    than its tensor has rows and columns. Tables of reach have an entry for each index of the output, and their bounds never decrease.
//! 3. Every buffer, scratch and state lies inside the arena; a buffer's offset is a multiple of its element's size, scratch and state are
//!    aligned to 4 bytes, a constant's alignment is a power of two. Scratch and state of a step share no byte.
//! 4. Scratch and state are as long as the step says.
//! 5. Rows that are awaited belong to an input in a buffer of the same extent and fit into it together; a run's region is not empty and
//!    lies inside the output (for a consuming step: its full rows inside input 0); a step that is not `partial`, or that has several
//!    outputs, runs whole, and no kernel is asked for [regions](smidgen_program::Regions) that it does not compute.
//! 6. An input is no constant and stored at full width; an output is a constant or a buffer stored whole.
//!
//! **Demands**: what each kernel asks of its step ([`Kernel::demands`](smidgen_program::Kernel::demands)).
//! 7. The numbers of inputs, outputs and constants, and the element type and extent of each input and output, are those that the kernel
//!    takes; a constant in place of an input has as many bytes as its elements take, and every other constant has the kernel's bytes
//!    exactly.
//! 8. Scratch and state are as long as the kernel needs.
//!
//! **Soundness** ([`KernelSpec::is_sound`](smidgen_program::kernel::KernelSpec::is_sound)):
//! 9. Nothing in the parameters or the constants makes a kernel look outside its operands or its constants: windows, strides and tables stay
//!    inside and lead to nothing that the step's [footprint](smidgen_program::footprint) does not name, words of channels refer to what is there, and a
//!    table in a constant is the one that the step was planned with.
//!
//! **Replay** of the list of runs over a shadow of the arena that remembers which byte of which tensor lies where.
//! 10. A consuming step takes every row of its input once, in order.
//! 11. A tile is wide enough for what is written to it, and a partial width is only ever read where it was written.
//! 12. Every byte read holds the byte of the tensor that the step means to read: it was produced, has not been overwritten, and
//!     is not overwritten before the kernel's own order has let go of it.
//! 13. Nothing overwrites the scratch of a running step, nor the state of a step between its runs.
//! 14. Rows of a streamed input arrive once and in order; an input that is not streamed is stored whole.
//! 15. At the end every byte of every output is there.
//!
//! **Variables**, what outlives an inference; 16 belongs to the structure and 17 to the replay.
//! 16. The two buffers of a variable (its value and what it holds next) are stored whole, lie in one place, and belong
//!     to no other variable. No step writes the value, and no caller either buffer. No byte of them is another
//!     buffer's, scratch or state. A constant that it begins with has as many bytes.
//! 17. The value of each variable is there at the beginning, what it holds next at the end. Both are told apart
//!     although they lie in one place: who means to read the one never finds the other.

mod demands;
mod footprint;
mod live;
mod ranges;
mod refused;
mod replay;
mod structure;
mod variables;

pub use live::{LiveRanges, Occupancy, Span, live_ranges, occupancy};
pub use refused::Refused;
pub use smidgen_program::kernel::MOST_BYTES;

use smidgen_program::program::{Buffer, Extent, Program};
use std::ops::Deref;
use std::sync::Arc;

/// A [`Program`] of which [`certify`] has proven everything that running it relies on. It cannot be changed, nor made in any other
/// way; copies are cheap.
///
/// ```
/// # use smidgen_program::Program;
/// # use smidgen_certify::certify;
/// let program = certify(Program { name: "nothing".into(), ..Program::default() })?;
/// assert_eq!(program.name, "nothing");
/// # Ok::<(), smidgen_certify::Refused>(())
/// ```
///
/// There is no constructor, and no way to change what has been certified:
///
/// ```compile_fail,E0423
/// let forged = smidgen_certify::Certified(std::sync::Arc::new(smidgen_program::Program::default()));
/// ```
///
/// ```compile_fail,E0596
/// let mut program = smidgen_certify::certify(smidgen_program::Program::default()).unwrap();
/// program.arena_bytes = 0;
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Certified(Arc<Program>);

impl Certified {
    /// The Program without its certificate, to be changed.
    pub fn into_program(self) -> Program {
        Arc::unwrap_or_clone(self.0)
    }
}

impl Deref for Certified {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

/// Certifies a Program: checks every invariant of the [module's documentation](self).
///
/// What follows, and who rests on it:
/// - Every access of a run lies in the arena of `arena_bytes` at an offset aligned for its type, or in a constant, inside the bytes that
///   this has. Generated code, whose arena and constants are bare pointers, makes its accesses unchecked for this reason
///   (`smidgen_kernels::memory`); the executor slices without asking, and would panic.
/// - Every byte read is the one that the step means, under the declared order. Results rest on it, and so do [`live_ranges`] and
///   [`occupancy`], which know a byte's owner by what is read later.
/// - Scratch is the running step's own, a state that of its step from the first run to the last.
/// - A variable's bytes hold what it is to hold next when the last run has ended, and nothing but the steps that
///   compute this writes there: the next inference begins with them, and one that is broken off leaves old bytes and
///   new ones, but no others.
/// - Outputs are stored whole at the end, inputs at full width: ports of executor and generated code copy them as they lie.
/// - Regions lie inside what they are regions of, streamed rows come in order and fit: generated code counts rows on from the last run.
/// - No size exceeds [`MOST_BYTES`], so that sums and products of them do not overflow 64 bits; an arena of that many can be allocated.
///
/// Not proven, since it changes numbers and no access: zero points, multipliers, shifts, clamps, and the values of weights.
///
/// # Errors
/// The first violation found.
pub fn certify(program: Program) -> Result<Certified, Refused> {
    structure::check(&program)?;
    demands::check(&program)?;
    replay::replay(&program)?;
    Ok(Certified(Arc::new(program)))
}

/// Checks structure and replay alone: all that does not depend on which kernels the steps name. It gives no certificate; it is there to
/// judge lists and offsets of steps whose kernels are stand-ins.
///
/// # Errors
/// The first violation found.
pub fn check_runs(program: &Program) -> Result<(), Refused> {
    structure::check(program)?;
    replay::replay(program)
}

/// Whether every element has a place of its own, in order.
fn is_whole(buffer: &Buffer) -> bool {
    buffer.slots >= buffer.spec.extent.rows && buffer.width >= buffer.spec.extent.cols
}

/// How the rows of a buffer lie that is seen with this extent: slots, columns of a slot, and the first column that is stored, which is `x0`
/// where the buffer is a tile.
fn slots_of(buffer: &Buffer, seen: Extent, x0: usize) -> (usize, usize, usize) {
    if seen == buffer.spec.extent { (buffer.slots, buffer.width, x0) } else { (seen.rows, seen.cols, 0) }
}
