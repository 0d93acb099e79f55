//! How far an output stored whole may reach into an input stored whole while one run computes it.
//!
//! With `w(k)` the end of the output bytes written when the first `k` blocks are done, and `r(k)` the first input byte that
//! block `k`, a later block or a later run still reads (addresses from each buffer's own start), the output may lie `D` bytes
//! below the input exactly when `D >= w - r` at every moment. Every kernel passes through the moments `(w(k), r(k))` for
//! `k = 0 ..= n`; one that is not staged also through `(w(k + 1) - e, r(k))`, with `e` the size of the block's last element. One that
//! works on some channels of a band after the other does so through a moment before each of them; a band counts as a block.
//!
//! Both are affine in row, column and block number except where a window leaves the padding, and `r` is a minimum of a few such
//! pieces, so `w - r` is convex between these places and greatest at one of their corners: only those are looked at.

use smidgen_kernels::Region;
use smidgen_program::footprint::{AxisFootprint, Footprint, Granularity, WriteOrder};
use smidgen_program::program::Extent;
use std::cell::RefCell;

/// The output of a run, as its kernel sees it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Writer {
    pub extent: Extent,
    /// Bytes of an element.
    pub element: usize,
    /// Window of what is live before the run, empty at the region's first byte if nothing is.
    pub live: (usize, usize),
}

/// One buffer that a run reads.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Reader<'a> {
    /// Each operand that is this buffer.
    pub operands: Vec<(&'a Footprint, Extent)>,
    /// Bytes of an element.
    pub element: usize,
    /// Channels of the run's output.
    pub output_depth: usize,
    /// End of what is live before and during the run.
    pub end: usize,
    /// First byte that a later run reads.
    pub after: Option<usize>,
}

/// What the moments of a run come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Within {
    /// For each reader, the least distance from the output's start up to the reader's; `None` if never live together.
    pub distance: Vec<Option<isize>>,
    /// Most bytes of output and readers live at one moment.
    pub peak: usize,
}

/// What counts of a reader: which buffer it is, the end of what is live of it, and the first byte that a later run reads.
type Lives = (usize, usize, Option<usize>);

/// A run of some step, and what its moments came to.
#[derive(Debug)]
struct Known {
    run: (WriteOrder, Region, Writer),
    readers: Vec<Lives>,
    within: Within,
}

/// Runs of one step that are remembered.
const MOST_KNOWN: usize = 64;

/// What the moments of runs came to, for each step: networks repeat rows, and lists repeat runs, that differ in nothing that counts here.
/// It is of one network's steps, however many rows they compute together.
#[derive(Debug, Default)]
pub(crate) struct Memo(RefCell<Vec<Vec<Known>>>);

impl Memo {
    /// As [`within`].
    pub fn within(&self, step: usize, run: (WriteOrder, Region, Writer), readers: Vec<(usize, Reader)>) -> Within {
        let mut steps = self.0.borrow_mut();
        if steps.len() <= step {
            steps.resize_with(step + 1, Vec::new);
        }
        let known = &mut steps[step];
        let lives = |(buffer, reader): &(usize, Reader)| (*buffer, reader.end, reader.after);
        let found =
            known.iter().find(|known| known.run == run && known.readers.iter().copied().eq(readers.iter().map(lives)));
        if let Some(known) = found {
            return known.within.clone();
        }
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        let key = readers.iter().map(lives).collect();
        let readers: Vec<Reader> = readers.into_iter().map(|(_, reader)| reader).collect();
        let (order, region, writer) = run;
        let within = within(order, region, writer, &readers);
        known.push(Known { run, readers: key, within: within.clone() });
        within
    }
}

/// The position of an element in the region.
#[derive(Clone, Copy, Debug)]
struct Place {
    row: usize,
    col: usize,
    channel: usize,
}

/// A run cut into blocks, all of which have the same number of elements but the last of each row.
#[derive(Clone, Copy)]
pub(crate) struct Blocks {
    region: Region,
    depth: usize,
    elements: usize,
    per_row: usize,
    rows_per_block: usize,
    /// Channels of a block at a time; all of them but in planes.
    channels: usize,
    staged: bool,
    /// They stand for smaller ones.
    coarse: bool,
}

