//! The replay of the certifier in its simplest form, byte by byte and block by block: the oracle of the one that works on pieces.
#![allow(dead_code)]

use smidgen_certify::Refused;
use smidgen_program::{Buffer, BufferId, Extent, Footprint, Granularity, Operand, Program, Region, Run, Step, Target};

/// What a byte of the arena holds. Byte `i` of buffer `b`, row-major over the whole tensor, has tag `first[b] + i`, so that a run of
/// bytes is right when its tags count upwards.
type Tag = u64;

/// Never written.
const UNDEFINED: Tag = 0;
/// Scratch of step `s` is `SCRATCH + s`, state `STATE + s`.
const SCRATCH: Tag = 1 << 62;
const STATE: Tag = 1 << 63;

/// A box of a tensor: half-open ranges of rows, columns and channels.
#[derive(Clone, Copy)]
struct Box3 {
    rows: (usize, usize),
    cols: (usize, usize),
    depth: (usize, usize),
}

/// The box of an input (seen with extent `e`) that a box of the output needs.
fn needed(footprint: &Footprint, out: Box3, e: Extent) -> Box3 {
    Box3 {
        rows: footprint.rows.input_range(out.rows, e.rows),
        cols: footprint.cols.input_range(out.cols, e.cols),
        depth: footprint.depth.input_range(out.depth, e.depth),
    }
}

fn is_whole(buffer: &Buffer) -> bool {
    buffer.slots >= buffer.spec.extent.rows && buffer.width >= buffer.spec.extent.cols
}

struct Shadow<'a> {
    program: &'a Program,
    tags: Vec<Tag>,
    /// First tag of each buffer.
    first: Vec<Tag>,
    /// For tiles: the first column stored now.
    x0: Vec<usize>,
    /// Rows taken so far: of each step that consumes, and of each input that is awaited.
    consumed: Vec<usize>,
    awaited: Vec<usize>,
}

/// Replays the runs of a Program whose structure is sound.
pub fn replay(program: &Program) -> Result<(), Refused> {
    let mut next = 1;
    let first = program
        .buffers
        .iter()
        .map(|b| {
            let tag = next;
            next += b.spec.bytes() as Tag;
            tag
        })
        .collect();
    let mut shadow = Shadow {
        program,
        tags: vec![UNDEFINED; program.arena_bytes],
        first,
        x0: vec![0; program.buffers.len()],
        consumed: vec![0; program.steps.len()],
        awaited: vec![0; program.inputs.len()],
    };
    shadow.feed_whole_inputs()?;
    for variable in &program.variables {
        let e = program.buffers[variable.value.index()].spec.extent;
        shadow.write(variable.value, e, Box3 { rows: (0, e.rows), cols: (0, e.cols), depth: (0, e.depth) });
    }
    for (index, run) in program.runs.iter().enumerate() {
        match *run {
            Run::Compute { step, region } => shadow.compute(index, step.index(), region)?,
            Run::Await { input, y0, y1 } => shadow.receive(index, input, y0, y1)?,
        }
    }
    shadow.finish()
}

