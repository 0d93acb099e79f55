//! Everything that can go wrong between a generated network and its figures.

use crate::build::BuildError;
use crate::qemu::QemuError;
use crate::session::SessionError;
use crate::toolchain::NoToolchain;

/// Why a network could not be simulated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No compiler for the core.
    #[error(transparent)]
    Toolchain(#[from] NoToolchain),
    /// The firmware could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It could not be run, or did not do what it should.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Error {
    /// True if the network is too large for the board.
    pub fn does_not_fit(&self) -> bool {
        matches!(self, Self::Build(BuildError::DoesNotFit(_)) | Self::Session(SessionError::Stack(_)))
    }

    /// True if it is a fault of what was generated, and not of the machine or the request.
    pub fn is_internal(&self) -> bool {
        match self {
            Self::Build(BuildError::Refused(_)) => true,
            Self::Session(error) => matches!(
                error,
                SessionError::Answer(_)
                    | SessionError::Stray(_)
                    | SessionError::Elf(_)
                    | SessionError::Qemu(QemuError::Failed { .. } | QemuError::Timeout { .. } | QemuError::Counts(_))
            ),
            Self::Toolchain(_) | Self::Build(_) => false,
        }
    }

    /// What the user can do about it, where there is more to say than the message does.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Toolchain(error) => Some(format!("{} `smidgen doctor` looks for everything", error.advice())),
            Self::Build(BuildError::DoesNotFit(error)) => Some(error.help()),
            Self::Build(BuildError::Machine(_)) | Self::Session(SessionError::Qemu(QemuError::NoMachine(_))) => {
                Some("`smidgen boards` shows which machine emulates which core; name it in the board's file".into())
            }
            Self::Build(BuildError::Cache { .. }) => Some("XDG_CACHE_HOME names another place for it".into()),
            Self::Session(SessionError::Stack(_)) => Some("choose a board with more SRAM".into()),
            Self::Session(SessionError::InputSize { .. }) => None,
            _ if self.is_internal() => Some(
                "this is a fault of smidgen's: please report it, with the command and, if you may share it, the model"
                    .into(),
            ),
            _ => Some("`smidgen doctor` looks for everything that simulating needs".into()),
        }
    }
}
