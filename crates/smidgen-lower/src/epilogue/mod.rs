//! Constants for the cheap finish of the [device kernels](smidgen_kernels::int8::mcu::epilogue), with the proof that they are exact.
//!
//! A clamped int8 output is a step function of the accumulator, and so is what the device kernels compute. Both never decrease, so they
//! are equal on all accumulators from the least to the greatest that a channel's weights can reach, if they are equal at these
//! two and on both sides of each step of the reference. [`search`] finds words; [`proves`] reads them back as the kernels do and
//! checks every such place. Nothing is used that has not passed [`proves`], so a fault of the search can cost speed, not bytes.

mod search;
#[cfg(test)]
mod tests;

use smidgen_kernels::Rounding;
use smidgen_kernels::int8::mcu::{Epilogue, Terms, Width};
use smidgen_kernels::int8::{Int8, Sum};
use smidgen_kernels::memory::Flash;
use smidgen_kernels::requant::Factor;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// One output channel by its definition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Channel {
    /// From accumulator to output.
    pub factor: Factor,
    /// What the accumulator starts with, so that with the products that the kernel adds it becomes the reference's.
    pub bias: i32,
    /// The least accumulator, bias included, that any input gives.
    pub low: i64,
    /// The greatest.
    pub high: i64,
}

impl Channel {
    /// A channel with these weights, each of which meets an input from -128 to 127, and a bias with the input's zero point folded in.
    pub fn new(factor: Factor, bias: i32, weights: impl Iterator<Item = impl Into<i64>>) -> Self {
        let (mut low, mut high) = (bias as i64, bias as i64);
        for weight in weights {
            let weight = weight.into();
            let ends = (weight * -128, weight * 127);
            low += ends.0.min(ends.1);
            high += ends.0.max(ends.1);
        }
        Self { factor, bias, low, high }
    }

    /// The same for a kernel whose products need another start.
    pub fn starting_at(self, bias: i32) -> Self {
        Self { bias, ..self }
    }

    /// The reference's output for an accumulator.
    fn output(&self, acc: i64, quant: &Int8) -> i8 {
        let scaled = self.factor.apply(acc as i32, quant.rounding);
        scaled.wrapping_add(quant.output_zero).clamp(quant.min as i32, quant.max as i32) as i8
    }

    /// True if the reference's outputs never decrease between two places where its accumulators wrap.
    fn is_in_range(&self) -> bool {
        let limit = i64::from(i32::MAX >> self.factor.shift.max(0));
        self.factor.shift <= 0 || -limit <= self.low && self.high <= limit
    }

    /// The accumulators from the least to the greatest, cut where 32 bits wrap: a bias that a converter limited to 32 bits lies at
    /// their very end. In each piece, outputs never decrease.
    fn pieces(&self, quant: &Int8) -> Vec<Piece> {
        const WRAP: i64 = 1 << 32;
        let turn = |acc: i64| (acc - i64::from(i32::MIN)).div_euclid(WRAP);
        (turn(self.low)..=turn(self.high))
            .map(|turn| {
                let first = i64::from(i32::MIN) + turn * WRAP;
                let (low, high) = (self.low.max(first), self.high.min(first + WRAP - 1));
                Piece { low, high, steps: self.steps(low, high, quant) }
            })
            .collect()
    }

    /// The steps of the reference in a piece: `(a, y)` where output `y` is the one at `a`, and another one at `a - 1`. The first is at
    /// the least accumulator, whatever comes before it.
    fn steps(&self, low: i64, high: i64, quant: &Int8) -> Vec<(i64, i8)> {
        let first = self.output(low, quant);
        let last = self.output(high, quant);
        let mut steps = Vec::with_capacity(1 + usize::from(last.abs_diff(first)));
        steps.push((low, first));
        while let Some(&(from, y)) = steps.last()
            && y < last
        {
            let guess = self.inverse(i64::from(y) + 1 - i64::from(quant.output_zero), quant.rounding);
            let wrapped = from - from as i32 as i64;
            if let Some(at) = guess.map(|at| at.saturating_add(wrapped)).filter(|at| (from + 1..=high).contains(at)) {
                // Nearly always right.
                let next = self.output(at, quant);
                if next > y && (at == from + 1 || self.output(at - 1, quant) == y) {
                    steps.push((at, next));
                    continue;
                }
            }
            let at = self.first_above((from, high), y, quant);
            steps.push((at, self.output(at, quant)));
        }
        steps
    }

    /// The first accumulator after `from` whose output is above `y`, where that of `high` is.
    fn first_above(&self, (from, high): (i64, i64), y: i8, quant: &Int8) -> i64 {
        let above = |acc: i64| self.output(acc, quant) > y;
        // Steps of the output for an accumulator.
        let real = self.factor.multiplier as f64 * libm::exp2(self.factor.shift as f64 - 31.0);
        // Half an output further than y itself, by the factor; the search starts there and is right wherever it starts.
        let wrapped = from - from as i32 as i64;
        let guess = ((y as f64 + 0.5 - quant.output_zero as f64) / real) as i64;
        let start = guess.saturating_add(wrapped).clamp(from, high);
        let mut step = 2;
        let (mut below, mut reached) = (start, start);
        if above(start) {
            while reached - step > from && above(reached - step) {
                reached -= step;
                step *= 2;
            }
            below = (reached - step).max(from);
        } else {
            while below + step < high && !above(below + step) {
                below += step;
                step *= 2;
            }
            reached = (below + step).min(high);
        }
        while reached - below > 1 {
            let middle = below + (reached - below) / 2;
            if above(middle) {
                reached = middle;
            } else {
                below = middle;
            }
        }
        reached
    }

