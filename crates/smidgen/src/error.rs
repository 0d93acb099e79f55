//! Everything that can go wrong, and whose turn it is.

use crate::adapt::SchemeError;
use crate::evaluate::EvaluateError;
use crate::search::StateError;
use crate::train::TrainingError;
use crate::verify::GoldenError;
use crate::{c_array, foreign};
use smidgen_adapt::AdaptError;
use smidgen_boards::BoardError;
use smidgen_certify::Refused;
use smidgen_codegen::CodegenError;
use smidgen_data::{FileError, SetError, input::InputError, npy::NpyError, npz::NpzError, picture::PictureError};
use smidgen_exec::ExecError;
use smidgen_ir::{
    front,
    text::{ParseError, ParseErrorKind},
    validate::ValidateError,
};
use smidgen_lower::LowerError;
use smidgen_plan::PlanError;
use smidgen_quant::QuantError;
use smidgen_search::SearchError;
use smidgen_tflite::{ReadError, WriteError};
use smidgen_train::TrainError;
use std::path::{Path, PathBuf};

/// Who can do something about an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorKind {
    /// What was asked for: a file that is not there, an input of the wrong shape, a folder that cannot be written.
    Request,
    /// A sound file that asks for what smidgen does not do: change the network, or how it was converted.
    Unsupported,
    /// A file that is damaged or contradicts itself: make it anew.
    Malformed,
    /// A network too large for what it is meant to run on.
    DoesNotFit,
    /// A fault of smidgen's: please report it.
    Internal,
}

impl From<front::ErrorKind> for ErrorKind {
    fn from(kind: front::ErrorKind) -> Self {
        match kind {
            front::ErrorKind::Malformed => Self::Malformed,
            front::ErrorKind::Unsupported => Self::Unsupported,
            front::ErrorKind::Request => Self::Request,
        }
    }
}

/// What to do about a network that no board holds.
const TOO_LARGE: &str = "give the network a smaller input: the largest SRAM of a board in `smidgen boards` is 4 MiB";

