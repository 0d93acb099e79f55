//! Every kernel by its number, with arguments read from 32-bit words. The host and the firmware compile this very file, the host with
//! checked memory, the firmware with certified.
//!
//! A new kernel is one line in [`kernels!`]; a structure that it takes, and that no other kernel took, one in [`wire!`].

use smidgen_kernels::convert::{self, Requantise, Rescale, Stored};
use smidgen_kernels::int8::mcu::{self, Epilogue, EpilogueVariants, Products, Terms, Width};
use smidgen_kernels::int8::{
    self, Channels, Int8, LogSoftmax, Offset, Prelu, Product, Quotient, Reading, Reduce, Scale, SquaredDifference, Sum,
    TableSum, fast,
};
use smidgen_kernels::int16::mcu::{self as mcu16, Clamp, Windowed};
use smidgen_kernels::int16::{self, Int16, Multiplier, Sigmoid, Slopes};
use smidgen_kernels::memory::Element;
use smidgen_kernels::movement::{self, Axis, Gather, Index, Piece};
use smidgen_kernels::nd::{MAX_RANK, Whole};
use smidgen_kernels::plain::{self, Compare, Scaled, Take};
use smidgen_kernels::requant::{Factor, SmallFactor};
use smidgen_kernels::training::{
    self, AxisMap, BiasStep, Cross, DepthwiseGradient, DepthwiseStep, Feed, Head, InputGradient, Noise, Rearrange,
    Resized, Select, Spread, Step, Total, WeightStep,
};
use smidgen_kernels::{Arena, Bounds, Flash, Isa, Operand, Region, Rounding, View, Views, Window2d, reference};

/// Element types that words, constants and the arena can be seen as.
#[cfg(target_os = "none")]
pub trait Plain: Element {}
#[cfg(target_os = "none")]
impl<T: Element> Plain for T {}
/// Element types that words, constants and the arena can be seen as.
#[cfg(not(target_os = "none"))]
pub trait Plain: Element + bytemuck::Pod {}
#[cfg(not(target_os = "none"))]
impl<T: Element + bytemuck::Pod> Plain for T {}

/// Where arguments come from.
pub trait Reader<'a, B: Bounds> {
    /// The next word.
    fn word(&mut self) -> u32;
    /// `count` elements of the constants, from byte `offset` on.
    fn constant<T: Plain>(&mut self, offset: usize, count: usize) -> Flash<'a, T, B>;
}

/// Where the arena comes from.
pub trait Memory<'a, B: Bounds> {
    /// All of it.
    fn arena<T: Plain>(self) -> Arena<'a, T, B>;
}

/// What can be read from words.
pub trait Wire<'a, B: Bounds>: Sized {
    /// Reads one.
    fn get(from: &mut impl Reader<'a, B>) -> Self;
}

/// What can be written to words: everything but constants, which a case adds itself.
#[cfg(not(target_os = "none"))]
pub trait Put {
    /// Writes it.
    fn put(&self, to: &mut Vec<u32>);
}

#[cfg(not(target_os = "none"))]
impl Put for () {
    fn put(&self, _: &mut Vec<u32>) {}
}

/// Reads one, whatever it is.
pub fn get<'a, B: Bounds, T: Wire<'a, B>>(from: &mut impl Reader<'a, B>) -> T {
    T::get(from)
}

