//! The words of a layer: for each channel an interval of multipliers that are exact, and one in it that can be stored.

use super::{Channel, Packed, Piece, Task};
use smidgen_kernels::Rounding;
use smidgen_kernels::int8::Int8;
use smidgen_kernels::int8::mcu::epilogue::{EXTRA, MAX_SHIFT, OWN, max_low_bits};
use smidgen_kernels::int8::mcu::{Epilogue, Width};

/// How far the start of an extra may lie from the bias, in accumulators, to make up for what the shared offset lacks: a tie is at most
/// one accumulator wide.
const NUDGE: i64 = 2;

/// In how many steps of an accumulator nudges are tried: coarse before fine, as a wide interval is found soon.
const NUDGES: [i64; 3] = [8, 32, 256];

/// The layer's shift is as great as 31 bits of multiplier allow for its greatest factor, or a little less.
const SHIFTS_TRIED: i32 = 4;

/// The packed form with the fewest extras.
pub(super) fn search(tasks: &[Task], quant: &Int8, width: Width) -> Option<Packed> {
    // Factors of constant outputs do not matter.
    let greatest = tasks.iter().filter(|task| !task.is_constant).map(|task| task.channel.factor.shift).max();
    let full = width.scale_bits() as i32 - 1 - greatest.map_or(-1, i32::from);
    (0..SHIFTS_TRIED)
        .map(|less| full.min(MAX_SHIFT as i32) - less)
        .filter(|&shift| shift > 0)
        .find_map(|shift| Layer::new(tasks, quant, width, shift).pack_best(tasks))
}

/// The same with extras that hold shifts: with a greater shift for most channels, those of the greatest factors have less.
pub(super) fn search_own_shifts(tasks: &[Task], quant: &Int8, width: Width) -> Option<Packed> {
    let pack = |shift| {
        let mut layer = Layer::new(tasks, quant, width, shift);
        layer.epilogue.own_shifts = true;
        layer.pack_best(tasks)
    };
    (1..=MAX_SHIFT as i32).filter_map(pack).min_by_key(|packed| packed.epilogue.extras)
}

impl Task<'_> {
    /// True if what accumulators below 0 give does not tell them apart.
    fn is_flat_below_zero(&self) -> bool {
        let flat = |piece: &Piece| {
            piece.steps.get(1).is_none_or(|&(at, _)| at >= 0) && (piece.low >= 0 || piece.steps[0].1 == i8::MIN)
        };
        self.pieces.len() > 1 || self.pieces.iter().all(flat)
    }
}

/// The choices made for a layer, and for each channel the multipliers that they leave.
struct Layer {
    width: Width,
    epilogue: Epilogue,
    intervals: Vec<Vec<(Start, Interval)>>,
}

/// What is added to a bias, in staged units, and leading zeros of the multiplier, which decide `K`.
type Start = (i64, u32);

/// Multipliers from the first to the last; none if the last is less.
type Interval = (i64, i64);

/// No multiplier.
const NONE: Interval = (0, -1);

impl Layer {
    fn new(tasks: &[Task], quant: &Int8, width: Width, shift: i32) -> Self {
        let tie = match quant.rounding {
            Rounding::Twice => width.scale() as u32,
            Rounding::Once => 0,
        };
        let by_sign = tie != 0 && !tasks.iter().all(Task::is_flat_below_zero);
        let offset = (quant.output_zero << shift) + (1 << (shift - 1));
        let epilogue = Epilogue {
            offset,
            shift: shift as u32,
            tie,
            low: 0,
            unit: width.scale(),
            by_sign,
            extras: 0,
            own_shifts: false,
        };
        Self { width, epilogue, intervals: vec![Vec::new(); tasks.len()] }
    }

    /// The multipliers of channel `i` with this start.
    fn interval(&mut self, tasks: &[Task], i: usize, start: Start) -> Interval {
        if let Some(&(_, interval)) = self.intervals[i].iter().find(|(key, _)| *key == start) {
            return interval;
        }
        let interval = exact(&self.epilogue, self.width, &tasks[i], start);
        self.intervals[i].push((start, interval));
        interval
    }

