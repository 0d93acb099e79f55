//! Everything that can go wrong between a generated network and its figures.

use crate::build::BuildError;
use crate::plugin::PluginError;
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

/// What to do where the variable PATH is missing, which is what any search for tools goes by; `None` where it is set.
pub fn no_path() -> Option<&'static str> {
    let set = std::env::var_os("PATH").is_some_and(|path| !path.is_empty());
    (!set).then_some(
        "the variable PATH is not set, so programs cannot find one another: set it, as in `PATH=/usr/bin:/bin smidgen doctor`",
    )
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
                    | SessionError::Qemu(QemuError::Failed { .. } | QemuError::Counts(_))
            ),
            Self::Toolchain(_) | Self::Build(_) => false,
        }
    }

    /// True if a tool is missing or has no room to work, whatever the network.
    pub fn is_of_the_computer(&self) -> bool {
        match self {
            Self::Toolchain(_) => true,
            Self::Build(error) => {
                matches!(
                    error,
                    BuildError::Cache { .. }
                        | BuildError::Limit(_)
                        | BuildError::NoCargo { .. }
                        | BuildError::Toolchain { .. }
                )
            }
            Self::Session(error) => matches!(
                error,
                SessionError::Temporary(_)
                    | SessionError::Qemu(QemuError::Temporary(_) | QemuError::Missing { .. } | QemuError::Plugin(_))
            ),
        }
    }

    /// What the user can do about it, where there is more to say than the message does.
    pub fn help(&self) -> Option<String> {
        if let Some(advice) = no_path().filter(|_| self.is_of_the_computer()) {
            return Some(advice.to_owned());
        }
        match self {
            Self::Toolchain(error) => Some(format!("{} `smidgen doctor` looks for everything", error.advice())),
            Self::Build(BuildError::DoesNotFit(error)) => Some(error.help()),
            Self::Build(BuildError::Machine(_)) | Self::Session(SessionError::Qemu(QemuError::NoMachine(_))) => {
                Some("`smidgen boards` shows which machine emulates which core; name it in the board's file".into())
            }
            Self::Build(BuildError::Cache { .. }) | Self::Session(SessionError::Qemu(QemuError::Plugin(PluginError::Write { .. }))) => {
                Some(
                    "free some space there, or name another folder in the variable XDG_CACHE_HOME; what is cached may be deleted at \
                     any time"
                        .into(),
                )
            }
            Self::Build(BuildError::Toolchain { advice, .. }) => {
                Some(format!("{advice} `smidgen doctor` looks for everything"))
            }
            Self::Session(SessionError::Qemu(QemuError::Plugin(PluginError::NoLinker(_)))) => Some(
                "Rust links with a C compiler; on Debian and Ubuntu: `apt install gcc libc6-dev`; on macOS: `xcode-select \
                 --install`. `smidgen doctor` looks for everything"
                    .into(),
            ),
            Self::Session(SessionError::Temporary(error) | SessionError::Qemu(QemuError::Temporary(error))) => {
                Some(error.help())
            }
            Self::Session(SessionError::Qemu(QemuError::Timeout { .. })) => Some(
                "if this computer is slow or busy, `--timeout SECONDS` gives the emulator more time; a firmware that never ends is a \
                 fault of smidgen's: please report it, with the command and, if you may share it, the model"
                    .into(),
            ),
            Self::Build(BuildError::Limit(_)) => None,
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