/// Numbers, and enumerations with a number for each variant.
macro_rules! number {
    ($($t:ty: |$word:ident| $read:expr, |$value:ident| $write:expr;)*) => { $(
        impl<'a, B: Bounds> Wire<'a, B> for $t {
            fn get(from: &mut impl Reader<'a, B>) -> Self {
                let $word = from.word();
                $read
            }
        }
        #[cfg(not(target_os = "none"))]
        impl Put for $t {
            fn put(&self, to: &mut Vec<u32>) {
                let $value = *self;
                to.push($write);
            }
        }
    )* };
}
number! {
    u32: |w| w, |v| v;
    i32: |w| w as i32, |v| v as u32;
    u16: |w| w as u16, |v| v.into();
    i16: |w| w as i16, |v| v as u32;
    i8: |w| w as i8, |v| v as u32;
    u8: |w| w as u8, |v| v.into();
    usize: |w| w as usize, |v| v as u32;
    isize: |w| w as i32 as isize, |v| v as u32;
    bool: |w| w != 0, |v| v.into();
    Rounding: |w| if w == 0 { Rounding::Twice } else { Rounding::Once }, |v| u32::from(v == Rounding::Once);
    Multiplier: |w| if w == 0 { Multiplier::Reduced } else { Multiplier::Full }, |v| u32::from(v == Multiplier::Full);
    Reading: |w| if w == 0 { Reading::Signed } else { Reading::Unsigned }, |v| u32::from(v == Reading::Unsigned);
    Isa: |_w| Isa::PORTABLE, |_v| 0;
    Feed: |w| match w { 0 => Feed::Staged, 1 => Feed::Whole, _ => Feed::Rows }, |v| match v { Feed::Staged => 0u32, Feed::Whole => 1, Feed::Rows => 2 };
    Noise: |w| if w == 0 { Noise::Nearest } else { Noise::Stochastic }, |v| u32::from(v == Noise::Stochastic);
    Stored: |w| match w {
        0 => Stored::Int8,
        1 => Stored::Int16,
        2 => Stored::Int32,
        3 => Stored::Int64,
        4 => Stored::Uint8,
        _ => Stored::Bool,
    }, |v| match v {
        Stored::Int8 => 0,
        Stored::Int16 => 1,
        Stored::Int32 => 2,
        Stored::Uint8 => 4,
        Stored::Bool => 5,
        _ => 3,
    };
    Compare: |w| match w {
        0 => Compare::Equal,
        1 => Compare::NotEqual,
        2 => Compare::Less,
        3 => Compare::LessEqual,
        4 => Compare::Greater,
        5 => Compare::GreaterEqual,
        6 => Compare::And,
        _ => Compare::Or,
    }, |v| v as u32;
    Axis: |w| match w {
        0 => Axis::Rows,
        1 => Axis::Cols,
        _ => Axis::Depth,
    }, |v| match v {
        Axis::Rows => 0,
        Axis::Cols => 1,
        Axis::Depth => 2,
    };
}

impl<'a, B: Bounds, T: Wire<'a, B>, const N: usize> Wire<'a, B> for [T; N] {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        core::array::from_fn(|_| T::get(from))
    }
}

#[cfg(not(target_os = "none"))]
impl<T: Put, const N: usize> Put for [T; N] {
    fn put(&self, to: &mut Vec<u32>) {
        self.iter().for_each(|v| v.put(to));
    }
}

