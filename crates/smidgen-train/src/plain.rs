//! Operators that are not fused: simple loops over values that are stored as they are read.
//!
//! What moves elements is one table of origins ([`gather`]), what averages or interpolates them one table of weights
//! ([`weighted`]), both made when the network is built. Transcendental functions are computed in f64 by a library in
//! Rust, for equal bits everywhere.

pub(crate) mod binary;
pub(crate) mod gather;
pub(crate) mod matmul;
pub(crate) mod max_pool;
pub(crate) mod prelu;
pub(crate) mod softmax;
pub(crate) mod unary;
pub(crate) mod weighted;

use std::sync::Arc;

/// What a plain node computes for each sample.
#[derive(Clone, Debug)]
pub(crate) enum Plain {
    /// Moves elements.
    Gather(gather::Gather),
    /// Weighted sums of elements.
    Weighted(weighted::Weighted),
    /// Two operands.
    Binary(binary::Binary),
    /// Products of matrices.
    Matmul(matmul::Matmul),
    /// A function of one element.
    Unary(unary::Unary),
    /// Normalised exponentials.
    Softmax(softmax::Softmax),
    /// Slopes that are learnt.
    Prelu(prelu::Prelu),
    /// The greatest element of a window.
    MaxPool(max_pool::MaxPool),
}

/// An operand of a plain node.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    /// The node's input of this index.
    Input(usize),
    /// The same elements for every sample.
    Constant(Arc<[f32]>),
}

/// The values that a plain node reads.
pub(crate) struct Values<'a> {
    /// All values of the worker.
    pub all: &'a [Vec<f32>],
    /// Which of them are the node's inputs.
    pub inputs: &'a [usize],
    /// Elements of each input for one sample.
    pub len: &'a dyn Fn(usize) -> usize,
}

impl<'a> Values<'a> {
    /// Input `k` of sample `s`.
    pub(crate) fn sample(&self, k: usize, s: usize) -> &'a [f32] {
        let len = (self.len)(self.inputs[k]);
        &self.all[self.inputs[k]][s * len..][..len]
    }

    /// An operand for sample `s`.
    pub(crate) fn operand<'b>(&self, operand: &'b Operand, s: usize) -> &'b [f32]
    where
        'a: 'b,
    {
        match operand {
            Operand::Input(k) => self.sample(*k, s),
            Operand::Constant(elements) => elements,
        }
    }
}

impl Plain {
    /// Computes `out` for `n` samples.
    pub(crate) fn forward(&self, n: usize, values: &Values<'_>, parameters: &[f32], out: &mut [f32]) {
        let len = out.len() / n;
        for (s, out) in out.chunks_exact_mut(len).enumerate() {
            match self {
                Self::Gather(g) => g.forward(s, values, out),
                Self::Weighted(w) => w.forward(values.sample(0, s), out),
                Self::Binary(b) => b.forward(values.operand(&b.a, s), values.operand(&b.b, s), out),
                Self::Matmul(m) => m.forward(values.operand(&m.a, s), values.operand(&m.b, s), out),
                Self::Unary(u) => u.forward(values.sample(0, s), out),
                Self::Softmax(f) => f.forward(values.sample(0, s), out),
                Self::Prelu(p) => p.forward(values.sample(0, s), parameters, out),
                Self::MaxPool(p) => p.forward(values.sample(0, s), out),
            }
        }
    }

    /// Adds the gradient of input `k` to `dx`, for `n` samples. `out` is what [`forward`](Self::forward) computed, `dy`
    /// its gradient.
    pub(crate) fn backward(
        &self,
        n: usize,
        k: usize,
        values: &Values<'_>,
        parameters: &[f32],
        [out, dy]: [&[f32]; 2],
        dx: &mut [f32],
    ) {
        let (len, input) = (out.len() / n, dx.len() / n);
        for (s, dx) in dx.chunks_exact_mut(input).enumerate() {
            let (y, dy) = (&out[s * len..][..len], &dy[s * len..][..len]);
            match self {
                Self::Gather(g) => g.backward(k, dy, dx),
                Self::Weighted(w) => w.backward(dy, dx),
                Self::Binary(b) => b.backward(k, values.operand(&b.a, s), values.operand(&b.b, s), dy, dx),
                Self::Matmul(m) => m.backward(k, values.operand(&m.a, s), values.operand(&m.b, s), dy, dx),
                Self::Unary(u) => u.backward(values.sample(0, s), y, dy, dx),
                Self::Softmax(f) => f.backward(y, dy, dx),
                Self::Prelu(p) => p.backward(values.sample(0, s), parameters, dy, dx),
                Self::MaxPool(p) => p.backward(values.sample(0, s), dy, dx),
            }
        }
    }

    /// Adds the gradient of the node's own parameters to `gradient` (all parameters).
    pub(crate) fn backward_parameters(&self, n: usize, values: &Values<'_>, dy: &[f32], gradient: &mut [f32]) {
        if let Self::Prelu(p) = self {
            let len = dy.len() / n;
            for (s, dy) in dy.chunks_exact(len).enumerate() {
                p.backward_slopes(values.sample(0, s), dy, gradient);
            }
        }
    }
}
