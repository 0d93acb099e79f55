//! Strategies for graphs that need not be valid: every operator, type and quantisation, with parameters of any size.
#![allow(dead_code, reason = "each test file uses a part")]

use proptest::collection::vec;
use proptest::prelude::*;
use smidgen_ir::*;

/// Sizes and parameters: mostly small, now and then hostile.
pub fn size() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0usize..9, 1 => Just(usize::MAX), 1 => Just(isize::MAX as usize), 1 => any::<usize>()]
}

pub fn float() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => any::<f32>(),
        2 => -2.0f32..2.0,
        1 => prop_oneof![Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(-0.0f32), Just(f32::MIN_POSITIVE), Just(1e-45f32)],
        1 => any::<u32>().prop_map(|bits| f32::from_bits(bits | 0x7f80_0001)),
    ]
}

fn pair() -> impl Strategy<Value = [usize; 2]> {
    [size(), size()]
}

fn activation() -> impl Strategy<Value = Activation> {
    prop_oneof![Just(Activation::None), Just(Activation::Relu), Just(Activation::ReluN1To1), Just(Activation::Relu6)]
}

fn padding() -> impl Strategy<Value = Padding> {
    prop_oneof![
        Just(Padding::Same),
        Just(Padding::Valid),
        [size(), size(), size(), size()].prop_map(|[top, bottom, left, right]| Padding::Explicit {
            top,
            bottom,
            left,
            right
        })
    ]
}

fn conv() -> impl Strategy<Value = ConvParams> {
    (pair(), pair(), padding(), activation()).prop_map(|(stride, dilation, padding, activation)| ConvParams {
        stride,
        dilation,
        padding,
        activation,
    })
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(size(), 0..6)
}

fn windowed_op() -> BoxedStrategy<Op> {
    let kind = prop_oneof![Just(PoolKind::Average), Just(PoolKind::Max)];
    let resize = prop_oneof![Just(ResizeKind::Nearest), Just(ResizeKind::Bilinear)];
    prop_oneof![
        conv().prop_map(Op::Conv2d),
        (conv(), size()).prop_map(|(conv, multiplier)| Op::DepthwiseConv2d { conv, multiplier }),
        (pair(), padding(), pair(), activation()).prop_map(|(stride, padding, output, activation)| Op::TransposeConv {
            stride,
            padding,
            output,
            activation
        }),
        (any::<bool>(), any::<bool>(), activation()).prop_map(
            |(keep_num_dims, asymmetric_quantize_inputs, activation)| Op::FullyConnected {
                keep_num_dims,
                asymmetric_quantize_inputs,
                activation,
            }
        ),
        (kind, pair(), pair(), padding(), activation()).prop_map(|(kind, window, stride, padding, activation)| {
            Op::Pool2d { kind, window, stride, padding, activation }
        }),
        (resize, pair(), any::<bool>(), any::<bool>()).prop_map(|(kind, output, align_corners, half_pixel_centers)| {
            Op::Resize { kind, output, align_corners, half_pixel_centers }
        }),
    ]
    .boxed()
}

fn element_wise_op() -> BoxedStrategy<Op> {
    let binary = prop_oneof![
        Just(BinaryKind::Add),
        Just(BinaryKind::Sub),
        Just(BinaryKind::Mul),
        Just(BinaryKind::Minimum),
        Just(BinaryKind::Maximum)
    ];
    let unary = prop_oneof![
        Just(UnaryKind::Logistic),
        Just(UnaryKind::Tanh),
        Just(UnaryKind::Relu),
        Just(UnaryKind::ReluN1To1),
        Just(UnaryKind::Relu6),
        float().prop_map(|alpha| UnaryKind::LeakyRelu { alpha }),
        Just(UnaryKind::HardSwish)
    ];
    let reduce = prop::sample::select(ReduceKind::ALL);
    prop_oneof![
        (binary, activation()).prop_map(|(kind, activation)| Op::Binary { kind, activation }),
        unary.prop_map(Op::Unary),
        (reduce, sizes(), any::<bool>()).prop_map(|(kind, axes, keep_dims)| Op::Reduce { kind, axes, keep_dims }),
        float().prop_map(|beta| Op::Softmax { beta }),
        Just(Op::Prelu),
        prop::sample::select(NormaliseKind::ALL).prop_map(Op::Normalise),
        size().prop_map(|axis| Op::ArgMax { axis }),
        Just(Op::Quantize),
        Just(Op::Dequantize),
        recurrent().prop_map(Op::Recurrent),
        (size(), activation()).prop_map(|(rank, activation)| Op::Svdf { rank, activation }),
    ]
    .boxed()
}

