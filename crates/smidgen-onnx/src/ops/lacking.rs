//! The operators of the standard that are not read, and why. `smidgen ops --format onnx` prints this list, and
//! [`check`](crate::check) says the same of a network that has one.
//!
//! An operator of another domain than the standard's is `domain.Name`; one row stands for a whole domain.

use smidgen_ir::front::LackingEntry;

/// Why several operators are not read, and what to do about it.
struct Cause {
    name: &'static str,
    hint: &'static str,
}

const CONTROL: Cause = Cause {
    name: "control flow",
    hint: "export the network without branches and loops that depend on data: `torch.onnx.export` of a traced model has none",
};

const TEXT: Cause =
    Cause { name: "text", hint: "make numbers of the text in your own code, and let them be the network's input" };

const SEQUENCES: Cause = Cause {
    name: "lists of tensors",
    hint: "export the network with tensors of fixed sizes in place of lists: Split, Concat and Slice do what such lists are mostly for",
};

const OPTIONALS: Cause =
    Cause { name: "values that may be absent", hint: "export the network with every input and output there" };

const PICK: Cause = Cause {
    name: "picking among elements: how many or which depends on data",
    hint: "end the network before it, and do this in your own code",
};

const PLACES: Cause = Cause {
    name: "writing to places in a tensor",
    hint: "where the places are fixed, Concat of slices or Where with a constant mask gives the same; else do this in your own code, outside \
           of the network",
};

const SAMPLING: Cause = Cause {
    name: "sampling a picture where data say",
    hint: "end the network before it, or train it with fixed windows: Resize, Slice and pooling with constant sizes are supported",
};

const RANDOM: Cause = Cause {
    name: "random numbers",
    hint: "export the network for inference (`model.eval()`), where nothing is drawn; else draw them in your own code, as an input",
};

const TRAINING: Cause = Cause {
    name: "losses and steps of training",
    hint: "export the network for inference, without its loss; `smidgen train` trains a network by itself",
};

const SIGNAL: Cause = Cause {
    name: "processing of signals inside the network",
    hint: "compute the spectrum or the features in your own code, and export the network from there on",
};

const CLASSICAL: Cause = Cause {
    name: "classical machine learning: trees, vector machines, encoders of features",
    hint: "these are no neural networks, and run well without a compiler for such: write them out as C, or train a small network in their \
           place",
};

const CONTRIBUTED: Cause = Cause {
    name: "operators of ONNX Runtime's own",
    hint: "hand in the file from before ONNX Runtime's optimiser or quantiser rewrote it, or let it write standard operators (QDQ form)",
};

const PREVIEW: Cause = Cause {
    name: "operators in preview, which the standard may still change",
    hint: "export the network with standard operators",
};

const RARE: Cause = Cause {
    name: "operators that are rare in networks for microcontrollers",
    hint: "replace it by supported operators, which `smidgen ops --format onnx` lists",
};

const fn of(name: &'static str, cause: &Cause) -> LackingEntry {
    LackingEntry::caused(name, cause.name, cause.hint)
}

const fn alone(name: &'static str, why: &'static str, hint: &'static str) -> LackingEntry {
    LackingEntry::new(name, why, hint)
}

/// Every operator of the standard that is not supported in any form, in alphabetical order, and the domains beside it.
pub static LACKING: &[LackingEntry] = &[
    of("AffineGrid", &SAMPLING),
    of("Bernoulli", &RANDOM),
    of("BitCast", &RARE),
    alone(
        "Col2Im",
        "windows summed up to a picture",
        "ConvTranspose with constant weights of zeros and ones gives the same",
    ),
    of("ConcatFromSequence", &SEQUENCES),
    alone(
        "CumProd",
        "a running product",
        "make it a running sum of logarithms (Log, CumSum, Exp), or take it out of the network",
    ),
    of("DFT", &SIGNAL),
    of("DeformConv", &SAMPLING),
    of("Det", &RARE),
    alone(
        "GlobalLpPool",
        "not yet: rarely in networks for microcontrollers",
        "ReduceL2 (ReduceL1 where p is 1) over the rows and columns gives the same",
    ),
    of("GridSample", &SAMPLING),
    of("If", &CONTROL),
    alone(
        "ImageDecoder",
        "a compressed picture",
        "decode pictures in your own code, and give the network their pixels",
    ),
    alone(
        "LinearAttention",
        "attention with a state, as of language models",
        "write its step with MatMul, Mul and Add, and let the state be an input and an output",
    ),
    of("Loop", &CONTROL),
    of("MaxRoiPool", &SAMPLING),
    of("MaxUnpool", &PLACES),
    alone(
        "MelWeightMatrix",
        "a matrix made of constants",
        "let the exporter compute it (`do_constant_folding=True`), so that the file holds the matrix",
    ),
    of("Multinomial", &RANDOM),
    of("NegativeLogLikelihoodLoss", &TRAINING),
    of("NonMaxSuppression", &PICK),
    of("NonZero", &PICK),
    of("Optional*", &OPTIONALS),
    of("Random*", &RANDOM),
    of("RegexFullMatch", &TEXT),
    alone(
        "ReverseSequence",
        "sequences of lengths that data give",
        "give the network sequences of one length, and reverse them with Slice and a step of -1",
    ),
    of("RoiAlign", &SAMPLING),
    of("STFT", &SIGNAL),
    of("Scan", &CONTROL),
    of("Scatter*", &PLACES),
    of("Sequence*", &SEQUENCES),
    of("SoftmaxCrossEntropyLoss", &TRAINING),
    of("SplitToSequence", &SEQUENCES),
    of("String*", &TEXT),
    of("TensorScatter", &PLACES),
    of("TfIdfVectorizer", &TEXT),
    of("TopK", &PICK),
    of("Unique", &PICK),
    of("ai.onnx.ml.*", &CLASSICAL),
    of("ai.onnx.preview.training.*", &TRAINING),
    of("ai.onnx.preview.*", &PREVIEW),
    of("com.microsoft.*", &CONTRIBUTED),
];
