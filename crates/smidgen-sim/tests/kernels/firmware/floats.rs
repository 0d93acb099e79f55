//! The kernels that compute with floats, as [`calls`](crate::calls) has the others. Only a firmware with the feature `float` has them.

#[cfg(not(target_os = "none"))]
use crate::calls::Put;
use crate::calls::{Dims, Memory, Reader, Strides, Wire, get, kernels, number, wire};
use smidgen_kernels::float::{self, Cell, Clamp, Clamped, Function, Hybrid, Recurrent, Svdf, Unary};
use smidgen_kernels::{Bounds, convert, reference};

number! {
    f32: |w| f32::from_bits(w), |v| v.to_bits();
    float::Binary: |w| match w {
        0 => float::Binary::Add,
        1 => float::Binary::Sub,
        2 => float::Binary::Mul,
        3 => float::Binary::Div,
        4 => float::Binary::Minimum,
        5 => float::Binary::Maximum,
        _ => float::Binary::Prelu,
    }, |v| v as u32;
    Cell: |w| match w {
        0 => Cell::Lstm,
        1 => Cell::Gru,
        2 => Cell::GruResetAfter,
        3 => Cell::Tanh,
        _ => Cell::Relu,
    }, |v| v as u32;
}
type FloatScale = float::Scale;
wire! {
    Clamp { min, max }
    Clamped { function, clamp }
    Recurrent { cell, sizes, time_major, reverse, clip, initial, outputs }
    Svdf { sizes, clamp }
    Hybrid { window, clamp, joint, scratch }
    FloatScale { input, output, step, half_pixel_centers }
}

impl<'a, B: Bounds> Wire<'a, B> for Unary {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        match from.word() {
            0 => Self::Logistic,
            1 => Self::Tanh,
            2 => Self::Clamp(Wire::<B>::get(from)),
            3 => Self::LeakyRelu { alpha: Wire::<B>::get(from) },
            4 => Self::HardSwish,
            5 => Self::Exp,
            6 => Self::Log,
            _ => Self::Function(Wire::<B>::get(from)),
        }
    }
}

impl<'a, B: Bounds> Wire<'a, B> for Function {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        Self::ALL[from.word() as usize % Self::ALL.len()]
    }
}

#[cfg(not(target_os = "none"))]
impl Put for Function {
    fn put(&self, to: &mut Vec<u32>) {
        (*self as u32).put(to);
    }
}

#[cfg(not(target_os = "none"))]
impl Put for Unary {
    fn put(&self, to: &mut Vec<u32>) {
        match self {
            Self::Logistic => 0u32.put(to),
            Self::Tanh => 1u32.put(to),
            Self::Clamp(clamp) => (2u32.put(to), clamp.put(to)).0,
            Self::LeakyRelu { alpha } => (3u32.put(to), alpha.put(to)).0,
            Self::HardSwish => 4u32.put(to),
            Self::Exp => 5u32.put(to),
            Self::Log => 6u32.put(to),
            Self::Function(function) => (7u32.put(to), function.put(to)).0,
        }
    }
}

kernels! { FloatKernel from 1000; memory, m;
    FloatConv2d => float::conv2d(memory.arena(), &get(m), get(m), &get(m), get(m), get(m), get(m));
    FloatDepthwise => float::depthwise(memory.arena(), &get(m), get(m), &get(m), get(m), get(m), get(m));
    FloatTransposeConv => float::transpose_conv(memory.arena(), &get(m), get(m), &get(m), get(m), get(m), get(m));
    Conv2dHybrid => float::conv2d_hybrid(get(m), memory.arena(), &get(m), get(m), &get(m), get(m), get(m));
    Conv2dHybridAsymmetric => float::conv2d_hybrid_asymmetric(get(m), memory.arena(), &get(m), get(m), &get(m), get(m), get(m));
    DepthwiseHybrid => float::depthwise_hybrid(memory.arena(), &get(m), get(m), &get(m), get(m), get(m));
    FloatFullyConnected => float::fully_connected(memory.arena(), &get(m), get(m), get(m), get(m), get(m), get(m));
    FloatAveragePool => float::average_pool(memory.arena(), &get(m), get(m), &get(m), get(m));
    FloatMaxPool => float::max_pool(memory.arena(), &get(m), get(m), &get(m), get(m));
    FloatResizeBilinear => float::resize_bilinear(memory.arena(), &get(m), get(m), get(m), &get(m));
    FloatResizeBilinearUint8 => float::resize_bilinear_uint8(memory.arena(), &get(m), get(m), get(m), &get(m));
    FloatSoftmax => float::softmax(memory.arena(), &get(m), get(m), get(m), get(m));
    FloatRecurrent => float::recurrent(memory.arena(), get(m), &get(m), get(m), get(m), get(m));
    RecurrentHybrid => float::recurrent_hybrid(get(m), memory.arena(), get(m), &get(m), get(m), get(m), get(m));
    RecurrentHybridAsymmetric => float::recurrent_hybrid_asymmetric(get(m), memory.arena(), get(m), &get(m), get(m), get(m), get(m));
    FloatSvdf => float::svdf(memory.arena(), get(m), &get(m), get(m), get(m), get(m));
    FloatUnary => float::unary(memory.arena(), &get(m), get(m), get(m), get(m));
    FloatBinary => float::binary(memory.arena(), get(m), get(m), get(m), get(m), get(m), get(m));
    FloatBroadcast => float::broadcast(memory.arena(), get(m), get(m), get(m), get::<B, Dims>(m).get(), get::<B, [Strides; 2]>(m).each_ref().map(Strides::get), get(m));
    FloatMatmul => float::matmul(memory.arena(), get(m), get(m), get(m), get::<B, Dims>(m).get(), get::<B, [Strides; 2]>(m).each_ref().map(Strides::get), get(m), get(m));
    FloatReduceImage => float::reduce_image(memory.arena(), &get(m), get::<B, usize>(m)..get(m), get(m), get(m), get(m));
    FloatReduce => float::reduce(memory.arena(), get(m), get(m), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), get(m));
    FloatReduceMax => reference::reduce_max::<f32, _>(memory.arena(), get(m), get(m), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()));
    FloatReduceMin => reference::reduce_min::<f32, _>(memory.arena(), get(m), get(m), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()));
    Quantize => convert::quantize(memory.arena(), &get(m), get(m), get(m), get(m), get(m), get(m));
    Dequantize => convert::dequantize(memory.arena(), &get(m), get(m), get(m), get(m), get(m), get(m));
}