impl Blocks {
    pub fn new(order: WriteOrder, region: Region, depth: usize) -> Self {
        let row = (region.x1 - region.x0) * depth;
        let (elements, rows_per_block) = match order.granularity {
            Granularity::Elements(n) => (n.clamp(1, row.max(1)), 1),
            Granularity::Pixels(n) => ((n.max(1) * depth).min(row), 1),
            Granularity::Row => (row, 1),
            Granularity::Planes { rows, .. } => (row, rows.clamp(1, (region.y1 - region.y0).max(1))),
            Granularity::Run => (row, region.y1 - region.y0),
        };
        let per_row = if rows_per_block > 1 { 1 } else { row.div_ceil(elements.max(1)) };
        let channels = match order.granularity {
            Granularity::Planes { channels, .. } => channels.clamp(1, depth.max(1)),
            _ => depth,
        };
        Self { region, depth, elements, per_row, rows_per_block, channels, staged: order.reads_first, coarse: false }
    }

    /// The whole run reads before it writes.
    pub fn reads_all_first(&self) -> bool {
        let whole = self.rows_per_block == self.region.y1 - self.region.y0 && self.channels == self.depth;
        self.staged && self.per_row == 1 && whole
    }

    fn count(&self) -> usize {
        (self.region.y1 - self.region.y0).div_ceil(self.rows_per_block.max(1)) * self.per_row
    }

    /// First element of block `k`; `None` past the last.
    fn start(&self, k: usize) -> Option<Place> {
        let row = self.region.y0 + k / self.per_row * self.rows_per_block;
        let element = k % self.per_row * self.elements;
        (row < self.region.y1).then(|| Place {
            row,
            col: self.region.x0 + element / self.depth,
            channel: element % self.depth,
        })
    }

    /// Rows of block `k`.
    fn rows(&self, k: usize) -> (usize, usize) {
        let start = self.region.y0 + k / self.per_row * self.rows_per_block;
        (start, (start + self.rows_per_block).min(self.region.y1))
    }

    /// End of block `k` in bytes of the output.
    fn end(&self, k: usize, writer: &Writer) -> usize {
        let row = (self.region.y0 + (k / self.per_row + 1) * self.rows_per_block).min(self.region.y1) - 1;
        let width = (self.region.x1 - self.region.x0) * self.depth;
        let element = ((k % self.per_row + 1) * self.elements).min(width);
        ((row * writer.extent.cols + self.region.x0) * writer.extent.depth + element) * writer.element
    }
}

impl Reader<'_> {
    /// First byte that the element at `at`, one after it in the region, or a later run reads; `end` if none does.
    fn first_needed(&self, at: Option<Place>, region: Region) -> usize {
        let mut first = self.after.unwrap_or(self.end);
        if let Some(at) = at {
            for (footprint, extent) in &self.operands {
                let next_row = |from| next_reading(&footprint.rows, from, region.y1, extent.rows);
                let next_col = |from| next_reading(&footprint.cols, from, region.x1, extent.cols);
                let next_channel = |from| next_reading(&footprint.depth, from, self.output_depth, extent.depth);
                let mut byte = |row: Option<usize>, col: Option<usize>, channel: Option<usize>| {
                    if let (Some(row), Some(col), Some(channel)) = (row, col, channel) {
                        first = first.min(((row * extent.cols + col) * extent.depth + channel) * self.element);
                    }
                };
                // Bounds never decrease along an axis, so the next pixel and the next row that read anything stand for all
                // after them.
                let exactly = |next: Option<(usize, usize)>, index| next.filter(|n| n.0 == index).map(|n| n.1);
                let input = |next: Option<(usize, usize)>| next.map(|n| n.1);
                let row = exactly(next_row(at.row), at.row);
                if row.is_some() {
                    byte(row, exactly(next_col(at.col), at.col), input(next_channel(at.channel)));
                    byte(row, input(next_col(at.col + 1)), input(next_channel(0)));
                }
                byte(input(next_row(at.row + 1)), input(next_col(region.x0)), input(next_channel(0)));
            }
        }
        first.min(self.end)
    }
}

impl Reader<'_> {
    /// First byte that the channels from `channel` on of some rows read, or any channel of a later row, or a later run.
    fn first_of_channels(&self, rows: (usize, usize), channel: usize, region: Region) -> usize {
        let mut first = self.after.unwrap_or(self.end);
        for (footprint, extent) in &self.operands {
            for (from, to, channel) in [(rows.0, rows.1, channel), (rows.1, region.y1, 0)] {
                let row = next_reading(&footprint.rows, from, to, extent.rows);
                let col = next_reading(&footprint.cols, region.x0, region.x1, extent.cols);
                let channel = next_reading(&footprint.depth, channel, self.output_depth, extent.depth);
                if let (Some(row), Some(col), Some(channel)) = (row, col, channel) {
                    first = first.min(((row.1 * extent.cols + col.1) * extent.depth + channel.1) * self.element);
                }
            }
        }
        first.min(self.end)
    }
}