/// Structures, field by field.
macro_rules! wire {
    ($($t:ident { $($field:ident),* })*) => { $(
        impl<'a, B: Bounds> Wire<'a, B> for $t {
            fn get(from: &mut impl Reader<'a, B>) -> Self {
                Self { $($field: Wire::<B>::get(from)),* }
            }
        }
        #[cfg(not(target_os = "none"))]
        impl Put for $t {
            fn put(&self, to: &mut Vec<u32>) {
                $( self.$field.put(to); )*
            }
        }
    )* };
}
type FastConv2d = fast::Conv2d;
type FastDepthwise = fast::Depthwise;
type FastFullyConnected = fast::FullyConnected;
type McuConv2d = mcu::Conv2d;
type McuDepthwise = mcu::Depthwise;
type FullyConnected = int8::FullyConnected;
type TrainConv2d = training::Conv2d;
type TrainDepthwise = training::Depthwise;
type ProductStep = training::ProductGradient;
type Lstm = int8::Lstm;
type Svdf = int8::Svdf;
type WideSum = int16::Sum;
type WideTerms = int16::Terms;
type WideProduct = int16::Product;
type WideReduce = int16::Reduce;
type WideSoftmax = int16::Softmax;
wire! {
    View { base, row_stride, rows, x0, pixel_stride }
    Region { y0, y1, x0, x1 }
    Window2d { input, output, size, stride, dilation, before }
    Views { input, output }
    FastConv2d { scratch, window, quant }
    FastDepthwise { window, quant }
    FastFullyConnected { sizes, quant }
    McuConv2d { window, input_zero, epilogue }
    McuDepthwise { window, input_zero, epilogue, rows }
    FullyConnected { sizes, weight_zero }
    Windowed { window, clamp }
    Int8 { input_zero, output_zero, min, max, rounding }
    Offset { weight_zero, quant }
    Int16 { min, max, multiplier }
    Clamp { min, max }
    Factor { multiplier, shift }
    Epilogue { offset, shift, tie, low, unit, by_sign, extras, own_shifts }
    Scale { input, output, step, start }
    Sum { zeros, factors, output, output_zero, min, max, subtract, rounding }
    TableSum { linear, negate, multiplier, shift, output_zero, min, max }
    Product { zeros, factor, output_zero, min, max, rounding }
    Quotient { zeros, factor, output_zero, min, max }
    SquaredDifference { zeros, factors, output, output_zero, rounding }
    LogSoftmax { factor, reverse, least }
    Take { sizes, slice, element, indices }
    Scaled { function, zeros, factors, rounding }
    Prelu { zeros, positive, negative, output_zero, rounding }
    Reduce { zeros, factor, output_zero, reading, rounding }
    Requantise { from, to, zeros, factor, rounding }
    Rescale { from, to, zeros, up, factor }
    SmallFactor { multiplier, shift }
    WideTerms { linear, weight, other, output, min, max }
    Terms { weights, offset }
    Products { zeros, multiplier, offset, tie, min, max }
    WideSum { zeros, factors, output, output_zero, min, max, subtract, rounding }
    WideProduct { zeros, factor, output_zero, min, max, rounding }
    WideReduce { factor, rounding }
    WideSoftmax { factor, rounding }
    Slopes { positive, negative, falls, min, max, rounding }
    Sigmoid { multiplier, shift, tanh }
    TrainConv2d { window, images, quant, selected }
    TrainDepthwise { window, images, quant }
    InputGradient { window, images, selected, narrow, shift, feed }
    DepthwiseGradient { window, images, narrow, shift }
    Spread { window, images, shift }
    Step { narrow, noise, salt, kept, held, collected }
    WeightStep { window, images, channels, zero, step }
    BiasStep { pixels, channels, step }
    DepthwiseStep { window, images, zero, step }
    Select { pixels, channels, selected }
    AxisMap { size, first, step, count, stride }
    Rearrange { axes, start, from, to }
    Resized { images, input, output, narrow, shift }
    ProductStep { product, sizes, broadcast, second, shift }
    Total { factors, shift }
    Head { inputs, classes, zero, scale }
    Cross { classes }
    Lstm { sizes, time_major, reverse, initial, outputs, input, state, hidden, zero, memory_bits, clip, rounding }
    Svdf { sizes, zeros, feature, output, rounding }
    Dims { rank, sizes }
    Strides { rank, steps }
}

/// Sizes of a box, at most eight.
#[derive(Clone, Copy, Debug)]
pub struct Dims {
    /// How many.
    pub rank: usize,
    /// The sizes, and then any.
    pub sizes: [usize; MAX_RANK],
}

impl Dims {
    /// The sizes.
    pub fn get(&self) -> &[usize] {
        self.sizes.get(..self.rank).unwrap_or(&[])
    }
}

/// Strides along the axes of a box.
#[derive(Clone, Copy, Debug)]
pub struct Strides {
    /// How many.
    pub rank: usize,
    /// The strides, and then any.
    pub steps: [isize; MAX_RANK],
}

impl Strides {
    /// The strides.
    pub fn get(&self) -> &[isize] {
        self.steps.get(..self.rank).unwrap_or(&[])
    }
}