    /// The number of leading zeros that a channel's factor suggests, and its neighbours; all, where few outputs occur.
    fn classes(&self, shift: u32, task: &Task) -> impl Iterator<Item = u32> + use<> {
        let factor = task.channel.factor;
        let natural = self.width.scale_bits() as i32 - shift as i32 - factor.shift as i32;
        let natural = if factor.multiplier == 0 { 32 } else { natural.clamp(1, 32) };
        let others = if task.is_constant || task.pieces.len() > 1 { 1..33 } else { 1..1 };
        let near = [natural, natural + 1, natural - 1].into_iter().filter(|class| (1..=32).contains(class));
        near.chain(others).map(|class| class as u32)
    }

    /// The word and half of channel `i`, if it can do without an extra.
    fn shared(&mut self, tasks: &[Task], i: usize, bits: u32) -> Option<(u32, u16)> {
        let task = &tasks[i];
        let bias = task.channel.bias as i64;
        // An output that never changes is also had with another bias, one that fits.
        let fitting = bias.clamp(-1 << (15 + bits), (1 << (15 + bits)) - 1) - bias;
        let other = (task.is_constant && fitting != 0).then_some(fitting);
        for whole in [0, -1, 1].into_iter().chain(other) {
            let field = bias + whole;
            let Ok(half) = i16::try_from(field >> bits) else { continue };
            let low = field & ((1 << bits) - 1);
            for class in self.classes(self.epilogue.shift, task) {
                let (first, last) = self.interval(tasks, i, (whole * self.width.scale() as i64, class));
                let multiplier = first + (low - first).rem_euclid(1 << bits);
                if multiplier <= last {
                    return Some((multiplier as u32, half as u16));
                }
            }
        }
        None
    }

    /// The word and start of channel `i` with an extra.
    fn extra(&mut self, tasks: &[Task], i: usize) -> Option<(u32, i32)> {
        let (channel, scale) = (tasks[i].channel, self.width.scale() as i64);
        let nudges = (0..=NUDGE * scale).flat_map(|n| [n, -n]).skip(1);
        // Where the reference wraps, so must the staged accumulator: half of 32 bits further, it does at the same place.
        let turned = if tasks[i].pieces.len() > 1 { 1 << 31 } else { 0 };
        let fine = NUDGES.into_iter().flat_map(|steps| nudges.clone().filter(move |n| n % (scale / steps) == 0));
        // Where an extra holds a shift, the start's low bits are none.
        let coarse = nudges.clone().filter(|n| n & i64::from(OWN) == 0);
        let nudges: Vec<i64> = if self.epilogue.own_shifts { coarse.collect() } else { fine.collect() };
        for less in self.own_shifts(channel) {
            let epilogue = self.epilogue.less(less);
            for nudge in nudges.iter().map(|nudge| nudge + turned) {
                for class in self.classes(epilogue.shift, &tasks[i]) {
                    let (first, last) = exact(&epilogue, self.width, &tasks[i], (nudge, class));
                    if first <= last {
                        return Some((first as u32, (channel.bias as i64 * scale + nudge) as i32 | less as i32));
                    }
                }
            }
        }
        None
    }

    /// How much less than the layer's a channel's shift may be, the least first: as 31 bits of multiplier allow for its factor, or a little less.
    fn own_shifts(&self, channel: &Channel) -> std::ops::Range<u32> {
        if !self.epilogue.own_shifts {
            return 0..1;
        }
        let shift = self.epilogue.shift;
        let full = self.width.scale_bits() as i32 - 1 - i32::from(channel.factor.shift);
        let least = shift - full.clamp(1, shift as i32) as u32;
        least..shift.min(least + SHIFTS_TRIED as u32)
    }

    /// The packed form with the best number of shared bits.
    fn pack_best(mut self, tasks: &[Task]) -> Option<Packed> {
        let bits = self.best_bits(tasks);
        self.pack(tasks, bits)
    }

