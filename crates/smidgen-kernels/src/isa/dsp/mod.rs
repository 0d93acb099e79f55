//! Inner blocks for cores with the DSP instructions of Armv7E-M (Cortex-M4, M7, M33 and M55), by hand.
//!
//! Compiled where the feature `dsp` vouches for such a core: stable compilers do not tell, and Armv8-M targets do not imply it. Every
//! function here gives the same bytes as the portable one beside the kernel that calls it.

pub(crate) mod conv;
pub(crate) mod wide;
