//! What tests were skipped and why: read from the list to which they append, told after all of them have run.

use crate::Error;
use crate::process::{ci, root};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The variable that names the list; tests append to it by `smidgen_reference::skip`.
const LIST_VARIABLE: &str = "SMIDGEN_SKIPPED_TESTS";

/// A fresh list.
pub struct Skipped(PathBuf);

impl Skipped {
    /// An empty list below `target/`, of which the command's tests learn by a variable.
    pub fn collect(tests: &mut Command) -> Result<Self, Error> {
        let path = root().join("target/skipped-tests.txt");
        let fail = |error| Error::Failed(format!("cannot write {}: {error}", path.display()));
        fs::create_dir_all(root().join("target")).map_err(fail)?;
        fs::write(&path, []).map_err(fail)?;
        tests.env(LIST_VARIABLE, &path);
        Ok(Self(path))
    }

    /// Tells what was skipped. In CI a test that lacked a tool is an error.
    pub fn tell(&self) -> Result<(), Error> {
        let list = fs::read_to_string(&self.0)
            .map_err(|error| Error::Failed(format!("cannot read {}: {error}", self.0.display())))?;
        let groups = groups(&list);
        if groups.is_empty() {
            println!("no test was skipped");
            return Ok(());
        }
        println!("{}", table(&groups));
        let tools = groups.keys().filter(|(lack, _)| *lack == "tool").count();
        if ci() && tools > 0 {
            return Err(Error::Failed("tests were skipped for want of a tool, which is not allowed in CI".to_owned()));
        }
        Ok(())
    }
}

/// Skipped tests by what they lack and why.
type Groups<'a> = BTreeMap<(&'a str, &'a str), Vec<String>>;

fn groups(list: &str) -> Groups<'_> {
    let mut groups = Groups::new();
    for line in list.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [lack, program, test, _, why] = fields[..] else { continue };
        let tests = groups.entry((lack, why)).or_default();
        let test = format!("{program} {test}");
        if !tests.contains(&test) {
            tests.push(test);
        }
    }
    groups
}

/// For each reason how many tests it skipped, and the first of them.
fn table(groups: &Groups) -> String {
    const SHOWN: usize = 3;
    let mut text = "skipped, in whole or in part:".to_owned();
    for ((lack, why), tests) in groups {
        let note = if *lack == "optional" { " (optional)" } else { "" };
        let plural = if tests.len() == 1 { "" } else { "s" };
        let more = if tests.len() > SHOWN { ", ..." } else { "" };
        let shown = tests[..tests.len().min(SHOWN)].join(", ");
        text += &format!("\n  {:4} test{plural}: {why}{note}\n             {shown}{more}", tests.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_told_by_what_they_lack() {
        let list = "tool\tcli\ta\tx\tno QEMU\ntool\tcli\ta\ty\tno QEMU\ntool\tcli\tb\tx\tno QEMU\n\
                    optional\tnetworks\tz\tzoo\tno models\nnot a line\n";
        let groups = groups(list);
        assert_eq!(groups[&("tool", "no QEMU")], ["cli a", "cli b"]);
        let table = table(&groups);
        assert!(table.contains("2 tests: no QEMU\n") && table.contains("1 test: no models (optional)\n"), "{table}");
    }

    #[test]
    fn the_variable_is_the_one_that_tests_read() {
        let skip = fs::read_to_string(root().join("crates/smidgen-reference/src/skip.rs")).unwrap();
        assert!(skip.contains(&format!("LIST_VARIABLE: &str = {LIST_VARIABLE:?}")));
    }
}
