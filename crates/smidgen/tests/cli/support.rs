//! A fresh folder, models to put there, and the real binary to run in it.

use smidgen::data::{Array, npy, npz};
use smidgen::{Network, Runner};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A small int8 network of a 4x4 grey picture with pixels 0..1: convolution, reshape, three classes.
pub const TINY: &str = r#"
graph "tiny"
inputs(%0)
outputs(%8)

%0@0 "picture" : i8[1x4x4x1]{0.003921569; -128}
%1@1 "kernel" : i8[2x3x3x1]{axis 0: 0.02, 0.03} = [1, -2, 3, -4, 50, -6, 7, -8, 9, 10, 20, -30, 40, -50, 60, -70, 80, -90]
%2@2 "conv_bias" : i32[2]{axis 0: 0.000078, 0.000117} = [1000, -2000]
%4@4 "conv" : i8[1x4x4x2]{0.02; -3} = CONV_2D@0(%0, %1, %2) stride=[1, 1] padding=same
%5@5 "flat" : i8[1x32]{0.02; -3} = RESHAPE@1(%4) shape=[1, 32]
%6@6 "weights" : i8[3x32]{0.01; 0} = splat 3
%3@3 "spare" : i32[1] = [0]
%7@7 "bias" : i32[3]{0.0002; 0} = [100, -5000, 9000]
%8@8 "classes" : i8[1x3]{0.05; 4} = FULLY_CONNECTED@2(%5, %6, %7)
"#;

/// A float network of two inputs, one of them no picture.
pub const FLOAT: &str = r#"
graph "float"
inputs(%0)
outputs(%3)

%0 "features" : f32[1x4]
%1 "weights" : f32[3x4] = [1.0, 0.5, -0.25, 2.0, -1.0, 0.125, 3.0, 0.0, 0.1, 0.2, 0.3, 0.4]
%2 "bias" : f32[3] = [0.5, -0.5, 0.0]
%3 "scores" : f32[1x3] = FULLY_CONNECTED(%0, %1, %2)
"#;

/// What a run of the binary left.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Asserts the exit code, showing everything if it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e} in\n{}", self.stdout))
    }
}

/// A folder that disappears with the test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), bytes).expect("a file in the temporary folder");
        self
    }

    pub fn npy(&self, name: &str, array: &Array) -> &Self {
        self.write(name, npy::to_bytes(array))
    }

    pub fn npz(&self, name: &str, arrays: &[(&str, Array)]) -> &Self {
        let arrays: Vec<_> = arrays.iter().map(|(name, array)| (name.to_string(), array.clone())).collect();
        self.write(name, npz::to_bytes(&arrays))
    }

    /// Names of all files in the folder, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the temporary folder");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The command, with nothing from this process' environment that changes what it prints.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smidgen"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        for variable in ["COLUMNS", "NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR"] {
            command.env_remove(variable);
        }
        command
    }

    pub fn smidgen(&self, arguments: &[&str]) -> Finished {
        finish(&mut self.command(arguments))
    }
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Finished {
    let output = command.output().expect("the smidgen binary");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A golden file of [`TINY`] with `samples` samples and the intermediate tensors of the first, as the network itself computes
/// them.
pub fn tiny_golden(samples: usize) -> Vec<(String, Array)> {
    let network = Network::from_text(TINY).expect("the test network is valid");
    let mut runner = Runner::new(&network, &Default::default()).expect("the test network has kernels");
    let mut arrays = Vec::new();
    for k in 0..samples {
        let pixels: Vec<i8> = (0..16).map(|i| (i * 37 + k * 101) as u8 as i8).collect();
        let input = Array::from_i8(&[1, 4, 4, 1], &pixels);
        let observe = |id: smidgen::ir::TensorId, array: &Array| {
            let source = network.graph().tensor(id).source.expect("tensors of the text carry theirs");
            if k == 0 {
                arrays.push((format!("tensor_{source}"), array.clone()));
            }
        };
        let outputs = runner.run_with(std::slice::from_ref(&input), observe).expect("inputs suit");
        arrays.push((format!("input_{k}"), input));
        arrays.push((format!("output_{k}_0"), outputs[0].clone()));
    }
    arrays
}

/// True if firmware for the core can be built and run here; if not, that is said aloud.
pub fn simulates(core: smidgen::boards::Core) -> bool {
    let findings = smidgen::sim::doctor::examine(core);
    if !findings.simulates() {
        smidgen_reference::skip(smidgen_reference::Lack::Tool, core.name(), &findings.advice().join(" "));
    }
    findings.simulates()
}

/// The folder of real models: `SMIDGEN_SHARED`, or `../shared` beside the checkout. `None`, said aloud, where there is none.
pub fn shared() -> Option<PathBuf> {
    smidgen_reference::shared("real models")
}

/// The folder of small files from the field, beside the real models. `None`, said aloud, where there is none.
pub fn cases() -> Option<PathBuf> {
    let cases = shared()?.join("cases");
    if !cases.is_dir() {
        let folder = cases.display().to_string();
        smidgen_reference::skip(smidgen_reference::Lack::Optional, "cases from the field", &format!("no {folder}"));
        return None;
    }
    Some(cases)
}
