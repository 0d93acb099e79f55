//! The plan that is obviously right: every step once and whole, every buffer stored whole, nothing overlapping.
//!
//! It is the oracle against which every other schedule is tested, and needs the most memory of all.

use crate::allocate::with_variables;
use smidgen_program::program::{Buffer, Bytes, Lowered, Program, Run};

/// Alignment of every place in the arena, in bytes.
const ALIGN: usize = 16;

/// Turns steps into a Program that runs them layer by layer. A buffer's bytes are reserved from its first use to its last;
/// no two that live at the same run share a byte.
pub fn layer_wise(lowered: &Lowered) -> Program {
    let steps = lowered.steps.len();
    // Run i is step i; what the caller writes lives from run 0 on, what it reads until past the last run.
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; lowered.buffers.len()];
    let mut touch = |buffer: usize, run: usize| {
        let life = lives[buffer].get_or_insert((run, run));
        *life = (life.0.min(run), life.1.max(run));
    };
    for id in lowered.inputs.iter().filter_map(|p| p.operand.buffer()) {
        touch(id.index(), 0);
    }
    for (i, step) in lowered.steps.iter().enumerate() {
        step.inputs.iter().filter_map(|o| o.buffer()).for_each(|id| touch(id.index(), i));
        step.outputs.iter().for_each(|target| touch(target.buffer.index(), i));
    }
    for id in lowered.outputs.iter().filter_map(|p| p.operand.buffer()) {
        touch(id.index(), steps);
    }

    let mut arena = FirstFit::default();
    let persistent = lowered.persistent();
    let mut offsets: Vec<usize> = (lowered.buffers.iter().zip(&lives).zip(&persistent))
        .map(|((spec, life), &persistent)| match persistent {
            true => 0,
            false => arena.place(spec.bytes(), life.unwrap_or((0, 0))),
        })
        .collect();
    let mut own = |len: usize, run: usize| {
        if len == 0 { Bytes::default() } else { Bytes { offset: arena.place(len, (run, run)), len } }
    };
    let scratch = lowered.steps.iter().enumerate().map(|(i, s)| own(s.scratch_bytes, i)).collect();
    let state = lowered.steps.iter().enumerate().map(|(i, s)| own(s.state_bytes, i)).collect();

    let (lasting, arena_bytes) = with_variables(lowered, arena.end);
    for (variable, offset) in lowered.variables.iter().zip(lasting) {
        offsets[variable.value.index()] = offset;
        offsets[variable.next.index()] = offset;
    }

    Program {
        name: lowered.name.clone(),
        arena_bytes,
        constants: lowered.constants.clone(),
        buffers: (lowered.buffers.iter().zip(offsets))
            .map(|(spec, offset)| Buffer {
                offset,
                slots: spec.extent.rows,
                width: spec.extent.cols,
                spec: spec.clone(),
            })
            .collect(),
        scratch,
        state,
        runs: lowered.step_ids().map(|step| Run::Compute { step, region: lowered.whole(step) }).collect(),
        steps: lowered.steps.clone(),
        inputs: lowered.inputs.clone(),
        outputs: lowered.outputs.clone(),
        variables: lowered.variables.clone(),
    }
}

/// Lowest place that no range with an overlapping life takes.
#[derive(Default)]
struct FirstFit {
    taken: Vec<(usize, usize, (usize, usize))>,
    end: usize,
}

impl FirstFit {
    fn place(&mut self, len: usize, life: (usize, usize)) -> usize {
        let mut busy: Vec<(usize, usize)> = self
            .taken
            .iter()
            .filter(|(_, _, other)| other.0 <= life.1 && life.0 <= other.1)
            .map(|&(start, end, _)| (start, end))
            .collect();
        busy.sort_unstable();
        let mut at = 0usize;
        for (start, end) in busy {
            if at + len <= start {
                break;
            }
            at = at.max(end.next_multiple_of(ALIGN));
        }
        self.taken.push((at, at + len, life));
        self.end = self.end.max(at + len);
        at
    }
}
