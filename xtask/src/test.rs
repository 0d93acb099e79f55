//! `cargo xtask test`: everything a change must pass.

use crate::Error;
use crate::process::{cargo, check, ci, root, succeeds};
use crate::setup::{PYTHON_VARIABLE, browser, emulation, program, reference_python};
use crate::skipped::Skipped;
use std::process::Command;
use std::time::Instant;

const HELP: &str = "\
usage: cargo xtask test [--quick] [FILTER]...

Checks the format, runs clippy, all tests and the documentation's build, warnings being errors.
With a FILTER only those tests run whose name contains it, and none of the other checks.

Everything runs to its end, so that one run tells all that fails. What was skipped and why is told last.

The differential tests need TensorFlow Lite's reference interpreter. It is installed into .venv the first time; with
SMIDGEN_PYTHON set, that Python is used instead. Where it cannot be installed these tests are skipped and the run says
so, but if the variable CI is `true` that is an error.

Tests that run firmware on emulated cores need compilers for these cores and QEMU. Where they are missing, these tests are
skipped and say so; in CI (the variable CI is `true`) they are installed, or it is an error. So are the C compiler and CMake.

The page that `smidgen plan --html` writes is tested in Chromium, if there is one; in CI it is installed.

Where a nightly compiler with Miri is installed, it runs every kernel without checks of bounds.

  --quick    without the differential tests

examples:
  cargo xtask test
  cargo xtask test --quick
  cargo xtask test conv_2d_int8
";

/// Targets that tests build firmware for: those of the emulated cores, and those of C libraries for projects that pass floats in
/// integer registers.
const TARGETS: [&str; 7] = [
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabi",
    "thumbv8m.main-none-eabihf",
    "riscv32imc-unknown-none-elf",
];

/// What tests of the C library build projects with: each program, and Debian's package that has it.
const C_TOOLS: [(&str, &str); 2] = [("arm-none-eabi-gcc", "gcc-arm-none-eabi"), ("cmake", "cmake")];

struct Options<'a> {
    quick: bool,
    filters: Vec<&'a str>,
}

/// Runs the checks in turn, all of them even if one fails.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    let Some(options) = parse(arguments)? else {
        print!("{HELP}");
        return Ok(());
    };
    let python = if options.quick { None } else { python_or_skip()? };
    browser()?;
    if ci() {
        TARGETS.iter().try_for_each(|target| emulation(target))?;
        C_TOOLS.iter().try_for_each(|(name, package)| program(name, package))?;
    }
    let mut tests = cargo(&["test", "--workspace", "--no-fail-fast"]);
    let skipped = Skipped::collect(&mut tests)?;
    match &python {
        Some(python) => tests.env(PYTHON_VARIABLE, python),
        None => tests.env_remove(PYTHON_VARIABLE),
    };
    if !options.filters.is_empty() {
        // Cargo takes one filter itself; the test programs take any number after `--`.
        let ran = check(tests.arg("--").args(&options.filters));
        return skipped.tell().and(ran);
    }
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--quiet"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    let steps = [
        ("format", cargo(&["fmt", "--check"])),
        ("clippy", cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])),
        ("tests", tests),
        ("docs", docs),
    ];
    let miri = miri();
    let without_miri = miri.is_none();
    let steps = steps.into_iter().chain(miri.map(|miri| ("miri", miri)));
    let (mut times, mut failed) = (Vec::new(), Vec::new());
    for (name, mut command) in steps {
        println!("== {name}");
        let start = Instant::now();
        if let Err(Error::Failed(message) | Error::Usage(message)) = check(&mut command) {
            failed.push(format!("{name}: {message}{}", component(name)));
        }
        times.push(format!("{name} {:.0} s", start.elapsed().as_secs_f64()));
    }
    println!("== summary: {}", times.join(", "));
    if without_miri {
        println!("Miri was skipped: `rustup toolchain install nightly --component miri,rust-src` brings it");
    }
    let told = skipped.tell();
    if !failed.is_empty() {
        return Err(Error::Failed(format!("not all checks passed:\n  {}", failed.join("\n  "))));
    }
    told?;
    println!("all checks passed");
    Ok(())
}

/// For a check that needs a part of the toolchain which a minimal installation lacks: how to get it, if it is missing.
fn component(check: &str) -> String {
    let (program, name) = match check {
        "format" => ("fmt", "rustfmt"),
        "clippy" => ("clippy", "clippy"),
        _ => return String::new(),
    };
    if succeeds(&mut cargo(&[program, "--version"])) {
        return String::new();
    }
    format!("; it is not installed: `rustup component add {name}`")
}

/// Every kernel without checks under Miri, where a nightly compiler has it.
fn miri() -> Option<Command> {
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        command.arg("+nightly").arg("miri").args(arguments).current_dir(root());
        command
    };
    if !succeeds(&mut cargo(&["--version"])) {
        return None;
    }
    let mut command = cargo(&["test", "--quiet", "--package", "smidgen-sim", "--test", "kernels", "--", "memory"]);
    // Miri builds everything its own way; tests may read the environment.
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation").env_remove("CARGO_TARGET_DIR");
    Some(command)
}

/// `None` if help is asked for.
fn parse(arguments: &[String]) -> Result<Option<Options<'_>>, Error> {
    let mut options = Options { quick: false, filters: Vec::new() };
    for argument in arguments {
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--quick" => options.quick = true,
            "--" => {}
            flag if flag.starts_with('-') => {
                return Err(Error::Usage(format!("`cargo xtask test` has no `{flag}`; see `cargo xtask test --help`")));
            }
            filter => options.filters.push(filter),
        }
    }
    Ok(Some(options))
}

/// The reference interpreter's Python, or `None` where it cannot be had and need not be.
fn python_or_skip() -> Result<Option<std::path::PathBuf>, Error> {
    match reference_python() {
        Ok(python) => Ok(Some(python)),
        Err(Error::Failed(message)) if !ci() => {
            eprintln!("warning: {message}");
            eprintln!("warning: the differential tests will be skipped");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_and_filters_are_told_apart() {
        let arguments = words("--quick conv_2d -- pad");
        let options = parse(&arguments).unwrap().unwrap();
        assert!(options.quick);
        assert_eq!(options.filters, ["conv_2d", "pad"]);
        assert!(parse(&words("conv --help")).unwrap().is_none());
        assert!(matches!(parse(&words("--fast")), Err(Error::Usage(_))));
    }
}
