//! What obstacles have in common: those of one cause go away together, by one remedy.

use crate::READ_AWAY;
use crate::ops::LACKING;
use smidgen_ir::front::{LackingEntry, Unsupported};

/// A cause and what to do about it with what the user of a file has.
pub(crate) struct Cause {
    pub name: &'static str,
    pub hint: &'static str,
}

/// What to do about a file that the reference runs although it makes no sense.
pub(super) const NO_CONVERTER: &str = "no converter writes this: convert the network again";

pub(crate) const RECURRENT: Cause = Cause {
    name: "a recurrent layer",
    hint: "of recurrent layers, UNIDIRECTIONAL_SEQUENCE_LSTM and UNIDIRECTIONAL_SEQUENCE_RNN of float32 are supported, with weights of float32 \
           or int8, and the first on int8 as TensorFlow's converter writes it: \
           build the Keras layer with `unroll=True` and a fixed number of steps, load the same weights and convert \
           again, or use convolutions along time",
};

pub(crate) const SCALES: Cause = Cause {
    name: "a recurrent layer of int8 whose scales contradict each other",
    hint: "TensorFlow's converter writes such files for Bidirectional layers, and what LiteRT makes of them is far from the float \
           network: convert without quantisation and hand the float file to `smidgen quantize --data`, which gives the layer one \
           scale",
};

pub(crate) const STREAMING: Cause = Cause {
    name: "a streaming layer, which keeps its state between calls",
    hint: "SVDF is supported on float32, and on int8 with RELU, filters over time and a state of int16, as TensorFlow's converter writes it: \
           convert it so, or in the network's form for whole recordings (the \"non-streaming\" one), which has the same weights",
};

pub(crate) const STATE: Cause = Cause {
    name: "state that is kept between calls",
    hint: "supported are variables that begin with constants and keep their shape and type; else make the state an input and an \
           output of the network, and hand the output back in at the next call",
};

pub(super) const CONTROL: Cause = Cause {
    name: "TensorFlow's control flow",
    hint: "loops and branches are taken where it is known when reading how they go: if the loop is a Keras LSTM, GRU or RNN, give its input a \
           fixed number of steps (and no mask), and convert again; else take decisions that depend on data out of the network",
};

pub(super) const OPEN: Cause = Cause {
    name: "a shape that is known only at run time",
    hint: "where it comes from control flow it goes away with that; where an input leaves it open, convert the network with \
           every size of its inputs fixed, for instance `keras.Input(shape=..., batch_size=1)`",
};

pub(crate) const SHAPES: Cause = Cause {
    name: "shapes and parameters computed by operators",
    hint: "what comes from constants and from the shapes of tensors is computed when reading, and this does not, or is not among what can \
           be: in the model's code write the numbers themselves, and convert again",
};

pub(super) const DILATED: Cause = Cause {
    name: "a dilated convolution in three operators",
    hint: "three such operators around one convolution with strides of 1 and without padding are taken, where none crops more than was padded: the same layer \
           without `dilation_rate`, with a kernel of (size - 1) * rate + 1 that has zeros between the weights, gives the same numbers",
};

pub(crate) const HYBRID: Cause = Cause {
    name: "dynamic-range quantisation (int8 weights beside float activations)",
    hint: "convert again without `converter.optimizations` and hand the float file to `smidgen quantize --data`, or with \
           `converter.representative_dataset`",
};

pub(super) const UINT8: Cause = Cause {
    name: "an operator without a form for uint8, the quantisation of TensorFlow 1",
    hint: "convert the network again to int8, with a representative data set, or hand the float network to `smidgen quantize`",
};

/// What to do about integers of two kinds in one operator.
pub(super) const MIXED: &str =
    "quantise the whole network to int8, or the whole of it to uint8; QUANTIZE goes from one to the other";

pub(super) const HALF: Cause = Cause {
    name: "activations of float16",
    hint: "convert the network with float32 activations (weights may stay float16), or quantise it to int8",
};

pub(crate) const NPU: Cause = Cause {
    name: "a file compiled for an NPU",
    hint: "it holds that chip's machine code: hand in the `.tflite` file that its compiler was given",
};

