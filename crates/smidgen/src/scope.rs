//! For which cores modelled figures hold.

use smidgen_boards::{Board, Core};
use smidgen_program::costs::Costs;
use smidgen_program::{Lowered, costs};

/// Cycles that an instruction takes on a Cortex-M4, from and to: the [model of cycles](smidgen_sim::mix) gave 1.29 to
/// 1.61 for the networks
/// at hand (int8, int4 and float).
const CYCLES: [f64; 2] = [1.29, 1.61];

/// The cores that what is modelled without a board holds for: those with Armv8-M take within 1.5 % of what the others
/// do.
const WITHOUT_BOARD: &str = "Cortex-M4, M7, M33 and M55";

/// What kernels take on a core.
pub fn costs(core: Core) -> &'static Costs {
    match core {
        Core::CortexM0 | Core::CortexM0Plus => &costs::ARMV6M,
        Core::CortexM3 => &costs::ARMV7M,
        Core::CortexM4 | Core::CortexM7 => &costs::ARMV7EM,
        Core::CortexM33 => &costs::ARMV8M,
        Core::CortexM55 => &costs::CORTEX_M55,
        Core::Rv32imc => &costs::RV32IMC,
    }
}

/// A board, or none, for which modelled figures are wanted. Without one they are those of cores with Armv7E-M, and
/// name them.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a>(Option<&'a Board>);

impl<'a> Scope<'a> {
    /// The figures of this board.
    pub fn of(board: Option<&'a Board>) -> Self {
        Self(board)
    }

    /// What plans are made with.
    pub fn costs(self) -> &'static Costs {
        self.0.map_or_else(Default::default, |board| costs(board.core))
    }

    /// The cores that modelled figures hold for.
    pub fn cores(self) -> &'static str {
        self.0.map_or(WITHOUT_BOARD, |board| board.core.title())
    }

    /// Whose instructions are modelled: `modelled for Cortex-M4`.
    pub fn modelled(self) -> String {
        format!("modelled for {}", self.cores())
    }

    /// Which kernels of a network were not measured on the core, so that modelled instructions are rough; `None` if
    /// all were.
    pub fn reason(self, lowered: &Lowered) -> Option<String> {
        let names = self.costs().unfitted(lowered);
        let counted =
            if self.0.is_some_and(|board| board.qemu.is_some()) { "; `smidgen simulate` counts them" } else { "" };
        (!names.is_empty()).then(|| format!("rough: {} not measured for {}{counted}", names.join(", "), self.cores()))
    }

    /// How long so many instructions take on the board, in milliseconds, at least and at most: only for a Cortex-M4,
    /// whose cycles are modelled,
    /// with memory that needs no waiting.
    pub fn milliseconds(self, instructions: u64) -> Option<[f64; 2]> {
        let board = self.0.filter(|board| board.core == Core::CortexM4)?;
        Some(CYCLES.map(|cycles| instructions as f64 * cycles / (1e3 * f64::from(board.clock_mhz))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_core_has_costs_of_its_own_kind() {
        for board in smidgen_boards::builtin() {
            let scope = Scope::of(Some(board));
            // `Cortex-M4` is among `Cortex-M4 and M7`, `RISC-V (rv32imc)` is itself.
            let kind = board.core.title().trim_start_matches("Cortex-");
            assert!(scope.costs().cores.contains(kind), "{}: {:?}", board.name, scope.costs());
            assert_eq!(scope.milliseconds(1).is_some(), board.core == Core::CortexM4);
            assert_eq!(scope.modelled(), format!("modelled for {}", board.core.title()));
        }
        assert_eq!(Scope::of(None).costs(), costs(Core::CortexM4));
    }

    #[test]
    fn kernels_that_were_not_measured_are_named() {
        let pico = smidgen_boards::find("rp2040").unwrap();
        assert_eq!(Scope::of(Some(&pico)).reason(&Lowered::default()), None);
    }
}