fn recurrent() -> impl Strategy<Value = RecurrentParams> {
    let cells = [Cell::Lstm, Cell::Gru, Cell::GruResetAfter, Cell::Tanh, Cell::Relu];
    (prop::sample::select(cells.to_vec()), any::<[bool; 6]>(), prop::option::of(float())).prop_map(
        |(cell, [time_major, reverse, sequence, last, memory, asymmetric_quantize_inputs], clip)| RecurrentParams {
            cell,
            time_major,
            reverse,
            clip,
            sequence,
            last,
            memory,
            asymmetric_quantize_inputs,
        },
    )
}

fn movement_op() -> BoxedStrategy<Op> {
    let value =
        prop_oneof![Just(PadValue::Zero), any::<i32>().prop_map(PadValue::Integer), float().prop_map(PadValue::Float)];
    let reshape = prop_oneof![Just(ReshapeKind::Reshape), Just(ReshapeKind::Squeeze), Just(ReshapeKind::ExpandDims)];
    let slice = (size(), prop_oneof![-3isize..4, any::<isize>()], size(), any::<bool>())
        .prop_map(|(start, stride, len, shrink)| AxisSlice { start, stride, len, shrink });
    prop_oneof![
        (vec(pair(), 0..6), value).prop_map(|(pads, value)| Op::Pad { pads, value }),
        (reshape, sizes()).prop_map(|(kind, shape)| Op::Reshape { kind, shape }),
        sizes().prop_map(|perm| Op::Transpose { perm }),
        (size(), activation()).prop_map(|(axis, activation)| Op::Concatenation { axis, activation }),
        (size(), size()).prop_map(|(axis, parts)| Op::Split { axis, parts }),
        size().prop_map(|axis| Op::Pack { axis }),
        size().prop_map(|axis| Op::Unpack { axis }),
        (sizes(), sizes()).prop_map(|(begin, size)| Op::Slice { begin, size }),
        vec(slice, 0..6).prop_map(|axes| Op::StridedSlice { axes }),
    ]
    .boxed()
}

/// Any operator with any parameters.
pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![windowed_op(), element_wise_op(), movement_op()]
}

pub fn dtype() -> impl Strategy<Value = DataType> {
    let element = prop::sample::select(ElementType::ALL.to_vec());
    let per_tensor =
        (float(), any::<i32>()).prop_map(|(scale, zero_point)| Quantisation::PerTensor { scale, zero_point });
    let per_channel = (size(), vec(float(), 0..5), vec(prop_oneof![Just(0), any::<i32>()], 0..5))
        .prop_map(|(axis, scales, zero_points)| Quantisation::PerChannel { axis, scales, zero_points });
    let quantisation = prop_oneof![per_tensor, per_channel];
    (element, prop::option::of(quantisation)).prop_map(|(e, q)| match q {
        Some(q) => DataType::Quantised(e, q),
        None => DataType::Plain(e),
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z/:;_0-9]{1,12}", any::<String>(), "[\"\\\\\n\t\u{0}\u{202e}%=\\[\\]]{0,6}"]
}

/// A tensor; its data often, but not always, has the length that its shape asks for.
pub fn tensor() -> impl Strategy<Value = Tensor> {
    let shape = prop_oneof![vec(1usize..4, 0..5), sizes()];
    let data = prop_oneof![
        3 => Just(0usize),
        2 => Just(1),
        1 => Just(2),
    ];
    (name(), shape, dtype(), data, vec(any::<u8>(), 0..300), prop::option::of(any::<u32>()), any::<bool>()).prop_map(
        |(name, shape, dtype, data, mut bytes, source, uniform)| {
            let shape = Shape(shape);
            if data == 1 {
                let wanted = shape.checked_elements().and_then(|n| dtype.element().bytes(n)).filter(|&n| n < 5000);
                bytes.resize(wanted.unwrap_or(3), 1);
                if uniform {
                    bytes.fill(1);
                }
            }
            let data = (data > 0).then(|| bytes.into());
            Tensor { name, shape, dtype, data, source }
        },
    )
}

/// Any graph whose tensor numbers exist, valid or (mostly) not.
pub fn graph() -> impl Strategy<Value = Graph> {
    (name(), vec(tensor(), 1..8)).prop_flat_map(|(name, tensors)| {
        let id = (0..tensors.len() as u32).prop_map(TensorId);
        let ids = vec(id.clone(), 0..4);
        let operator = (op(), ids.clone(), ids.clone(), any::<bool>(), prop::option::of(any::<u32>()))
            .prop_map(|(op, inputs, outputs, uint8, source)| Operator { op, inputs, outputs, uint8, source });
        let one = (id.clone(), id.clone(), prop::option::of(id)).prop_map(|(value, next, initial)| Variable {
            value,
            next,
            initial,
        });
        (Just(name), Just(tensors), vec(operator, 0..6), ids.clone(), ids, vec(one, 0..3)).prop_map(
            |(name, tensors, operators, inputs, outputs, variables)| Graph {
                name,
                tensors,
                operators,
                inputs,
                outputs,
                variables,
            },
        )
    })
}
