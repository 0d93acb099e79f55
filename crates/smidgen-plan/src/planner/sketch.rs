//! A choice of segments without a walk over their rows, and what it takes at least and about.
//!
//! [Arithmetic](super::arithmetic) bounds what each segment keeps alive. The least greatest bound over all ways to cut the network
//! into segments is no more than any plan takes; and the segments that have it are mostly those that the planner chooses too.

use super::arithmetic::{Arithmetic, Bound, Floor};
use super::local_search::{ROWS, with_rows};
use super::segments::{self, Kind, MOST_ALIVE, MOST_STREAMED_ROWS, MOST_STREAMED_STEPS, PARTS, Segment, streamed_rows};
use crate::schedule::{Flow, Peak};
use smidgen_kernels::Window2d;
use smidgen_kernels::int8::mcu::Width;
use smidgen_program::costs::Costs;
use smidgen_program::{AxisFootprint, Kernel, Operand, Region, Run, Step};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Steps of segments that are looked at in all: a measure of time that is the same everywhere.
const VISITS: usize = 400_000;
/// Of the bytes that rows computed together take, so much is less than one part in so many at the moment when most are alive.
const SHARE: usize = 4;
/// Steps for which it is looked at together what lasts behind them.
const LASTING: usize = 6;
/// Steps whose costs are remembered.
const MOST_KNOWN: usize = 1 << 16;

/// What one step takes, in hundredths of instructions.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepCost {
    /// In one run.
    whole: u64,
    /// Row by row.
    rows: u64,
    /// Row by row, each row in [`PARTS`].
    parts: u64,
    /// For each of [`ROWS`] that its kernel may compute together: in one run, in runs of so many rows, and bytes of scratch.
    together: Vec<(usize, [u64; 2], usize)>,
}

impl StepCost {
    fn new(step: &Step, costs: &Costs) -> Self {
        let extent = match (step.consumes, step.inputs.first(), step.outputs.first()) {
            (true, Some(&Operand::Buffer(_, extent)), _) => extent,
            (_, _, Some(target)) => target.extent,
            _ => return Self::default(),
        };
        let of = |step: &Step, (y0, y1): (usize, usize), (x0, x1): (usize, usize)| {
            costs.of_step(step, Region { y0, y1, x0, x1 })
        };
        let across = (0, extent.cols);
        // Rows at the borders, whose windows are cut, differ; all others are alike.
        let border = match step.footprint.first().map(|footprint| &footprint.rows) {
            Some(&AxisFootprint::Window { extent, stride, .. }) => extent.div_ceil(stride.max(1)),
            _ => 0,
        };
        let sum = |step: &Step, band: usize, cols: (usize, usize)| -> u64 {
            let runs = extent.rows.div_ceil(band);
            let run = |i: usize| of(step, (i * band, ((i + 1) * band).min(extent.rows)), cols);
            let edge = border.div_ceil(band) + 1;
            if runs <= 2 * edge + 1 {
                return (0..runs).map(run).sum();
            }
            (0..edge).chain(runs - edge..runs).map(run).sum::<u64>() + run(edge) * (runs - 2 * edge) as u64
        };
        let cuts = PARTS.min(extent.cols).max(1);
        let part = |part: usize| (part * extent.cols / cuts, (part + 1) * extent.cols / cuts);
        let together = ROWS.map(|rows| rows.min(extent.rows)).into_iter().filter_map(|rows| {
            let step = with_rows(step, rows)?;
            Some((rows, [of(&step, (0, extent.rows), across), sum(&step, rows, across)], step.scratch_bytes))
        });
        let mut together: Vec<_> = together.collect();
        together.dedup();
        Self {
            whole: of(step, (0, extent.rows), across),
            rows: sum(step, 1, across),
            parts: (0..cuts).map(|i| sum(step, 1, part(i))).sum(),
            together,
        }
    }
}

/// What the costs of a step follow from, for the kernels that most steps of a convolutional network have.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Geometry {
    window: Window2d,
    /// Of the weights of a convolution; `None` for a depthwise one.
    width: Option<Width>,
    by_sign: bool,
    /// Rows of the output, of all images.
    rows: usize,
}

