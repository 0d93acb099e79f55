//! What one thread needs to take a shard of the batch forward and backward: every buffer, allocated once.

use crate::conv::{Conv, Packed, Scratch, ScratchSize};
use crate::net::{Kind, Net};
use crate::simd::Read;

/// Numbers of each channel of a value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Channels {
    /// Factor with which the value is read.
    pub a: Vec<f32>,
    /// Summand with which the value is read.
    pub b: Vec<f32>,
    /// Constants of `dz = k1 dy + k2 z + k3`.
    pub k: [Vec<f32>; 3],
    /// Sums: of z forward, of the gradient backward.
    pub sum: Vec<f64>,
    /// Sums: of z squared forward, of the gradient times z backward.
    pub dot: Vec<f64>,
    /// Mean of z.
    pub mean: Vec<f64>,
    /// 1 / standard deviation of z.
    pub inverse: Vec<f64>,
}

impl Channels {
    fn new(c: usize) -> Self {
        let zeros = || vec![0.0; c];
        let k = [vec![0.0; c], vec![0.0; c], vec![0.0; c]];
        Self { a: vec![1.0; c], b: vec![0.0; c], k, sum: zeros(), dot: zeros(), mean: zeros(), inverse: zeros() }
    }
}

/// The buffers of a thread, for shards of up to `capacity` samples.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub capacity: usize,
    /// The network's input.
    pub labels: Vec<u32>,
    /// Values as they were stored; the first is the network's input.
    pub z: Vec<Vec<f32>>,
    pub channels: Vec<Channels>,
    /// Gradients, in the plan's buffers.
    pub gradients: Vec<Vec<f32>>,
    /// The output as it is read.
    pub logits: Vec<f32>,
    /// What a teacher says of the samples: probabilities.
    pub teacher: Vec<f32>,
    pub scratch: Scratch,
}

impl Worker {
    /// Allocates the buffers.
    pub(crate) fn new(net: &Net, capacity: usize) -> Self {
        let mut worker = Self {
            capacity,
            labels: vec![0; capacity],
            z: Vec::new(),
            channels: Vec::new(),
            gradients: Vec::new(),
            logits: Vec::new(),
            teacher: Vec::new(),
            scratch: ScratchSize::default().allocate(),
        };
        worker.fit(net);
        worker
    }

    /// Makes the buffers those of another network; what they hold is written before it is read.
    pub(crate) fn fit(&mut self, net: &Net) {
        let live = |i: usize| net.plan.live[i] || i == 0;
        let lens = net.nodes.iter().enumerate().map(|(i, n)| if live(i) { n.len() * self.capacity } else { 0 });
        resize(&mut self.z, lens);
        resize(&mut self.gradients, net.plan.slots.iter().map(|len| len * self.capacity));
        self.channels = net.nodes.iter().map(|n| Channels::new(n.channels())).collect();
        let mut scratch = ScratchSize::default();
        for (_, conv) in net.convs() {
            scratch = scratch.max(conv.scratch());
        }
        self.scratch = scratch.allocate();
        let outputs = net.output_len() * self.capacity;
        self.logits.resize(outputs, 0.0);
        self.teacher.resize(outputs, 0.0);
    }
}

/// Gives buffers these lengths; memory that is there is kept.
fn resize(buffers: &mut Vec<Vec<f32>>, lens: impl ExactSizeIterator<Item = usize>) {
    buffers.resize_with(lens.len(), Vec::new);
    buffers.iter_mut().zip(lens).for_each(|(buffer, len)| buffer.resize(len, 0.0));
}

/// What a shard gives: its part of the gradient, and what it saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShardResult {
    /// Gradient of the batch's mean loss, all parameters.
    pub gradient: Vec<f32>,
    /// Means and variances of the normalisations, laid out as the state.
    pub moments: Vec<f32>,
    /// The outputs, where a gradient was computed.
    pub logits: Vec<f32>,
    /// Sum of the samples' losses.
    pub loss: f64,
    /// Samples whose greatest output, the first of equal ones, is their label's.
    pub correct: usize,
    /// The first label that is no class: index in the shard, label.
    pub foreign: Option<(usize, u32)>,
}

impl ShardResult {
    /// Makes the buffers those of a network, for shards of up to `capacity` samples.
    pub(crate) fn fit(&mut self, net: &Net, capacity: usize) {
        self.gradient.resize(net.parameter_count, 0.0);
        self.moments.resize(net.state_count, 0.0);
        self.logits.resize(net.output_len() * capacity, 0.0);
    }
}

/// The weights of all convolutions, packed.
#[derive(Clone, Debug)]
pub(crate) struct PackedNet(pub Vec<Packed>);

impl PackedNet {
    pub(crate) fn new(net: &Net) -> Self {
        let of = |node: &crate::net::Node| match &node.kind {
            Kind::Conv(conv) => conv.packed(),
            _ => Packed::default(),
        };
        Self(net.nodes.iter().map(of).collect())
    }

    /// Packs anew after the parameters changed.
    pub(crate) fn update(&mut self, net: &Net, parameters: &[f32]) {
        for (i, conv) in net.convs() {
            conv.pack(parameters, &mut self.0[i]);
        }
    }
}

impl Net {
    /// The convolutions that the output depends on, with the indices of their nodes.
    pub(crate) fn convs(&self) -> impl Iterator<Item = (usize, &Conv)> {
        self.nodes.iter().enumerate().filter_map(|(i, node)| match &node.kind {
            Kind::Conv(conv) if self.plan.live[i] => Some((i, &**conv)),
            _ => None,
        })
    }

    /// Value `p` as its readers see it.
    pub(crate) fn read<'a>(&self, p: usize, z: &'a [Vec<f32>], channels: &'a [Channels]) -> Read<'a> {
        Read { z: &z[p], a: &channels[p].a, b: &channels[p].b, form: self.nodes[p].form }
    }
}