    /// The least accumulator that becomes so many steps of the output or more, before anything wraps or is clamped; `None` for factors
    /// that shift left, and where 64 bits are too few to tell.
    fn inverse(&self, steps: i64, rounding: Rounding) -> Option<i64> {
        let (multiplier, shift) = (i64::from(self.factor.multiplier), u32::try_from(-self.factor.shift).ok()?);
        let least = match rounding {
            // The high half of the doubled product reaches so many steps less a half; ties are rounded away from zero.
            Rounding::Twice => {
                let tie = i64::from(shift > 0 && steps <= 0);
                let high = (steps << shift) - ((1 << shift) >> 1) + tie;
                high.checked_mul(1 << 31)?.checked_sub(1 << 30)?
            }
            Rounding::Once => steps.checked_mul(1i64.checked_shl(31 + shift)?)?.checked_sub(1 << (30 + shift))?,
        };
        // Rounded up.
        (multiplier > 0).then(|| -(-least).div_euclid(multiplier))
    }
}

/// Accumulators between which 32 bits do not wrap.
struct Piece {
    low: i64,
    high: i64,
    steps: Vec<(i64, i8)>,
}

/// What a packed form follows from: channels, quantisation, the weights' width, and whether channels may have shifts of their own.
type Layer = (Vec<Channel>, Int8, Width, bool);

/// Packed forms that were searched for before, in whatever network: networks that are lowered one after the other often share layers.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    layers: Mutex<HashMap<Layer, Option<Packed>>>,
    sums: Mutex<Vec<(Sum, Option<Terms>)>>,
}

impl Proofs {
    /// As [`terms`](crate::sum::terms).
    pub fn terms(&self, sum: &Sum) -> Option<Terms> {
        let known = || self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, terms)) = known().iter().find(|(known, _)| known == sum) {
            return *terms;
        }
        let terms = crate::sum::terms(sum);
        known().push((*sum, terms));
        terms
    }

    /// As [`pack`].
    pub fn pack(&self, channels: Vec<Channel>, quant: &Int8, width: Width, own_shifts: bool) -> Option<Packed> {
        // A thread that panicked has left whole entries.
        let known = || self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let layer = (channels, *quant, width, own_shifts);
        if let Some(packed) = known().get(&layer) {
            return packed.clone();
        }
        let packed = pack(&layer.0, quant, width, own_shifts);
        known().insert(layer, packed.clone());
        packed
    }
}

/// The packed form of a layer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Packed {
    /// What the channels share.
    pub epilogue: Epilogue,
    /// [`words`](smidgen_kernels::int8::mcu::epilogue::words) of them.
    pub words: Vec<u32>,
}

/// A channel and where its outputs change.
struct Task<'a> {
    channel: &'a Channel,
    pieces: Vec<Piece>,
    /// The output is the same for all accumulators.
    is_constant: bool,
}

impl<'a> Task<'a> {
    fn new(channel: &'a Channel, quant: &Int8) -> Self {
        let pieces = channel.pieces(quant);
        let mut outputs = pieces.iter().flat_map(|piece| &piece.steps).map(|step| step.1);
        let first = outputs.next();
        let is_constant = outputs.all(|y| Some(y) == first);
        Self { channel, pieces, is_constant }
    }
}

/// The cheapest packed form of a layer with weights of this width that is proven, if there is one. With `own_shifts`, channels may have
/// shifts of their own in a layer that one shift does not do for.
fn pack(channels: &[Channel], quant: &Int8, width: Width, own_shifts: bool) -> Option<Packed> {
    if !channels.iter().all(Channel::is_in_range) {
        return None;
    }
    let tasks: Vec<Task> = channels.iter().map(|channel| Task::new(channel, quant)).collect();
    let proven = |packed: &Packed| proves(packed, &tasks, width);
    let own = || if own_shifts { search::search_own_shifts(&tasks, quant, width).filter(proven) } else { None };
    search::search(&tasks, quant, width).filter(proven).or_else(own)
}

/// True if the packed form gives the reference's output for every accumulator of every channel.
fn proves(packed: &Packed, tasks: &[Task], width: Width) -> bool {
    let pairs = tasks.len().div_ceil(2);
    if !packed.epilogue.is_sound(width, &packed.words, tasks.len()) {
        return false;
    }
    tasks.iter().enumerate().all(|(i, Task { channel, pieces, .. })| {
        let unpacked = packed.epilogue.pair_of(width, Flash::new(&packed.words), i / 2 * 3, pairs * 3)[i % 2];
        let staged = |acc: i64| (acc - channel.bias as i64) * width.scale() as i64 + unpacked.start as i64;
        let equal = |acc: i64, y: i8| packed.epilogue.output(&unpacked, staged(acc) as i32) == y;
        // Staged accumulators may wrap as well, but only where the reference's do.
        let turns = |acc: i64| staged(acc) - i64::from(staged(acc) as i32);
        let is_exact = |piece: &Piece| {
            // In front of a step the reference has the output of the one before.
            turns(piece.low) == turns(piece.high)
                && piece.steps.iter().all(|&(at, y)| equal(at, y))
                && piece.steps.windows(2).all(|pair| equal(pair[1].0 - 1, pair[0].1))
                && piece.steps.last().is_some_and(|&(_, y)| equal(piece.high, y))
        };
        channel.is_in_range() && pieces.iter().all(is_exact)
    })
}
