//! Generated PyTorch modules, run in float64 where `SMIDGEN_TORCH` names a Python that has PyTorch.

use super::{close, oracle::Python, wide};
use smidgen_train::{TrainError, Trainer};
use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Compares the module's outputs with the trainer's, and its gradients with the trainer's last ones; gives the module's,
/// in the order of the parameters. `None` if there is no PyTorch, or the network has no module.
pub fn agrees(trainer: &mut Trainer, inputs: &[f32], labels: &[u32]) -> Option<Vec<f64>> {
    static PYTHON: OnceLock<Option<Mutex<Python>>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| Python::start("module.py", "the comparison with the generated module"));
    let torch = match trainer.net().to_torch(1.0) {
        Ok(torch) => torch,
        Err(TrainError::Unsupported { reason, .. }) => {
            assert!(reason.contains("batch"), "{reason}");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let mut python = python.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
    let tensors = torch.tensors(trainer.parameters(), trainer.state());
    let listed: Vec<String> = tensors.iter().map(|t| format!("[\"{}\", {:?}]", t.name, t.shape)).collect();
    let (shard, smoothing) = (trainer.settings().shard, trainer.settings().loss.smoothing);
    // As on a CPU, and as on a GPU.
    let together = if trainer.parameters().len().is_multiple_of(2) { 1 } else { labels.len() };
    let task = format!(
        "{{\"shape\": {:?}, \"shard\": {shard}, \"together\": {together}, \"smoothing\": {smoothing}, \
         \"tensors\": [{}]}}",
        trainer.net().input_shape(),
        listed.join(", ")
    );
    let program = torch.program("a test's network");
    let weights: Vec<f32> = tensors.iter().flat_map(|t| t.values.iter().copied()).collect();
    let floats = |x: &[f32]| x.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let files = [
        ("network.py", program.clone().into_bytes()),
        ("task.json", task.into_bytes()),
        ("x.bin", floats(inputs)),
        ("w.bin", floats(&weights)),
        ("y.bin", labels.iter().flat_map(|l| l.to_le_bytes()).collect()),
    ];
    let [gradient, outputs] = python.ask(&files, ["g.bin", "o.bin"], &program);
    let predicted = trainer.predict(inputs).unwrap();
    let outputs: Vec<f32> = outputs.iter().map(|&v| v as f32).collect();
    if let Err(reason) = close(&predicted, &outputs) {
        panic!("{reason} in\n{program}");
    }
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|v| v * v).sum::<f64>().sqrt();
    let whole = norm(&mut gradient.iter().copied().filter(|v| !v.is_nan()));
    let own = torch.tensors(trainer.gradient(), &vec![0.0; trainer.state().len()]);
    // Each parameter's own number tells which of them a tensor holds.
    let numbers: Vec<f32> = (0..trainer.parameters().len()).map(|i| i as f32).collect();
    let numbers = torch.tensors(&numbers, trainer.state());
    let (mut at, mut compared, mut apart) = (0, HashSet::new(), 0f64);
    let mut all = vec![0.0; trainer.parameters().len()];
    for (tensor, numbers) in own.iter().zip(numbers) {
        let exact = &gradient[at..at + tensor.values.len()];
        at += exact.len();
        // Constants, means and variances have none.
        if exact.iter().all(|v| v.is_nan()) {
            continue;
        }
        compared.extend(numbers.values.iter().map(|&number| number as usize));
        numbers.values.iter().zip(exact).for_each(|(&number, &exact)| all[number as usize] = exact);
        let error = norm(&mut wide(&tensor.values).iter().zip(exact).map(|(a, b)| a - b));
        apart += error * error;
        // The trainer computes floats of 24 bits: what is left of a sum that nearly vanishes has lost most of them.
        let relative = error / norm(&mut exact.iter().copied()).max(5e-3 * whole);
        assert!(relative < 2e-5, "{}: relative error {relative:e} from the module's, in\n{program}", tensor.name);
    }
    assert_eq!(at, gradient.len());
    let relative = apart.sqrt() / whole;
    assert!(relative < 1e-5, "relative error {relative:e} of the whole gradient from the module's, in\n{program}");
    let moved = trainer.gradient().iter().enumerate().filter(|(_, g)| **g != 0.0);
    assert!(moved.into_iter().all(|(i, _)| compared.contains(&i)), "parameters are missing in\n{program}");
    Some(all)
}
