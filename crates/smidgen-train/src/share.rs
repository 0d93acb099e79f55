//! Which of a large network's parameters are those of a smaller one that shares them, and which of its channels the smaller
//! one gets.

use crate::net::{Net, Parameter, Role};
use crate::trainer::Trainer;

/// Runs of parameters that lie one after another in both networks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stretch {
    /// In the largest network.
    from: usize,
    /// In the smaller one.
    to: usize,
    len: usize,
}

/// Where a smaller network's parameters lie among those of the largest.
///
/// Of a depthwise kernel it has the centre (Lin et al. 2020), of channels the first ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    stretches: Vec<Stretch>,
    /// Parameters of the smaller network.
    count: usize,
}

/// `block12.expand.weight` as a block's number and what follows it.
fn placed(name: &str) -> Option<(usize, &str)> {
    let (block, part) = name.strip_prefix("block")?.split_once('.')?;
    Some((block.parse().ok()?, part))
}

impl Share {
    /// Between the networks of blocks; `places` says for each block of the smaller one which it is in the largest.
    ///
    /// # Panics
    /// If the smaller network has a layer that the largest does not have, or a larger one.
    pub fn new(largest: &Net, smaller: &Net, places: &[usize]) -> Self {
        let mut stretches = Vec::new();
        for parameter in smaller.parameters() {
            let name = match placed(&parameter.name) {
                Some((block, part)) => format!("block{}.{part}", places[block]),
                None => parameter.name.clone(),
            };
            let of = largest.parameters().iter().find(|other| other.name == name);
            stretches_of(of.expect("a layer of the largest network"), parameter, &mut stretches);
        }
        Self { stretches, count: smaller.parameter_count() }
    }

    /// The smaller network's parameters.
    pub fn gather(&self, largest: &[f32]) -> Vec<f32> {
        let mut parameters = vec![0.0; self.count];
        for &Stretch { from, to, len } in &self.stretches {
            parameters[to..to + len].copy_from_slice(&largest[from..from + len]);
        }
        parameters
    }

    /// Writes the smaller network's parameters among those of the largest.
    pub fn scatter(&self, smaller: &[f32], largest: &mut [f32]) {
        for &Stretch { from, to, len } in &self.stretches {
            largest[from..from + len].copy_from_slice(&smaller[to..to + len]);
        }
    }

    /// Adds a gradient of the smaller network's, times a factor, to one of the largest's.
    pub fn add(&self, factor: f32, gradient: &[f32], to_largest: &mut [f32]) {
        for &Stretch { from, to, len } in &self.stretches {
            let own = &mut to_largest[from..from + len];
            own.iter_mut().zip(&gradient[to..to + len]).for_each(|(sum, part)| *sum += factor * part);
        }
    }
}

/// The part of a tensor that a smaller one is, as stretches of its last dimension.
fn stretches_of(large: &Parameter, small: &Parameter, stretches: &mut Vec<Stretch>) {
    let (outer, inner) = (&large.shape, &small.shape);
    assert_eq!(outer.len(), inner.len(), "{}", small.name);
    assert!(inner.iter().zip(outer).all(|(inner, outer)| inner <= outer), "{}", small.name);
    // Three dimensions are taps and channels, four have those of the input between.
    let begin = |axis: usize| if inner.len() >= 3 && axis < 2 { (outer[axis] - inner[axis]) / 2 } else { 0 };
    let Some((&len, leading)) = inner.split_last() else { return };
    let rows: usize = leading.iter().product();
    for row in 0..rows {
        let (mut rest, mut from, mut step) = (row, 0, outer[leading.len()]);
        for axis in (0..leading.len()).rev() {
            from += (begin(axis) + rest % inner[axis]) * step;
            rest /= inner[axis];
            step *= outer[axis];
        }
        let next = Stretch { from: large.offset + from, to: small.offset + row * len, len };
        match stretches.last_mut() {
            Some(last) if last.from + last.len == next.from && last.to + last.len == next.to => last.len += len,
            _ => stretches.push(next),
        }
    }
}

/// The order of a block's middle channels by their importance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelOrder {
    order: Vec<usize>,
    /// Tensors that have them: offset, elements before and at each channel.
    tensors: Vec<(usize, usize, usize, usize)>,
}

impl ChannelOrder {
    /// For each block of a network of blocks with such a number that has middle channels and narrows them again: the most
    /// important channels first, by the sum of the magnitudes of the weights that read them (Cai et al. 2020,
    /// "Once-for-all").
    pub fn by_importance(net: &Net, parameters: &[f32], blocks: impl IntoIterator<Item = usize>) -> Vec<Self> {
        /// What reads the middle channels, and what writes them.
        const MIDDLES: [(&str, &[&str]); 2] = [("project", &["expand", "depthwise"]), ("narrow", &["fuse"])];
        let find = |name: String| net.parameters().iter().find(|parameter| parameter.name == name);
        let mut orders = Vec::new();
        for (block, (reader, writers)) in blocks.into_iter().flat_map(|block| MIDDLES.map(|middle| (block, middle))) {
            let part = |part: &str| find(format!("block{block}.{part}"));
            // Without an expansion the middle channels are those of the block before.
            let writer = part(&format!("{}.weight", writers[0]));
            let (Some(project), Some(_)) = (part(&format!("{reader}.weight")), writer) else { continue };
            let [middle, filters] = project.shape[..] else { continue };
            let weights = &parameters[project.range()];
            let norm = |channel: usize| weights[channel * filters..][..filters].iter().map(|w| w.abs()).sum::<f32>();
            let norms: Vec<f32> = (0..middle).map(norm).collect();
            let mut order: Vec<usize> = (0..middle).collect();
            order.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]).then(a.cmp(&b)));
            let mut tensors = vec![(project.offset, 1, middle, filters)];
            for name in writers {
                for parameter in ["weight", "scale", "shift"].map(|kind| part(&format!("{name}.{kind}"))) {
                    let Some(parameter) = parameter else { continue };
                    debug_assert!(parameter.role != Role::Bias);
                    tensors.push((parameter.offset, parameter.len() / middle, middle, 1));
                }
            }
            orders.push(Self { order, tensors });
        }
        orders
    }

    /// Whether the channels are in this order already.
    pub fn is_sorted(&self) -> bool {
        self.order.is_sorted()
    }

    /// Puts the channels of a trainer's network in this order, with what is kept of each parameter. No output changes; the
    /// means and variances are no longer those of their channels.
    pub fn apply(&self, trainer: &mut Trainer) {
        trainer.rearrange(&|parameters| self.rearrange(parameters));
    }

    fn rearrange(&self, parameters: &mut [f32]) {
        for &(offset, before, channels, each) in &self.tensors {
            for tensor in parameters[offset..][..before * channels * each].chunks_exact_mut(channels * each) {
                let old = tensor.to_vec();
                for (own, &from) in tensor.chunks_exact_mut(each).zip(&self.order) {
                    own.copy_from_slice(&old[from * each..][..each]);
                }
            }
        }
    }
}
