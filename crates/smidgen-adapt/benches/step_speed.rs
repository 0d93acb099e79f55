//! What an iteration of training takes on the host: the integers of the device, and floats. The least of many, so
//! that other work on the machine does not count.
//!
//! `SMIDGEN_SHARED` names the folder that has `models/mcunet-5fps-imagenet.tflite`; the scheme is
//! `schemes/mcunet-5fps-49kb.toml`.

use smidgen_adapt::{Features, Learner, Learns, Scheme, Twin, compile, drawn};
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

const STEPS: usize = 200;

fn least(name: &str, learner: &mut impl Learns, samples: &[Vec<i8>]) -> Result<(), Box<dyn Error>> {
    let mut prepared = Vec::new();
    for sample in samples {
        let bytes: Vec<u8> = sample.iter().map(|&x| x as u8).collect();
        prepared.push(learner.prepare(&bytes)?);
    }
    let (mut step, mut inference) = (Duration::MAX, Duration::MAX);
    for i in 0..STEPS {
        let sample = &prepared[i % prepared.len()];
        let begin = Instant::now();
        learner.predict(sample)?;
        inference = inference.min(begin.elapsed());
        let begin = Instant::now();
        learner.train(sample, i % 10, 0.001)?;
        step = step.min(begin.elapsed());
    }
    let ms = |time: Duration| 1e3 * time.as_secs_f64();
    println!("{name:14} {:7.2} ms a step, of it {:6.2} ms forward", ms(step), ms(inference));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(shared) = std::env::var_os("SMIDGEN_SHARED") else {
        println!("SMIDGEN_SHARED names no folder: nothing is measured");
        return Ok(());
    };
    let bytes = std::fs::read(Path::new(&shared).join("models/mcunet-5fps-imagenet.tflite"))?;
    let mut graph = smidgen_tflite::read(&bytes)?;
    smidgen_ir::passes::strip_io(&mut graph);
    smidgen_ir::passes::canonicalise(&mut graph);
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemes/mcunet-5fps-49kb.toml"))?;
    let scheme: Scheme = text.parse()?;
    let samples = drawn(&Features::of(&graph)?, 4);
    let step = compile(&graph, 10, &scheme, &Default::default(), &samples)?;
    least("integers", &mut Learner::new(&step)?, &samples)?;
    least("float", &mut Twin::<f32>::floats(&graph, 10, &scheme, &[])?, &samples)?;
    least("float masters", &mut Twin::<f32>::masters(&graph, &scheme, &[], &step)?, &samples)
}
