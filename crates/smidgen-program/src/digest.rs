//! A number that tells Programs apart.

use crate::program::Program;
use std::fmt::{self, Write};

impl Program {
    /// A digest of everything in the Program: plans and firmware with the same digest compute the same bytes at the same places.
    ///
    /// It is FNV-1a of 64 bits (Fowler, Noll and Vo) over a textual form, against mix-ups, not against forgery.
    pub fn digest(&self) -> u64 {
        let mut hash = Fnv::default();
        for constant in &self.constants {
            hash.add(&constant.bytes.len().to_le_bytes());
            hash.add(&constant.bytes);
        }
        let Self {
            name: _,
            arena_bytes,
            constants: _,
            buffers,
            steps,
            scratch,
            state,
            runs,
            inputs,
            outputs,
            variables,
        } = self;
        write!(hash, "{arena_bytes} {buffers:?} {steps:?} {scratch:?} {state:?} {runs:?} {inputs:?} {outputs:?}")
            .expect("hashing does not fail");
        if !variables.is_empty() {
            write!(hash, " {variables:?}").expect("hashing does not fail");
        }
        hash.0
    }

    /// A digest of what the bytes of the state mean: what is computed, and where each variable lies among them. The state of one Program is good for
    /// another with the same one, which may have another schedule and lie elsewhere in memory.
    pub fn state_digest(&self) -> u64 {
        let mut hash = Fnv::default();
        for constant in &self.constants {
            hash.add(&constant.bytes.len().to_le_bytes());
            hash.add(&constant.bytes);
        }
        let begin = self.persistent().offset;
        let places = self.variables.iter().map(|variable| self.variable_bytes(variable).offset - begin);
        let (steps, variables) = (&self.steps, &self.variables);
        write!(hash, "{steps:?} {variables:?} {:?}", places.collect::<Vec<_>>()).expect("hashing does not fail");
        hash.0
    }
}

/// FNV-1a of the bytes of a text.
pub(crate) fn of_text(text: &str) -> u64 {
    let mut hash = Fnv::default();
    hash.add(text.as_bytes());
    hash.0
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Constant, Run};

    #[test]
    fn every_part_counts() {
        let empty = Program::default();
        let mut others = vec![empty.clone(); 3];
        others[0].arena_bytes = 16;
        others[1].constants.push(Constant { name: String::new(), bytes: vec![0], align: 1 });
        others[2].runs.push(Run::Await { input: 0, y0: 0, y1: 1 });
        let mut digests: Vec<u64> = others.iter().chain([&empty]).map(Program::digest).collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), 4);
        assert_eq!(empty.digest(), Program { name: "renamed".into(), ..empty.clone() }.digest());
    }
}
