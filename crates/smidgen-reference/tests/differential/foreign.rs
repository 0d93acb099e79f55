//! Models of one operator that another writer made, in forms that ours never writes: negative axes, masks, dimensions left
//! open, parameters in either of two places. foreign.py makes them. What we do not support is named as such.

use crate::draw::{Draw, FULL_SIZE, Numbers};
use crate::harness::{self, Fault};
use smidgen_reference::{PYTHON_VARIABLE, Reference};
use std::process::{Command, Stdio};

/// Models of each kind.
const COUNT: usize = 100;
/// How far results may lie apart where two numbers of magnitude 1 cancel, times a few.
const CANCELLED: f32 = 4e-6;

/// Splits a run of `u32` lengths and bytes into its parts.
fn parts(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (part, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        found.push(part.to_vec());
        bytes = rest;
    }
    found
}

#[test]
fn parameters_in_every_form() {
    let Some(mut reference) = Reference::start_or_skip("models by another writer") else { return };
    let python = std::env::var_os(PYTHON_VARIABLE).expect("the reference has started");
    let made = Command::new(python)
        .args(["-c", include_str!("foreign.py"), &COUNT.to_string(), "1"])
        .stderr(Stdio::null())
        .output()
        .expect("the reference's Python runs");
    assert!(made.status.success(), "foreign.py failed ({})", made.status);
    let mut faults = Vec::new();
    let mut kinds = std::collections::BTreeSet::new();
    for (index, pair) in parts(&made.stdout).chunks_exact(2).enumerate() {
        let kind = String::from_utf8_lossy(&pair[0]).into_owned();
        let mut draw = Draw::new(index as u64, FULL_SIZE, Numbers::Float);
        match harness::check_file(&mut reference, &pair[1], &mut draw) {
            Err(Fault::Ours(message)) if kind == "unsupported_new_axis" => {
                assert!(message.contains("STRIDED_SLICE") && message.contains("it inserts new axes"), "{message}");
            }
            Ok(()) if kind != "unsupported_new_axis" => {}
            // Below 0 the sum of 1 and tanh cancels, and leaves the last bits of tanh, which are each library's own.
            Err(Fault::Differs { difference, .. }) if kind == "gelu_by_tanh" && difference.most <= CANCELLED => {}
            Ok(()) => faults.push(format!("{kind} {index}: was accepted")),
            Err(fault) => faults.push(format!("{kind} {index}: {fault}")),
        }
        kinds.insert(kind);
    }
    assert!(kinds.len() >= 36, "{kinds:?}");
    assert!(
        faults.is_empty(),
        "{} faults, the first ones:\n{}",
        faults.len(),
        faults[..faults.len().min(5)].join("\n")
    );
}
