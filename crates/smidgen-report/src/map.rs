//! The memory map in characters: time across, addresses down.

use smidgen_certify::Certified;
use smidgen_certify::Occupancy;
use smidgen_ir::visible;
use smidgen_program::Program;
use std::fmt::Write;

/// Letters for buffers, in the order in which they first appear.
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A memory map cut into cells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoryMap {
    /// `cells[row][column]`: the index of the buffer that covers most of the cell, or none.
    pub cells: Vec<Vec<Option<usize>>>,
    /// Bytes of one row of cells.
    pub row_bytes: usize,
    names: Vec<String>,
    sizes: Vec<usize>,
    arena: usize,
    runs: usize,
}

impl MemoryMap {
    /// Cuts the map into at most `width` by `height` cells (each at least 1).
    pub fn new(program: &Certified, occupancy: &Occupancy, width: usize, height: usize) -> Self {
        Self::of(program, occupancy, width, height)
    }

    fn of(program: &Program, occupancy: &Occupancy, width: usize, height: usize) -> Self {
        let (arena, runs) = (program.arena_bytes, program.runs.len());
        let row_bytes = nice_step(arena, height.max(1));
        let height = arena.div_ceil(row_bytes).max(1);
        let width = width.max(1);
        // Area of each cell that each buffer covers; the widest wins.
        let mut best = vec![vec![(0u64, None); width]; height];
        for (id, spans) in occupancy.buffers.iter().enumerate() {
            let mut area = vec![vec![0u64; width]; height];
            for span in spans {
                // Columns in units of 1/runs of the width, so that integer arithmetic is exact.
                let (t0, t1) = (span.runs.start * width, span.runs.end * width);
                for (col, t) in (t0 / runs..t1.div_ceil(runs)).map(|c| (c, overlap(t0, t1, c * runs, (c + 1) * runs))) {
                    let (first, last) = (span.bytes.start / row_bytes, span.bytes.end.div_ceil(row_bytes));
                    for (row, cells) in area.iter_mut().enumerate().take(last).skip(first) {
                        let (a0, a1) = (row * row_bytes, (row + 1) * row_bytes);
                        cells[col] += (t * overlap(span.bytes.start, span.bytes.end, a0, a1)) as u64;
                    }
                }
            }
            for (row, cells) in area.iter().enumerate() {
                for (col, &covered) in cells.iter().enumerate() {
                    if covered > best[row][col].0 {
                        best[row][col] = (covered, Some(id));
                    }
                }
            }
        }
        Self {
            cells: best.into_iter().map(|row| row.into_iter().map(|(_, id)| id).collect()).collect(),
            row_bytes,
            names: program.buffers.iter().map(|b| b.spec.name.clone()).collect(),
            sizes: program.buffers.iter().map(|b| b.bytes()).collect(),
            arena,
            runs,
        }
    }

    /// The map as text: one letter a buffer, a dot where nothing of use lies, addresses at the left, and a legend of the
    /// buffers shown with at most `legend` entries, each cut to `columns` characters. With `colour`, cells carry ANSI colours.
    pub fn render(&self, columns: usize, legend: usize, colour: bool) -> String {
        let mut order: Vec<usize> = Vec::new();
        for col in 0..self.cells.first().map_or(0, Vec::len) {
            for row in &self.cells {
                if let Some(id) = row[col]
                    && !order.contains(&id)
                {
                    order.push(id);
                }
            }
        }
        let letter = |id: usize| {
            let place = order.iter().position(|&o| o == id).unwrap_or(0);
            (LETTERS[place % LETTERS.len()] as char, place)
        };
        let mut text = String::new();
        for (i, row) in self.cells.iter().enumerate() {
            let _ = write!(text, "{:>8} |", i * self.row_bytes);
            for cell in row {
                match *cell {
                    None => text.push('.'),
                    Some(id) => {
                        let (c, place) = letter(id);
                        if colour {
                            // The 6x6x6 cube's bright half, in an order that keeps neighbours apart.
                            let _ = write!(text, "\x1b[30;48;5;{}m{c}\x1b[0m", 74 + (place * 37) % 150);
                        } else {
                            text.push(c);
                        }
                    }
                }
            }
            text.push('\n');
        }
        let width = self.cells.first().map_or(0, Vec::len);
        let _ = writeln!(text, "{:>8} +{}", self.arena, "-".repeat(width));
        let _ = writeln!(text, "{:>8}  time: {} runs", "bytes", self.runs);
        let mut shown: Vec<usize> = order.clone();
        // The largest first: they are what a reader looks for.
        shown.sort_by_key(|&id| std::cmp::Reverse(self.sizes[id]));
        let hidden = shown.len().saturating_sub(legend);
        shown.truncate(legend);
        shown.sort_by_key(|&id| letter(id).1);
        for id in shown {
            let line = format!("  {} {} ({})", letter(id).0, visible(&self.names[id]), crate::bytes(self.sizes[id]));
            text.extend(line.chars().take(columns));
            text.push('\n');
        }
        if hidden > 0 {
            let _ = writeln!(text, "  and {hidden} smaller ones");
        }
        text
    }
}

fn overlap(a0: usize, a1: usize, b0: usize, b1: usize) -> usize {
    a1.min(b1).saturating_sub(a0.max(b0))
}

/// A step of 1, 2 or 5 times a power of ten that cuts `total` into at most `parts` pieces.
pub(crate) fn nice_step(total: usize, parts: usize) -> usize {
    let mut power = 1;
    loop {
        for step in [power, 2 * power, 5 * power] {
            if total.div_ceil(step) <= parts {
                return step;
            }
        }
        power *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smidgen_certify::Span;
    use smidgen_program::{Buffer, BufferSpec, Extent, Run, StepId};

    fn program(buffers: &[(&str, usize, usize)], arena: usize, runs: usize) -> Program {
        Program {
            arena_bytes: arena,
            buffers: buffers
                .iter()
                .map(|&(name, offset, len)| Buffer {
                    spec: BufferSpec {
                        name: name.to_owned(),
                        tensor: None,
                        element: smidgen_program::ElementType::Int8,
                        extent: Extent { rows: 1, cols: 1, depth: len },
                    },
                    offset,
                    slots: 1,
                    width: 1,
                })
                .collect(),
            runs: vec![Run::Compute { step: StepId(0), region: smidgen_program::Region::whole(1, 1) }; runs],
            ..Program::default()
        }
    }

    #[test]
    fn each_cell_shows_the_buffer_that_covers_most_of_it() {
        let program = program(&[("low", 0, 50), ("high", 50, 50)], 100, 4);
        let occupancy = Occupancy {
            buffers: vec![vec![Span { runs: 0..2, bytes: 0..50 }], vec![Span { runs: 1..4, bytes: 50..100 }]],
            live_bytes: vec![50, 100, 50, 50],
        };
        let map = MemoryMap::of(&program, &occupancy, 4, 2);
        assert_eq!(
            map.render(80, 9, false),
            concat!(
                "       0 |AA..\n",
                "      50 |.BBB\n",
                "     100 +----\n",
                "   bytes  time: 4 runs\n",
                "  A low (50 bytes)\n",
                "  B high (50 bytes)\n",
            )
        );
    }

    #[test]
    fn steps_are_round() {
        assert_eq!(nice_step(100, 2), 50);
        assert_eq!(nice_step(101, 2), 100);
        assert_eq!(nice_step(27_000, 24), 2_000);
        assert_eq!(nice_step(0, 3), 1);
    }
}
