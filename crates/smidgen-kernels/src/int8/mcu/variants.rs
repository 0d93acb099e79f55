//! The code with which a layer's blocks end, chosen when compiling firmware, since the shift is a part of instructions.

use super::epilogue::Epilogue;
use super::weights::Width;

/// What the blocks of a layer jump to. Where there is no assembly, nothing.
#[derive(Clone, Copy, Debug)]
pub struct EpilogueVariants {
    #[cfg(all(target_arch = "arm", feature = "dsp"))]
    pub(crate) conv: [crate::isa::dsp::conv::Code; 3],
}

impl EpilogueVariants {
    /// The tails of a [`Epilogue`] with this [`shift`](Epilogue::shift) and [`by_sign`](Epilogue::by_sign), for weights of this width. Only what
    /// is asked for is linked.
    #[cfg_attr(not(all(target_arch = "arm", feature = "dsp")), expect(unused_variables, reason = "for assembly"))]
    pub const fn new<const SHIFT: u32, const BY_SIGN: bool>(width: Width) -> Self {
        const { assert!(SHIFT >= 1 && SHIFT <= super::epilogue::MAX_SHIFT) };
        Self {
            #[cfg(all(target_arch = "arm", feature = "dsp"))]
            conv: match width {
                Width::Eight => crate::isa::dsp::conv::variants::eight::<SHIFT, BY_SIGN>(),
                Width::Four => crate::isa::dsp::conv::variants::four::<SHIFT, BY_SIGN>(),
            },
        }
    }

    /// The tails of any sound finish. Links all of them.
    pub const fn of(width: Width, epilogue: &Epilogue) -> Self {
        macro_rules! choose {
            ($($shift:literal)*) => {
                match (epilogue.shift, epilogue.by_sign) {
                    $(($shift, false) => Self::new::<$shift, false>(width), ($shift, true) => Self::new::<$shift, true>(width),)*
                    (_, false) => Self::new::<1, false>(width),
                    (_, true) => Self::new::<1, true>(width),
                }
            };
        }
        choose!(2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22)
    }
}
