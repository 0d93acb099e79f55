//! State that outlives an inference.

use super::{Builder, Node};
use smidgen_ir::{AxisSlice, Op, Tensor, Variable};

impl Builder {
    /// The last `kept` rows that came before, and `x` behind them: a CONCATENATION along axis 1 of a variable and of `x`, whose last
    /// `kept` rows the variable holds in the next inference. It begins with zeros, or with numbers where `begins` is true.
    ///
    /// `x` is `[n, rows, w, c]`, the result `[n, kept + rows, w, c]`.
    pub fn ring(&mut self, x: Node, kept: usize, begins: bool) -> Node {
        let (dtype, values) = (self.dtype(x).clone(), self.values(x));
        let mut shape = self.shape(x).to_vec();
        shape[1] = kept;
        let name = format!("ring{}", self.graph.variables.len());
        let held = self.add(Tensor::activation(name.clone(), shape.clone(), dtype.clone()), values);
        let initial = begins.then(|| {
            let bytes = dtype.element().bytes(shape.iter().product()).expect("sizes that can be counted");
            let data: Vec<u8> = (0..bytes).map(|_| self.random.below(64) as u8).collect();
            self.add(Tensor::constant(format!("{name}/first"), shape, dtype, data), values).0
        });
        let whole = self.concatenation(&[held, x], 1);
        let axes = self.shape(whole).iter().enumerate().map(|(axis, &size)| match axis {
            1 => AxisSlice { start: size - kept, stride: 1, len: kept, shrink: false },
            _ => AxisSlice { start: 0, stride: 1, len: size, shrink: false },
        });
        let next = self.keep(Op::StridedSlice { axes: axes.collect() }, &[whole])[0];
        self.graph.variables.push(Variable { value: held.0, next: next.0, initial });
        whole
    }
}
