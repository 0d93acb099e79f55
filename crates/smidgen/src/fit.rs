//! What a network takes of a board's flash, and what would make one fit that does not.

use smidgen_boards::Board;
use smidgen_plan::planner::FlashReport;

/// Boards that are named at most.
const BOARDS: usize = 3;

/// Boards that have this much SRAM and flash, the smallest first, and three at most; none that only the emulator has.
pub fn boards(sram: usize, flash: usize) -> Vec<&'static Board> {
    let real = |board: &&Board| !board.title.starts_with("QEMU");
    let holds = |board: &&Board| board.sram.bytes as usize >= sram && board.flash.bytes as usize >= flash;
    let mut boards: Vec<&Board> = smidgen_boards::builtin().iter().filter(real).filter(holds).collect();
    boards.sort_by_key(|board| (board.sram.bytes, board.flash.bytes));
    boards.truncate(BOARDS);
    boards
}

/// What a network takes, and what there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fit {
    /// Bytes of SRAM for the arena.
    pub sram: usize,
    /// Bytes of SRAM that it may take; `None` if nothing was said.
    pub sram_limit: Option<usize>,
    /// Of flash.
    pub flash: FlashReport,
    /// Bytes of flash that the board has; `None` without one.
    pub flash_limit: Option<usize>,
    /// [Modelled](smidgen_program::costs::Costs::code) bytes of code; `None` without a board.
    pub code: Option<usize>,
}

impl Fit {
    /// Bytes of SRAM, and of flash for the constants alone, that are missing.
    pub fn excess(&self) -> [usize; 2] {
        let over = |taken: usize, limit: Option<usize>| limit.map_or(0, |limit| taken.saturating_sub(limit));
        [over(self.sram, self.sram_limit), over(self.flash.constants, self.flash_limit)]
    }

    /// True if nothing is missing that is known exactly.
    pub fn fits(&self) -> bool {
        self.excess() == [0, 0]
    }

    /// Bytes of flash for constants and estimated code.
    pub fn flash_with_code(&self) -> usize {
        self.flash.constants + self.code.unwrap_or(0)
    }

    /// True if the constants fit, and the estimated code does not beside them.
    pub fn code_is_tight(&self) -> bool {
        self.excess()[1] == 0 && self.flash_limit.is_some_and(|limit| self.flash_with_code() > limit)
    }

    /// One sentence, with sizes put as `bytes` puts them.
    pub fn verdict(&self, bytes: impl Fn(usize) -> String) -> String {
        let (sram, constants) = (bytes(self.sram), bytes(self.flash.constants));
        match (self.excess(), self.sram_limit) {
            ([0, 0], None) => format!("Takes {sram} of SRAM."),
            ([0, 0], Some(limit)) => format!("Fits: takes {sram} of SRAM, {} are left.", bytes(limit - self.sram)),
            ([0, flash], _) => format!(
                "Does not fit the flash: the constants take {constants}, {} too many; the {sram} of SRAM would do.",
                bytes(flash)
            ),
            ([over, 0], _) => format!("Does not fit: takes {sram} of SRAM, {} too many.", bytes(over)),
            ([over, flash], _) => format!(
                "Does not fit: takes {sram} of SRAM, {} too many, and {constants} of constants in flash, {} too many.",
                bytes(over),
                bytes(flash)
            ),
        }
    }

    /// What would help, in lines, where it does not fit or the code is tight: narrower weights with what they take, and boards.
    pub fn remedies(&self, bytes: impl Fn(usize) -> String) -> Vec<String> {
        let mut lines = Vec::new();
        let [sram, flash] = self.excess();
        if flash > 0 || self.code_is_tight() {
            let narrower = [
                (self.flash.with_int8, "int8 (`smidgen quantize`)"),
                (self.flash.with_int4, "int4 weights (`smidgen quantize --weights int4`)"),
            ];
            for (constants, what) in narrower {
                let Some(constants) = constants else { continue };
                let enough = match self.flash_limit.map(|limit| constants + self.code.unwrap_or(0) <= limit) {
                    Some(true) => ", which would fit",
                    Some(false) => ", which would not fit either",
                    None => "",
                };
                lines.push(format!("{what}: about {} of constants{enough}", bytes(constants)));
            }
        }
        if sram > 0 || flash > 0 || self.code_is_tight() {
            let boards: Vec<String> = (boards(self.sram, self.flash_with_code()).into_iter())
                .map(|board| format!("{} (`--board {}`)", board.title, board.name))
                .collect();
            lines.push(match boards[..] {
                [] => "no board that smidgen knows holds it as it is".to_owned(),
                _ => format!("boards that hold it as it is: {}", boards.join(", ")),
            });
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(sram: usize, constants: usize) -> Fit {
        let flash = FlashReport { constants, with_int4: Some(constants / 2), with_int8: None };
        Fit { sram, sram_limit: Some(262_144), flash, flash_limit: Some(1 << 20), code: Some(26_000) }
    }

    fn plain(n: usize) -> String {
        n.to_string()
    }

    #[test]
    fn a_verdict_says_one_thing() {
        for (sram, constants, starts) in [
            (1000, 1000, "Fits: takes 1000 of SRAM, 261144 are left."),
            (300_000, 1000, "Does not fit: takes 300000 of SRAM, 37856 too many."),
            (1000, 2 << 20, "Does not fit the flash: the constants take 2097152, 1048576 too many; the 1000 of SRAM"),
            (300_000, 2 << 20, "Does not fit: takes 300000 of SRAM, 37856 too many, and 2097152 of constants in flash"),
        ] {
            let fit = fit(sram, constants);
            let said = fit.verdict(plain);
            assert!(said.starts_with(starts), "{said}");
            assert_eq!(fit.fits(), said.starts_with("Fits"));
            assert_eq!(said.to_lowercase().matches("fit").count(), 1, "{said}");
            assert_eq!(fit.remedies(plain).is_empty(), fit.fits());
        }
    }

    #[test]
    fn remedies_have_figures() {
        let [int4, boards] = &fit(1000, 1_500_000).remedies(plain)[..] else { panic!("two remedies") };
        assert!(
            int4.contains("--weights int4") && int4.ends_with("about 750000 of constants, which would fit"),
            "{int4}"
        );
        assert!(boards.contains("--board rp2040") && !boards.contains("QEMU"), "{boards}");
        let [int4, none] = &fit(1000, 8 << 20).remedies(plain)[..] else { panic!("two remedies") };
        assert!(int4.ends_with("which would not fit either") && none.starts_with("no board"), "{int4}, {none}");
        let [boards] = &fit(400_000, 1000).remedies(plain)[..] else { panic!("one remedy") };
        assert!(boards.contains("--board esp32c3"), "{boards}");
        let tight = fit(1000, (1 << 20) - 10_000);
        assert!(tight.fits() && tight.code_is_tight() && tight.remedies(plain).len() == 2);
    }
}