impl Shadow<'_> {
    fn streamed(&self, input: usize) -> bool {
        self.program.runs.iter().any(|r| matches!(r, Run::Await { input: i, .. } if *i == input))
    }

    fn feed_whole_inputs(&mut self) -> Result<(), Refused> {
        for (i, port) in self.program.inputs.iter().enumerate() {
            if let (Operand::Buffer(id, _), false) = (port.operand, self.streamed(i)) {
                let buffer = &self.program.buffers[id.index()];
                let e = buffer.spec.extent;
                if !is_whole(buffer) {
                    return Err(Refused::Unfed { name: buffer.spec.name.clone(), given: 0, rows: e.rows });
                }
                self.write(id, e, Box3 { rows: (0, e.rows), cols: (0, e.cols), depth: (0, e.depth) });
            }
        }
        Ok(())
    }

    fn receive(&mut self, run: usize, input: usize, y0: usize, y1: usize) -> Result<(), Refused> {
        let Operand::Buffer(id, extent) = self.program.inputs[input].operand else {
            return Ok(());
        };
        let name = &self.program.buffers[id.index()].spec.name;
        if y0 != self.awaited[input] || y1 <= y0 || y1 > extent.rows {
            let expected = self.awaited[input];
            return Err(Refused::OutOfOrder { run, name: name.clone(), y0, y1, expected });
        }
        self.awaited[input] = y1;
        self.tile_holds(run, id, extent, (0, extent.cols))?;
        self.write(id, extent, Box3 { rows: (y0, y1), cols: (0, extent.cols), depth: (0, extent.depth) });
        self.states_intact(run)
    }

    fn compute(&mut self, run: usize, index: usize, region: Region) -> Result<(), Refused> {
        let step = &self.program.steps[index];
        let scratch = self.program.scratch[index];
        let state = self.program.state[index];
        self.tags[scratch.offset..scratch.offset + scratch.len].fill(SCRATCH + index as Tag);
        if step.consumes {
            if region.y0 == 0 {
                self.tags[state.offset..state.offset + state.len].fill(STATE + index as Tag);
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
            for block in blocks(step, region) {
                self.run_block(run, step, &block)?;
            }
        }
        if let Some(address) = self.first_other(scratch.offset, scratch.len, SCRATCH + index as Tag) {
            return Err(Refused::Trampled { run, name: step.name.clone(), what: "scratch", address });
        }
        // Scratch is not defined once the run is over.
        self.tags[scratch.offset..scratch.offset + scratch.len].fill(UNDEFINED);
        self.states_intact(run)
    }

    /// One run of a consuming step: reads its rows; the last one then writes the output.
    fn consume(&mut self, run: usize, index: usize, r: Region) -> Result<(), Refused> {
        let step = &self.program.steps[index];
        let Operand::Buffer(id, extent) = step.inputs[0] else { return Ok(()) };
        if r.y0 != self.consumed[index] {
            let (name, expected) = (step.name.clone(), self.consumed[index]);
            return Err(Refused::OutOfOrder { run, name, y0: r.y0, y1: r.y1, expected });
        }
        self.consumed[index] = r.y1;
        let rows = Box3 { rows: (r.y0, r.y1), cols: (0, extent.cols), depth: (0, extent.depth) };
        self.read(run, step, id, extent, rows)?;
        if r.y1 == extent.rows {
            for target in &step.outputs {
                let e = target.extent;
                self.tile_holds(run, target.buffer, e, (0, e.cols))?;
                self.write(target.buffer, e, Box3 { rows: (0, e.rows), cols: (0, e.cols), depth: (0, e.depth) });
            }
            // The kernel may look at its sums while it writes, and at its last rows too unless it is staged.
            if !step.order.reads_first {
                self.read(run, step, id, extent, rows)?;
            }
            let state = self.program.state[index];
            if let Some(address) = self.first_other(state.offset, state.len, STATE + index as Tag) {
                return Err(Refused::Trampled { run, name: step.name.clone(), what: "state", address });
            }
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
            self.write(buffer, e, Box3 { rows: (0, e.rows), cols: (0, e.cols), depth: (0, e.depth) });
        }
        Ok(())
    }

    fn read_inputs(&self, run: usize, step: &Step, block: &Stretch) -> Result<(), Refused> {
        for (&operand, footprint) in step.inputs.iter().zip(&step.footprint) {
            let Operand::Buffer(id, e) = operand else { continue };
            for b in block.boxes() {
                self.read(run, step, id, e, needed(footprint, *b, e))?;
            }
        }
        Ok(())
    }

    /// Address in the arena and tag of the first byte, and the length in bytes, of each contiguous piece of a box.
    fn pieces(&self, id: BufferId, seen: Extent, b: Box3) -> impl Iterator<Item = Piece> + use<> {
        let buffer = &self.program.buffers[id.index()];
        let bytes = buffer.spec.element_bytes();
        let (slots, width, x0) = if seen == buffer.spec.extent {
            (buffer.slots, buffer.width, self.x0[id.index()])
        } else {
            (seen.rows, seen.cols, 0)
        };
        let (offset, first) = (buffer.offset, self.first[id.index()]);
        let empty = b.rows.0 >= b.rows.1 || b.cols.0 >= b.cols.1 || b.depth.0 >= b.depth.1;
        let full_depth = b.depth == (0, seen.depth);
        // Whole pixels of a row lie together; a part of the channels makes a piece for each pixel.
        let per_row = if full_depth { 1 } else { b.cols.1.saturating_sub(b.cols.0) };
        let rows = if empty { 0..0 } else { b.rows.0..b.rows.1 };
        rows.flat_map(move |row| {
            (0..per_row).map(move |i| {
                let col = b.cols.0 + i;
                let pixels = if full_depth { b.cols.1 - b.cols.0 } else { 1 };
                let slot = (row % slots) * width * seen.depth;
                let address = offset + (slot + (col - x0) * seen.depth + b.depth.0) * bytes;
                let tag = first + (((row * seen.cols + col) * seen.depth + b.depth.0) * bytes) as Tag;
                Piece { row, col, address, tag, len: ((pixels - 1) * seen.depth + b.depth.1 - b.depth.0) * bytes }
            })
        })
    }

    fn read(&self, run: usize, step: &Step, id: BufferId, seen: Extent, b: Box3) -> Result<(), Refused> {
        if b.cols.0 < b.cols.1 && b.rows.0 < b.rows.1 {
            self.tile_holds(run, id, seen, b.cols)?;
        }
        for piece in self.pieces(id, seen, b) {
            if let Some((address, row, col)) = self.first_wrong(id, seen, &piece) {
                let found = self.describe(self.tags[address]);
                let buffer = self.program.buffers[id.index()].spec.name.clone();
                let reader = step.name.clone();
                return Err(Refused::Clobbered { run, reader, buffer, row, col, address, found });
            }
        }
        Ok(())
    }

    /// The first byte of a piece that does not hold its tag: its address, row and column.
    fn first_wrong(&self, id: BufferId, seen: Extent, piece: &Piece) -> Option<(usize, usize, usize)> {
        let tags = &self.tags[piece.address..piece.address + piece.len];
        // Counting all mismatches lets the loop run in vector registers; the position is only looked for after a failure.
        let wrong = tags.iter().enumerate().filter(|&(i, &tag)| tag != piece.tag + i as Tag).count();
        if wrong == 0 {
            return None;
        }
        let i = tags.iter().enumerate().position(|(i, &tag)| tag != piece.tag + i as Tag)?;
        let pixel = seen.depth * self.program.buffers[id.index()].spec.element_bytes();
        Some((piece.address + i, piece.row, piece.col + i / pixel))
    }

    fn write(&mut self, id: BufferId, seen: Extent, b: Box3) {
        for piece in self.pieces(id, seen, b) {
            for (i, tag) in self.tags[piece.address..piece.address + piece.len].iter_mut().enumerate() {
                *tag = piece.tag + i as Tag;
            }
        }
    }

    fn write_except_last(&mut self, id: BufferId, seen: Extent, b: Box3) {
        let last = self.program.buffers[id.index()].spec.element_bytes();
        let mut pieces = self.pieces(id, seen, b).peekable();
        while let Some(piece) = pieces.next() {
            let len = if pieces.peek().is_none() { piece.len - last } else { piece.len };
            for (i, tag) in self.tags[piece.address..piece.address + len].iter_mut().enumerate() {
                *tag = piece.tag + i as Tag;
            }
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

    fn first_other(&self, offset: usize, len: usize, tag: Tag) -> Option<usize> {
        self.tags[offset..offset + len].iter().position(|&t| t != tag).map(|i| offset + i)
    }

    /// Invariant 10 for every consuming step that has begun and not ended.
    fn states_intact(&self, run: usize) -> Result<(), Refused> {
        for (index, step) in self.program.steps.iter().enumerate() {
            let Some(Operand::Buffer(_, extent)) = step.inputs.first() else { continue };
            if !step.consumes || self.consumed[index] == 0 || self.consumed[index] >= extent.rows {
                continue;
            }
            let state = self.program.state[index];
            if let Some(address) = self.first_other(state.offset, state.len, STATE + index as Tag) {
                return Err(Refused::Trampled { run, name: step.name.clone(), what: "state", address });
            }
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), Refused> {
        for (i, port) in self.program.inputs.iter().enumerate() {
            if let (Operand::Buffer(id, extent), true) = (port.operand, self.streamed(i))
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
            let e = self.program.buffers[variable.next.index()].spec.extent;
            let all = Box3 { rows: (0, e.rows), cols: (0, e.cols), depth: (0, e.depth) };
            for piece in self.pieces(variable.next, e, all) {
                if let Some((address, row, col)) = self.first_wrong(variable.next, e, &piece) {
                    let found = self.describe(self.tags[address]);
                    let reason = format!("is not complete at the end: row {row}, column {col} {found}");
                    return Err(Refused::Variable { name: variable.name.clone(), reason });
                }
            }
        }
        for port in &self.program.outputs {
            let Operand::Buffer(id, extent) = port.operand else { continue };
            let buffer = &self.program.buffers[id.index()];
            let all = Box3 { rows: (0, extent.rows), cols: (0, extent.cols), depth: (0, extent.depth) };
            if !is_whole(buffer) {
                let found = "is not stored: the output is kept in a ring".to_owned();
                return Err(Refused::Incomplete { output: buffer.spec.name.clone(), row: 0, col: 0, found });
            }
            for piece in self.pieces(id, extent, all) {
                if let Some((address, row, col)) = self.first_wrong(id, extent, &piece) {
                    let found = self.describe(self.tags[address]);
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
        if tag >= STATE {
            return format!("holds the state of step {}", tag - STATE);
        }
        if tag >= SCRATCH {
            return format!("holds the scratch of step {}", tag - SCRATCH);
        }
        let id = self.first.partition_point(|&f| f <= tag) - 1;
        let spec = &self.program.buffers[id].spec;
        let row = (tag - self.first[id]) as usize / spec.row_bytes();
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
}

/// One block of a step's order: up to three boxes, because a stretch of elements may begin and end inside a pixel.
struct Stretch {
    boxes: [Box3; 3],
    len: usize,
}

impl Stretch {
    fn one(b: Box3) -> Self {
        Self { boxes: [b; 3], len: 1 }
    }

    /// Elements `at .. to` of row `y`, counted from column 0.
    fn of_row(y: usize, at: usize, to: usize, depth: usize) -> Self {
        let piece = |cols: (usize, usize), depth: (usize, usize)| Box3 { rows: (y, y + 1), cols, depth };
        let (first, last) = (at / depth, (to - 1) / depth);
        if first == last {
            return Self::one(piece((first, first + 1), (at % depth, (to - 1) % depth + 1)));
        }
        let candidates = [
            piece((first, first + 1), (at % depth, depth)),
            piece((first + 1, last), (0, depth)),
            piece((last, last + 1), (0, (to - 1) % depth + 1)),
        ];
        let mut stretch = Self { boxes: candidates, len: 0 };
        for b in candidates {
            if b.cols.0 < b.cols.1 {
                stretch.boxes[stretch.len] = b;
                stretch.len += 1;
            }
        }
        stretch
    }

    fn boxes(&self) -> &[Box3] {
        &self.boxes[..self.len]
    }
}

/// The region cut into the blocks of the step's order.
fn blocks(step: &Step, r: Region) -> Vec<Stretch> {
    let depth = step.outputs[0].extent.depth;
    let part = |rows, cols| Stretch::one(Box3 { rows, cols, depth: (0, depth) });
    let along = |from: usize, to: usize, n: usize| (from..to).step_by(n.max(1)).map(move |i| (i, to.min(i + n.max(1))));
    let rows = r.y0..r.y1;
    match step.order.granularity {
        Granularity::Run => vec![part((r.y0, r.y1), (r.x0, r.x1))],
        Granularity::Row => rows.map(|y| part((y, y + 1), (r.x0, r.x1))).collect(),
        Granularity::Pixels(n) => {
            rows.flat_map(|y| along(r.x0, r.x1, n).map(move |cols| part((y, y + 1), cols))).collect()
        }
        Granularity::Planes { rows, channels } => along(r.y0, r.y1, rows)
            .flat_map(|rows| {
                along(0, depth, channels).map(move |depth| Stretch::one(Box3 { rows, cols: (r.x0, r.x1), depth }))
            })
            .collect(),
        Granularity::Elements(n) => rows
            .flat_map(|y| along(r.x0 * depth, r.x1 * depth, n).map(move |(at, to)| Stretch::of_row(y, at, to, depth)))
            .collect(),
    }
}
