//! For which cores modelled figures hold, and what is said where they do not.

use smidgen_boards::{Board, Core};
use smidgen_plan::{CoreFamily, Modelled};

/// Cycles that an instruction takes on a Cortex-M4, from and to: the [model of cycles](smidgen_sim::mix) gave 1.29 to 1.61 for the networks
/// at hand (int8, int4 and float).
const CYCLES: [f64; 2] = [1.29, 1.61];

/// The family of cores that a core counts to.
pub fn family(core: Core) -> CoreFamily {
    if core.has_dsp() { CoreFamily::ArmDsp } else { CoreFamily::Other }
}

/// A board, or none, for which modelled figures are wanted. Without one they are given for the cores that they hold for, and name them.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a>(Option<&'a Board>);

impl<'a> Scope<'a> {
    /// The figures of this board.
    pub fn of(board: Option<&'a Board>) -> Self {
        Self(board)
    }

    /// The family that figures are given for.
    pub fn family(self) -> CoreFamily {
        self.0.map_or(CoreFamily::ArmDsp, |board| family(board.core))
    }

    /// The count, if it holds for the board.
    pub fn instructions(self, count: Modelled) -> Option<u64> {
        count.on(self.family())
    }

    /// Whose instructions are modelled: `modelled for Cortex-M4, ...`.
    pub fn modelled(self) -> String {
        format!("modelled for {}", Modelled::CORES)
    }

    /// Why there are no modelled instructions for the board, and how to have them; `None` where there are.
    pub fn reason(self) -> Option<String> {
        let board = self.0.filter(|board| family(board.core) == CoreFamily::Other)?;
        let counted = if board.qemu.is_some() { "; `smidgen simulate` counts them" } else { "" };
        Some(format!("not modelled for {}{counted}", board.core.title()))
    }

    /// How long that takes on the board, in milliseconds, at least and at most: only for a Cortex-M4, whose cycles are modelled, with
    /// memory that needs no waiting.
    pub fn milliseconds(self, count: Modelled) -> Option<[f64; 2]> {
        let board = self.0.filter(|board| board.core == Core::CortexM4)?;
        let instructions = self.instructions(count)? as f64;
        Some(CYCLES.map(|cycles| instructions * cycles / (1e3 * f64::from(board.clock_mhz))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_without_a_model_have_a_reason_instead_of_a_figure() {
        for board in smidgen_boards::builtin() {
            let scope = Scope::of(Some(board));
            let count = scope.instructions(Modelled::default());
            assert_eq!(count.is_none(), scope.reason().is_some(), "{}", board.name);
            assert_eq!(count.is_some(), board.core.has_dsp(), "{}", board.name);
            assert_eq!(scope.milliseconds(Modelled::default()).is_some(), board.core == Core::CortexM4);
        }
        let pico = smidgen_boards::find("rp2040").unwrap();
        let said = Scope::of(Some(&pico)).reason().unwrap();
        assert_eq!(said, "not modelled for Cortex-M0+; `smidgen simulate` counts them");
        let bare = Board { qemu: None, ..pico };
        assert_eq!(Scope::of(Some(&bare)).reason().unwrap(), "not modelled for Cortex-M0+");
        assert_eq!(Scope::of(None).reason(), None);
    }
}
