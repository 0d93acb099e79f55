//! The interpreter process itself: refusals, crashes, intermediates.

use smidgen_reference::{Case, Error, Kernels, Reference, shared};

#[test]
fn a_refusal_is_an_error_and_the_process_lives_on() {
    let Some(mut reference) = Reference::start_or_skip("the interpreter's refusal") else { return };
    for _ in 0..2 {
        let refused = reference.run(b"this is not a model", &[]);
        assert!(matches!(refused, Err(Error::Refused(ref message)) if message.contains("Flatbuffer")), "{refused:?}");
    }
}

#[test]
fn real_models_run() {
    let Some(mut reference) = Reference::start_or_skip("running real models") else { return };
    let Some(shared) = shared("running real models") else { return };
    let model = std::fs::read(shared.join("models/mlperf-ad.tflite")).unwrap();
    let input: Vec<u8> = (0..640).map(|i| (i * 37) as u8).collect();
    let outputs = reference.run(&model, std::slice::from_ref(&input)).unwrap();
    assert_eq!(outputs.iter().map(Vec::len).collect::<Vec<_>>(), [640]);

    let wrong_size = reference.run(&model, &[vec![0; 3]]);
    assert!(matches!(wrong_size, Err(Error::Refused(_))), "{wrong_size:?}");

    let case = Case { model, samples: vec![vec![input]; 3], intermediates: true, ..Case::default() };
    let fast = Case { kernels: Kernels::Default, intermediates: false, ..case.clone() };
    let results = reference.run_batch(&[case, fast]);
    let outcome = results[0].as_ref().unwrap();
    assert_eq!(outcome.samples.len(), 3);
    assert!(outcome.seconds > 0.0);
    for sample in &outcome.samples {
        assert_eq!(sample.outputs, outputs);
        assert!(sample.tensors.len() > 10);
        assert!(sample.tensors.iter().any(|(_, bytes)| *bytes == outputs[0]));
    }
    assert_eq!(results[1].as_ref().unwrap().samples[0].outputs[0].len(), 640);
}
