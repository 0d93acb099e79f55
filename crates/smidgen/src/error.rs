//! Everything that can go wrong, and whose turn it is.

use crate::data::{input::InputError, npy::NpyError, npz::NpzError, picture::PictureError};
use crate::files::FileError;
use crate::verify::GoldenError;
use smidgen_boards::BoardError;
use smidgen_exec::ExecError;
use smidgen_ir::{text::ParseError, validate::ValidateError};
use smidgen_plan::validate::InvalidProgram;
use smidgen_plan::{LowerError, PlanError};
use smidgen_tflite::{ReadError, WriteError};
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

/// Why something could not be done. [`source`](std::error::Error::source) leads to the details.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something about one file.
    #[error("`{}` cannot be used", path.display())]
    At {
        /// The file.
        path: PathBuf,
        /// What it is.
        #[source]
        source: Box<Error>,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a TensorFlow Lite file that can be read.
    #[error(transparent)]
    Read(#[from] ReadError),
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
    /// No kernel computes an operator as the graph asks for it.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The executor refuses the Program.
    #[error("the executor refuses a Program that smidgen made")]
    Exec(#[from] ExecError),
    /// The schedule does not suit the network.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The planner made a Program that the validator refuses.
    #[error("the plan is not sound")]
    UnsoundPlan(#[from] InvalidProgram),
    /// No such board.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// Not a NumPy array.
    #[error(transparent)]
    Npy(#[from] NpyError),
    /// Not a NumPy archive.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// Not a picture, or not for this input.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// An array that does not suit the network's input.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A golden file that does not suit the network.
    #[error(transparent)]
    Golden(#[from] GoldenError),
}

impl Error {
    /// Says which file this is about.
    pub fn at(self, path: &Path) -> Self {
        match self {
            // These name their file already.
            Self::At { .. } | Self::File(_) => self,
            _ => Self::At { path: path.to_owned(), source: Box::new(self) },
        }
    }

    /// Who can do something about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::At { source, .. } => source.kind(),
            Self::File(FileError::Empty { .. }) => ErrorKind::Malformed,
            Self::File(_) => ErrorKind::Request,
            Self::Read(error) => match error.kind() {
                smidgen_tflite::ErrorKind::Malformed => ErrorKind::Malformed,
                smidgen_tflite::ErrorKind::Unsupported => ErrorKind::Unsupported,
            },
            Self::Lower(_) | Self::Write(_) => ErrorKind::Unsupported,
            Self::Text(_) | Self::Invalid(_) => ErrorKind::Malformed,
            Self::Exec(_) | Self::Pass(_) | Self::UnsoundPlan(_) | Self::Plan(PlanError::Place(_)) => {
                ErrorKind::Internal
            }
            Self::Plan(_) => ErrorKind::Request,
            Self::Board(BoardError::Malformed { .. }) => ErrorKind::Malformed,
            Self::Board(_) => ErrorKind::Request,
            Self::Npy(NpyError::Dtype(_)) => ErrorKind::Request,
            Self::Npz(NpzError::Npy { source: NpyError::Dtype(_), .. }) => ErrorKind::Request,
            Self::Npy(_) | Self::Npz(_) | Self::Picture(PictureError::Decode(_)) => ErrorKind::Malformed,
            Self::Picture(_) | Self::Input(_) | Self::Golden(_) => ErrorKind::Request,
        }
    }

    /// What the user can do about it, where there is more to say than the message does.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::At { source, .. } => return source.help(),
            Self::File(error) => return error.help(),
            Self::Input(error) => return error.help(),
            Self::Golden(error) => return error.help(),
            Self::Read(ReadError::Unsupported(_)) => {
                "`smidgen check` lists everything that stands in the way, `smidgen ops` what is supported"
            }
            Self::Read(ReadError::NotTflite { .. }) => {
                "a model is a `.tflite` file, as the TensorFlow Lite converter writes it"
            }
            Self::Read(_) | Self::Invalid(_) => {
                "the file is damaged or was written by a faulty converter: convert or download it again"
            }
            Self::Plan(PlanError::Tile(_) | PlanError::StreamedTiles(_)) => {
                "`smidgen inspect --clean` numbers the operators; `--schedule auto` finds a schedule by itself"
            }
            Self::Board(_) => {
                "`smidgen boards` lists the boards; `smidgen boards NAME --toml` prints one to start your own file from"
            }
            Self::Text(_) => "`smidgen inspect MODEL --ir` shows the textual form of a network",
            Self::Lower(_) => "`smidgen ops` shows what is supported of each operator",
            Self::Write(_) => "`smidgen convert --clean` may rewrite what the format cannot say",
            Self::Exec(_) | Self::Pass(_) | Self::UnsoundPlan(_) | Self::Plan(PlanError::Place(_)) => {
                "this is a fault of smidgen's: please report it, with the command and, if you may share it, the model"
            }
            Self::Npy(NpyError::Dtype(_)) | Self::Npz(NpzError::Npy { source: NpyError::Dtype(_), .. }) => {
                "convert it first: `array.astype(\"float32\")`, or int8 as the network's input is stored"
            }
            Self::Npy(_) => "write it with `numpy.save(\"file.npy\", array)`",
            Self::Npz(_) => "write it with `numpy.savez(\"file.npz\", input_0=array)`",
            Self::Picture(PictureError::Decode(_)) => "JPEG, PNG and BMP can be read",
            Self::Picture(_) => "hand in an array instead: `--input FILE.npy`",
        };
        Some(text.into())
    }
}