impl<'a, B: Bounds, T: Plain> Wire<'a, B> for Flash<'a, T, B> {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        let (offset, count) = (from.word(), from.word());
        from.constant(offset as usize, count as usize)
    }
}

impl<'a, B: Bounds, T: Plain> Wire<'a, B> for Option<Flash<'a, T, B>> {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        (from.word() != 0).then(|| Wire::get(from))
    }
}

impl<'a, B: Bounds> Wire<'a, B> for Channels<'a, B> {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        Self { bias: get(from), multipliers: get(from), shifts: get(from) }
    }
}

impl<'a, B: Bounds> Wire<'a, B> for training::Factors<'a, B> {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        Self { multipliers: get(from), shifts: get(from) }
    }
}

impl<'a, B: Bounds> Wire<'a, B> for int16::Channels<'a, B> {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        Self { bias: get(from), multipliers: get(from), shifts: get(from) }
    }
}

impl<'a, B: Bounds, T: Plain> Wire<'a, B> for Operand<'a, T, B> {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        Self { constant: get(from), view: Wire::<B>::get(from), step: Wire::<B>::get(from) }
    }
}

impl<'a, B: Bounds, T: Plain> Wire<'a, B> for Whole<'a, T, B> {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        Self { constant: get(from), base: Wire::<B>::get(from) }
    }
}

impl<'a, B: Bounds> Wire<'a, B> for Piece<'a, B> {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        Self { operand: get(from), size: Wire::<B>::get(from) }
    }
}

impl<'a, B: Bounds> Wire<'a, B> for Index<'a, B> {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        match from.word() {
            0 => Self::Table(get(from)),
            _ => {
                Self::Affine { start: Wire::<B>::get(from), stride: Wire::<B>::get(from), divide: Wire::<B>::get(from) }
            }
        }
    }
}

impl<'a, B: Bounds> Wire<'a, B> for Gather<'a, B> {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        Self {
            input: Wire::<B>::get(from),
            depth: Wire::<B>::get(from),
            element: Wire::<B>::get(from),
            index: get(from),
            fill: Wire::<B>::get(from),
        }
    }
}

impl<'a, B: Bounds, T> Wire<'a, B> for reference::Binary<T>
where
    Sum<T>: Wire<'a, B>,
    Product<T>: Wire<'a, B>,
{
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        match from.word() {
            0 => Self::Sum(Wire::<B>::get(from)),
            1 => Self::Product(Wire::<B>::get(from)),
            2 => Self::Prelu(Wire::<B>::get(from)),
            3 => Self::Minimum,
            _ => Self::Maximum,
        }
    }
}

#[cfg(not(target_os = "none"))]
impl<T> Put for reference::Binary<T>
where
    Sum<T>: Put,
    Product<T>: Put,
{
    fn put(&self, to: &mut Vec<u32>) {
        match self {
            Self::Sum(sum) => (0u32.put(to), sum.put(to)).0,
            Self::Product(product) => (1u32.put(to), product.put(to)).0,
            Self::Prelu(prelu) => (2u32.put(to), prelu.put(to)).0,
            Self::Minimum => 3u32.put(to),
            Self::Maximum => 4u32.put(to),
        }
    }
}

impl<'a, B: Bounds> Wire<'a, B> for int8::Pair {
    fn get(from: &mut impl Reader<'a, B>) -> Self {
        match from.word() {
            0 => Self::Quotient(Wire::<B>::get(from)),
            _ => Self::SquaredDifference(Wire::<B>::get(from)),
        }
    }
}

#[cfg(not(target_os = "none"))]
impl Put for int8::Pair {
    fn put(&self, to: &mut Vec<u32>) {
        match self {
            Self::Quotient(quotient) => (0u32.put(to), quotient.put(to)).0,
            Self::SquaredDifference(difference) => (1u32.put(to), difference.put(to)).0,
        }
    }
}

