//! Invariants 10 to 15: replays the runs over a [shadow] of the arena.
//!
//! A run is proven as a whole where its inputs lie apart from what it writes, else by rows (or bands of rows), and block by block in the
//! kernel's order only where neither says that all is well: what the larger pieces prove is what the blocks would, so that only time
//! depends on them.

mod blocks;
mod rows;
mod shadow;

use super::Refused;
use blocks::{Box3, Stretch, along, blocks};
use shadow::{Shadow, Tag, UNDEFINED};
use smidgen_kernels::Region;
use smidgen_program::footprint::Granularity;
use smidgen_program::program::{BufferId, Extent, Operand, Program, Run, Step, Target};

struct Replay<'a> {
    program: &'a Program,
    shadow: Shadow,
    /// First tag of each buffer, of each step's scratch, of each step's state.
    first: [Vec<Tag>; 3],
    /// For tiles: the first column stored now.
    x0: Vec<usize>,
    /// Rows taken so far: of each step that consumes, and of each input that is awaited.
    consumed: Vec<usize>,
    awaited: Vec<usize>,
    /// For each input, whether it is awaited at all.
    streamed: Vec<bool>,
    /// Consuming steps that have begun and not ended.
    begun: Vec<usize>,
    /// Whether a byte of some state has been overwritten since this was last looked into.
    suspicion: bool,
}

/// Replays a Program of sound structure.
pub(super) fn replay(program: &Program) -> Result<(), Refused> {
    let mut next = 1;
    let mut count = |bytes: usize| {
        let tag = next;
        // One is left out, so that no stretch goes on counting from one thing into the next.
        next += bytes as Tag + 1;
        tag
    };
    let first = [
        program.buffers.iter().map(|b| count(b.spec.bytes())).collect(),
        program.scratch.iter().map(|s| count(s.len)).collect(),
        program.state.iter().map(|s| count(s.len)).collect(),
    ];
    let mut streamed = vec![false; program.inputs.len()];
    for run in &program.runs {
        if let Run::Await { input, .. } = *run {
            streamed[input] = true;
        }
    }
    let mut replay = Replay {
        program,
        shadow: Shadow::default(),
        first,
        x0: vec![0; program.buffers.len()],
        consumed: vec![0; program.steps.len()],
        awaited: vec![0; program.inputs.len()],
        streamed,
        begun: Vec::new(),
        suspicion: false,
    };
    replay.feed_whole_inputs()?;
    for variable in &program.variables {
        let extent = program.buffers[variable.value.index()].spec.extent;
        replay.write(variable.value, extent, Box3::whole(extent));
    }
    for (index, run) in program.runs.iter().enumerate() {
        match *run {
            Run::Compute { step, region } => replay.compute(index, step.index(), region)?,
            Run::Await { input, y0, y1 } => replay.receive(index, input, y0, y1)?,
        }
    }
    replay.finish()
}

