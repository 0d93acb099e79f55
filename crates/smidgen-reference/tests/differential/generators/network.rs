//! Whole networks of uint8, as quantisation-aware training of TensorFlow 1 gave them.

use super::windowed::weighted;
use crate::draw::Draw;
use smidgen_ir::{
    Activation, BinaryKind, ConvParams, DataType, Graph, Op, Padding, PoolKind, ReshapeKind, Tensor, TensorId,
};

/// A network in the making.
struct Network<'d> {
    graph: Graph,
    draw: &'d mut Draw,
}

impl Network<'_> {
    fn push(&mut self, op: Op, inputs: Vec<TensorId>, dtype: DataType) -> Option<TensorId> {
        let operands: Vec<&Tensor> = inputs.iter().map(|&id| self.graph.tensor(id)).collect();
        let shape = smidgen_ir::infer(&op, &operands).ok()?.swap_remove(0).shape;
        let y = self.graph.add_tensor(Tensor::activation(op.name(), shape, dtype));
        self.graph.add_operator(op, inputs, vec![y]);
        Some(y)
    }

    fn dtype(&self, x: TensorId) -> DataType {
        self.graph.tensor(x).dtype.clone()
    }

    fn depth(&self, x: TensorId) -> usize {
        self.graph.tensor(x).shape.dims().last().copied().unwrap_or(1)
    }

    fn layer(&mut self, x: TensorId, op: Op, shape: Vec<usize>, axis: usize, taps: usize) -> Option<TensorId> {
        let layer = weighted(self.draw, &self.dtype(x), shape, axis, taps);
        let mut inputs = vec![x, self.graph.add_tensor(layer.weights)];
        inputs.extend(layer.bias.map(|bias| self.graph.add_tensor(bias)));
        self.push(op, inputs, layer.output)
    }

    fn conv(&mut self, x: TensorId, outputs: usize, size: usize, stride: usize) -> Option<TensorId> {
        let depth = self.depth(x);
        let conv = params(stride, Activation::Relu6);
        self.layer(x, Op::Conv2d(conv), vec![outputs, size, size, depth], 0, size * size * depth)
    }

    fn depthwise(&mut self, x: TensorId, stride: usize) -> Option<TensorId> {
        let depth = self.depth(x);
        let op = Op::DepthwiseConv2d { conv: params(stride, Activation::Relu6), multiplier: 1 };
        self.layer(x, op, vec![1, 3, 3, depth], 3, 9)
    }
}

fn params(stride: usize, activation: Activation) -> ConvParams {
    ConvParams { stride: [stride; 2], dilation: [1, 1], padding: Padding::Same, activation }
}

/// A first layer, blocks of a depthwise and a pointwise one, some of them with a sum around them, then branches that
/// are joined with scales of their own, the mean of the image, and classes.
pub fn mobilenet(draw: &mut Draw) -> Option<Graph> {
    let (rows, columns) = (draw.between(9, 24), draw.between(9, 24));
    let input = draw.integer(1.0 / 128.0);
    let mut n = Network { graph: Graph::new("mobilenet"), draw };
    let mut x = n.graph.add_input(Tensor::activation("input", [1, rows, columns, 3], input));
    let width = n.draw.between(4, 9);
    x = n.conv(x, width, 3, 2)?;
    for _ in 0..3 {
        let stride = n.draw.between(1, 2);
        let outputs = if n.draw.chance(50) { n.depth(x) } else { n.draw.between(4, 17) };
        let inner = n.depthwise(x, stride)?;
        let y = n.conv(inner, outputs, 1, 1)?;
        let alike = n.graph.tensor(x).shape == n.graph.tensor(y).shape;
        x = if alike {
            let output = n.draw.dtype_like(&n.dtype(x));
            let op = Op::Binary { kind: BinaryKind::Add, activation: Activation::None };
            n.push(op, vec![x, y], output)?
        } else {
            y
        };
    }
    let (a, b) = (n.conv(x, 5, 1, 1)?, n.conv(x, 6, 3, 1)?);
    let joined = n.draw.dtype_like(&n.dtype(a));
    x = n.push(Op::Concatenation { axis: 3, activation: Activation::None }, vec![a, b], joined.clone())?;
    let &[_, height, width, depth] = n.graph.tensor(x).shape.dims() else { return None };
    let pool = Op::Pool2d {
        kind: PoolKind::Average,
        window: [height, width],
        stride: [2, 2],
        padding: Padding::Valid,
        activation: Activation::None,
    };
    x = n.push(pool, vec![x], joined.clone())?;
    x = n.push(Op::Reshape { kind: ReshapeKind::Reshape, shape: vec![1, depth] }, vec![x], joined)?;
    let op =
        Op::FullyConnected { keep_num_dims: false, asymmetric_quantize_inputs: false, activation: Activation::None };
    x = n.layer(x, op, vec![10, depth], 0, depth)?;
    let classes = n.draw.of_bytes(1.0 / 256.0, -128);
    x = n.push(Op::Softmax { beta: 1.0 }, vec![x], classes)?;
    n.graph.outputs = vec![x];
    Some(n.graph)
}
