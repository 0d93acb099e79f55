//! `cargo xtask fit-costs`: fits the planner's model of instructions to steps that are measured on an emulated core,
//! with `fit_costs` of the smidgen
//! crate.

use crate::Error;
use crate::bench::shared;
use crate::process::{cargo, check};

/// Every kind of core, each of which runs code of its own.
const KINDS: [&str; 6] = ["armv6m", "armv7m", "armv7em", "armv8m", "cortex-m55", "rv32imc"];

/// To fit anew to what was measured before; to measure only code, which needs no emulator.
const FLAGS: [&str; 2] = ["--only-fit", "--only-code"];

/// Fits the costs of the kinds of cores that are named.
pub fn run(arguments: &[String]) -> Result<(), Error> {
    let (flags, kinds): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|a| a.starts_with("--"));
    let is_known = |kind: &&String| KINDS.contains(&kind.as_str());
    let (families, flags): (Vec<&String>, Vec<&String>) =
        flags.into_iter().partition(|flag| flag.starts_with("--family="));
    let is_flag = |flag: &&String| FLAGS.contains(&flag.as_str());
    if !families.is_empty() && kinds.is_empty() && flags.is_empty() {
        bench(&[], &families)?;
        return check(&mut cargo(&["fmt", "--package", "smidgen-program"]));
    }
    if kinds.is_empty() || !kinds.iter().all(is_known) || !flags.iter().all(is_flag) {
        return Err(Error::Usage(format!(
            "`cargo xtask fit-costs` takes {}, and one or more of {}; or `--family=NAME`, which measures kernels of one family on all of them",
            FLAGS.join(" or "),
            KINDS.join(", ")
        )));
    }
    for kind in kinds {
        bench(&[kind], &flags)?;
    }
    // The rates are source code.
    check(&mut cargo(&["fmt", "--package", "smidgen-program"]))
}

/// Runs the benchmark that measures and fits.
fn bench(kinds: &[&String], flags: &[&String]) -> Result<(), Error> {
    // The real networks are measured as well where they are at hand.
    let folder = match shared() {
        Ok(folder) => std::path::absolute(folder).map_err(|e| Error::Failed(format!("no current folder: {e}")))?,
        Err(_) => "-".into(),
    };
    let mut command = cargo(&["bench", "--quiet", "--package", "smidgen", "--bench", "fit_costs", "--"]);
    check(command.args(kinds).arg(&folder).args(flags))
}
