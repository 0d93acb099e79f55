//! Calls with certified memory on the host, in allocations of just the size that a case has: under Miri, any access that is not inside, or
//! that the rules of references forbid, is an error.

use crate::cases::Call;
use crate::{Aligned, calls, floats};
use smidgen_kernels::{Arena, Certified, Flash};
use std::marker::PhantomData;

struct CertifiedArena<'a>(*mut u64, PhantomData<&'a mut u64>);

impl<'a> calls::Memory<'a, Certified> for CertifiedArena<'a> {
    fn arena<T: calls::Plain>(self) -> Arena<'a, T, Certified> {
        // SAFETY: the case has been run with checks in an arena of the same size.
        unsafe { Arena::certified(self.0.cast()) }
    }
}

struct CertifiedReader<'a> {
    words: std::slice::Iter<'a, u32>,
    constants: &'a [u64],
}

impl<'a> calls::Reader<'a, Certified> for CertifiedReader<'a> {
    fn word(&mut self) -> u32 {
        *self.words.next().expect("a case has all arguments")
    }

    fn constant<T: calls::Plain>(&mut self, offset: usize, _: usize) -> Flash<'a, T, Certified> {
        // SAFETY: the case has been run with checks on the same constants.
        unsafe { Flash::certified(self.constants.as_ptr().cast::<u8>().wrapping_add(offset).cast()) }
    }
}

/// What a call leaves of an arena. It must have passed with checks.
pub fn run(call: &Call, arena: &[u8]) -> Vec<u8> {
    let (mut memory, constants) = (Aligned::new(arena), Aligned::new(&call.constants));
    let mut reader = CertifiedReader { words: call.words.iter(), constants: &constants.0 };
    let run = if call.kernel.number < 1000 { calls::run } else { floats::run };
    run(call.kernel.number, CertifiedArena(memory.0.as_mut_ptr(), PhantomData), &mut reader);
    bytemuck::cast_slice(&memory.0)[..arena.len()].to_vec()
}