/// The first output index of `from .. to` that reads any input along one axis, and the first input index it reads.
fn next_reading(reach: &AxisFootprint, from: usize, to: usize, input: usize) -> Option<(usize, usize)> {
    // Windows wholly in the padding before the input are passed over at once; in the padding after it all are empty.
    let from = match reach {
        AxisFootprint::Window { extent, stride, before } => {
            let beyond = before - *extent as isize + 1;
            from.max((beyond.max(0) as usize).div_ceil((*stride).max(1)))
        }
        AxisFootprint::Table(table) => return next_in_table(table, from, to, input),
        AxisFootprint::All => from,
    };
    let (start, end) = reach.input_range((from, from + 1), input);
    (from < to && start < end).then_some((from, start))
}

/// The same in a table, whose bounds never decrease: what is empty is passed over by halving, since a concatenation's input is read by few of
/// its channels.
fn next_in_table(table: &[(usize, usize)], mut from: usize, to: usize, input: usize) -> Option<(usize, usize)> {
    while from < to {
        let (start, end) = table[from];
        if start < end.min(input) {
            return Some((from, start));
        }
        // Whatever reads something begins here or later, so it ends later.
        from += 1 + table[from + 1..to].partition_point(|&(_, end)| end.min(input) <= start);
    }
    None
}

/// Readers of one run beyond which its blocks are whole rows. Each block is a moment for each reader: with as many of both, time would grow with
/// the square of a concatenation's inputs.
const MOST_READERS: usize = 48;

/// Moments of one run, times its readers, beyond which its blocks are whole rows, or several. Only where a [table](AxisFootprint::Table) says what
/// thousands of rows read are there as many: in a batch of thousands of images, say.
const MOST_MOMENTS: usize = 1 << 18;

/// So many rows in place of smaller blocks, as if a block's first input were read when its last output is written: distances may come out
/// greater, never less.
fn coarse(region: Region, depth: usize, rows: usize) -> Blocks {
    let row = Blocks::new(WriteOrder { granularity: Granularity::Row, reads_first: false }, region, depth);
    Blocks { rows_per_block: rows.max(1), coarse: true, ..row }
}

/// The moments of one run.
pub(crate) fn within(order: WriteOrder, region: Region, writer: Writer, readers: &[Reader]) -> Within {
    let depth = writer.extent.depth;
    let mut blocks = Blocks::new(order, region, depth);
    if readers.len() > MOST_READERS && blocks.per_row > 1 {
        blocks = coarse(region, depth, 1);
    }
    let looks = |blocks: &Blocks| (candidates(blocks, readers), boundaries(blocks, readers));
    let (mut look_at, mut channels) = looks(&blocks);
    if look_at.len() * (channels.len() + 1) * readers.len() > MOST_MOMENTS {
        let rows = (region.y1 - region.y0) * readers.len();
        // Bands of whole blocks, of which none lies in two.
        blocks = coarse(region, depth, rows.div_ceil(MOST_MOMENTS).next_multiple_of(blocks.rows_per_block.max(1)));
        (look_at, channels) = looks(&blocks);
    }
    moments(blocks, look_at.blocks(), &channels, writer, readers)
}

/// The greatest distances and sum, looking only at these blocks and, within them, only at these channels.
fn moments(
    blocks: Blocks,
    look_at: impl Iterator<Item = usize>,
    boundaries: &[usize],
    writer: Writer,
    readers: &[Reader],
) -> Within {
    let region = blocks.region;
    let mut result = Within { distance: vec![None; readers.len()], peak: 0 };
    // What stands for smaller blocks counts for distances alone: it need not come about, and the peak is a lower bound.
    let mut moment = |written: usize, real: bool, needed: &dyn Fn(&Reader) -> usize| {
        let written = written.max(writer.live.1);
        let mut total = written - writer.live.0;
        for (reader, distance) in readers.iter().zip(&mut result.distance) {
            let first = needed(reader);
            total += reader.end - first;
            if first < reader.end && written > writer.live.0 {
                let needed = written as isize - first as isize;
                *distance = Some(distance.map_or(needed, |d| d.max(needed)));
            }
        }
        if real {
            result.peak = result.peak.max(total);
        }
    };
    let count = blocks.count();
    // Before anything is written, and when all is.
    moment(writer.live.1, true, &|reader| reader.first_needed(blocks.start(0), region));
    moment(if count == 0 { 0 } else { blocks.end(count - 1, &writer) }, true, &|reader| {
        reader.first_needed(None, region)
    });
    for k in look_at {
        let end = blocks.end(k, &writer);
        if !blocks.staged {
            moment(end - writer.element, !blocks.coarse, &|reader| reader.first_needed(blocks.start(k), region));
        } else {
            for &channel in boundaries {
                let written = end - (blocks.depth - channel) * writer.element;
                moment(written, !blocks.coarse, &|reader| reader.first_of_channels(blocks.rows(k), channel, region));
            }
        }
        moment(end, true, &|reader| reader.first_needed(blocks.start(k + 1), region));
    }
    result
}

