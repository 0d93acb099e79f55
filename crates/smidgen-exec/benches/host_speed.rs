//! How fast the host runs a network, beside TensorFlow Lite's default kernels on the same pixels, one thread each.
//!
//! `cargo xtask bench host-speed` unpacks the images and starts this with the folder `cifar10/test` and the model. It prints the
//! time of both, their ratio and the accuracy, compares 1,000 outputs byte for byte with the reference kernels', and fails where a
//! byte differs or the ratio is over [`MOST`].

use smidgen_certify::certify;
use smidgen_exec::Executor;
use smidgen_lower::{LowerOptions, lower};
use smidgen_plan::layer_wise;
use smidgen_reference::{Case, Kernels, Reference};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// The greatest ratio of our time to theirs that passes.
const MOST: f64 = 10.0;
/// Images that one side classifies before it is the other's turn, so that a busy machine hits both alike.
const TURN: usize = 500;
/// Images whose outputs are compared with the reference kernels'.
const COMPARED: usize = 1000;

/// A picture as the network's input, and the index of its class.
struct Image {
    input: Vec<u8>,
    class: usize,
}

fn main() -> ExitCode {
    let paths: Vec<PathBuf> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).map(PathBuf::from).collect();
    let [images, model] = paths.as_slice() else {
        eprintln!("skipped: `cargo xtask bench host-speed` runs this with images and a model");
        return ExitCode::SUCCESS;
    };
    match bench(images, model) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("host-speed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(folder: &Path, model: &Path) -> Result<bool, Box<dyn Error>> {
    let mut reference = Reference::start().ok_or("SMIDGEN_PYTHON is not set")?;
    let images = load(folder)?;
    let bytes = std::fs::read(model)?;
    let graph = smidgen_tflite::read(&bytes)?;
    let mut executor = Executor::new(certify(layer_wise(&lower(&graph, &LowerOptions::default())?))?);
    println!("{} images, {}, arena {} bytes", images.len(), model.display(), executor.program().arena_bytes);

    let (mut ours, mut theirs) = (Side::default(), Side::default());
    for turn in images.chunks(TURN) {
        let start = Instant::now();
        let mut outputs = Vec::with_capacity(turn.len());
        for image in turn {
            executor.set_input(0, &image.input)?;
            executor.run();
            outputs.push(executor.output(0).to_vec());
        }
        ours.add(start.elapsed().as_secs_f64(), turn, outputs);

        let outcome = reference.run_case(&case(&bytes, turn, Kernels::Default))?;
        let outputs = outcome.samples.into_iter().map(|mut sample| sample.outputs.swap_remove(0)).collect();
        theirs.add(outcome.seconds, turn, outputs);
    }
    // The classes take turns in what is compared, so that it is not one class alone.
    let step = images.len().div_ceil(COMPARED).max(1);
    let chosen: Vec<&Image> = images.iter().step_by(step).collect();
    let judge = reference.run_case(&case(&bytes, chosen.iter().copied(), Kernels::Reference))?;
    let equal =
        judge.samples.iter().zip(ours.outputs.iter().step_by(step)).filter(|(a, b)| a.outputs[0] == **b).count();

    let ratio = ours.seconds / theirs.seconds;
    ours.print("smidgen", images.len());
    theirs.print("default kernels", images.len());
    println!("ratio of times (measured)      {ratio:.2}, at most {MOST:.0} passes");
    println!("equal to the reference kernels {equal} of {} outputs", chosen.len());
    Ok(ratio <= MOST && equal == chosen.len())
}

/// What one side took and gave.
#[derive(Default)]
struct Side {
    seconds: f64,
    right: usize,
    outputs: Vec<Vec<u8>>,
}

impl Side {
    fn add(&mut self, seconds: f64, images: &[Image], outputs: Vec<Vec<u8>>) {
        self.seconds += seconds;
        self.right +=
            images.iter().zip(&outputs).filter(|(image, scores)| first_greatest(scores) == image.class).count();
        self.outputs.extend(outputs);
    }

    fn print(&self, name: &str, images: usize) {
        let (each, accuracy) = (self.seconds / images as f64 * 1e3, self.right as f64 / images as f64 * 100.0);
        println!("{name:30} {:.2} s, {each:.3} ms an image, accuracy {accuracy:.2} %", self.seconds);
    }
}

fn first_greatest(scores: &[u8]) -> usize {
    let mut best = 0;
    for (i, &score) in scores.iter().enumerate() {
        if score as i8 > scores[best] as i8 {
            best = i;
        }
    }
    best
}

fn case<'a>(model: &[u8], images: impl IntoIterator<Item = &'a Image>, kernels: Kernels) -> Case {
    let samples = images.into_iter().map(|image| vec![image.input.clone()]).collect();
    Case { model: model.to_vec(), samples, kernels, ..Case::default() }
}

/// All pictures below `folder`, one folder for each class in the order of their names, each value less 128.
fn load(folder: &Path) -> Result<Vec<Image>, Box<dyn Error>> {
    let mut images = Vec::new();
    for (class, folder) in sorted(folder)?.iter().enumerate() {
        for file in sorted(folder)? {
            let pixels = image::open(&file)?.into_rgb8().into_raw();
            images.push(Image { input: pixels.into_iter().map(|v| v ^ 0x80).collect(), class });
        }
    }
    Ok(images)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    paths.sort();
    Ok(paths)
}