impl Replay<'_> {
    fn feed_whole_inputs(&mut self) -> Result<(), Refused> {
        for (i, port) in self.program.inputs.iter().enumerate() {
            if let (Operand::Buffer(id, _), false) = (port.operand, self.streamed[i]) {
                let buffer = &self.program.buffers[id.index()];
                let e = buffer.spec.extent;
                if !super::is_whole(buffer) {
                    return Err(Refused::Unfed { name: buffer.spec.name.clone(), given: 0, rows: e.rows });
                }
                self.write(id, e, Box3::whole(e));
            }
        }
        Ok(())
    }

    fn receive(&mut self, run: usize, input: usize, y0: usize, y1: usize) -> Result<(), Refused> {
        let Operand::Buffer(id, extent) = self.program.inputs[input].operand else {
            return Ok(());
        };
        let name = &self.program.buffers[id.index()].spec.name;
        if y0 != self.awaited[input] {
            let expected = self.awaited[input];
            return Err(Refused::OutOfOrder { run, name: name.clone(), y0, y1, expected });
        }
        self.awaited[input] = y1;
        self.tile_holds(run, id, extent, (0, extent.cols))?;
        self.write(id, extent, Box3 { rows: (y0, y1), ..Box3::whole(extent) });
        self.states_intact(run)
    }

    fn compute(&mut self, run: usize, index: usize, region: Region) -> Result<(), Refused> {
        let step = &self.program.steps[index];
        let scratch = self.program.scratch[index];
        let state = self.program.state[index];
        self.set(scratch.offset, scratch.len, self.first[1][index]);
        if step.consumes {
            if region.y0 == 0 {
                self.set(state.offset, state.len, self.first[2][index]);
            }
            self.consume(run, index, region)?;
        } else {
            for target in &step.outputs {
                let buffer = &self.program.buffers[target.buffer.index()];
                if buffer.width < buffer.spec.extent.cols {
                    self.x0[target.buffer.index()] = region.x0;
                }
                self.tile_holds(run, target.buffer, target.extent, (region.x0, region.x1))?;
            }
            self.produce(run, step, region)?;
        }
        if let Some(address) = self.shadow.first_wrong(scratch.offset, scratch.len, self.first[1][index]) {
            return Err(Refused::Trampled { run, name: step.name.clone(), what: "scratch", address });
        }
        // Scratch is not defined once the run is over.
        self.shadow.clear(scratch.offset, scratch.len, |_| {});
        self.states_intact(run)
    }

    /// One run of a step that does not consume: as a whole if that is proven, else in smaller pieces.
    fn produce(&mut self, run: usize, step: &Step, region: Region) -> Result<(), Refused> {
        let Target { buffer, extent } = step.outputs[0];
        let reads_its_output = step.inputs.iter().any(|o| o.buffer() == Some(buffer));
        if step.outputs.len() > 1 || reads_its_output {
            return blocks(step, region).try_for_each(|block| self.run_block(run, step, &block));
        }
        let all = Box3::of(region, extent.depth);
        if self.apart(step, all) {
            self.write(buffer, extent, all);
            return Ok(());
        }
        let height = match step.order.granularity {
            Granularity::Run => region.y1 - region.y0,
            Granularity::Planes { rows, .. } => rows,
            Granularity::Row | Granularity::Pixels(_) | Granularity::Elements(_) => 1,
        };
        for (y0, y1) in along(region.y0, region.y1, height) {
            let band = Region { y0, y1, ..region };
            let all = Box3::of(band, extent.depth);
            if self.apart(step, all) || self.in_order(step, band) {
                self.write(buffer, extent, all);
            } else {
                blocks(step, band).try_for_each(|block| self.run_block(run, step, &block))?;
            }
        }
        Ok(())
    }

    /// One run of a consuming step: reads its rows; the last one then writes the output.
    fn consume(&mut self, run: usize, index: usize, r: Region) -> Result<(), Refused> {
        let step = &self.program.steps[index];
        let Operand::Buffer(_, extent) = step.inputs[0] else { return Ok(()) };
        if r.y0 != self.consumed[index] {
            let (name, expected) = (step.name.clone(), self.consumed[index]);
            return Err(Refused::OutOfOrder { run, name, y0: r.y0, y1: r.y1, expected });
        }
        self.consumed[index] = r.y1;
        match self.begun.iter().position(|&begun| begun == index) {
            Some(at) if r.y1 == extent.rows => {
                self.begun.swap_remove(at);
            }
            None if r.y1 < extent.rows => self.begun.push(index),
            _ => {}
        }
        self.take(run, step, r)?;
        if r.y1 == extent.rows {
            for target in &step.outputs {
                let e = target.extent;
                self.tile_holds(run, target.buffer, e, (0, e.cols))?;
                self.write(target.buffer, e, Box3::whole(e));
            }
            // The kernel may look at its sums while it writes, and at its last rows too unless it is staged.
            if !step.order.reads_first {
                self.take(run, step, r)?;
            }
            self.state_intact(run, index)?;
        }
        Ok(())
    }

    /// What a run of a consuming step reads: rows of input 0, and of other inputs what these need.
    fn take(&self, run: usize, step: &Step, r: Region) -> Result<(), Refused> {
        for (i, &operand) in step.inputs.iter().enumerate() {
            let Operand::Buffer(id, e) = operand else { continue };
            let rows = step.rows_taken(i, (r.y0, r.y1), e.rows);
            self.read(run, step, id, e, Box3 { rows, ..Box3::whole(e) })?;
        }
        Ok(())
    }

    fn run_block(&mut self, run: usize, step: &Step, block: &Stretch) -> Result<(), Refused> {
        self.read_inputs(run, step, block)?;
        // Several outputs: the step runs whole, so each is written whole, in turn.
        let (&Target { buffer, extent }, others) = step.outputs.split_first().expect("checked: a step has an output");
        let (last, earlier) = block.boxes().split_last().expect("a block is not empty");
        for &b in earlier {
            self.write(buffer, extent, b);
        }
        if step.order.reads_first {
            self.write(buffer, extent, *last);
        } else {
            // Held: everything but the block's last element is written, the inputs are looked at once more, then the last.
            self.write_except_last(buffer, extent, *last);
            self.read_inputs(run, step, block)?;
            self.write(buffer, extent, *last);
        }
        for &Target { buffer, extent: e } in others {
            if !step.order.reads_first {
                self.read_inputs(run, step, block)?;
            }
            self.write(buffer, e, Box3::whole(e));
        }
        Ok(())
    }

    fn read_inputs(&self, run: usize, step: &Step, block: &Stretch) -> Result<(), Refused> {
        for (&operand, footprint) in step.inputs.iter().zip(&step.footprint) {
            let Operand::Buffer(id, e) = operand else { continue };
            for b in block.boxes() {
                self.read(run, step, id, e, b.needed(footprint, e))?;
            }
        }
        Ok(())
    }

    /// The contiguous pieces of a box, in the order of the tensor.
    fn pieces(&self, id: BufferId, seen: Extent, b: Box3) -> impl Iterator<Item = Piece> + use<> {
        let buffer = &self.program.buffers[id.index()];
        let bytes = buffer.spec.element_bytes();
        let (slots, width, x0) = super::slots_of(buffer, seen, self.x0[id.index()]);
        let (offset, first) = (buffer.offset, self.first[0][id.index()]);
        let full_depth = b.depth == (0, seen.depth);
        // Full rows lie together up to the ring's end, whole pixels of a row always; a part of the channels makes a piece for each pixel.
        let full_rows = full_depth && b.cols == (0, seen.cols) && width == seen.cols;
        let per_row = if full_depth { 1 } else { b.cols.1.saturating_sub(b.cols.0) };
        let pixels = if full_depth { b.cols.1.saturating_sub(b.cols.0) } else { 1 };
        let mut next = if b.is_empty() { b.rows.1 } else { b.rows.0 };
        let starts = std::iter::from_fn(move || {
            let row = next;
            let rows = if full_rows { (slots - row % slots).min(b.rows.1.saturating_sub(row)) } else { 1 };
            next = row + rows;
            (row < b.rows.1).then_some((row, rows))
        });
        starts.flat_map(move |(row, rows)| {
            (0..per_row).map(move |i| {
                let col = b.cols.0 + i;
                let slot = (row % slots) * width * seen.depth;
                let address = offset + (slot + (col - x0) * seen.depth + b.depth.0) * bytes;
                let tag = first + (((row * seen.cols + col) * seen.depth + b.depth.0) * bytes) as Tag;
                let elements = (rows * pixels - 1) * seen.depth + b.depth.1 - b.depth.0;
                Piece { row, col, address, tag, len: elements * bytes, row_bytes: seen.cols * seen.depth * bytes, rows }
            })
        })
    }

    fn read(&self, run: usize, step: &Step, id: BufferId, seen: Extent, b: Box3) -> Result<(), Refused> {
        if b.cols.0 < b.cols.1 && b.rows.0 < b.rows.1 {
            self.tile_holds(run, id, seen, b.cols)?;
        }
        for piece in self.pieces(id, seen, b) {
            if let Some((address, row, col)) = self.first_wrong(id, seen, &piece) {
                let found = self.describe(self.shadow.tag(address));
                let buffer = self.program.buffers[id.index()].spec.name.clone();
                let reader = step.name.clone();
                return Err(Refused::Clobbered { run, reader, buffer, row, col, address, found });
            }
        }
        Ok(())
    }

    /// The first byte of a piece that does not hold its tag: its address, row and column.
    fn first_wrong(&self, id: BufferId, seen: Extent, piece: &Piece) -> Option<(usize, usize, usize)> {
        let address = self.shadow.first_wrong(piece.address, piece.len, piece.tag)?;
        let at = address - piece.address;
        let (rows, at) = if piece.rows > 1 { (at / piece.row_bytes, at % piece.row_bytes) } else { (0, at) };
        let pixel = seen.depth * self.program.buffers[id.index()].spec.element_bytes();
        Some((address, piece.row + rows, piece.col + at / pixel))
    }

    fn set(&mut self, from: usize, len: usize, tag: Tag) {
        let state = self.first[2].first().copied().unwrap_or(Tag::MAX);
        let suspicion = &mut self.suspicion;
        self.shadow.set(from, len, tag, |lost| *suspicion |= lost >= state);
    }

    fn write(&mut self, id: BufferId, seen: Extent, b: Box3) {
        for piece in self.pieces(id, seen, b) {
            self.set(piece.address, piece.len, piece.tag);
        }
    }

    fn write_except_last(&mut self, id: BufferId, seen: Extent, b: Box3) {
        let last = self.program.buffers[id.index()].spec.element_bytes();
        let mut pieces = self.pieces(id, seen, b).peekable();
        while let Some(piece) = pieces.next() {
            let len = if pieces.peek().is_none() { piece.len - last } else { piece.len };
            self.set(piece.address, len, piece.tag);
        }
    }

    fn tile_holds(&self, run: usize, id: BufferId, seen: Extent, cols: (usize, usize)) -> Result<(), Refused> {
        let buffer = &self.program.buffers[id.index()];
        let x0 = self.x0[id.index()];
        if seen != buffer.spec.extent || (cols.0 >= x0 && cols.1 - x0 <= buffer.width) {
            return Ok(());
        }
        let name = buffer.spec.name.clone();
        Err(Refused::Tile { run, buffer: name, width: buffer.width, x0, from: cols.0, to: cols.1 })
    }

    fn state_intact(&self, run: usize, index: usize) -> Result<(), Refused> {
        let state = self.program.state[index];
        match self.shadow.first_wrong(state.offset, state.len, self.first[2][index]) {
            None => Ok(()),
            Some(address) => {
                let name = self.program.steps[index].name.clone();
                Err(Refused::Trampled { run, name, what: "state", address })
            }
        }
    }

    /// Invariant 13 for every consuming step that has begun and not ended.
    fn states_intact(&mut self, run: usize) -> Result<(), Refused> {
        if std::mem::take(&mut self.suspicion) {
            self.begun.sort_unstable();
            self.begun.iter().try_for_each(|&index| self.state_intact(run, index))?;
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), Refused> {
        for (i, port) in self.program.inputs.iter().enumerate() {
            if let (Operand::Buffer(id, extent), true) = (port.operand, self.streamed[i])
                && self.awaited[i] < extent.rows
            {
                let name = self.program.buffers[id.index()].spec.name.clone();
                return Err(Refused::Unfed { name, given: self.awaited[i], rows: extent.rows });
            }
        }
        for (index, step) in self.program.steps.iter().enumerate() {
            if let (true, Some(&Operand::Buffer(_, e))) = (step.consumes, step.inputs.first())
                && self.consumed[index] < e.rows
            {
                let name = step.name.clone();
                return Err(Refused::Unfinished { name, given: self.consumed[index], rows: e.rows });
            }
        }
        for variable in &self.program.variables {
            let extent = self.program.buffers[variable.next.index()].spec.extent;
            for piece in self.pieces(variable.next, extent, Box3::whole(extent)) {
                if let Some((address, row, col)) = self.first_wrong(variable.next, extent, &piece) {
                    let found = self.describe(self.shadow.tag(address));
                    let reason = format!("is not complete at the end: row {row}, column {col} {found}");
                    return Err(Refused::Variable { name: variable.name.clone(), reason });
                }
            }
        }
        for port in &self.program.outputs {
            let Operand::Buffer(id, extent) = port.operand else { continue };
            let buffer = &self.program.buffers[id.index()];
            let all = Box3::whole(extent);
            if !super::is_whole(buffer) {
                let found = "is not stored: the output is kept in a ring".to_owned();
                return Err(Refused::Incomplete { output: buffer.spec.name.clone(), row: 0, col: 0, found });
            }
            for piece in self.pieces(id, extent, all) {
                if let Some((address, row, col)) = self.first_wrong(id, extent, &piece) {
                    let found = self.describe(self.shadow.tag(address));
                    return Err(Refused::Incomplete { output: buffer.spec.name.clone(), row, col, found });
                }
            }
        }
        Ok(())
    }

    fn describe(&self, tag: Tag) -> String {
        if tag == UNDEFINED {
            return "was never written, or was scratch".to_owned();
        }
        let of = |first: &[Tag]| first.partition_point(|&f| f <= tag).checked_sub(1);
        let [buffers, scratch, state] = &self.first;
        if let Some(step) = of(state) {
            return format!("holds the state of step {step}");
        }
        if let Some(step) = of(scratch) {
            return format!("holds the scratch of step {step}");
        }
        let Some(id) = of(buffers) else { return String::new() };
        let spec = &self.program.buffers[id].spec;
        let row = (tag - buffers[id]) as usize / spec.row_bytes();
        format!("holds row {row} of {}", spec.name)
    }
}

/// Bytes that lie together in the arena and count upwards in the tensor.
struct Piece {
    row: usize,
    col: usize,
    address: usize,
    tag: Tag,
    len: usize,
    /// Bytes of a full row, for pieces of several.
    row_bytes: usize,
    rows: usize,
}
