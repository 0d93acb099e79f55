//! Counts of instructions by the planner's [model](super::cost), and the cores that they hold for.

/// What a core has that decides how many instructions the kernels take on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CoreFamily {
    /// Arm with the DSP instructions of Armv7E-M and a unit for single precision: Cortex-M4, M7, M33, M55. The model was fitted to these.
    ArmDsp,
    /// Any other, which takes several times as many: Cortex-M0, M0+, M3, RISC-V.
    Other,
}

/// Instructions of one inference or a part of it by the planner's model.
///
/// On any core such counts order plans, and the planner trades bytes for them. As a figure they hold for the family that the model was
/// fitted to, and for no other: so that nothing prints them for another, the number is to be had for a family only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Modelled(u64);

impl Modelled {
    /// The cores of the family that counts hold for.
    pub const CORES: &str = "Cortex-M4, M7, M33 and M55";

    /// From a sum in hundredths of an instruction.
    pub(super) const fn of_hundredths(hundredths: u64) -> Self {
        Self(hundredths / 100)
    }

    /// The count, if it holds for this family.
    pub fn on(self, family: CoreFamily) -> Option<u64> {
        (family == CoreFamily::ArmDsp).then_some(self.0)
    }

    /// By what part of `other` this is less: 0.25 for three quarters of it, 0 if it is not less. For a family that counts hold for.
    pub fn saves_of(self, other: Self, family: CoreFamily) -> Option<f64> {
        let (fewer, all) = (other.0.saturating_sub(self.0), other.0.max(1));
        (family == CoreFamily::ArmDsp).then_some(fewer as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_had_for_the_family_that_they_were_fitted_to() {
        let (few, many) = (Modelled::of_hundredths(75_099), Modelled::of_hundredths(100_000));
        assert!(few < many);
        assert_eq!([CoreFamily::ArmDsp, CoreFamily::Other].map(|family| few.on(family)), [Some(750), None]);
        assert_eq!(few.saves_of(many, CoreFamily::ArmDsp), Some(0.25));
        assert_eq!(many.saves_of(few, CoreFamily::ArmDsp), Some(0.0));
        assert_eq!(few.saves_of(many, CoreFamily::Other), None);
    }
}