    /// The number of shared bits that needs the fewest extras, the least of them.
    fn best_bits(&mut self, tasks: &[Task]) -> u32 {
        let mut best = (usize::MAX, 0);
        for bits in 0..=max_low_bits(self.width) {
            let mut extras = 0;
            for i in 0..tasks.len() {
                extras += usize::from(self.shared(tasks, i, bits).is_none());
                if extras >= best.0 {
                    break;
                }
            }
            best = best.min((extras, bits));
            if extras == 0 {
                break;
            }
        }
        best.1
    }

    fn pack(mut self, tasks: &[Task], bits: u32) -> Option<Packed> {
        let pairs = tasks.len().div_ceil(2);
        let mut words = vec![0; 3 * pairs];
        for i in 0..tasks.len() {
            let (word, half) = match self.shared(tasks, i, bits) {
                Some(shared) => shared,
                None => {
                    let (word, start) = self.extra(tasks, i)?;
                    words.push(start as u32);
                    (word | EXTRA, u16::try_from(words.len() - 3 * pairs - 1).ok()?)
                }
            };
            words[i / 2 * 3 + i % 2] = word;
            words[i / 2 * 3 + 2] |= (half as u32) << (16 * (i % 2));
        }
        let extras = u16::try_from(words.len() - 3 * pairs).ok()?;
        let epilogue = Epilogue { low: (1 << bits) - 1, unit: self.width.scale() << bits, extras, ..self.epilogue };
        Some(Packed { epilogue, words })
    }
}

/// The multipliers that give every output of the channel, among those with `class` leading zeros.
fn exact(epilogue: &Epilogue, width: Width, task: &Task, (nudge, class): Start) -> Interval {
    // A multiplier of 0 has 32.
    let mut bounds =
        if epilogue.tie == 0 { (0, i32::MAX as i64) } else { ((1 << 32 >> class) / 2, (1 << 32 >> class) - 1) };
    let with = epilogue.with(bounds.0 as i32, 0);
    let staged = |acc: i64| acc * width.scale() as i64 + nudge;
    // Output y or more, where the accumulator is acc: acc' * m >= ((y << j) - C + K) << 32, all in staged units.
    let at = |acc: i64, y: i64| {
        let staged = staged(acc) as i32 as i64;
        let tie = if staged < 0 { with.tie as i64 } else { 0 };
        (staged, ((y << epilogue.shift) - with.offset as i64 + tie) << 32)
    };
    let mut bound = |(staged, least): (i64, i64), reached: bool| {
        // staged * m >= least if reached, else staged * m <= least - 1.
        let limit = if reached { least } else { least - 1 };
        let (size, limit) = if staged < 0 { (-staged, -limit) } else { (staged, limit) };
        if size == 0 {
            // 0 >= limit, or 0 <= limit.
            if if reached { limit > 0 } else { limit < 0 } {
                bounds.1 = -1;
            }
        } else if reached == (staged > 0) {
            // Few places move a bound, so that most need no division.
            if limit > bounds.0 * size {
                bounds.0 = -(-limit).div_euclid(size);
            }
        } else if limit < bounds.1 * size {
            bounds.1 = limit.div_euclid(size);
        }
        bounds.0 <= bounds.1
    };
    for piece in &task.pieces {
        // The kernel's sums may wrap where the reference's do, and nowhere else.
        let turns = |acc: i64| staged(acc) - i64::from(staged(acc) as i32);
        if turns(piece.low) != turns(piece.high) {
            return NONE;
        }
        for (i, &(acc, y)) in piece.steps.iter().enumerate() {
            if y > i8::MIN && !bound(at(acc, y as i64), true) {
                return NONE;
            }
            // The last accumulator with this output must not have the next one.
            let last = piece.steps.get(i + 1).map_or(piece.high, |next| next.0 - 1);
            if y < i8::MAX && !bound(at(last, y as i64 + 1), false) {
                return NONE;
            }
        }
    }
    bounds
}
