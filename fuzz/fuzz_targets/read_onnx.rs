//! Any bytes: read as an ONNX file. No panic; what is read is valid, and what is not comes with a message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smidgen_onnx::{Options, ReadError, check, read};

fuzz_target!(|bytes: &[u8]| {
    match read(bytes) {
        Ok(import) => {
            smidgen_ir::validate(&import.graph).expect("what is read is valid");
            assert!(check(bytes, &Options::default()).is_ok_and(|found| found.is_empty()));
            let [inputs, outputs] = [import.graph.inputs.len(), import.graph.outputs.len()];
            assert_eq!([import.inputs.len(), import.outputs.len()], [inputs, outputs]);
            assert!(import.notes.iter().all(|note| !note.to_string().is_empty()));
        }
        Err(error) => {
            // `check` agrees with `read`, and every message can be printed.
            match check(bytes, &Options::default()) {
                Ok(found) => assert_eq!(error, ReadError::Unsupported(found)),
                Err(other) => assert_eq!(error.to_string(), other.to_string()),
            }
            assert!(!error.to_string().is_empty());
        }
    }
});
