//! The int8 kernels that firmware runs: one algorithm and one packing of constants for every core.
//!
//! What they share: activations are staged as 16-bit numbers 256 times as large ([`finish::SCALE`]), so that accumulators are, too;
//! and outputs are [finished](finish) by one multiplication and one shift, which lowering has proven to give the reference's bytes
//! for the weights at hand. A layer for which that cannot be proven keeps a kernel that requantises by the definition.

pub mod finish;

pub use finish::{Channel, Finish};
