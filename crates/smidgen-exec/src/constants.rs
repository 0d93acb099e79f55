//! A Program's constants, where kernels can read them.

use crate::arena::Aligned;
use smidgen_program::{ConstantId, Program};

/// Constants at addresses that suit any element.
#[derive(Clone, Debug)]
pub(crate) struct Constants {
    all: Aligned,
    starts: Vec<usize>,
    lens: Vec<usize>,
}

impl Constants {
    pub fn new(program: &Program) -> Self {
        let (all, starts) = Aligned::joined(program.constants.iter().map(|c| c.bytes.as_slice()));
        Self { all, starts, lens: program.constants.iter().map(|c| c.bytes.len()).collect() }
    }

    /// The bytes of a constant.
    pub fn bytes(&self, id: ConstantId) -> &[u8] {
        &self.all.bytes()[self.starts[id.index()]..][..self.lens[id.index()]]
    }
}