/// First channels of the groups of a block, but the first: those at which the greatest distance or sum can be attained.
fn boundaries(blocks: &Blocks, readers: &[Reader]) -> Vec<usize> {
    let all = (blocks.channels..blocks.depth).step_by(blocks.channels.max(1));
    let mut operands = readers.iter().flat_map(|reader| &reader.operands);
    let even = |reach: &AxisFootprint, input: usize| match *reach {
        AxisFootprint::All => true,
        AxisFootprint::SAME => input >= blocks.depth,
        _ => false,
    };
    if operands.all(|(footprint, extent)| even(&footprint.depth, extent.depth)) {
        // In between, the output's end moves on by as many channels as the input's, or that does not move.
        let last = all.clone().next_back();
        return all.take(1).chain(last).collect();
    }
    all.collect()
}

/// Blocks of a run: these of each of these rows, of which each has so many.
struct LookAt {
    rows: Vec<usize>,
    in_row: Vec<usize>,
    per_row: usize,
}

impl LookAt {
    fn len(&self) -> usize {
        self.rows.len() * self.in_row.len()
    }

    fn blocks(&self) -> impl Iterator<Item = usize> + '_ {
        self.rows.iter().flat_map(move |row| self.in_row.iter().map(move |k| row * self.per_row + k))
    }
}

/// The blocks at which the greatest distance or sum can be attained.
fn candidates(blocks: &Blocks, readers: &[Reader]) -> LookAt {
    let count = blocks.count();
    if count <= 64 {
        return LookAt { rows: (0..count).collect(), in_row: vec![0], per_row: 1 };
    }
    let Blocks { region, depth, elements, per_row, rows_per_block, .. } = *blocks;
    let (mut rows, mut cols, mut channels) = (Marks::new(), Marks::new(), Marks::new());
    for reader in readers {
        for (footprint, extent) in &reader.operands {
            rows.add_reach(&footprint.rows, extent.rows);
            cols.add_reach(&footprint.cols, extent.cols);
            channels.add_reach(&footprint.depth, extent.depth);
        }
        // The last block at which the reader is live: beyond it the sum goes on, the distance does not.
        if reader.after.is_none() {
            let live = |k: usize| reader.first_needed(blocks.start(k), region) < reader.end;
            let last = partition(count, live).saturating_sub(1);
            if let Some(place) = blocks.start(last) {
                rows.add(place.row);
                cols.add(place.col);
                channels.add(place.channel);
            }
        }
    }
    let in_row: Vec<usize> = if elements % depth == 0 {
        let pixels = elements / depth;
        cols.near(region.x0, region.x1, pixels, per_row)
    } else if depth.is_multiple_of(elements) {
        let per_pixel = depth / elements;
        let channels = channels.near(0, depth, elements, per_pixel);
        let cols = cols.near(region.x0, region.x1, 1, region.x1 - region.x0);
        cols.iter().flat_map(|col| channels.iter().map(move |channel| col * per_pixel + channel)).collect()
    } else {
        (0..per_row).collect()
    };
    let rows = rows.near(region.y0, region.y1, rows_per_block, (region.y1 - region.y0).div_ceil(rows_per_block));
    LookAt { rows, in_row, per_row }
}

