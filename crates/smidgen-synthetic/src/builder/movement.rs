//! Operators that only move elements.

use super::{Builder, Node};
use smidgen_ir::{AxisSlice, Op, PadValue, ReshapeKind};

impl Builder {
    /// PAD of rows `[above, below]` and columns `[left, right]` with zeros.
    pub fn pad(&mut self, x: Node, rows: [usize; 2], columns: [usize; 2]) -> Node {
        self.keep(Op::Pad { pads: vec![[0, 0], rows, columns, [0, 0]], value: PadValue::Zero }, &[x])[0]
    }

    /// RESHAPE.
    pub fn reshape(&mut self, x: Node, shape: &[usize]) -> Node {
        self.keep(Op::Reshape { kind: ReshapeKind::Reshape, shape: shape.to_vec() }, &[x])[0]
    }

    /// TRANSPOSE.
    pub fn transpose(&mut self, x: Node, perm: &[usize]) -> Node {
        self.keep(Op::Transpose { perm: perm.to_vec() }, &[x])[0]
    }

    /// SPLIT.
    pub fn split(&mut self, x: Node, axis: usize, parts: usize) -> Vec<Node> {
        self.keep(Op::Split { axis, parts }, &[x])
    }

    /// SLICE of a box.
    pub fn slice(&mut self, x: Node, begin: &[usize], size: &[usize]) -> Node {
        self.keep(Op::Slice { begin: begin.to_vec(), size: size.to_vec() }, &[x])[0]
    }

    /// STRIDED_SLICE of all indices along every axis but `axis`, where every `stride`-th is taken, backwards if negative.
    pub fn strided_slice(&mut self, x: Node, axis: usize, stride: isize) -> Node {
        let whole = |len: usize| AxisSlice { start: 0, stride: 1, len, shrink: false };
        let mut axes: Vec<AxisSlice> = self.shape(x).iter().map(|&len| whole(len)).collect();
        let size = axes[axis].len;
        let start = if stride < 0 { size - 1 } else { 0 };
        axes[axis] = AxisSlice { start, stride, len: size.div_ceil(stride.unsigned_abs()), shrink: false };
        self.keep(Op::StridedSlice { axes }, &[x])[0]
    }
}
