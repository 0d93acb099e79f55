//! The operators that are taken and those that are lacking are, together, all that the standard has.

mod common;

use common::Stream;
use common::build::{file, graph, node, port};
use smidgen_onnx::{LACKING, LackingEntry, Options, SUPPORTED, check};
use std::io::BufReader;

/// Names and domains of all operators of the standard's Python package.
const PROGRAM: &str = r#"
import struct, sys
from onnx import defs
for schema in defs.get_all_schemas():
    name = (schema.domain + "." if schema.domain else "") + schema.name
    sys.stdout.buffer.write(struct.pack("<BI", 1, len(name)) + name.encode())
sys.stdout.buffer.write(b"\0")
"#;

/// How often an operator is listed as taken and as lacking. What a row of a whole domain stands for may have a row of its own before it.
fn listed(name: &str) -> [usize; 2] {
    let taken = SUPPORTED.iter().filter(|entry| entry.name == name).count();
    let lacking = LACKING.iter().filter(|row| LackingEntry::find([*row], name).is_some()).count();
    [taken, if name.contains('.') { lacking.min(1) } else { lacking }]
}

#[test]
fn every_operator_of_the_standard_is_listed_once_as_taken_or_lacking() {
    for entry in SUPPORTED.iter() {
        assert_eq!(listed(entry.name), [1, 0], "{}", entry.name);
    }
    let Some(mut child) = common::python(PROGRAM, &[], "onnx", "the standard's list of operators") else { return };
    let mut stream = Stream(BufReader::new(child.stdout.take().expect("piped")));
    let mut all = Vec::new();
    while stream.u8() != 0 {
        all.push(stream.text());
    }
    child.wait().expect("Python ends");
    assert!(all.len() > 200, "{}", all.len());
    for name in &all {
        assert!(matches!(listed(name), [1, 0] | [0, 1]), "{name}: {:?}", listed(name));
    }
    // No row is of an operator that the standard does not have.
    for row in LACKING.iter().filter(|row| !row.name.starts_with("com.")) {
        assert!(all.iter().any(|name| LackingEntry::find([row], name).is_some()), "{}", row.name);
    }
}

#[test]
fn check_says_of_a_network_what_the_list_says() {
    for row in LACKING {
        let whole = row.name.replace('*', "Anything");
        let (domain, name) = whole.rsplit_once('.').unwrap_or(("", &whole));
        let node = node(name, &["x"], &["y"]).text(7, domain);
        let bytes = file(17, graph(&[node], &[], &[port("x", &[Ok(2), Ok(2)])], &[port("y", &[])]));
        let found = check(&bytes, &Options::default()).expect("a sound file");
        let [found] = found.as_slice() else { panic!("{}: {found:?}", row.name) };
        assert_eq!((&found.reason, &*found.hint, found.cause), (&row.reason(), row.hint, row.cause), "{}", row.name);
        assert!(
            found.reason.ends_with(row.why) && !row.why.is_empty() && row.why.chars().count() <= 80,
            "{}",
            row.name
        );
    }
}
