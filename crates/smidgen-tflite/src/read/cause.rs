//! What obstacles have in common: those of one cause go away together, by one remedy.

/// A cause and what to do about it with what the user of a file has.
pub(crate) struct Cause {
    pub name: &'static str,
    pub hint: &'static str,
}

/// What to do about a file that the reference runs although it makes no sense.
pub(super) const NO_CONVERTER: &str = "no converter writes this: convert the network again";

pub(crate) const RECURRENT: Cause = Cause {
    name: "a recurrent layer",
    hint: "of recurrent layers, UNIDIRECTIONAL_SEQUENCE_LSTM and UNIDIRECTIONAL_SEQUENCE_RNN of float32 are supported: \
           build the Keras layer with `unroll=True` and a fixed number of steps, load the same weights and convert \
           again, or use convolutions along time",
};

pub(super) const STREAMING: Cause = Cause {
    name: "a streaming layer, which keeps its state between calls",
    hint: "such layers are not supported yet: convert the network in its form for whole recordings (the \"non-streaming\" one), which \
           has the same weights",
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

pub(super) const HYBRID: Cause = Cause {
    name: "dynamic-range quantisation (int8 weights beside float activations)",
    hint: "a representative data set is missing: `smidgen quantize --data` takes this file as it is, or convert again with \
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

pub(super) const NPU: Cause = Cause {
    name: "a file compiled for an NPU",
    hint: "it holds that chip's machine code: hand in the `.tflite` file that its compiler was given",
};

pub(super) const FLEX: Cause = Cause {
    name: "TensorFlow's own operators",
    hint: "convert without \"select TensorFlow operators\" (`tf.lite.OpsSet.SELECT_TF_OPS`); the converter then says what in the \
           model's code asks for them",
};

pub(super) const SPARSE: Cause = Cause {
    name: "sparse weights",
    hint: "convert again without `EXPERIMENTAL_SPARSITY`: the weights stay pruned, stored in full",
};

/// The cause behind a builtin operator that is not supported.
pub(super) fn of_builtin(name: &str) -> Option<&'static Cause> {
    Some(match name {
        "LSTM" | "RNN" => &RECURRENT,
        "BIDIRECTIONAL_SEQUENCE_LSTM" | "BIDIRECTIONAL_SEQUENCE_RNN" => &RECURRENT,
        "SVDF" => &STREAMING,
        "IF" | "WHILE" | "CALL" | "STABLEHLO_WHILE" | "STABLEHLO_CASE" => &CONTROL,
        "SHAPE" | "RANK" | "BROADCAST_ARGS" => &SHAPES,
        "SPACE_TO_BATCH_ND" | "BATCH_TO_SPACE_ND" => &DILATED,
        "DENSIFY" => &SPARSE,
        _ => return None,
    })
}

/// The cause behind a custom operator.
pub(super) fn of_custom(name: &str) -> Option<&'static Cause> {
    const COMPILED: [&str; 6] = ["ethos-u", "edgetpu-custom-op", "NeutronGraph", "vsi-npu", "DISPATCH_OP", "XNPU"];
    match name {
        _ if name.starts_with("Flex") => Some(&FLEX),
        // Lists of tensors between the turns of a loop.
        _ if name.starts_with("TensorList") => Some(&CONTROL),
        _ if COMPILED.contains(&name) => Some(&NPU),
        _ => None,
    }
}

/// True if operators of this name run other subgraphs.
pub(super) fn runs_subgraphs(name: &str) -> bool {
    matches!(name, "IF" | "WHILE" | "CALL" | "CALL_ONCE") || name.starts_with("STABLEHLO_")
}

/// What to do about a builtin operator that is not supported and shares its cause with no other.
pub(super) fn hint_for(name: &str) -> &'static str {
    match name {
        "NON_MAX_SUPPRESSION_V4" | "NON_MAX_SUPPRESSION_V5" | "TOPK_V2" | "UNIQUE" | "WHERE" | "HASHTABLE_LOOKUP" => {
            "end the network before it, and do this in your own code"
        }
        _ => REPLACE,
    }
}

/// What to do about an operator of which nothing else is known.
pub(super) const REPLACE: &str = "replace it by supported operators, which `smidgen ops` lists";
