//! Families of kernels: those of one family take instructions by the same features.

/// The most features that a family has.
pub const MOST_FEATURES: usize = 18;

macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident = $name:literal [$($feature:literal),*];)*) => {
        /// Kernels whose instructions are counted by the same features.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Family {
            $($(#[$doc])* $variant,)*
        }

        impl Family {
            /// Every family, in the order of the tables of rates.
            pub const ALL: [Family; [$(Family::$variant),*].len()] = [$(Family::$variant),*];

            /// Its name in files of measurements.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Family::$variant => $name,)*
                }
            }

            /// What is counted, in order.
            pub const fn features(self) -> &'static [&'static str] {
                match self {
                    $(Family::$variant => &[$($feature),*],)*
                }
            }
        }
    };
}

families! {
    /// CONV_2D on int8: the blocks of [`conv2d`](smidgen_kernels::int8::mcu::conv2d).
    Conv2d = "conv2d" [
        "run", "row", "tap row in place", "block", "staged run", "staged word", "block x pair", "block x weight",
        "output pair", "signed output pair", "pixel x weight", "odd block", "block apart", "pixel apart", "piece apart",
        "four bytes apart", "byte apart", "padded byte apart"
    ];
    /// The same with weights of four bits.
    Conv2dI4 = "conv2d int4" [
        "run", "row", "tap row in place", "block", "staged run", "staged word", "block x pair", "block x weight",
        "output pair", "signed output pair", "pixel x weight", "odd block", "block apart", "pixel apart", "piece apart",
        "four bytes apart", "byte apart", "padded byte apart"
    ];
    /// DEPTHWISE_CONV_2D on int8 with windows of 3x3 that are staged.
    Depthwise3 = "depthwise 3x3" [
        "run", "band", "band row", "band x group", "staged weight", "staged row", "staged pixel", "row x channel",
        "output", "tap row", "output, stride 2", "tap row, stride 2", "padded row", "staged pixel, few",
        "tap row, few", "signed output"
    ];
    /// The same with 5x5.
    Depthwise5 = "depthwise 5x5" [
        "run", "band", "band row", "band x group", "staged weight", "staged row", "staged pixel", "row x channel",
        "output", "tap row", "output, stride 2", "tap row, stride 2", "padded row", "staged pixel, few",
        "tap row, few", "signed output"
    ];
    /// The same with 7x7.
    Depthwise7 = "depthwise 7x7" [
        "run", "band", "band row", "band x group", "staged weight", "staged row", "staged pixel", "row x channel",
        "output", "tap row", "output, stride 2", "tap row, stride 2", "padded row", "staged pixel, few",
        "tap row, few", "signed output"
    ];
    /// DEPTHWISE_CONV_2D on int8 with other windows.
    DepthwiseAny = "depthwise" [
        "run", "row", "row x group", "pixels alike x group", "pixel x group", "tap row x group", "tap x group",
        "padded tap x group", "output, few", "tap, few"
    ];
    /// FULLY_CONNECTED on int8.
    FullyConnected = "fully connected" [
        "run", "row", "four outputs", "four outputs x word", "tail", "single output", "single x word"
    ];
    /// The same with weights of four bits.
    FullyConnectedI4 = "fully connected int4"
        ["run", "row", "four outputs", "four outputs x word", "tail", "single output", "single x word"];
    /// MAX_POOL_2D on int8.
    MaxPool = "max pool" [
        "run", "row", "pixel", "four channels", "four x row", "four x tap", "channel", "channel x tap"
    ];
    /// AVERAGE_POOL_2D on int8.
    AveragePool = "average pool" [
        "run", "row", "pixel", "four channels", "four x row", "four x tap", "channel", "channel x tap"
    ];
    /// SOFTMAX on int8.
    Softmax = "softmax" ["run", "pixel", "channel"];
    /// ADD and SUB on int8.
    Sum = "sum" ["run", "row", "span", "quad", "rest", "pixel apart", "element apart"];
    /// MUL on int8.
    Product = "product" ["run", "row", "span", "quad", "rest", "pixel apart", "element apart", "quad, clamped"];
    /// A function of int8 by a table.
    Table = "table" ["run", "row", "element"];
    /// QUANTIZE between integer types.
    Rescale = "rescale" ["run", "row", "element"];
    /// QUANTIZE of floats.
    Quantise = "quantise" ["run", "row", "element"];
    /// DEQUANTIZE.
    Dequantise = "dequantise" ["run", "row", "element"];
    /// PAD, SLICE, SPLIT, UNPACK, RESIZE_NEAREST_NEIGHBOR.
    Gather = "gather"
        ["run", "row", "pixel", "copied byte", "filled byte", "divided pixel", "single channel", "byte of odd pixels"];
    /// CONCATENATION, PACK.
    Concat = "concat" ["run", "row", "pixel", "copy", "copied byte", "byte of odd copies"];
    /// TRANSPOSE.
    Permute = "permute" ["run", "line", "element"];
    /// MEAN and SUM over rows and columns, on int8.
    Mean = "mean" [
        "run", "run x four", "four x row", "four x tap", "run x channel", "channel x tap", "cleared channel",
        "output"
    ];
    /// AVERAGE_POOL_2D over the whole image, on int8.
    PoolImage = "pool image" [
        "run", "run x four", "four x row", "four x tap", "run x channel", "channel x tap", "cleared channel",
        "output"
    ];
    /// MEAN and SUM over any axes.
    Reduce = "reduce" ["run", "output", "line", "element"];
    /// RESIZE_BILINEAR on int8.
    Resize = "resize" ["run", "row", "pixel", "element"];
    /// ADD, SUB, MUL, MINIMUM, MAXIMUM and PRELU on int8 in their simple form.
    Binary = "binary" ["run", "pixel", "element", "sum", "product"];
    /// CONV_2D on int8 with weights that do not fit the blocks of [`Family::Conv2d`].
    Conv2dFast = "conv2d fast"
        ["run", "row", "pixel", "pixel x tap row", "patch element", "output", "single output", "multiplication"];
    /// DEPTHWISE_CONV_2D on int8 with more than one output for each input channel.
    DepthwiseSimple = "depthwise simple" [
        "run", "row", "pixel", "output", "output x tap row", "output x tap", "multiplication"
    ];
    /// TRANSPOSE_CONV on int8.
    TransposeConv = "transpose conv" [
        "run", "row", "pixel", "output", "output x tap row", "output x tap", "multiplication"
    ];
    /// CONV_2D on int16.
    Conv2dI16 = "conv2d int16" [
        "run", "row", "block", "pixel", "pixel x tap row", "staged word", "block x pair", "block x weight",
        "output pair",
        "pixel x weight", "joined element", "output"
    ];
    /// DEPTHWISE_CONV_2D on int16.
    DepthwiseI16 = "depthwise int16" [
        "run", "row", "block", "pixel", "place", "block x pair", "block x pair x tap", "pixel x pair x tap",
        "output", "odd tap"
    ];
    /// FULLY_CONNECTED on int16.
    FullyConnectedI16 = "fully connected int16"
        ["run", "row", "four outputs", "four outputs x word", "tail", "single output", "single x word"];
    /// ADD and SUB on int16.
    SumI16 = "sum int16" ["run", "row", "element"];
    /// SOFTMAX on int16.
    SoftmaxI16 = "softmax int16" ["run", "pixel", "element"];
    /// MEAN and AVERAGE_POOL_2D over rows and columns, on int16.
    MeanI16 = "mean int16" [
        "run", "run x four", "four x row", "four x tap", "run x channel", "channel x tap", "cleared channel",
        "output"
    ];
    /// Everything else on int16.
    OtherI16 = "other int16" ["run", "element", "multiplication"];
    /// CONV_2D on floats.
    Conv2dF32 = "conv2d float" ["run", "row", "pixel", "output", "output x tap row", "output x tap", "multiplication"];
    /// DEPTHWISE_CONV_2D on floats.
    DepthwiseF32 = "depthwise float" [
        "run", "row", "pixel", "output", "output x tap row", "output x tap", "multiplication"
    ];
    /// FULLY_CONNECTED on floats.
    FullyConnectedF32 = "fully connected float" ["run", "output", "multiplication"];
    /// ADD, SUB, MUL and others of two floats.
    BinaryF32 = "binary float" ["run", "pixel", "element"];
    /// SOFTMAX on floats.
    SoftmaxF32 = "softmax float" ["run", "pixel", "element"];
    /// MEAN, SUM and AVERAGE_POOL_2D of floats over rows and columns.
    MeanF32 = "mean float" ["run", "pixel", "element", "output"];
    /// Everything else on floats.
    OtherF32 = "other float" ["run", "element", "multiplication"];
    /// Every other kernel.
    Other = "other" ["run", "element", "multiplication"];
    /// CONV_2D and FULLY_CONNECTED on floats with int8 weights: an image is looked through, then each window is quantised.
    Conv2dHybrid = "conv2d hybrid"
        ["run", "image", "image element", "row", "pixel", "pixel x tap", "tap x channel", "output", "multiplication"];
    /// DEPTHWISE_CONV_2D on floats with int8 weights: the same, with what is quantised multiplied at once.
    DepthwiseHybrid = "depthwise hybrid"
        ["run", "image", "image element", "row", "pixel", "pixel x tap", "tap x channel", "output", "multiplication"];
    /// BATCH_MATMUL on int8: `along` where columns are contiguous, `across` where four of them lie side by side, `apart` elsewhere.
    Matmul = "matmul" [
        "run", "row", "row x depth", "four along", "four along x word", "rest along", "four across",
        "four across x depth", "four apart", "four apart x depth", "single column", "single x depth"
    ];
    /// BATCH_MATMUL on floats.
    MatmulF32 = "matmul float" ["run", "element", "multiplication"];
}

/// Features that no measured network has, of families that were measured: their rates are guesses.
pub const GUESSED: [(Family, usize); 8] = [
    (Family::Sum, 5),
    (Family::Sum, 6),
    (Family::Product, 5),
    (Family::Product, 6),
    (Family::Product, 7),
    (Family::Binary, 3),
    (Family::Binary, 4),
    (Family::DepthwiseI16, 9),
];

impl Family {
    /// The family of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}
