//! A shard of the batch forward and backward through all nodes, on one thread.

use crate::conv::{Incoming, Input, Operands};
use crate::loss::{self, Loss};
use crate::net::{Affine, Kind, Net, Role};
use crate::plain::Values;
use crate::simd::{self, Form, Isa, Masked, Read, Sink};
use crate::worker::{Channels, PackedNet, ShardResult, Worker};

/// Which means and variances a normalisation goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Statistics {
    /// Those of the shard's own samples.
    Batch,
    /// The running ones.
    Running,
    /// The running ones, and the samples' own means and mean squares are gathered beside them.
    Observed,
}

/// Added to variances under the root, as in PyTorch and Keras for the networks of this size.
pub(crate) const EPSILON: f64 = 1e-5;

/// What all shards of a step share.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub net: &'a Net,
    pub isa: Isa,
    pub parameters: &'a [f32],
    pub state: &'a [f32],
    pub packed: &'a PackedNet,
    pub statistics: Statistics,
}

impl Shared<'_> {
    /// Computes every value of `n` samples, whose inputs lie in the first value, and the logits.
    pub(crate) fn forward(&self, n: usize, worker: &mut Worker, moments: &mut [f32]) {
        let net = self.net;
        for i in (1..net.nodes.len()).filter(|&i| net.plan.live[i]) {
            let node = &net.nodes[i];
            // The node's own buffer is taken out for as long as others are read.
            let mut z = std::mem::take(&mut worker.z[i]);
            let (before, rest) = worker.channels.split_at_mut(i);
            let own = &mut rest[0];
            match &node.kind {
                Kind::Input => {}
                Kind::Conv(conv) => {
                    let p = node.inputs[0];
                    let input = Input { read: net.read(p, &worker.z, before), direct: net.nodes[p].direct };
                    let wanted = matches!(node.affine, Affine::Norm { .. }) && self.statistics != Statistics::Running;
                    own.sum.fill(0.0);
                    own.dot.fill(0.0);
                    let sums = wanted.then_some([own.sum.as_mut_slice(), own.dot.as_mut_slice()]);
                    let (packed, scratch) = (&self.packed.0[i], &mut worker.scratch);
                    let (isa, parameters) = (self.isa, self.parameters);
                    let operands = Operands { isa, n, input, parameters, packed };
                    conv.forward(operands, &mut z, sums, scratch);
                    self.normalise(node.affine, n * conv.output_rows(), own, moments);
                }
                Kind::Sum => {
                    let read = |k: usize| net.read(node.inputs[k], &worker.z, before);
                    let second = (node.inputs.len() > 1).then(|| read(1));
                    let form = if node.direct { node.form } else { Form::NONE };
                    // A sum of one may have another shape: rows and channels are those of what is read.
                    let first = &net.nodes[node.inputs[0]];
                    simd::add(self.isa, read(0), second, form, n * first.rows(), first.channels(), &mut z);
                }
                Kind::Pool { rows } => {
                    let (read, c) = (net.read(node.inputs[0], &worker.z, before), node.channels());
                    for (s, out) in z.chunks_exact_mut(c).take(n).enumerate() {
                        simd::pool(self.isa, read.from(s * rows * c), *rows, c, out);
                    }
                }
                Kind::Plain(plain) => {
                    let len = |p: usize| net.nodes[p].len();
                    let values = Values { all: &worker.z, inputs: &node.inputs, len: &len };
                    plain.forward(n, &values, self.parameters, &mut z[..n * node.len()]);
                }
            }
            worker.z[i] = z;
        }
        let output = &net.nodes[net.output];
        let read = net.read(net.output, &worker.z, &worker.channels);
        simd::activate(self.isa, read, n * output.rows(), output.channels(), &mut worker.logits);
    }

    /// Sets factor and summand of a value's channels, of which `count` elements each were summed.
    ///
    /// `y = gamma (z - mean) / sqrt(variance + epsilon) + beta` (Ioffe and Szegedy 2015, "Batch normalization").
    fn normalise(&self, affine: Affine, count: usize, own: &mut Channels, moments: &mut [f32]) {
        let c = own.a.len();
        match affine {
            Affine::Unit => {}
            Affine::Bias(offset) => own.b.copy_from_slice(&self.parameters[offset..][..c]),
            Affine::Norm { scale, shift, state } => {
                for j in 0..c {
                    let seen = [own.sum[j] / count as f64, own.dot[j] / count as f64];
                    if self.statistics == Statistics::Observed {
                        [moments[state + j], moments[state + c + j]] = seen.map(|moment| moment as f32);
                    }
                    let (mean, variance) = match self.statistics {
                        Statistics::Batch => {
                            let [mean, square] = seen;
                            let variance = (square - mean * mean).max(0.0);
                            moments[state + j] = mean as f32;
                            moments[state + c + j] = variance as f32;
                            (mean, variance)
                        }
                        Statistics::Running | Statistics::Observed => {
                            (f64::from(self.state[state + j]), f64::from(self.state[state + c + j]))
                        }
                    };
                    let inverse = 1.0 / (variance + EPSILON).sqrt();
                    let a = f64::from(self.parameters[scale + j]) * inverse;
                    own.mean[j] = mean;
                    own.inverse[j] = inverse;
                    own.a[j] = a as f32;
                    own.b[j] = (f64::from(self.parameters[shift + j]) - mean * a) as f32;
                }
            }
        }
    }

    /// Forward, loss and backward of the first `n` samples of the worker; `batch` is the number of samples of the whole
    /// batch.
    pub(crate) fn step(
        &self,
        n: usize,
        batch: usize,
        loss: &Loss,
        taught: bool,
        worker: &mut Worker,
        result: &mut ShardResult,
    ) {
        self.forward(n, worker, &mut result.moments);
        let net = self.net;
        let outputs = n * net.output_len();
        result.logits[..outputs].copy_from_slice(&worker.logits[..outputs]);
        // Weights are cleared layer by layer.
        for p in net.parameters.iter().filter(|p| p.role != Role::Weight) {
            result.gradient[p.range()].fill(0.0);
        }
        let Some(slot) = net.plan.slot[net.output] else { return };
        let mut gradient = std::mem::take(&mut worker.gradients[slot]);
        let seen = loss::softmax_cross_entropy(
            loss,
            batch,
            &worker.logits[..n * net.output_len()],
            &worker.labels[..n],
            taught.then_some(&worker.teacher),
            &mut gradient,
        );
        (result.loss, result.correct, result.foreign) = (seen.loss, seen.correct, seen.foreign);
        for channels in &mut worker.channels {
            channels.sum.fill(0.0);
            channels.dot.fill(0.0);
        }
        if net.plan.output_last {
            let rows = n * net.nodes[net.output].rows();
            self.finish(net.output, rows, &worker.z, &mut worker.channels[net.output], &mut gradient);
        }
        worker.gradients[slot] = gradient;
        self.backward(n, worker, result);
    }

    /// Forward and loss of the first `n` samples of the worker.
    pub(crate) fn evaluate(&self, n: usize, loss: &Loss, worker: &mut Worker, result: &mut ShardResult) {
        self.forward(n, worker, &mut []);
        let outputs = n * self.net.output_len();
        // The loss writes a gradient that nobody reads.
        let Worker { logits, labels, teacher, .. } = worker;
        let seen = loss::softmax_cross_entropy(loss, n, &logits[..outputs], &labels[..n], None, teacher);
        (result.loss, result.correct, result.foreign) = (seen.loss, seen.correct, seen.foreign);
    }

    /// Masks and sums the gradient of value `p`.
    fn finish(&self, p: usize, rows: usize, z: &[Vec<f32>], own: &mut Channels, gradient: &mut [f32]) {
        let node = &self.net.nodes[p];
        let mut masked = masked(&z[p], node.form, own);
        simd::finish(self.isa, gradient, &mut masked, rows, node.channels());
    }

    fn backward(&self, n: usize, worker: &mut Worker, result: &mut ShardResult) {
        let net = self.net;
        for i in (1..=net.output).rev() {
            let Some(slot) = net.plan.slot[i] else { continue };
            let node = &net.nodes[i];
            let dy = std::mem::take(&mut worker.gradients[slot]);
            let dy = match &node.kind {
                Kind::Input => dy,
                Kind::Conv(conv) => {
                    self.differentiate(
                        node.affine,
                        n * conv.output_rows(),
                        &mut worker.channels[i],
                        &mut result.gradient,
                    );
                    let p = node.inputs[0];
                    let (before, rest) = worker.channels.split_at_mut(i);
                    let own = &rest[0];
                    let z = &worker.z;
                    let Channels { a, b, sum, dot, .. } = &mut before[p];
                    let read = Read { z: &z[p], a, b, form: net.nodes[p].form };
                    let k = matches!(node.affine, Affine::Norm { .. }).then(|| own.k.each_ref().map(Vec::as_slice));
                    let incoming = Incoming { dy: &dy, z: &z[i], k };
                    let write = net.plan.writes[i][0];
                    let mut dx = match write {
                        Some(_) => net.plan.slot[p].map(|s| (s, std::mem::take(&mut worker.gradients[s]))),
                        None => None,
                    };
                    let sink = write.zip(dx.as_mut()).map(|(write, (_, dx))| Sink {
                        dx: &mut dx[..],
                        plus: write.plus,
                        last: write.last.then_some(Masked { read, sum, dot }),
                    });
                    let input = Input { read, direct: net.nodes[p].direct };
                    let (packed, scratch) = (&self.packed.0[i], &mut worker.scratch);
                    let gradient = &mut result.gradient;
                    let (isa, parameters) = (self.isa, self.parameters);
                    let operands = Operands { isa, n, input, parameters, packed };
                    conv.backward(operands, incoming, Some(gradient), !net.plan.fresh[i], sink, scratch);
                    if let Some((s, dx)) = dx {
                        worker.gradients[s] = dx;
                    }
                    dy
                }
                Kind::Sum => self.backward_sum(i, n, dy, worker),
                Kind::Pool { rows } => {
                    let c = node.channels();
                    self.give(i, 0, n, worker, |dx, plus, _| {
                        for s in 0..n {
                            simd::unpool(&dy[s * c..], *rows, c, &mut dx[s * rows * c..], plus);
                        }
                    });
                    dy
                }
                Kind::Plain(plain) => {
                    let len = |p: usize| net.nodes[p].len();
                    let own = n * node.len();
                    for k in 0..node.inputs.len() {
                        self.give(i, k, n, worker, |dx, plus, all| {
                            if !plus {
                                dx.fill(0.0);
                            }
                            let values = Values { all, inputs: &node.inputs, len: &len };
                            plain.backward(n, k, &values, self.parameters, [&all[i][..own], &dy[..own]], dx);
                        });
                    }
                    let values = Values { all: &worker.z, inputs: &node.inputs, len: &len };
                    plain.backward_parameters(n, &values, &dy[..own], &mut result.gradient);
                    dy
                }
            };
            worker.gradients[slot] = dy;
        }
    }

    /// Runs `write_into` on the gradient of input `k` of node `i`, if there is one, and completes it if nobody follows.
    fn give(
        &self,
        i: usize,
        k: usize,
        n: usize,
        worker: &mut Worker,
        write_into: impl FnOnce(&mut [f32], bool, &[Vec<f32>]),
    ) {
        let p = self.net.nodes[i].inputs[k];
        let (Some(write), Some(slot)) = (self.net.plan.writes[i][k], self.net.plan.slot[p]) else { return };
        let node = &self.net.nodes[p];
        let mut dx = std::mem::take(&mut worker.gradients[slot]);
        write_into(&mut dx[..n * node.len()], write.plus, &worker.z);
        if write.last {
            self.finish(p, n * node.rows(), &worker.z, &mut worker.channels[p], &mut dx);
        }
        worker.gradients[slot] = dx;
    }

    fn backward_sum(&self, i: usize, n: usize, mut dy: Vec<f32>, worker: &mut Worker) -> Vec<f32> {
        let node = &self.net.nodes[i];
        let writes = &self.net.plan.writes[i];
        let len = n * node.len();
        // Copies first: an input that shares the buffer may mask it.
        for (k, write) in writes.iter().enumerate() {
            if write.is_some_and(|w| !w.alias) {
                self.give(i, k, n, worker, |dx, plus, _| match plus {
                    true => dx.iter_mut().zip(&dy[..len]).for_each(|(x, d)| *x += d),
                    false => dx.copy_from_slice(&dy[..len]),
                });
            }
        }
        for (k, &p) in node.inputs.iter().enumerate() {
            if writes[k].is_some_and(|w| w.alias && w.last) {
                let rows = n * self.net.nodes[p].rows();
                self.finish(p, rows, &worker.z, &mut worker.channels[p], &mut dy);
            }
        }
        dy
    }

    /// The gradients of a value's own parameters, and the constants of `dz = k1 dy + k2 z + k3`, from the sums of its
    /// gradient.
    ///
    /// With `g = gamma / sd`: `dz = g (dy - mean(dy) - (z - m) / sd * mean(dy (z - m) / sd))`, where the means vanish
    /// if the statistics are not the batch's.
    fn differentiate(&self, affine: Affine, count: usize, own: &mut Channels, gradient: &mut [f32]) {
        let c = own.a.len();
        match affine {
            Affine::Unit => {}
            Affine::Bias(offset) => {
                for (g, sum) in gradient[offset..][..c].iter_mut().zip(&own.sum) {
                    *g += *sum as f32;
                }
            }
            Affine::Norm { scale, shift, .. } => {
                for j in 0..c {
                    let (sum, inverse, mean) = (own.sum[j], own.inverse[j], own.mean[j]);
                    let dot = (own.dot[j] - mean * sum) * inverse;
                    gradient[scale + j] += dot as f32;
                    gradient[shift + j] += sum as f32;
                    let g = f64::from(self.parameters[scale + j]) * inverse;
                    let (by_z, by_one) = match self.statistics {
                        Statistics::Batch => {
                            let by_z = -g * inverse * dot / count as f64;
                            (by_z, -g * sum / count as f64 - by_z * mean)
                        }
                        Statistics::Running | Statistics::Observed => (0.0, 0.0),
                    };
                    own.k[0][j] = g as f32;
                    own.k[1][j] = by_z as f32;
                    own.k[2][j] = by_one as f32;
                }
            }
        }
    }
}

fn masked<'a>(z: &'a [f32], form: Form, own: &'a mut Channels) -> Masked<'a> {
    let Channels { a, b, sum, dot, .. } = own;
    Masked { read: Read { z, a, b, form }, sum, dot }
}
