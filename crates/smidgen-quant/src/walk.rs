//! Both networks over all samples side by side, operator by operator, while the integer one is still being built.
//!
//! At any time the values of all samples are held that an operator to come still reads; everything else is gone.

use crate::affine::reals;
use crate::error::QuantError;
use crate::noise::{Alone, alone, encode};
use crate::observe::floats;
use crate::second_moments::Moments;
use crate::{Inputs, Progress, Stage};
use rayon::prelude::*;
use smidgen_ir::{Graph, Tensor, TensorId};

/// The bytes of a network's tensors for one sample, where they are held.
type Held = Vec<Option<Vec<u8>>>;

/// Where the two networks have got to.
pub(crate) struct Walk<'a> {
    float: &'a Graph,
    progress: Progress<'a>,
    /// For each sample, the float network's tensors and the integer network's.
    samples: Vec<[Held; 2]>,
    /// For each float tensor, the last operator that reads it, if any does.
    last: Vec<Option<usize>>,
    /// Operators of the integer network that have run.
    ran: usize,
}

impl<'a> Walk<'a> {
    pub fn new(float: &'a Graph, samples: &[Inputs], progress: Progress<'a>) -> Self {
        let mut last = vec![None; float.tensors.len()];
        for (i, operator) in float.operators.iter().enumerate() {
            operator.inputs.iter().for_each(|id| last[id.index()] = Some(i));
        }
        let start = |inputs: &Inputs| {
            let mut held = vec![None; float.tensors.len()];
            for (&id, bytes) in float.inputs.iter().zip(inputs) {
                held[id.index()] = Some(bytes.clone());
            }
            [held, Vec::new()]
        };
        Self { float, progress, samples: samples.iter().map(start).collect(), last, ran: 0 }
    }

    /// Sets a tensor of the integer network, one of its inputs, from the float network's.
    pub fn enter(&mut self, graph: &Graph, id: TensorId, origin: TensorId) {
        let tensor = graph.tensor(id);
        self.samples.par_iter_mut().for_each(|[real, found]| {
            found.resize(graph.tensors.len(), None);
            found[id.index()] = real[origin.index()].as_ref().map(|bytes| encode(tensor, bytes));
        });
    }

    /// Runs the operators that the integer network has got since.
    fn catch_up(&mut self, graph: &Graph) -> Result<(), QuantError> {
        self.samples.iter_mut().for_each(|[_, found]| found.resize(graph.tensors.len(), None));
        while self.ran < graph.operators.len() {
            step(graph, self.ran, &mut self.samples, 1)?;
            self.ran += 1;
        }
        Ok(())
    }

    /// Adds up what a layer reads: `real` in the float network, `found` in the integer network.
    pub fn second_moments(
        &mut self,
        graph: &Graph,
        real: TensorId,
        found: TensorId,
        mut moments: Moments,
        centred: bool,
    ) -> Result<Moments, QuantError> {
        self.catch_up(graph)?;
        let count = self.samples.len();
        let decoded = |tensor: &Tensor, bytes: &[u8]| -> Vec<f32> {
            reals(tensor, bytes).unwrap_or_default().into_iter().map(|v| v as f32).collect()
        };
        for (i, [reals, founds]) in self.samples.iter().enumerate() {
            if let (Some(reals), Some(founds)) = (&reals[real.index()], &founds[found.index()]) {
                moments.add(i, count, &floats(reals), &decoded(graph.tensor(found), founds));
            }
        }
        moments.finish(centred);
        Ok(moments)
    }

    /// Goes past an operator of the float network, for which the integer network has got its own.
    pub fn pass(&mut self, operator: usize, graph: &Graph, origin: &[Option<TensorId>]) -> Result<(), QuantError> {
        self.catch_up(graph)?;
        step(self.float, operator, &mut self.samples, 0)?;
        let over = |id: TensorId| self.last[id.index()].is_none_or(|last| last <= operator);
        self.samples.par_iter_mut().for_each(|[real, found]| {
            for &id in self.float.operators[operator].inputs.iter().filter(|&&id| over(id)) {
                real[id.index()] = None;
            }
            for (held, origin) in found.iter_mut().zip(origin) {
                if origin.is_some_and(|o| real[o.index()].is_none()) {
                    *held = None;
                }
            }
        });
        (self.progress)(Stage::Round);
        Ok(())
    }
}

/// Runs one operator over all samples, in the network of this number.
fn step(graph: &Graph, operator: usize, samples: &mut [[Held; 2]], network: usize) -> Result<(), QuantError> {
    let start = alone(graph, operator)?;
    samples
        .par_iter_mut()
        .map_init(
            || start.clone(),
            |Alone { executor, inputs }, held| {
                let held = &mut held[network];
                for (k, &id) in inputs.iter().enumerate() {
                    executor.set_input(k, held[id.index()].as_deref().unwrap_or_default())?;
                }
                executor.run();
                for (k, &id) in graph.operators[operator].outputs.iter().enumerate() {
                    held[id.index()] = Some(executor.output(k).to_vec());
                }
                Ok(())
            },
        )
        .collect()
}
