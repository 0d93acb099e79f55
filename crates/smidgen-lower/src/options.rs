//! The choices that lowering leaves to its caller.

use smidgen_kernels::Rounding;
use smidgen_kernels::int8::Reading;
use smidgen_kernels::int16::Multiplier;

/// Whose bytes to reproduce, where versions of TensorFlow Lite differ. Every such difference is decided by a method here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Reference {
    /// The reference kernels of LiteRT 2.3.
    #[default]
    LiteRt2_3,
    /// TensorFlow Lite 2.14 and TensorFlow Lite Micro, which agree with each other.
    TfLite2_14,
}

impl Reference {
    /// Rounding of FULLY_CONNECTED.
    pub fn fully_connected(self) -> Rounding {
        match self {
            Self::LiteRt2_3 => Rounding::Once,
            Self::TfLite2_14 => Rounding::Twice,
        }
    }

    /// Whether FULLY_CONNECTED on int8 multiplies the scales of input and weights, each of which has one, in double precision; else in
    /// single. Where scales are round numbers, sums lie between two outputs, and the last bit decides.
    pub fn fully_connected_in_double(self) -> bool {
        match self {
            Self::LiteRt2_3 => true,
            Self::TfLite2_14 => false,
        }
    }

    /// With how many bits FULLY_CONNECTED on int16 multiplies; 31 of the product of all scales in double precision, or 15 as other layers do.
    pub fn int16_fully_connected(self) -> Multiplier {
        match self {
            Self::LiteRt2_3 => Multiplier::Full,
            Self::TfLite2_14 => Multiplier::Reduced,
        }
    }

    /// How SUM reads int8. LiteRT 2.3's reference kernel takes stored bytes for unsigned ones, which gives the sum of the numbers
    /// only where no byte is negative; its optimised kernels do not share this.
    pub fn sum(self) -> Reading {
        match self {
            Self::LiteRt2_3 => Reading::Unsigned,
            Self::TfLite2_14 => Reading::Signed,
        }
    }
}

/// Which kernels to choose where there are several for an operator. All give the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum KernelSet {
    /// The simple kernels, which are the oracle of the others.
    Reference,
    /// The fast ones, for the host.
    #[default]
    Fast,
    /// What firmware runs, in the memory that it takes there: as [`Fast`](Self::Fast), but int8 operators with weights use the
    /// [device kernels](smidgen_kernels::int8::mcu) wherever their cheap finish is proven to give the same bytes.
    Mcu,
}

/// Options of [`lower`](super::lower()).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LowerOptions {
    /// Whose bytes to reproduce.
    pub reference: Reference,
    /// Which kernels to use.
    pub kernels: KernelSet,
}

impl LowerOptions {
    /// The same with the kernels that firmware runs.
    pub fn for_mcu(self) -> Self {
        Self { kernels: KernelSet::Mcu, ..self }
    }
}
