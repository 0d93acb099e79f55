//! Why a command could not do what was asked, and the exit code that says so.

use serde_json::json;
use smidgen::ir::visible;
use smidgen::tflite::ReadError;
use smidgen::{Error, ErrorKind};
use std::fmt;
use std::io;
use std::process::ExitCode;

/// The table of exit codes in `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done, and the answer is yes
  1    done, and the answer is no: outputs differ, a limit is exceeded, `doctor` misses a tool
  2    the request cannot be carried out: wrong arguments, no such file, no room to write, no tool
  3    unsupported: the file is sound, but asks for what smidgen does not do
  4    malformed: the file is damaged or contradicts itself
  5    does not fit
  6    a fault of smidgen's own: please report it
  130  interrupted by Ctrl-C or SIGTERM: what is printed covers what was done until then
  141  whoever read the output closed it early";

/// Exit codes other than success.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    Differs = 1,
    Request = 2,
    Unsupported = 3,
    Malformed = 4,
    DoesNotFit = 5,
    Internal = 6,
    Interrupted = 130,
}

impl Code {
    /// The kind of failure as programs read it.
    fn kind(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Request => "request",
            Self::Unsupported => "unsupported",
            Self::Malformed => "malformed",
            Self::DoesNotFit => "does-not-fit",
            Self::Internal => "internal",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code as u8)
    }
}

impl From<ErrorKind> for Code {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Request => Self::Request,
            ErrorKind::Unsupported => Self::Unsupported,
            ErrorKind::Malformed => Self::Malformed,
            ErrorKind::DoesNotFit => Self::DoesNotFit,
            ErrorKind::Internal => Self::Internal,
        }
    }
}

/// Why a command stopped.
#[derive(Debug)]
pub enum Failure {
    /// The library says why.
    Library(Error),
    /// The arguments do not go together: what is wrong, and what would be right.
    Usage { message: String, help: String },
    /// Standard output cannot be written to.
    Output(io::Error),
}

impl Failure {
    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: help.into() }
    }

    pub fn code(&self) -> Code {
        match self {
            Self::Library(error) => error.kind().into(),
            Self::Usage { .. } | Self::Output(_) => Code::Request,
        }
    }

    /// All of it for programs.
    pub fn describe(&self) -> serde_json::Value {
        let mut causes = Vec::new();
        let mut source = self.source_error();
        while let Some(error) = source {
            causes.push(error.to_string());
            source = error.source();
        }
        let code = self.code();
        json!({ "error": {
            "kind": code.kind(),
            "message": self.to_string(),
            "causes": causes,
            "help": self.help(),
            "exit_code": code as u8,
        } })
    }

    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Library(error) => error.help(),
            Self::Usage { help, .. } => Some(help.clone()),
            Self::Output(_) => None,
        }
    }

    /// True if its texts may have several lines of their own: lists, and the messages of a compiler, an emulator or a TOML reader.
    pub fn has_lines(&self) -> bool {
        let mut error = match self {
            Self::Library(error) => error,
            Self::Usage { .. } | Self::Output(_) => return false,
        };
        while let Error::At { source, .. } = error {
            error = source;
        }
        matches!(
            error,
            Error::Simulate(_)
                | Error::Board(_)
                | Error::Read(ReadError::Unsupported(_))
                | Error::Onnx(smidgen::onnx::ReadError::Unsupported(_))
        )
    }

    /// What is behind it.
    pub fn source_error(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Library(error) => std::error::Error::source(error),
            Self::Usage { .. } => None,
            Self::Output(error) => Some(error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library(error) => fmt::Display::fmt(error, f),
            Self::Usage { message, .. } => f.write_str(message),
            Self::Output(_) => f.write_str("cannot write to standard output"),
        }
    }
}

/// A failure on one line: what it is, and the causes behind it.
pub struct Notice<'a>(pub &'a Failure);

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // That a file cannot be used is said by naming it; why is what follows.
        let mut said = self.0.to_string();
        let mut source = self.0.source_error();
        if source.is_some() {
            said.clear();
        }
        while let Some(error) = source {
            let text = error.to_string();
            if !said.contains(&text) {
                said = if said.is_empty() { text } else { format!("{said}: {text}") };
            }
            source = error.source();
        }
        visible(&said).fmt(f)
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Library(error.into())
    }
}