impl Geometry {
    fn of(step: &Step) -> Option<Self> {
        let rows = step.outputs.first()?.extent.rows;
        let of = |window, width, by_sign| Some(Self { window, width, by_sign, rows });
        match &step.kernel {
            Kernel::Conv2dI8Mcu(kernel) if !kernel.offset => {
                of(kernel.window, Some(kernel.width), kernel.epilogue.by_sign)
            }
            Kernel::DepthwiseI8Mcu(kernel) => of(kernel.window, None, kernel.epilogue.by_sign),
            _ => None,
        }
    }
}

/// Costs of steps that were seen before, in whatever network.
#[derive(Debug, Default)]
pub(crate) struct Memo(Mutex<HashMap<Geometry, Arc<StepCost>>>);

impl Memo {
    fn of(&self, step: &Step, costs: &Costs) -> Arc<StepCost> {
        let Some(geometry) = Geometry::of(step) else { return Arc::new(StepCost::new(step, costs)) };
        // A thread that panicked has left whole entries.
        let known = || self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(cost) = known().get(&geometry) {
            return cost.clone();
        }
        let cost = Arc::new(StepCost::new(step, costs));
        let mut known = known();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(geometry, cost.clone());
        cost
    }
}

/// One segment of a sketch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    pub from: usize,
    pub to: usize,
    pub kind: Kind,
    /// Bytes alive at least, by the planner's quick view.
    peak: usize,
}

impl From<&Segment> for Part {
    fn from(&Segment { from, to, kind, peak, .. }: &Segment) -> Self {
        Self { from, to, kind, peak: peak.rings }
    }
}

impl From<&Part> for Segment {
    fn from(&Part { from, to, kind, peak }: &Part) -> Self {
        Self { from, to, kind, peak: Peak { rings: peak, slots: peak }, instructions: 0 }
    }
}

/// What segments are cut from, and what each position and each whole step keeps alive.
pub(crate) struct Ground<'f, 'a> {
    flow: &'f Flow<'a>,
    arithmetic: Arithmetic<'f, 'a>,
    /// Each step whole.
    whole: Vec<Bound>,
    /// For each position, bytes that are alive there, whatever lies in front and behind.
    alive: Vec<usize>,
    /// For each position, whether streamed segments begin and end there.
    open: Vec<bool>,
    /// For each position, rows of all steps in front of it when they are streamed.
    rows: Vec<usize>,
}

impl<'f, 'a> Ground<'f, 'a> {
    /// Looks at single steps and positions.
    pub fn new(flow: &'f Flow<'a>, stream_input: bool) -> Self {
        let end = flow.lowered.steps.len();
        let arithmetic = segments::arithmetic(flow, stream_input);
        let mut rows = vec![0; end + 1];
        for s in 0..end {
            rows[s + 1] = rows[s] + streamed_rows(flow, s);
        }
        Self {
            flow,
            whole: (0..end).map(|s| arithmetic.whole(s)).collect(),
            alive: (0..=end).map(|at| arithmetic.alive_bytes(at)).collect(),
            open: (0..=end).map(|at| flow.tensors_alive(at) <= MOST_ALIVE || at == 0 || at == end).collect(),
            rows,
            arithmetic,
        }
    }

    /// Ends of streamed segments that begin at `from`, the nearest first.
    fn ends<'s>(&'s self, from: usize, open: &'s [bool]) -> impl Iterator<Item = usize> + use<'s, 'f, 'a> {
        let last = if open[from] { self.flow.apart[from] } else { from };
        let fits = move |&to: &usize| {
            self.rows[to] - self.rows[from] <= MOST_STREAMED_ROWS && to - from <= MOST_STREAMED_STEPS
        };
        (from + 2..=last).take_while(fits).filter(move |&to| open[to])
    }

    /// For each position, the greatest of a figure of the whole steps behind it.
    fn behind(&self, of: impl Fn(&Bound) -> usize) -> Vec<usize> {
        let end = self.whole.len();
        let mut behind = vec![0; end + 1];
        for s in (0..end).rev() {
            behind[s] = behind[s + 1].max(of(&self.whole[s]));
        }
        behind
    }

