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
    /// Allocates the buffers; those of gradients only if wanted.
    pub(crate) fn new(net: &Net, capacity: usize, backward: bool) -> Self {
        let live = |i: usize| net.plan.live[i] || i == 0;
        let z = net.nodes.iter().enumerate().map(|(i, n)| vec![0.0; if live(i) { n.len() * capacity } else { 0 }]);
        let gradients = net.plan.slots.iter().map(|&len| vec![0.0; if backward { len * capacity } else { 0 }]);
        let mut scratch = ScratchSize::default();
        for (_, conv) in net.convs() {
            scratch = scratch.max(conv.scratch());
        }
        let outputs = net.output_len() * capacity;
        Self {
            capacity,
            labels: vec![0; capacity],
            z: z.collect(),
            channels: net.nodes.iter().map(|n| Channels::new(n.channels())).collect(),
            gradients: gradients.collect(),
            logits: vec![0.0; outputs],
            teacher: vec![0.0; outputs],
            scratch: scratch.allocate(),
        }
    }
}

/// What a shard gives: its part of the gradient, and what it saw.
#[derive(Clone, Debug)]
pub(crate) struct ShardResult {
    /// Gradient of the batch's mean loss, all parameters.
    pub gradient: Vec<f32>,
    /// Means and variances of the normalisations, laid out as the state.
    pub moments: Vec<f32>,
    /// Sum of the samples' losses.
    pub loss: f64,
    /// Samples whose greatest output is their label's.
    pub correct: usize,
    /// The first label that is no class: index in the shard, label.
    pub foreign: Option<(usize, u32)>,
}

impl ShardResult {
    pub(crate) fn new(net: &Net) -> Self {
        let (gradient, moments) = (vec![0.0; net.parameter_count], vec![0.0; net.state_count]);
        Self { gradient, moments, loss: 0.0, correct: 0, foreign: None }
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
