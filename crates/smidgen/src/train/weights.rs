//! Weights as a safetensors file, the format in which PyTorch's users exchange them: to a larger machine and back.

use super::TrainingError;
use crate::error::Error;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use smidgen_train::{Torch, TorchTensor};
use std::collections::{BTreeMap, HashMap};

/// What pixels are divided by in training; the first weights are that many times as large in the file.
const SCALE: &str = "smidgen.scale";

/// The tensors of a file.
#[derive(Clone, PartialEq, Debug)]
pub struct Weights {
    tensors: BTreeMap<String, TorchTensor>,
    /// What pixels are divided by where these weights are used.
    pub scale: f32,
}

impl Weights {
    /// Reads a file of float32 or float64 tensors.
    ///
    /// # Errors
    /// If it is none, or holds other types, or what is no number.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrainingError> {
        let fail = |reason: String| TrainingError::NoWeights { reason };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| fail(error.to_string()))?;
        let scale = header.metadata().as_ref().and_then(|notes| notes.get(SCALE)?.parse::<f32>().ok());
        let file = SafeTensors::deserialize(bytes).map_err(|error| fail(error.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let data = view.data();
            let values: Vec<f32> = match view.dtype() {
                Dtype::F32 => data.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
                Dtype::F64 => data.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
                // Counters and the like belong to other frameworks; what is missed is named later.
                _ => continue,
            };
            if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
                return Err(fail(format!("`{}` holds {bad}", smidgen_ir::visible(name))));
            }
            if let Some(bad) = values.iter().find(|value| name.ends_with(".running_var") && **value < 0.0) {
                return Err(fail(format!("the variance `{}` holds {bad}", smidgen_ir::visible(name))));
            }
            let tensor = TorchTensor { name: name.to_owned(), shape: view.shape().to_vec(), values };
            tensors.insert(name.to_owned(), tensor);
        }
        Ok(Self { tensors, scale: scale.filter(|scale| *scale > 0.0).unwrap_or(1.0) })
    }

    /// A tensor by its name.
    pub fn get(&self, name: &str) -> Option<TorchTensor> {
        self.tensors.get(name).cloned()
    }

    /// Whether there are normalisations among them.
    pub fn are_normalised(&self) -> bool {
        self.tensors.keys().any(|name| name.ends_with(".norm.running_mean"))
    }
}

/// A file of a network's parameters and state.
///
/// # Errors
/// If the format cannot hold them, which is a fault of smidgen's.
pub fn file(torch: &Torch, (parameters, state): (&[f32], &[f32]), scale: f32) -> Result<Vec<u8>, Error> {
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = (torch.tensors(parameters, state).into_iter())
        .map(|tensor| {
            let bytes = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (tensor.name, tensor.shape, bytes)
        })
        .collect();
    let fail = |error: safetensors::SafeTensorError| TrainingError::NoWeights { reason: error.to_string() };
    let views = tensors.iter().map(|(name, shape, bytes)| {
        Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(fail)?))
    });
    let views = views.collect::<Result<Vec<_>, TrainingError>>()?;
    let notes = HashMap::from([(SCALE.to_owned(), scale.to_string())]);
    Ok(serialize(views, Some(notes)).map_err(fail)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use smidgen_train::Architecture;

    #[test]
    fn weights_come_back_and_damage_is_told() {
        let net = Architecture::ResNet8.build([8, 8, 3], 3).unwrap();
        let torch = net.to_torch(1.0).unwrap();
        let (parameters, state) = (net.initial_parameters(5), net.initial_state());
        let bytes = file(&torch, (&parameters, &state), 4.0).unwrap();
        let weights = Weights::parse(&bytes).unwrap();
        assert!(weights.are_normalised() && weights.scale == 4.0);
        let (mut back, mut again) = (vec![0.0; parameters.len()], vec![0.0; state.len()]);
        torch.restore(&|name| weights.get(name), &mut back, &mut again).unwrap();
        assert_eq!((back, again), (parameters.clone(), state.clone()));

        for cut in [0, 7, 8, 100, bytes.len() - 1] {
            let error = Weights::parse(&bytes[..cut]).unwrap_err();
            assert!(matches!(error, TrainingError::NoWeights { .. }), "{error}");
        }
        let mut broken = parameters.clone();
        broken[0] = f32::NAN;
        let error = Weights::parse(&file(&torch, (&broken, &state), 1.0).unwrap()).unwrap_err().to_string();
        assert!(error.contains("`stem.weight` holds NaN"), "{error}");

        // Of another number of classes.
        let other = Architecture::ResNet8.build([8, 8, 3], 4).unwrap();
        let mut parameters = other.initial_parameters(1);
        let error = other.to_torch(1.0).unwrap().restore(
            &|name| weights.get(name),
            &mut parameters,
            &mut other.initial_state(),
        );
        let error = error.unwrap_err().to_string();
        assert!(error.contains("`classifier.weight` is [3, 64] there, and [4, 64] here"), "{error}");
    }
}