    /// No plan that computes every row once takes less, if it takes less than `cap` at all: the least over all ways to cut the network of the
    /// greatest [bound](super::arithmetic::Floor) of a part. Segments are looked at as long as there are visits left; of others only what
    /// is alive where they begin and end is known.
    pub fn lower(&self, cap: usize) -> usize {
        let end = self.whole.len();
        let mut open = self.open.clone();
        for (from, to, _) in segments::streamed(self.flow) {
            (open[from], open[to]) = (true, true);
        }
        let behind = self.behind(|bound| bound.between);
        let mut floor = Floor::new(&self.arithmetic);
        let mut low = vec![usize::MAX; end + 1];
        low[0] = 0;
        let mut lowest = behind[0].min(cap);
        let mut visits = 0;
        for from in 0..end {
            let so_far = low[from].max(self.alive[from]);
            if so_far >= lowest {
                continue;
            }
            low[from + 1] = low[from + 1].min(so_far.max(self.whole[from].between));
            lowest = lowest.min(low[from + 1].max(behind[from + 1]));
            for to in self.ends(from, &open) {
                if so_far >= lowest {
                    break;
                }
                let here = so_far.max(self.alive[to]);
                if here >= lowest.min(low[to]) {
                    continue;
                }
                visits += to - from;
                if floor.lasting(from, to) >= lowest {
                    break;
                }
                let bound = if visits > VISITS { 0 } else { floor.stream(from, to, lowest) };
                low[to] = low[to].min(here.max(bound));
                lowest = lowest.min(low[to].max(behind[to]));
            }
        }
        lowest
    }
}

/// What is known of a network without a list.
pub(crate) struct Sketch {
    /// The segments with the least greatest bound.
    pub parts: Vec<Part>,
    /// True if every segment was looked at, and said anything.
    pub thorough: bool,
    costs: Vec<Arc<StepCost>>,
}

/// Bounds of all segments that are asked for.
struct Table<'t, 'f, 'a> {
    arithmetic: &'t Arithmetic<'f, 'a>,
    known: Vec<Vec<Option<(Bound, bool)>>>,
    /// For each position, what is kept alive by all segments from there on that have 2, 3, ... steps or more, once that was asked.
    lasting: Vec<Vec<Bound>>,
    visits: usize,
}

impl Table<'_, '_, '_> {
    /// True if so many bytes are alive in all streamed segments from `from` to `to` and beyond.
    fn lasts(&mut self, from: usize, to: usize, enough: Bound) -> bool {
        let list = &mut self.lasting[from];
        while list.len() + 1 < to - from {
            let next = from + list.len();
            for mut bound in self.arithmetic.lasting(from, next..(next + LASTING).min(self.known.len() - 1)) {
                bound.raise(list.last().copied().unwrap_or_default());
                list.push(bound);
            }
        }
        list[to - from - 2].reaches(enough)
    }

    /// The bound of a streamed segment, looked at until it is above `enough`; `None` if nothing is known.
    fn stream(&mut self, from: usize, to: usize, enough: Bound) -> Option<Bound> {
        let list = &mut self.known[from];
        if list.len() <= to - from {
            list.resize(to - from + 1, None);
        }
        let within = |bound: &Bound| !bound.reaches(enough);
        match &self.known[from][to - from] {
            // A look that ended early may have missed what counts now.
            Some((bound, complete)) if *complete || !within(bound) => return Some(*bound),
            _ => {}
        }
        if self.visits > VISITS {
            return None;
        }
        self.visits += to - from;
        let bound = self.arithmetic.stream(from, to, enough)?;
        self.known[from][to - from] = Some((bound, within(&bound)));
        Some(bound)
    }
}