fn mcu_conv2d<'a, B: Bounds>(width: Width, offset: bool, arena: Arena<'_, i8, B>, m: &mut impl Reader<'a, B>) {
    let (views, region, scratch) = (get::<B, Views>(m), get::<B, Region>(m), get::<B, usize>(m));
    let layer = get::<B, mcu::Conv2d>(m);
    let variants = EpilogueVariants::of(width, &layer.epilogue);
    let kernel = match width {
        Width::Eight if offset => mcu::conv2d_offset,
        Width::Eight => mcu::conv2d,
        Width::Four => mcu::conv2d_i4,
    };
    kernel(arena, &views, region, scratch, &layer, variants, get(m));
}

macro_rules! kernels {
    ($kernels:ident from $first:literal; $memory:ident, $m:ident; $($name:ident => $call:expr;)*) => {
        /// The kernels, in the order of their numbers.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        pub enum $kernels { $(
            #[doc = stringify!($call)]
            $name,
        )* }

        #[cfg(not(target_os = "none"))]
        impl $kernels {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name.
            pub fn name(self) -> &'static str {
                [$(stringify!($name)),*][self as usize]
            }

            /// The number by which the firmware knows it.
            pub fn number(self) -> u32 {
                self as u32 + $first
            }
        }

        /// Reads the arguments of a kernel, and calls it. True if there is one of this number.
        pub fn run<'a, B: Bounds>(kernel: u32, $memory: impl Memory<'a, B>, $m: &mut impl Reader<'a, B>) -> bool {
            let kernel = kernel.wrapping_sub($first);
            $(
                if kernel == $kernels::$name as u32 {
                    $call;
                    return true;
                }
            )*
            false
        }
    };
}
pub(crate) use {kernels, number, wire};

