//! Which operators of ONNX each operator of the graph comes from: one that is added to the graph and not here does not compile.

use smidgen_ir::{
    Activation, BinaryKind, Cell, CompareKind, Function, NormaliseKind, Op, PoolKind, ReduceKind, ReshapeKind,
    ResizeKind, UnaryKind, names::names,
};
use smidgen_onnx::SUPPORTED;

/// An operator of ONNX that becomes this one.
fn origin(op: &Op) -> &'static str {
    match op {
        // A convolution of several groups.
        Op::Conv2d(_) | Op::DepthwiseConv2d { .. } => "Conv",
        Op::TransposeConv { .. } => "ConvTranspose",
        Op::FullyConnected { .. } => "Gemm",
        Op::Binary { kind, .. } => match kind {
            BinaryKind::Add => "Add",
            // Its square is a product of it with itself.
            BinaryKind::Sub | BinaryKind::SquaredDifference => "Sub",
            BinaryKind::Mul => "Mul",
            BinaryKind::Div => "Div",
            BinaryKind::Minimum => "Min",
            BinaryKind::Maximum => "Max",
        },
        Op::Pool2d { kind, .. } => match kind {
            PoolKind::Average => "AveragePool",
            PoolKind::Max => "MaxPool",
        },
        Op::Reduce { kind, .. } => match kind {
            ReduceKind::Mean => "ReduceMean",
            ReduceKind::Sum => "ReduceSum",
            ReduceKind::Max => "ReduceMax",
            ReduceKind::Min => "ReduceMin",
        },
        Op::Pad { .. } => "Pad",
        Op::Reshape { kind, .. } => match kind {
            ReshapeKind::Reshape => "Reshape",
            ReshapeKind::Squeeze => "Squeeze",
            ReshapeKind::ExpandDims => "Unsqueeze",
        },
        Op::Transpose { .. } => "Transpose",
        Op::Concatenation { .. } => "Concat",
        Op::Split { .. } => "Split",
        // A stack is Unsqueeze and Concat there, and its parts are those of a Split.
        Op::Pack { .. } => "Concat",
        Op::Unpack { .. } => "Split",
        Op::Slice { .. } | Op::StridedSlice { .. } => "Slice",
        Op::Resize { kind, .. } => match kind {
            ResizeKind::Nearest | ResizeKind::Bilinear => "Resize",
        },
        Op::Softmax { .. } => "Softmax",
        // On floats.
        Op::Normalise(NormaliseKind::L2) => "LpNormalization",
        Op::Normalise(NormaliseKind::LogSoftmax) => "LogSoftmax",
        Op::Unary(kind) => match kind {
            UnaryKind::Logistic => "Sigmoid",
            UnaryKind::Tanh => "Tanh",
            UnaryKind::Relu => "Relu",
            // RELUs with other bounds are written as Clip.
            UnaryKind::ReluN1To1 | UnaryKind::Relu6 => "Clip",
            UnaryKind::LeakyRelu { .. } => "LeakyRelu",
            UnaryKind::HardSwish => "HardSwish",
            UnaryKind::Exp => "Exp",
            UnaryKind::Log => "Log",
            UnaryKind::Function(function) => names(*function).1.unwrap_or(match function {
                Function::Abs => "Abs",
                Function::Neg => "Neg",
                Function::Square => "Pow",
                Function::Rsqrt => "Reciprocal",
                Function::Gelu | Function::GeluTanh => "Gelu",
                _ => "Elu",
            }),
        },
        Op::Recurrent(layer) => match layer.cell {
            Cell::Lstm => "LSTM",
            Cell::Gru | Cell::GruResetAfter => "GRU",
            Cell::Tanh | Cell::Relu => "RNN",
        },
        // ONNX has no filter over time that keeps its own state: there it would be a convolution.
        Op::Svdf { .. } => "Conv",
        Op::Compare(kind) => match kind {
            CompareKind::Equal => "Equal",
            // Of truths.
            CompareKind::NotEqual => "Xor",
            CompareKind::Less => "Less",
            CompareKind::LessEqual => "LessOrEqual",
            CompareKind::Greater => "Greater",
            CompareKind::GreaterEqual => "GreaterOrEqual",
            CompareKind::And => "And",
            CompareKind::Or => "Or",
        },
        Op::Select => "Where",
        Op::Gather { .. } => "Gather",
        Op::Cast => "Cast",
        Op::BatchMatmul { .. } => "MatMul",
        Op::Prelu => "PRelu",
        Op::ArgMax { .. } => "ArgMax",
        Op::Quantize => "QuantizeLinear",
        Op::Dequantize => "DequantizeLinear",
    }
}

#[test]
fn every_operator_of_the_graph_comes_from_onnx() {
    let reduce = |&kind: &ReduceKind| Op::Reduce { kind, axes: vec![], keep_dims: false };
    let binary = |&kind: &BinaryKind| Op::Binary { kind, activation: Activation::None };
    let function = |&function: &Function| Op::Unary(UnaryKind::Function(function));
    let kinds = ReduceKind::ALL.iter().map(reduce).chain(BinaryKind::ALL.iter().map(binary));
    let others = [Op::Select, Op::Cast, Op::BatchMatmul { adjoint: [false; 2] }];
    let others = CompareKind::ALL.iter().map(|&kind| Op::Compare(kind)).chain(others);
    for op in kinds.chain(Function::ALL.iter().map(function)).chain(others) {
        let name = origin(&op);
        let row = SUPPORTED.iter().find(|row| row.name == name);
        // Without types it is computed of constants only, when reading.
        assert!(row.is_some_and(|row| !row.types.is_empty()), "{}: no translation of {name}", op.name());
    }
}