impl Sketch {
    /// Looks at a network.
    pub fn new(ground: &Ground, costs: &'static Costs, memo: &Memo) -> Self {
        let Ground { flow, arithmetic, whole, alive, open, .. } = ground;
        let end = whole.len();
        let step_costs: Vec<Arc<StepCost>> = flow.lowered.steps.iter().map(|step| memo.of(step, costs)).collect();
        let mut table =
            Table { arithmetic, known: vec![Vec::new(); end + 1], lasting: vec![Vec::new(); end], visits: 0 };
        let behind = ground.behind(|bound| bound.during[0]);
        let mut least = vec![usize::MAX; end + 1];
        least[0] = 0;
        let mut smallest = behind[0];
        let chain = arithmetic.chain();
        let mut thorough = chain > 1;
        for from in 0..end {
            let so_far = least[from].max(alive[from]);
            if so_far >= smallest {
                continue;
            }
            least[from + 1] = least[from + 1].min(so_far.max(whole[from].during[0]));
            smallest = smallest.min(least[from + 1].max(behind[from + 1]));
            for to in ground.ends(from, open) {
                let to_far = so_far.max(alive[to]);
                if so_far >= smallest {
                    break;
                }
                if to_far >= smallest.min(least[to]) {
                    continue;
                }
                let enough = Bound { between: 0, during: [smallest; 2] };
                if table.lasts(from, to, enough) {
                    break;
                }
                match table.stream(from, to, enough) {
                    Some(bound) => least[to] = least[to].min(to_far.max(bound.during[0].min(bound.during[1]))),
                    // A single step of the chain in front of a whole one is no chain.
                    None => thorough &= from + 1 >= chain,
                }
                smallest = smallest.min(least[to].max(behind[to]));
            }
        }
        let mut sketch = Self { parts: Vec::new(), thorough, costs: step_costs };
        sketch.thorough &= table.visits <= VISITS;
        if sketch.thorough {
            sketch.parts = sketch.fastest(&mut table, ground, smallest).unwrap_or_default();
        }
        sketch.thorough &= !sketch.parts.is_empty();
        sketch
    }

    /// The segments with the fewest instructions of which no bound is above `limit`.
    fn fastest(&self, table: &mut Table, ground: &Ground, limit: usize) -> Option<Vec<Part>> {
        let Ground { whole, alive, open, .. } = ground;
        let end = whole.len();
        let mut unfit = vec![end; end + 1];
        for s in (0..end).rev() {
            unfit[s] = if whole[s].during[0] <= limit { unfit[s + 1] } else { s };
        }
        // Instructions of all steps in front of each position: whole, in rows, and in parts where they are cut.
        let cut = |s: usize| table.arithmetic.passes_on(s) || s > 0 && table.arithmetic.passes_on(s - 1);
        let mut sums = vec![[0; 3]; end + 1];
        for (s, cost) in self.costs.iter().enumerate() {
            let by = [cost.whole, cost.rows, if cut(s) { cost.parts } else { cost.rows }];
            sums[s + 1] = [0, 1, 2].map(|i| sums[s][i] + by[i]);
        }
        let mut best: Vec<Option<(u64, usize)>> = vec![None; end + 1];
        let mut chosen: Vec<Option<Part>> = vec![None; end + 1];
        best[0] = Some((0, 0));
        let enough = Bound { between: 0, during: [limit + 1; 2] };
        for from in 0..end {
            let Some((instructions, count)) = best[from] else { continue };
            let mut offer = |best: &mut [Option<(u64, usize)>], part: Part, taken: u64| {
                let cost = (instructions + taken, count + 1);
                if best[part.to].is_none_or(|known| cost < known) {
                    best[part.to] = Some(cost);
                    chosen[part.to] = Some(part);
                }
            };
            if whole[from].during[0] <= limit {
                let part = Part { from, to: from + 1, kind: Kind::Layer, peak: whole[from].during[0] };
                offer(&mut best, part, self.costs[from].whole);
            }
            if alive[from] > limit || unfit[from] == end {
                continue;
            }
            // Steps that fit whole behind a segment that fits are better whole than streamed.
            let mut unfit_behind = unfit[from];
            for to in ground.ends(from, open).filter(|&to| alive[to] <= limit) {
                if to <= unfit_behind {
                    continue;
                }
                let taken = [1, 2].map(|i| sums[to][i] - sums[from][i]);
                if best[to].is_some_and(|known| known < (instructions + taken[0].min(taken[1]), count + 1)) {
                    continue;
                }
                if table.lasts(from, to, enough) {
                    break;
                }
                if unfit_behind == end {
                    break;
                }
                let Some(bound) = table.stream(from, to, enough) else { continue };
                for (i, parts) in [1, PARTS].into_iter().enumerate() {
                    if bound.during[i] <= limit {
                        let part = Part { from, to, kind: Kind::Stream { parts }, peak: bound.during[i] };
                        offer(&mut best, part, taken[i]);
                        unfit_behind = unfit[to];
                        break;
                    }
                }
            }
        }
        let mut parts = Vec::new();
        let mut at = end;
        while at > 0 {
            let part = chosen[at]?;
            parts.push(part);
            at = part.from;
        }
        parts.reverse();
        Some(parts)
    }

