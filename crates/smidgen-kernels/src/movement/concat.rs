//! CONCATENATION and PACK along rows, columns or channels.

use crate::memory::{Arena, Bounds, Checked};
use crate::operand::Operand;
use crate::view::{Region, View};

/// An axis of a tensor seen as rows of pixels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Axis {
    /// Rows.
    Rows,
    /// Columns.
    Cols,
    /// Channels.
    Depth,
}

/// One of the tensors joined.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a, B: Bounds = Checked> {
    /// The tensor; its view counts bytes.
    pub operand: Operand<'a, u8, B>,
    /// Its size along the axis.
    pub size: usize,
}

/// Joins `pieces` along `axis`. `pixel` is the bytes of a pixel of a piece that is joined along rows or columns, and of one channel
/// otherwise. Views count bytes.
///
/// Order: one element at a time, read before write.
pub fn concat<B: Bounds>(
    mut arena: Arena<'_, u8, B>,
    pieces: &[Piece<'_, B>],
    axis: Axis,
    output: View,
    region: Region,
    pixel: usize,
) {
    for y in region.y0..region.y1 {
        for x in region.x0..region.x1 {
            let mut to = output.at(y, x);
            match axis {
                Axis::Depth => {
                    for piece in pieces {
                        let bytes = piece.size * pixel;
                        copy(&mut arena, &piece.operand, y, x, to, bytes);
                        to += bytes;
                    }
                }
                Axis::Rows => {
                    if let Some((piece, y)) = find(pieces, y) {
                        copy(&mut arena, &piece.operand, y, x, to, pixel);
                    }
                }
                Axis::Cols => {
                    if let Some((piece, x)) = find(pieces, x) {
                        copy(&mut arena, &piece.operand, y, x, to, pixel);
                    }
                }
            }
        }
    }
}

/// The piece that holds index `i` of the output, and the index in it.
fn find<'p, 'a, B: Bounds>(pieces: &'p [Piece<'a, B>], mut i: usize) -> Option<(&'p Piece<'a, B>, usize)> {
    for piece in pieces {
        if i < piece.size {
            return Some((piece, i));
        }
        i -= piece.size;
    }
    None
}

fn copy<B: Bounds>(
    arena: &mut Arena<'_, u8, B>,
    from: &Operand<'_, u8, B>,
    y: usize,
    x: usize,
    to: usize,
    bytes: usize,
) {
    let at = from.view.at(y, x);
    match from.constant {
        Some(data) => arena.copy_constant(data, at, to, bytes),
        None => arena.copy(at, to, bytes),
    }
}