/// How many of `0 .. count` come before `holds` turns false.
fn partition(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Output indices along one axis at which the first needed input index may change its slope.
struct Marks {
    at: Vec<usize>,
    everywhere: bool,
}

impl Marks {
    fn new() -> Self {
        Self { at: Vec::new(), everywhere: false }
    }

    fn add(&mut self, index: usize) {
        self.at.push(index);
    }

    fn add_reach(&mut self, reach: &AxisFootprint, input: usize) {
        match reach {
            AxisFootprint::All => {}
            AxisFootprint::Table(_) => self.everywhere = true,
            AxisFootprint::Window { extent, stride, before } => {
                let stride = (*stride).max(1) as isize;
                self.add((before / stride).max(0) as usize);
                self.add(((before - *extent as isize) / stride).max(0) as usize);
                self.add(((before + input as isize) / stride).max(0) as usize);
            }
        }
    }

    /// The blocks of `size` indices each, of `count` that cover `start .. end`, that lie at a mark, beside one, or at an end.
    fn near(&self, start: usize, end: usize, size: usize, count: usize) -> Vec<usize> {
        if self.everywhere {
            return (0..count).collect();
        }
        let marks = self.at.iter().filter(|&&at| at + 2 * size >= start && at <= end + 2 * size);
        let near = marks.flat_map(|&at| {
            let block = at.saturating_sub(start) / size;
            block.saturating_sub(2)..(block + 3).min(count)
        });
        let mut blocks: Vec<usize> =
            near.chain([0, 1, 2, count.saturating_sub(2), count.saturating_sub(1)]).filter(|&b| b < count).collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reach() -> impl Strategy<Value = AxisFootprint> {
        prop_oneof![
            Just(AxisFootprint::SAME),
            Just(AxisFootprint::All),
            (1usize..8, 1usize..4, -3isize..9).prop_map(|(extent, stride, before)| AxisFootprint::Window {
                extent,
                stride,
                before
            }),
            (1usize..4, 1usize..4).prop_map(|(up, extent)| {
                AxisFootprint::Table((0..200).map(|i| (i / up, i / up + extent)).collect())
            }),
        ]
    }

    fn footprint() -> impl Strategy<Value = Footprint> {
        (reach(), reach(), reach()).prop_map(|(rows, cols, depth)| Footprint { rows, cols, depth })
    }

    fn extent() -> impl Strategy<Value = Extent> {
        (1usize..40, 1usize..40, 1usize..13).prop_map(|(rows, cols, depth)| Extent { rows, cols, depth })
    }

    fn block() -> impl Strategy<Value = Granularity> {
        prop_oneof![
            (1usize..9).prop_map(Granularity::Elements),
            (1usize..30).prop_map(Granularity::Elements),
            (1usize..6).prop_map(Granularity::Pixels),
            Just(Granularity::Row),
            (1usize..5, 1usize..9).prop_map(|(rows, channels)| Granularity::Planes { rows, channels }),
            Just(Granularity::Run),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_few_blocks_are_enough(
            block in block(),
            staged: bool,
            out in extent(),
            inputs in prop::collection::vec((footprint(), extent(), prop::option::of(0usize..3000)), 1..3),
            element in prop::sample::select(vec![1usize, 4]),
            cut in (0usize..40, 1usize..40, 0usize..40, 1usize..40),
            many in 1usize..4,
        ) {
            let (y0, x0) = (cut.0 % out.rows, cut.2 % out.cols);
            let region = Region { y0, y1: (y0 + cut.1).min(out.rows), x0, x1: (x0 + cut.3).min(out.cols) };
            let first = (y0 * out.cols + x0) * out.depth * element;
            let writer = Writer { extent: out, element, live: (first, first) };
            let readers: Vec<Reader> = inputs
                .iter()
                .map(|(footprint, extent, after)| Reader {
                    operands: vec![(footprint, *extent)],
                    element: 1,
                    output_depth: out.depth,
                    end: extent.elements(),
                    after: after.filter(|&a| a < extent.elements()),
                })
                .collect();
            let order = WriteOrder { granularity: block, reads_first: staged };
            let blocks = Blocks::new(order, region, out.depth);
            let channels: Vec<usize> = (blocks.channels..blocks.depth).step_by(blocks.channels).collect();
            let all = moments(blocks, 0..blocks.count(), &channels, writer, &readers);
            prop_assert_eq!(within(order, region, writer, &readers), all.clone());
            // Bands of rows in their place demand at least as much, and their peak is one that comes about.
            if blocks.per_row > 1 || many > 1 {
                let rows = coarse(region, out.depth, many * blocks.rows_per_block);
                let coarse = moments(rows, 0..rows.count(), &[], writer, &readers);
                prop_assert!(coarse.peak <= all.peak);
                for (rough, exact) in coarse.distance.iter().zip(&all.distance) {
                    prop_assert!(exact.is_none_or(|exact| rough.is_some_and(|rough| rough >= exact)), "{rough:?} {exact:?}");
                }
            }
        }
    }
}