    /// Instructions of a plan that may take so many bytes, with these segments: as many rows together as save most for a byte.
    pub fn instructions(&self, flow: &Flow, limit: usize) -> u64 {
        self.parts.iter().map(|part| self.part(flow, part, limit)).sum::<u64>() / 100
    }

    fn part(&self, flow: &Flow, part: &Part, limit: usize) -> u64 {
        let mut left = limit.saturating_sub(part.peak);
        let steps = &flow.lowered.steps;
        match part.kind {
            Kind::Layer => {
                let of = |s: usize| {
                    let (cost, scratch) = (&self.costs[s], steps[s].scratch_bytes);
                    let fitting = cost.together.iter().filter(|(_, _, more)| more.saturating_sub(scratch) <= left);
                    fitting.map(|(_, cost, _)| cost[0]).min().unwrap_or(cost.whole).min(cost.whole)
                };
                (part.from..part.to).map(of).sum()
            }
            Kind::Stream { parts } => {
                let range = part.from..part.to;
                let passes = |s: usize| s + 1 < part.to && flow.passes_columns(s, s + 1);
                let cut = |s: usize| parts > 1 && (passes(s) || s > part.from && passes(s - 1));
                let mut now: Vec<u64> =
                    range.clone().map(|s| if cut(s) { self.costs[s].parts } else { self.costs[s].rows }).collect();
                // What saves most for a byte comes first.
                loop {
                    let mut best: Option<(u64, usize, usize, u64, u64)> = None;
                    for s in range.clone() {
                        let i = s - part.from;
                        let Some(target) = steps[s].outputs.first() else { continue };
                        let buffers = &flow.lowered.buffers;
                        let row = buffers[target.buffer.index()].row_bytes();
                        let reads: usize =
                            flow.reads(s).map(|(b, footprint)| buffers[b].row_bytes() * stride(&footprint.rows)).sum();
                        let next = if passes(s) { self.costs.get(s + 1).map_or(0, |c| c.rows) } else { 0 };
                        for (rows, cost, scratch) in &self.costs[s].together {
                            let uncut = if cut(s) { row - row / PARTS } else { 0 };
                            let more =
                                (rows - 1) * (row + reads) + scratch.saturating_sub(steps[s].scratch_bytes) + uncut;
                            let more = more / SHARE;
                            let after = now.get(i + 1).map_or(0, |&now| now.saturating_sub(next.min(now)));
                            let after = if next > 0 { after } else { 0 };
                            let saves = now[i].saturating_sub(cost[1]) + after;
                            if more > left || saves == 0 {
                                continue;
                            }
                            let worth = saves / more.max(1) as u64;
                            if best.is_none_or(|known| known.0 < worth) {
                                best = Some((worth, i, more, cost[1], next));
                            }
                        }
                    }
                    let Some((_, i, more, cost, next)) = best else { break };
                    left -= more;
                    now[i] = cost;
                    if next > 0 {
                        now[i + 1] = now[i + 1].min(next);
                    }
                }
                now.into_iter().sum()
            }
        }
    }

    /// The list.
    pub fn runs(&self, flow: &Flow, stream_input: bool) -> (Vec<Run>, crate::schedule::Columns) {
        let mut columns = crate::schedule::Columns::full(flow);
        let mut writer = crate::schedule::Writer::starting_at(flow, 0, stream_input);
        let mut runs = Vec::new();
        for part in &self.parts {
            let list = segments::write(&mut writer, flow, part.from, part.to, part.kind, |_| usize::MAX);
            columns.add(&list.tiles);
            runs.extend(list.runs);
        }
        crate::schedule::merge(flow, &mut runs);
        (runs, columns)
    }
}

fn stride(reach: &AxisFootprint) -> usize {
    match reach {
        AxisFootprint::Window { stride, .. } => *stride,
        _ => 1,
    }
}
