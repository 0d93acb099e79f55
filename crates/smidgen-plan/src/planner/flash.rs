//! The constants that a network takes of flash. Its code is [modelled](smidgen_program::costs).

use smidgen_kernels::int8::mcu::Width;
use smidgen_program::kernel;
use smidgen_program::kernel::Kernel;
use smidgen_program::{Lowered, Step};

/// The constants that a network takes of flash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlashReport {
    /// Bytes of constants: weights, biases, tables.
    pub constants: usize,
    /// About what they would be with weights of four bits, where kernels for these take eight.
    pub with_int4: Option<usize>,
    /// About what they would be with weights of eight bits, where there are weights that are floats.
    pub with_int8: Option<usize>,
}

/// Looks at the constants of a network.
pub fn flash(lowered: &Lowered) -> FlashReport {
    let bytes = |step: &Step| step.constants.iter().map(|id| lowered.constants[id.index()].bytes.len()).sum::<usize>();
    let constants: usize = lowered.constants.iter().map(|c| c.bytes.len()).sum();
    let (mut by_int4, mut by_int8) = (0, 0);
    for step in &lowered.steps {
        let weights = match &step.kernel {
            Kernel::Conv2dI8Mcu(kernel::Conv2dI8Mcu { width: Width::Eight, window, .. }) => {
                window.output[2] * window.patch()
            }
            Kernel::FullyConnectedI8Mcu(kernel::FullyConnectedI8Mcu {
                width: Width::Eight, inputs, outputs, ..
            }) => inputs * outputs,
            Kernel::Conv2dF32(kernel::Conv2dF32 { .. })
            | Kernel::DepthwiseF32(kernel::DepthwiseF32 { .. })
            | Kernel::FullyConnectedF32(kernel::FullyConnectedF32 { .. })
            | Kernel::TransposeConvF32(kernel::TransposeConvF32 { .. }) => {
                by_int8 += bytes(step) / 4 * 3;
                0
            }
            _ => 0,
        };
        by_int4 += weights.min(bytes(step)) / 2;
    }
    let less = |saved: usize| (saved > 0).then(|| constants.saturating_sub(saved));
    FlashReport { constants, with_int4: less(by_int4), with_int8: less(by_int8) }
}