// Arguments are read from left to right.
kernels! { Kernel from 0; memory, m;
    Conv2d => int8::conv2d::<int8::Int8, _>(memory.arena(), &get(m), get(m), &get(m), &get(m), get(m), get(m));
    Depthwise => int8::depthwise::<int8::Int8, _>(memory.arena(), &get(m), get(m), &get(m), &get(m), get(m), get(m));
    TransposeConv => int8::transpose_conv::<int8::Int8, _>(memory.arena(), &get(m), get(m), &get(m), &get(m), get(m), get(m));
    FullyConnected => int8::fully_connected::<int8::Int8, _>(memory.arena(), &get(m), get(m), &get(m), &get(m), get(m), get(m));
    OffsetConv2d => int8::conv2d::<Offset, _>(memory.arena(), &get(m), get(m), &get(m), &get(m), get(m), get(m));
    OffsetDepthwise => int8::depthwise::<Offset, _>(memory.arena(), &get(m), get(m), &get(m), &get(m), get(m), get(m));
    OffsetTransposeConv => int8::transpose_conv::<Offset, _>(memory.arena(), &get(m), get(m), &get(m), &get(m), get(m), get(m));
    FastConv2d => fast::conv2d(get(m), memory.arena(), &get(m), get(m), &get(m), get(m), get(m));
    FastDepthwise => fast::depthwise(get(m), memory.arena(), &get(m), get(m), &get(m), get(m), get(m));
    FastFullyConnected => fast::fully_connected(get(m), memory.arena(), &get(m), get(m), &get(m), get(m), get(m));
    McuConv2d => mcu_conv2d(Width::Eight, false, memory.arena(), m);
    McuConv2dI4 => mcu_conv2d(Width::Four, false, memory.arena(), m);
    McuConv2dOffset => mcu_conv2d(Width::Eight, true, memory.arena(), m);
    McuDepthwiseOffset => mcu::depthwise_offset(memory.arena(), &get(m), get(m), get(m), &get(m), get(m), get(m));
    McuDepthwiseAny => mcu::depthwise_any(memory.arena(), &get(m), get(m), get(m), &get(m), get(m), get(m));
    McuDepthwiseAnyOffset => mcu::depthwise_any_offset(memory.arena(), &get(m), get(m), get(m), &get(m), get(m), get(m));
    McuDepthwise => mcu::depthwise(memory.arena(), &get(m), get(m), get(m), &get(m), get(m), get(m));
    McuFullyConnected => mcu::fully_connected(memory.arena(), &get(m), get(m), get(m), &get(m), get(m), get(m));
    McuFullyConnectedI4 => mcu::fully_connected_i4(memory.arena(), &get(m), get(m), get(m), &get(m), get(m), get(m));
    McuSum => {
        let (a, b): (Operand<'_, i8, _>, Operand<'_, i8, _>) = (get(m), get(m));
        let sum = if a.step & b.step == 1 { mcu::sum_by_pixels } else { mcu::sum };
        sum(memory.arena(), a, b, get(m), get(m), get(m), &get(m));
    };
    McuProduct => {
        let (a, b): (Operand<'_, i8, _>, Operand<'_, i8, _>) = (get(m), get(m));
        let product = if a.step & b.step == 1 { mcu::product_by_pixels } else { mcu::product };
        product(memory.arena(), a, b, get(m), get(m), get(m), &get(m));
    };
    WideConv2d => int16::conv2d::<Int16, _>(memory.arena(), &get(m), get(m), &get(m), &get(m), get(m), get(m));
    WideDepthwise => int16::depthwise::<Int16, _>(memory.arena(), &get(m), get(m), &get(m), &get(m), get(m), get(m));
    WideTransposeConv => int16::transpose_conv::<Int16, _>(memory.arena(), &get(m), get(m), &get(m), &get(m), get(m), get(m));
    WideFullyConnected => int16::fully_connected::<Int16, _>(memory.arena(), &get(m), get(m), &get(m), &get(m), get(m), get(m));
    WideMcuConv2d => mcu16::conv2d(memory.arena(), &get(m), get(m), get(m), &get(m), get(m), get(m));
    WideMcuDepthwise => mcu16::depthwise(memory.arena(), &get(m), get(m), get(m), &get(m), get(m), get(m));
    WideMcuFullyConnected => mcu16::fully_connected(memory.arena(), &get(m), get(m), get(m), get(m), get(m), get(m));
    AveragePool => int8::average_pool::<i8, _>(memory.arena(), &get(m), get(m), &get(m), get(m));
    AveragePoolUint8 => int8::average_pool_uint8(memory.arena(), &get(m), get(m), &get(m), get(m));
    MaxPool => int8::max_pool::<i8, _>(memory.arena(), &get(m), get(m), &get(m), get(m));
    ResizeBilinear => int8::resize_bilinear::<i8, _>(memory.arena(), &get(m), get(m), get(m), &get(m));
    Softmax => int8::softmax(memory.arena(), &get(m), get(m), get(m), get::<B, Flash<'_, i32, B>>(m).array(0));
    Table => int8::table(memory.arena(), &get(m), get(m), get(m), get::<B, Flash<'_, i8, B>>(m).array(0));
    LogSoftmax => int8::log_softmax(memory.arena(), &get(m), get(m), get(m), &get(m));
    L2Normalization => int8::l2_normalization(memory.arena(), &get(m), get(m), get(m), get(m));
    Pair => int8::pair(memory.arena(), get(m), get(m), get(m), get(m), get(m), &get(m));
    BroadcastPair => int8::broadcast_pair(memory.arena(), get(m), get(m), get(m), get::<B, Dims>(m).get(), get::<B, [Strides; 2]>(m).each_ref().map(Strides::get), &get(m));
    Binary => int8::binary::<i8, _>(memory.arena(), get(m), get(m), get(m), get(m), get(m), &get(m));
    TableSum => int8::table_sum(memory.arena(), get(m), get(m), get(m), get(m), get(m), int8::Lookup { sum: &get(m), table: get::<B, Flash<'_, i32, B>>(m).array(0) });
    Matmul => int8::matmul::<i8, _>(memory.arena(), get(m), get(m), get(m), get::<B, Dims>(m).get(), get::<B, [Strides; 2]>(m).each_ref().map(Strides::get), get(m), get(m), &get(m));
    FastMatmul => fast::matmul(memory.arena(), get(m), get(m), get(m), get::<B, Dims>(m).get(), get::<B, [Strides; 2]>(m).each_ref().map(Strides::get), get(m), get(m), &get(m));
    Broadcast => int8::broadcast::<i8, _>(memory.arena(), get(m), get(m), get(m), get::<B, Dims>(m).get(), get::<B, [Strides; 2]>(m).each_ref().map(Strides::get), &get(m));
    ReduceImage => int8::reduce_image::<Reduce, _>(memory.arena(), &get(m), get::<B, usize>(m)..get(m), get(m), get(m), &get(m));
    AverageImage => int8::average_image::<i8, _>(memory.arena(), &get(m), get::<B, usize>(m)..get(m), get(m), get(m), get(m));
    Reduce => int8::reduce::<Reduce, _>(memory.arena(), get(m), get(m), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), &get(m));
    Load => movement::load(memory.arena(), get(m), get(m), get(m), get(m), get(m));
    Concat => movement::concat(memory.arena(), &get::<B, [Piece<'_, B>; 3]>(m), get(m), get(m), get(m), get(m));
    Gather => movement::gather(memory.arena(), &get(m), get(m), &get(m));
    Permute => movement::permute(memory.arena(), get(m), get(m), get(m), get::<B, Dims>(m).get(), get(m), get::<B, Strides>(m).get());
    Rescale => convert::rescale(memory.arena(), &get(m), get(m), get(m), &get(m));
    Flip => convert::flip(memory.arena(), &get(m), get(m), get(m));
    WideSum => int16::sum(memory.arena(), get(m), get(m), get(m), get(m), get(m), &get(m));
    Requantise => convert::requantise(memory.arena(), &get(m), get(m), get(m), &get(m));
    Compare => plain::compare(memory.arena(), get(m), get(m), get(m), get::<B, Dims>(m).get(), get::<B, [Strides; 2]>(m).each_ref().map(Strides::get), get(m), get(m));
    CompareScaled => plain::compare_scaled(memory.arena(), get(m), get(m), get(m), get::<B, Dims>(m).get(), get::<B, [Strides; 2]>(m).each_ref().map(Strides::get), &get(m));
    Select => plain::select(memory.arena(), get(m), get(m), get(m), get(m), get::<B, Dims>(m).get(), get::<B, [Strides; 3]>(m).each_ref().map(Strides::get), get(m));
    Take => plain::take(memory.arena(), get(m), get(m), get(m), &get(m));
    Cast => plain::cast(memory.arena(), &get(m), get(m), get(m), get(m), get(m));
    ArgMax => convert::arg_max(memory.arena(), get(m), get(m), get(m), get(m), get(m));
    WideAveragePool => int16::average_pool::<i16, _>(memory.arena(), &get(m), get(m), &get(m), get(m));
    WideMaxPool => int16::max_pool::<i16, _>(memory.arena(), &get(m), get(m), &get(m), get(m));
    WideResizeBilinear => int16::resize_bilinear::<i16, _>(memory.arena(), &get(m), get(m), get(m), &get(m));
    WideSoftmax => int16::softmax(memory.arena(), &get(m), get(m), get(m), &get(m), get(m));
    WideSigmoid => int16::sigmoid(memory.arena(), &get(m), get(m), get(m), &get(m), get::<B, Flash<'_, u16, B>>(m).array(0));
    WideTable => int16::lookup(memory.arena(), &get(m), get(m), get(m), get(m));
    WideSlopes => int16::slopes(memory.arena(), &get(m), get(m), get(m), &get(m));
    WideBinary => int16::binary::<i16, _>(memory.arena(), get(m), get(m), get(m), get(m), get(m), &get(m));
    WideBroadcast => int16::broadcast::<i16, _>(memory.arena(), get(m), get(m), get(m), get::<B, Dims>(m).get(), get::<B, [Strides; 2]>(m).each_ref().map(Strides::get), &get(m));
    WideReduceImage => int16::reduce_image::<WideReduce, _>(memory.arena(), &get(m), get::<B, usize>(m)..get(m), get(m), get(m), &get(m));
    WideAverageImage => int16::average_image::<i16, _>(memory.arena(), &get(m), get::<B, usize>(m)..get(m), get(m), get(m), get(m));
    WideReduce => int16::reduce::<WideReduce, _>(memory.arena(), get(m), get(m), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), &get(m));
    ReduceMax => reference::reduce_max::<i8, _>(memory.arena(), get(m), get(m), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()));
    ReduceMin => reference::reduce_min::<i8, _>(memory.arena(), get(m), get(m), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()));
    WideReduceMax => reference::reduce_max::<i16, _>(memory.arena(), get(m), get(m), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()));
    WideReduceMin => reference::reduce_min::<i16, _>(memory.arena(), get(m), get(m), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()), (get::<B, Dims>(m).get(), get::<B, Strides>(m).get()));
    McuLstm => mcu::lstm(memory.arena(), get(m), &get(m), get(m), get(m), get(m));
    Lstm => int8::lstm(memory.arena(), get(m), &get(m), get(m), get(m), get(m));
    Svdf => int8::svdf(memory.arena(), get(m), &get(m), get(m), get(m), get(m));
    TrainConv2d => training::conv2d(memory.arena(), get(m), &get(m), get(m), get(m), get(m), get(m));
    TrainDepthwise => training::depthwise(memory.arena(), get(m), &get(m), get(m), get(m), get(m));
    TrainSum => training::sum(memory.arena(), get(m), get(m), &get(m));
    MaskGradient => training::mask(memory.arena(), &get(m), get(m), get(m), get(m));
    ScaleGradient => training::scale(memory.arena(), get(m), get(m), get(m), get(m), get(m));
    RearrangeGradient => training::rearrange(memory.arena(), get(m), &get(m));
    SlopeGradient => training::slope(memory.arena(), &get(m), get(m), get(m), get(m), get(m), get(m));
    ProductGradient => training::product_gradient(memory.arena(), &get(m), get(m)..get(m), &get(m), get(m), get(m));
    ResizeGradient => training::resized(memory.arena(), &get(m), get(m)..get(m), get(m), &get(m), get(m));
    MaxPoolGradient => training::greatest(memory.arena(), &get(m), get(m)..get(m), get(m), &get(m));
    GradientConv2d => training::input_gradient(memory.arena(), &get(m), get(m)..get(m), get(m), &get(m), get(m), get(m));
    GradientDepthwise => training::depthwise_gradient(memory.arena(), &get(m), get(m)..get(m), get(m), &get(m), get(m), get(m));
    SpreadGradient => training::spread(memory.arena(), &get(m), get(m)..get(m), &get(m));
    UpdateConv2d => training::update_weights(memory.arena(), get(m), get(m)..get(m), get(m), get(m), &get(m), get(m));
    UpdateBias => training::update_bias(memory.arena(), get(m), get(m)..get(m), get(m), get(m), &get(m), get(m));
    SelectChannels => training::select(memory.arena(), get(m), &get(m), get(m));
    AddGradients => training::total(memory.arena(), get(m), get(m), get(m), get(m), &get(m));
    UpdateDepthwise => training::update_depthwise(memory.arena(), get(m), get(m), get(m), &get(m), get(m));
    NextSeed => training::next_seed(memory.arena(), get(m));
    CountSample => training::count_sample(memory.arena(), get(m), get(m));
    Classifier => training::classifier(memory.arena(), get(m), &get(m));
    CrossEntropy => training::cross_entropy(memory.arena(), get(m), &get(m));
    SquaredError => training::squared_error(memory.arena(), get(m), &get(m));
    ClassifierGradient => training::classifier_gradient(memory.arena(), get(m), &get(m));
    UpdateClassifier => training::classifier_weights(memory.arena(), get(m), get(m), get(m), get(m), &get(m));
    UpdateClassifierBias => training::classifier_bias(memory.arena(), get(m), get(m), get(m), get(m), &get(m));
}