/// Why something could not be done. [`source`](std::error::Error::source) leads to the details.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something about one file.
    #[error("`{}` cannot be used", smidgen_ir::visible_path(path))]
    At {
        /// The file.
        path: PathBuf,
        /// What it is.
        #[source]
        source: Box<Error>,
    },
    /// A file could not be read or written, or does not suit a network's input.
    #[error(transparent)]
    Data(#[from] smidgen_data::Error),
    /// Not a TensorFlow Lite file that can be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Not an ONNX file that can be read.
    #[error(transparent)]
    Onnx(#[from] smidgen_onnx::ReadError),
    /// A file of another kind, which has to be converted.
    #[error("it is {}, not a model that smidgen reads", .0.what)]
    Foreign(&'static foreign::Kind),
    /// C source whose array of bytes cannot be read.
    #[error("it is C source, but its array of bytes cannot be read: {0}")]
    CArray(#[from] c_array::BadArray),
    /// Not the textual form of a graph.
    #[error(transparent)]
    Text(#[from] ParseError),
    /// The graph contradicts itself.
    #[error(transparent)]
    Invalid(#[from] ValidateError),
    /// A rewrite has spoilt the graph.
    #[error("a rewrite of smidgen's has made the network invalid")]
    Pass(#[source] ValidateError),
    /// The graph cannot be written as a TensorFlow Lite file.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The network cannot be quantised.
    #[error(transparent)]
    Quant(#[from] QuantError),
    /// The network cannot be evaluated on these samples.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The network cannot be trained on these samples.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The network cannot be trained, or not so.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// No network was found.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// A search cannot go on, or be repeated.
    #[error(transparent)]
    SearchState(#[from] StateError),
    /// A network cannot be trained on the device as was asked.
    #[error(transparent)]
    Adapt(#[from] AdaptError),
    /// No update scheme was found.
    #[error(transparent)]
    Scheme(#[from] SchemeError),
    /// No kernel computes an operator as the graph asks for it.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// An array that is not what the network takes there.
    #[error("input {index} is {given}; the network takes {wanted}")]
    Input {
        /// Index of the input.
        index: usize,
        /// Element type and shape of the array.
        given: String,
        /// Element type and shape of the network's input.
        wanted: String,
    },
    /// More or fewer arrays than the network has inputs.
    #[error("{given} arrays are given; the network takes {wanted}")]
    InputCount {
        /// Arrays.
        given: usize,
        /// Inputs.
        wanted: usize,
    },
    /// The executor refuses what smidgen gave it.
    #[error("the executor refuses what smidgen gave it")]
    Exec(#[from] ExecError),
    /// The schedule does not suit the network.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A Program that smidgen made gets no certificate.
    #[error("the plan is not sound")]
    UnsoundPlan(#[from] Refused),
    /// No such board.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// What only a board's core decides was asked of a plan without a board.
    #[error("the plan is for no board, so that there is no core to build or run it for")]
    NoBoard,
    /// The Program cannot be printed as code.
    #[error(transparent)]
    Codegen(#[from] CodegenError),
    /// The plan takes more than the network may have, which is less than the board has.
    #[error("the plan takes {taken} bytes of SRAM; {budget} are allowed")]
    Budget {
        /// Bytes of the plan.
        taken: usize,
        /// Bytes allowed.
        budget: usize,
    },
    /// A training step that takes more memory than there is.
    #[error("the training step does not fit: {reason}")]
    TrainingTooLarge {
        /// What takes how much, and what there is.
        reason: String,
        /// What would help.
        help: String,
    },
    /// Firmware could not be built or run.
    #[error(transparent)]
    Simulate(#[from] smidgen_sim::Error),
    /// A golden file that does not suit the network.
    #[error(transparent)]
    Golden(#[from] GoldenError),
}

impl Error {
    /// Says which file this is about.
    pub fn at(self, path: &Path) -> Self {
        match self {
            // It names its file already.
            Self::At { .. } => self,
            // It is not the file's fault.
            Self::Simulate(ref error) if error.is_of_the_computer() => self,
            Self::Data(error) => Self::Data(error.at(path)),
            _ => Self::At { path: path.to_owned(), source: Box::new(self) },
        }
    }

    /// Who can do something about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::At { source, .. } => source.kind(),
            Self::Data(error) if error.is_malformed() => ErrorKind::Malformed,
            Self::Data(_) => ErrorKind::Request,
            Self::Read(error) => error.kind().into(),
            Self::Onnx(error) => error.kind().into(),
            Self::Lower(LowerError::TooLarge { .. }) => ErrorKind::DoesNotFit,
            Self::Foreign(found) => found.kind,
            Self::CArray(_) => ErrorKind::Malformed,
            Self::Lower(_) | Self::Write(_) => ErrorKind::Unsupported,
            Self::Text(error) if error.kind == ParseErrorKind::LargeSplat => ErrorKind::Unsupported,
            Self::Invalid(error) if error.is_bound() => ErrorKind::Unsupported,
            Self::Text(_) | Self::Invalid(_) => ErrorKind::Malformed,
            _ if self.is_too_large() => ErrorKind::DoesNotFit,
            Self::Exec(_)
            | Self::Pass(_)
            | Self::UnsoundPlan(_)
            | Self::Plan(PlanError::Place(_) | PlanError::Refused(_)) => ErrorKind::Internal,
            Self::Plan(_) => ErrorKind::Request,
            Self::Board(BoardError::Malformed { .. }) => ErrorKind::Malformed,
            Self::Board(_) | Self::NoBoard => ErrorKind::Request,
            Self::Codegen(CodegenError::TooMany { .. }) => ErrorKind::Unsupported,
            Self::Codegen(CodegenError::Training(_)) => ErrorKind::Internal,
            Self::Budget { .. } | Self::TrainingTooLarge { .. } => ErrorKind::DoesNotFit,
            Self::Input { .. } | Self::InputCount { .. } => ErrorKind::Request,
            Self::Simulate(error) if error.does_not_fit() => ErrorKind::DoesNotFit,
            Self::Simulate(error) if error.is_internal() => ErrorKind::Internal,
            Self::Simulate(_) => ErrorKind::Request,
            Self::Golden(_) | Self::Evaluate(_) => ErrorKind::Request,
            Self::Training(error) if error.is_of_the_network() => ErrorKind::Unsupported,
            Self::Training(error) if error.is_of_the_checkpoint() => ErrorKind::Malformed,
            Self::Training(_) => ErrorKind::Request,
            Self::Train(TrainError::Unsupported { .. } | TrainError::Layer { .. }) => ErrorKind::Unsupported,
            Self::Train(TrainError::Checkpoint { .. }) => ErrorKind::Malformed,
            Self::Train(_) => ErrorKind::Request,
            Self::Adapt(error) => match error {
                AdaptError::Scheme(_) | AdaptError::Classes(_) => ErrorKind::Request,
                AdaptError::NoClassifier(_) | AdaptError::NoGradient { .. } => ErrorKind::Unsupported,
                AdaptError::Lower(LowerError::TooLarge { .. }) => ErrorKind::DoesNotFit,
                AdaptError::Lower(_) => ErrorKind::Unsupported,
                AdaptError::Internal(_) => ErrorKind::Internal,
            },
            Self::Scheme(error) => match error {
                SchemeError::NothingFits { .. } => ErrorKind::DoesNotFit,
                SchemeError::Damaged(_) => ErrorKind::Malformed,
                SchemeError::NothingToHold { .. }
                | SchemeError::Beyond { .. }
                | SchemeError::Other { .. }
                | SchemeError::Stopped => ErrorKind::Request,
            },
            Self::Search(error) => match error {
                SearchError::NothingFits(_) | SearchError::NoneDrawn => ErrorKind::DoesNotFit,
                SearchError::Oracle(_) => ErrorKind::Internal,
                SearchError::Backbone { .. } => ErrorKind::Unsupported,
                SearchError::Input { .. }
                | SearchError::NoTime { .. }
                | SearchError::Train(_)
                | SearchError::Stopped => ErrorKind::Request,
            },
            Self::SearchState(StateError::Other { .. }) => ErrorKind::Request,
            Self::SearchState(_) => ErrorKind::Malformed,
            Self::Quant(error) => match error {
                QuantError::Spoilt(_) | QuantError::Exec(_) | QuantError::Refused(_) => ErrorKind::Internal,
                QuantError::Lower(LowerError::TooLarge { .. }) => ErrorKind::DoesNotFit,
                QuantError::Lower(_) => ErrorKind::Unsupported,
                // The file is sound: float kernels run it.
                QuantError::Scales { .. } => ErrorKind::Request,
                QuantError::Graph(_) => ErrorKind::Malformed,
                // The file is sound: others load it and compute with it.
                QuantError::Constant { .. } => ErrorKind::Unsupported,
                QuantError::Quantised { .. }
                | QuantError::NothingToDo
                | QuantError::NoSamples
                | QuantError::Ratio { .. }
                | QuantError::Unreachable { .. }
                | QuantError::UnknownLayer { .. }
                | QuantError::Sample { .. }
                | QuantError::InputCount { .. }
                | QuantError::Value { .. } => ErrorKind::Request,
            },
        }
    }

    /// A tensor or an arena of more bytes than a microcontroller can address.
    fn is_too_large(&self) -> bool {
        let refused = match self {
            Self::UnsoundPlan(refused) | Self::Plan(PlanError::Refused(refused)) => refused,
            Self::Quant(QuantError::Refused(refused)) => refused.as_ref(),
            _ => return false,
        };
        matches!(refused, Refused::TooLarge { .. })
    }

    /// What the user can do about it, where there is more to say than the message does.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            _ if self.is_too_large() => "give the network smaller inputs, or fewer channels",
            Self::At { source, .. } => return source.help(),
            Self::Data(error) => return error.help(),
            Self::Golden(error) => return error.help(),
            Self::TrainingTooLarge { help, .. } => return Some(help.clone()),
            Self::Simulate(error) => return error.help(),
            Self::Budget { .. } => "`smidgen plan` shows what takes them, and what would make the network smaller",
            Self::Input { .. } | Self::InputCount { .. } => "`smidgen inspect MODEL` shows the inputs",
            Self::Codegen(CodegenError::TooMany { .. }) => "another `--schedule` has fewer",
            Self::Codegen(CodegenError::Training(_)) => return None,
            Self::Evaluate(error) => return Some(error.help()),
            Self::Training(error) => return Some(error.help()),
            Self::Train(TrainError::Unsupported { .. }) => {
                "cut this operator off, or put one in its place that has a gradient, and export the network again"
            }
            Self::Train(TrainError::Checkpoint { .. }) => {
                "begin anew without `--resume`, or with an earlier checkpoint"
            }
            Self::Train(_) => return None,
            Self::Adapt(AdaptError::NoClassifier(_)) => {
                "training on the device replaces the last layer of a classifier; check that the network is one of int8 whose last \
                 layer with weights sees a single pixel (`smidgen inspect`), and `smidgen quantize` it if it is of floats"
            }
            Self::Adapt(AdaptError::NoGradient { .. }) => {
                "train only layers behind that operator: a smaller `n_bias_update`, and no earlier convolution in `manual_weight_idx`"
            }
            Self::Adapt(_) => return None,
            Self::Scheme(error) => return Some(error.help()),
            Self::Search(SearchError::NothingFits(_) | SearchError::NoneDrawn) => {
                "allow it more, take a board with more, or let pictures be smaller with `--resolution`"
            }
            Self::Search(SearchError::NoTime { .. }) => "give more `--time`, or fewer samples",
            Self::Search(SearchError::Input { .. }) => {
                "give pictures, or arrays of rows, columns and channels, such as spectrograms of [49, 10, 1]"
            }
            Self::Search(SearchError::Backbone { .. }) => {
                "`--from` takes networks such as MobileNetV2 and MCUNet; `smidgen train MODEL` trains any network as it is"
            }
            Self::Search(_) => return None,
            Self::SearchState(error) => error.help(),
            Self::Quant(error) => match error {
                QuantError::Quantised { .. } => "hand in the float network that it was made from",
                QuantError::Constant { value: f32::NEG_INFINITY, .. } => {
                    "minus infinity is taken in masks that nothing but a SOFTMAX reads: if this is one, give it a finite number there \
                     that no score reaches; else training has diverged, it seems"
                }
                QuantError::Constant { .. } => {
                    "training has diverged, it seems: export the network again from an earlier checkpoint"
                }
                QuantError::Value { .. } => {
                    "the samples hold numbers that no network can take, or are scaled unlike the data it was trained on"
                }
                QuantError::Scales { .. } => {
                    "look at the layer's weights and at the samples: a diverged training, or numbers that are not scaled as in \
                     training, give such values; `--range percentile` leaves out single outliers"
                }
                QuantError::Ratio { .. } => {
                    "ask for a greater --flash-ratio; biases, and layers that are not CONV_2D, DEPTHWISE_CONV_2D or \
                     FULLY_CONNECTED, keep their bytes"
                }
                QuantError::Unreachable { .. } => {
                    "ask for a lesser --snr; what is left is the weights' noise, and that of integer inputs and outputs"
                }
                QuantError::UnknownLayer { .. } => {
                    "`smidgen quantize --json` names every layer by its output; an activation that is fused into a layer has no \
                     name of its own"
                }
                QuantError::Lower(LowerError::TooLarge { .. }) => TOO_LARGE,
                QuantError::Lower(_) => "`smidgen ops` shows what is supported of each operator",
                QuantError::Spoilt(_) | QuantError::Exec(_) | QuantError::Refused(_) => {
                    "this is a fault of smidgen's: please report it, with the command and, if you may share it, the model"
                }
                _ => return None,
            },
            Self::Read(ReadError::Unsupported(_)) => {
                "`smidgen check` lists everything that stands in the way, `smidgen ops` what is supported"
            }
            Self::Onnx(smidgen_onnx::ReadError::Unsupported(_)) => {
                "`smidgen check` lists everything that stands in the way, `smidgen ops --format onnx` what is supported"
            }
            Self::Onnx(smidgen_onnx::ReadError::OpenShape { example, .. }) => {
                return Some(format!("say it with `--shape {example}`, or export the network with fixed shapes"));
            }
            Self::Onnx(smidgen_onnx::ReadError::Shape { .. }) => {
                "`--shape NAME=1,3,224,224` gives an input's shape in the file's order of axes"
            }
            Self::Onnx(smidgen_onnx::ReadError::External { .. }) => {
                "keep the network's files together, or save it in one: `torch.onnx.export(..., external_data=False)`"
            }
            Self::Onnx(smidgen_onnx::ReadError::NotANumber { .. }) => {
                "export the network again from a checkpoint whose training did not diverge"
            }
            Self::Onnx(smidgen_onnx::ReadError::Inflated { .. }) => {
                "operators on constants (ConstantOfShape, Expand, Tile) make far more of them than the file holds: let the exporter \
                 compute them, `torch.onnx.export(..., do_constant_folding=True)`, or make them smaller"
            }
            Self::Onnx(smidgen_onnx::ReadError::Invalid(_)) => {
                "the file is sound; what is named is a bound of smidgen's: change the network so that it keeps to it (tensors of \
                 at most 6 dimensions, say), and export it again"
            }
            Self::Onnx(_) => "the file is damaged or was written by a faulty exporter: export or download it again",
            Self::Foreign(found) => found.advice,
            Self::CArray(_) => {
                "hand in the `.tflite` file that the array was made from, or write the array anew: `xxd -i FILE`"
            }
            Self::Read(ReadError::Inflated { .. }) => {
                "no converter writes such files: convert the network again, in fewer and smaller parts"
            }
            Self::Read(ReadError::Invalid(_)) if self.kind() == ErrorKind::Unsupported => {
                "`smidgen ops` shows what is supported of each operator"
            }
            Self::Read(ReadError::NotTflite { .. }) => {
                "a model is a `.tflite` file, as the TensorFlow Lite converter writes it, or an `.onnx` file, as PyTorch exports it, or a C array of such a file"
            }
            Self::Invalid(error) if error.is_bound() => {
                "what is named is a bound of smidgen's, and the network is beyond it: make it smaller, or of fewer dimensions"
            }
            Self::Invalid(_) => "the graph contradicts itself where it says; mend the text, or write it anew",
            Self::Read(_) => "the file is damaged or was written by a faulty converter: convert or download it again",
            Self::Plan(PlanError::Tile(_) | PlanError::StreamedTiles(_)) => {
                "`smidgen inspect --clean` numbers the operators; `--schedule auto` finds a schedule by itself"
            }
            Self::Board(_) | Self::NoBoard => {
                "`smidgen boards` lists the boards; `smidgen boards NAME --toml` prints one to start your own file from"
            }
            Self::Text(_) => "`smidgen inspect MODEL --ir` shows the textual form of a network",
            Self::Lower(LowerError::TooLarge { .. }) => TOO_LARGE,
            Self::Lower(_) => "`smidgen ops` shows what is supported of each operator",
            Self::Write(_) => {
                "`smidgen convert --clean` may rewrite what the format cannot say; `smidgen quantize -o OUT.ir` writes \
                 the textual form, which all commands read"
            }
            Self::Exec(_)
            | Self::Pass(_)
            | Self::UnsoundPlan(_)
            | Self::Plan(PlanError::Place(_) | PlanError::Refused(_)) => {
                "this is a fault of smidgen's: please report it, with the command and, if you may share it, the model"
            }
        };
        Some(text.into())
    }
}

/// Errors of the parts of smidgen-data are its errors.
macro_rules! through_data {
    ($($part:ident),*) => {
        $(impl From<$part> for Error {
            fn from(error: $part) -> Self {
                Self::Data(error.into())
            }
        })*
    };
}

through_data!(FileError, NpyError, NpzError, PictureError, InputError, SetError);
