//! What a network takes of a board, and what it may take.

use crate::error::SearchError;
use serde::{Deserialize, Serialize};
use smidgen_ir::{Graph, thousands};
use smidgen_plan::planner::Oracle;
use std::fmt;

/// What a network takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Multiply-accumulates of an inference.
    pub macs: u64,
    /// Bytes of the arena, at most.
    pub sram: usize,
    /// Bytes of constants and modelled code.
    pub flash: usize,
    /// Modelled instructions of an inference.
    pub instructions: u64,
}

/// Something that may run short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// Bytes of SRAM.
    Sram,
    /// Bytes of flash.
    Flash,
    /// Multiply-accumulates.
    Macs,
    /// Instructions.
    Instructions,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sram, Self::Flash, Self::Macs, Self::Instructions];
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sram => "SRAM",
            Self::Flash => "flash",
            Self::Macs => "MACs",
            Self::Instructions => "instructions",
        })
    }
}

/// What a network may take; `None` is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Budget {
    /// Bytes of the arena.
    pub sram: Option<usize>,
    /// Bytes of constants and code.
    pub flash: Option<usize>,
    /// Multiply-accumulates.
    pub macs: Option<u64>,
    /// Instructions.
    pub instructions: Option<u64>,
}

impl Budget {
    /// The limits that a network exceeds.
    pub fn exceeded(&self, figures: &Figures) -> Vec<Limit> {
        let over = |limit: Limit| match limit {
            Limit::Sram => self.sram.is_some_and(|most| figures.sram > most),
            Limit::Flash => self.flash.is_some_and(|most| figures.flash > most),
            Limit::Macs => self.macs.is_some_and(|most| figures.macs > most),
            Limit::Instructions => self.instructions.is_some_and(|most| figures.instructions > most),
        };
        Limit::ALL.into_iter().filter(|&limit| over(limit)).collect()
    }

    /// True if a network takes no more than it may.
    pub fn admits(&self, figures: &Figures) -> bool {
        self.exceeded(figures).is_empty()
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.sram.map(|n| format!("{} bytes of SRAM", thousands(n as u64))),
            self.flash.map(|n| format!("{} bytes of flash", thousands(n as u64))),
            self.macs.map(|n| format!("{} MACs", thousands(n))),
            self.instructions.map(|n| format!("{} instructions", thousands(n))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&if parts.is_empty() { "any budget".to_owned() } else { parts.join(", ") })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [sram, flash] = [self.sram, self.flash].map(|n| thousands(n as u64));
        let [macs, instructions] = [self.macs, self.instructions].map(thousands);
        write!(f, "{sram} bytes of SRAM, {flash} bytes of flash, {macs} MACs, {instructions} instructions")
    }
}

/// Says what networks take.
pub trait Estimator: Sync {
    /// The figures of an int8 network, of whose weights nothing is known.
    ///
    /// # Errors
    /// If it cannot be planned.
    fn figures(&self, network: &Graph) -> Result<Figures, SearchError>;
}

impl Estimator for Oracle {
    fn figures(&self, network: &Graph) -> Result<Figures, SearchError> {
        let cost = self.cost(network)?;
        Ok(Figures {
            macs: smidgen_ir::cost::cost(network).macs,
            sram: cost.sram,
            flash: cost.flash.constants + cost.code,
            instructions: cost.instructions,
        })
    }
}