pub(crate) const FLEX: Cause = Cause {
    name: "TensorFlow's own operators",
    hint: "convert without \"select TensorFlow operators\" (`tf.lite.OpsSet.SELECT_TF_OPS`); the converter then says what in the \
           model's code asks for them",
};

pub(crate) const SPARSE: Cause = Cause {
    name: "sparse weights",
    hint: "convert again without `EXPERIMENTAL_SPARSITY`: the weights stay pruned, stored in full",
};

pub(crate) const PICK: Cause = Cause {
    name: "picking among elements: how many or which depends on data",
    hint: "end the network before it, and do this in your own code",
};

pub(crate) const LOOKUP: Cause = Cause {
    name: "looking things up in a table, by what comes at run time",
    hint: "look them up in your own code, and let what was found be the network's input",
};

pub(crate) const PLACES: Cause = Cause {
    name: "writing to places that are known only at run time",
    hint: "where the places are fixed, put the parts together with CONCATENATION; else do this in your own code, outside of the network",
};

pub(crate) const TEXT: Cause =
    Cause { name: "text", hint: "make numbers of the text in your own code, and let them be the network's input" };

pub(crate) const RANDOM: Cause = Cause {
    name: "random numbers",
    hint: "convert the network for inference (`training=False`), where nothing is drawn; else draw them in your own code, as an input",
};

pub(crate) const SIGNAL: Cause = Cause {
    name: "processing of signals inside the network",
    hint: "compute the spectrum or the features in your own code, and convert the network from there on",
};

pub(crate) const STABLEHLO: Cause = Cause {
    name: "operators of StableHLO",
    hint: "the converter leaves what it has no TensorFlow Lite operator for: write that layer with ones that `smidgen ops` lists, and convert \
           again",
};

pub(crate) const RARE: Cause =
    Cause { name: "operators that are rare in networks for microcontrollers", hint: REPLACE };

/// Operators that are taken in some networks, and the cause where they are not. The name may end with `*`, as in
/// [`LackingEntry::name`].
pub(crate) const NOT_ALWAYS: [(&str, &Cause); 10] = [
    ("IF", &CONTROL),
    ("WHILE", &CONTROL),
    ("CALL", &CONTROL),
    // Lists of tensors between the turns of a loop.
    ("TensorList*", &CONTROL),
    ("EmptyTensorList", &CONTROL),
    ("SHAPE", &SHAPES),
    ("RANK", &SHAPES),
    ("BROADCAST_ARGS", &SHAPES),
    ("SPACE_TO_BATCH_ND", &DILATED),
    ("BATCH_TO_SPACE_ND", &DILATED),
];

/// Why an operator cannot be taken: the reason, what to do about it, and the cause that it shares with others.
pub(super) struct Why {
    pub reason: String,
    pub hint: &'static str,
    pub cause: Option<&'static str>,
}

/// Why an operator of this name, a builtin or a custom one, cannot be taken where it is not.
pub(super) fn of(name: &str) -> Why {
    let not_always = NOT_ALWAYS.map(|(name, cause)| LackingEntry::caused(name, cause.name, cause.hint));
    if let Some(row) = LackingEntry::find(LACKING.iter().chain(&not_always), name) {
        return Why { reason: row.reason(), hint: row.hint, cause: row.cause };
    }
    match READ_AWAY.iter().find(|entry| entry.name == name) {
        Some(entry) => Why {
            reason: format!(
                "it is supported only {}",
                if entry.remarks.is_empty() { "of constants" } else { entry.remarks }
            ),
            hint: "let it depend on constants and shapes alone, or replace it by operators that `smidgen ops` lists with types",
            cause: None,
        },
        None => Why { reason: Unsupported::UNKNOWN_OPERATOR.into(), hint: REPLACE, cause: None },
    }
}

/// True if operators of this name run other subgraphs.
pub(super) fn runs_subgraphs(name: &str) -> bool {
    matches!(name, "IF" | "WHILE" | "CALL" | "CALL_ONCE") || name.starts_with("STABLEHLO_")
}

/// What to do about an operator of which nothing else is known.
pub(super) const REPLACE: &str = "replace it by supported operators, which `smidgen ops` lists";
