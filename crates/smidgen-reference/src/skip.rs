//! Tests that cannot run on this computer: said where it happens, and listed at the end of `cargo xtask test`.
//!
//! A test that returns early passes as far as Rust's harness knows, so what it lacked would go unseen. [`skip`] therefore also
//! appends a line to the file that [`LIST_VARIABLE`] names; `cargo xtask test` sets it and reads the file when all tests are done.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;

/// The environment variable that names the file to which skipped tests are appended.
pub const LIST_VARIABLE: &str = "SMIDGEN_SKIPPED_TESTS";

/// What a skipped test lacks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lack {
    /// A program that can be installed: a compiler, an emulator, the reference interpreter. In CI its absence is an error.
    Tool,
    /// What not everybody can have, or not at a reasonable price: real models, PyTorch, figures of another compiler.
    Optional,
}

impl Lack {
    /// The first field of a line in the list.
    fn tag(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Optional => "optional",
        }
    }
}

/// Says on standard error that `what` (of the test that is running) is skipped and why, and lists it for `cargo xtask test`.
pub fn skip(lack: Lack, what: &str, why: &str) {
    eprintln!("skipped {what}: {why}");
    let Some(list) = env::var_os(LIST_VARIABLE) else { return };
    let program = env::current_exe().ok().and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    let program = program.unwrap_or_default();
    // Cargo appends a digest to the name of a test's program.
    let program = program.rsplit_once('-').map_or(program.as_str(), |(name, _)| name);
    // The harness names a test's thread after the test.
    let thread = std::thread::current();
    let line = line(lack, program, thread.name().unwrap_or("main"), what, why);
    // Tests run in several processes: one write to a file opened for appending is not torn.
    let written =
        OpenOptions::new().append(true).create(true).open(&list).and_then(|mut f| f.write_all(line.as_bytes()));
    if let Err(error) = written {
        panic!("cannot append to {}: {error}", list.to_string_lossy());
    }
}

/// One line of the list: fields that are separated by tabs.
fn line(lack: Lack, program: &str, test: &str, what: &str, why: &str) -> String {
    let field = |text: &str| text.replace(['\t', '\n', '\r'], " ");
    format!("{}\t{program}\t{test}\t{}\t{}\n", lack.tag(), field(what), field(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_test_is_one_line_of_five_fields() {
        let line = line(Lack::Tool, "cli", "a::test", "the\tcore", "two\nlines");
        assert_eq!(line, "tool\tcli\ta::test\tthe core\ttwo lines\n");
    }
}
