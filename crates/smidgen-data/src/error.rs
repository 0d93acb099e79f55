//! Everything that can go wrong, and whether the file is to blame.

use crate::files::FileError;
use crate::input::InputError;
use crate::npy::NpyError;
use crate::npz::NpzError;
use crate::picture::PictureError;
use crate::set::SetError;
use std::path::{Path, PathBuf};

/// Why something could not be read, or does not suit a network's input.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something about one file.
    #[error("`{}` cannot be used", smidgen_ir::visible_path(path))]
    At {
        /// The file; for a member of an archive, the archive and the member's path in it.
        path: PathBuf,
        /// What it is.
        #[source]
        source: Box<Error>,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
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
    /// Not a set of samples.
    #[error(transparent)]
    Set(#[from] SetError),
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

    /// True if the file is damaged or contradicts itself; false if what was asked for does not go with it.
    pub fn is_malformed(&self) -> bool {
        match self {
            Self::At { source, .. } => source.is_malformed(),
            Self::File(error) => matches!(error, FileError::Empty { .. }),
            Self::Npy(NpyError::Dtype(_)) | Self::Npz(NpzError::Npy { source: NpyError::Dtype(_), .. }) => false,
            Self::Npy(_) | Self::Npz(_) | Self::Picture(PictureError::Decode(_)) => true,
            Self::Picture(_) | Self::Input(_) => false,
            Self::Set(error) => error.is_malformed(),
        }
    }

    /// True if this is about one picture of a set, damaged or not readable, and the rest of the set may be sound.
    pub(crate) fn is_one_picture(&self) -> bool {
        match self {
            Self::At { source, .. } => source.is_one_picture(),
            Self::File(error) => !matches!(error, FileError::Write { .. }),
            Self::Picture(PictureError::Decode(_) | PictureError::TooLarge { .. }) => true,
            _ => false,
        }
    }

    /// What the user can do about it, where there is more to say than the message does.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::At { source, .. } => return source.help(),
            Self::File(error) => return error.help(),
            Self::Input(error) => return error.help(),
            Self::Set(error) => return error.help(),
            Self::Npy(NpyError::Dtype(_)) | Self::Npz(NpzError::Npy { source: NpyError::Dtype(_), .. }) => {
                "convert it first: `array.astype(\"float32\")`, or int8 as the network's input is stored"
            }
            Self::Npy(_) => "write it with `numpy.save(\"file.npy\", array)`",
            Self::Npz(NpzError::TooLarge { .. }) => {
                "write it with `numpy.savez`, which does not compress, or in several files"
            }
            Self::Npz(_) => "write it with `numpy.savez(\"file.npz\", input_0=array)`",
            Self::Picture(PictureError::TooLarge { .. }) => {
                "scale it down first; a network's input has a few hundred rows"
            }
            Self::Picture(PictureError::Decode(_)) => "JPEG, PNG and BMP can be read",
            Self::Picture(PictureError::Channels { .. }) => {
                "give one mean and one deviation for each of its channels, or one for all: `--mean 0.5 --std 0.5`"
            }
            Self::Picture(_) => "hand in an array instead: a .npy or .npz file",
        };
        Some(text.into())
    }
}
