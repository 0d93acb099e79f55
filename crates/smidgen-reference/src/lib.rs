//! TensorFlow Lite's interpreter as an oracle: a Python process that runs models for smidgen's tests and benches.
//!
//! [`Reference::start`] uses the Python that the environment variable `SMIDGEN_PYTHON` names (`cargo xtask test` makes one
//! and sets it). By default models run with TensorFlow Lite's reference kernels, whose output bytes define what is right; its
//! default kernels ([`Kernels::Default`], XNNPACK) differ from these and serve to compare speed only.
#![forbid(unsafe_code)]

mod protocol;
mod skip;
mod version;

pub use skip::{LIST_VARIABLE, Lack, skip};

use std::env;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The environment variable that names the Python to use.
pub const PYTHON_VARIABLE: &str = "SMIDGEN_PYTHON";

const WORKER: &str = include_str!("worker.py");

/// The folder with real models and goldens: `SMIDGEN_SHARED`, or `shared` beside the checkout. `None`, and a note on standard
/// error that `what` is skipped, where there is none.
pub fn shared(what: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = env::var_os("SMIDGEN_SHARED").map_or_else(beside, PathBuf::from);
    let found = folder.join("models").is_dir();
    if !found {
        skip(Lack::Optional, what, &format!("there is no {}", folder.join("models").display()));
    }
    found.then_some(folder)
}

/// Why the reference gave no result.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The interpreter refused the model or its inputs: its message.
    #[error("the reference interpreter refused: {0}")]
    Refused(String),
    /// The process died while it ran the model.
    #[error("the reference interpreter crashed")]
    Crashed,
}

/// Which of the interpreter's kernels run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kernels {
    /// The reference kernels: the judge of what is right.
    #[default]
    Reference,
    /// The default ones (XNNPACK) on one thread: for comparing speed, never results.
    Default,
}

/// A model with inputs to run it on.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// The bytes of a .tflite file.
    pub model: Vec<u8>,
    /// For each sample, the bytes of each input: little endian, row-major.
    pub samples: Vec<Vec<Vec<u8>>>,
    /// Which kernels.
    pub kernels: Kernels,
    /// Return intermediate tensors too.
    pub intermediates: bool,
}

/// What a model gave for one sample.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sample {
    /// The bytes of each output: little endian, row-major.
    pub outputs: Vec<Vec<u8>>,
    /// Index in the file and bytes of each tensor that holds something, where asked for.
    pub tensors: Vec<(u32, Vec<u8>)>,
}

/// What a model gave.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    /// One for each of the case's samples.
    pub samples: Vec<Sample>,
    /// Seconds that setting inputs, running and fetching outputs took over all samples.
    pub seconds: f64,
}

/// A running interpreter process. It ends when this is dropped.
#[derive(Debug)]
pub struct Reference {
    python: std::ffi::OsString,
    worker: Worker,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    requests: Option<BufWriter<ChildStdin>>,
    responses: BufReader<ChildStdout>,
}

impl Reference {
    /// Starts the process, or returns `None` if `SMIDGEN_PYTHON` is not set.
    ///
    /// # Panics
    /// If the Python that `SMIDGEN_PYTHON` names cannot be started or lacks the interpreter: whoever set it wants these tests
    /// to run.
    pub fn start() -> Option<Reference> {
        let python = env::var_os(PYTHON_VARIABLE)?;
        let worker = Worker::start(&python);
        Some(Reference { python, worker })
    }

    /// Like [`start`](Self::start), but says on standard error that `what` is skipped where it returns `None`.
    pub fn start_or_skip(what: &str) -> Option<Reference> {
        let reference = Self::start();
        if reference.is_none() {
            skip(Lack::Tool, what, &format!("{PYTHON_VARIABLE} is not set (`cargo xtask test` sets it)"));
        }
        reference
    }

    /// Runs one model on one sample with the reference kernels and returns the bytes of its outputs.
    pub fn run(&mut self, model: &[u8], inputs: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Error> {
        let case = Case { model: model.to_vec(), samples: vec![inputs.to_vec()], ..Case::default() };
        let mut outcome = self.run_case(&case)?;
        Ok(outcome.samples.swap_remove(0).outputs)
    }

    /// Runs one case.
    pub fn run_case(&mut self, case: &Case) -> Result<Outcome, Error> {
        self.run_batch(std::slice::from_ref(case)).swap_remove(0)
    }

    /// Runs many cases, sending the next while the process is at work on one. A case that crashes the process costs only its
    /// own result: the process is started again for the rest.
    pub fn run_batch(&mut self, cases: &[Case]) -> Vec<Result<Outcome, Error>> {
        let mut results = Vec::with_capacity(cases.len());
        while results.len() < cases.len() {
            self.worker.run_until_crash(&cases[results.len()..], &mut results);
            if results.len() < cases.len() {
                results.push(Err(Error::Crashed));
                self.worker = Worker::start(&self.python);
            }
        }
        results
    }
}

impl Worker {
    fn start(python: &std::ffi::OsStr) -> Worker {
        let child = Command::new(python)
            .args(["-c", WORKER])
            .env("TF_CPP_MIN_LOG_LEVEL", "3")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.unwrap_or_else(|e| panic!("{PYTHON_VARIABLE} names {python:?}, which cannot run: {e}"));
        let requests = child.stdin.take().map(BufWriter::new);
        let mut responses = BufReader::new(child.stdout.take().expect("standard output is piped"));
        if !protocol::read_ready(&mut responses) {
            panic!("{PYTHON_VARIABLE} names {python:?}, which cannot import numpy and ai_edge_litert");
        }
        Worker { child, requests, responses }
    }

    /// Runs cases in turn and appends their results, until all are done or the process has died.
    fn run_until_crash(&mut self, cases: &[Case], results: &mut Vec<Result<Outcome, Error>>) {
        let requests = self.requests.as_mut().expect("requests are open until the worker is dropped");
        let responses = &mut self.responses;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for case in cases {
                    // The process may be dead. Then reading its responses fails too, and that is where it is dealt with.
                    if protocol::write_case(requests, case).and_then(|()| requests.flush()).is_err() {
                        break;
                    }
                }
            });
            for case in cases {
                match protocol::read_result(responses, case.samples.len()) {
                    Ok(result) => results.push(result),
                    Err(_) => break,
                }
            }
        });
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The process ends when its standard input does.
        self.requests = None;
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_costs_one_case_and_the_process_starts_again() {
        let Some(mut reference) = Reference::start_or_skip("the interpreter's crash") else { return };
        reference.worker.child.kill().unwrap();
        let nonsense = Case { model: b"not a model".to_vec(), ..Case::default() };
        let results = reference.run_batch(&[nonsense.clone(), nonsense.clone(), nonsense]);
        assert_eq!(results[0], Err(Error::Crashed));
        assert!(results[1..].iter().all(|r| matches!(r, Err(Error::Refused(_)))), "{results:?}");
    }
}
