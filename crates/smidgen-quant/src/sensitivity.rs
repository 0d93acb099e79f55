//! Which activations get 16 bits where only those shall that need it.
//!
//! Every set of tied activations is put back to int8 alone while all others have 16 bits, and the noise measured that this adds to the
//! network's outputs. Measured the other way round, one set of 16 bits among int8, its share would drown in the noise of all others,
//! which fall out anew with every change; and where a chain of layers needs 16 bits throughout, no single one would help.
//!
//! Noise of different sources adds up, so the shares found are those that matter in any mixture. Sets are taken by share for the
//! instructions that they cost, given those that are taken already: an operator between two sets is paid once, and a set that joins two
//! others saves the conversions between them. Instructions and not bytes, since a wide tensor's bytes matter only where memory is
//! scarcest, and there a plan can give way. How many are needed follows from measuring the mixtures themselves; what then
//! turns out superfluous goes back.

use crate::error::QuantError;
use crate::formats::{Formats, takes_int16};
use crate::params::{groups, is_activation};
use smidgen_ir::{Graph, Op, TensorId, cost::macs};

/// Noise at the outputs beside that with 16 bits everywhere, unless told otherwise: activations add no more than weights do.
const TIMES: f64 = 2.0;

/// Activations that get 16 bits together.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Candidate {
    pub tensors: Vec<TensorId>,
    /// Noise at the outputs, in parts of the signal, that 8 bits here add.
    pub harm: f64,
}

/// What was found.
pub(crate) struct Found {
    /// In the order of harm for cost.
    pub candidates: Vec<Candidate>,
    /// How many of them were taken, each true or false.
    pub taken: Vec<bool>,
    /// Noise with all of them in int16, and as chosen.
    pub int16: f64,
    pub chosen: f64,
    /// What was aimed at.
    pub target: f64,
}

/// A tensor's mask with these sets on top.
pub(crate) fn with<'a>(asked: &[bool], sets: impl IntoIterator<Item = &'a Candidate>) -> Vec<bool> {
    let mut asked = asked.to_vec();
    sets.into_iter().flat_map(|set| &set.tensors).for_each(|id| asked[id.index()] = true);
    asked
}

/// Chooses sets until the outputs have a signal-to-noise ratio of `snr` decibels, or half of what is possible if none is given. `fixed`
/// are activations that keep what they have, `asked` those that have 16 bits anyway. `noise` measures a choice.
pub(crate) fn choose(
    float: &Graph,
    states: &[[TensorId; 2]],
    [asked, fixed]: [&[bool]; 2],
    snr: Option<f64>,
    noise: &mut dyn FnMut(&[bool]) -> Result<f64, QuantError>,
) -> Result<Found, QuantError> {
    let helps = |tensors: &[TensorId]| {
        let touched = |id: &TensorId| {
            let mut operators = float.operators.iter().filter(|o| takes_int16(&o.op));
            operators.any(|o| o.inputs.contains(id) || o.outputs.contains(id))
        };
        !tensors.iter().any(|id| fixed[id.index()] || asked[id.index()]) && tensors.iter().any(touched)
    };
    let candidates = groups(float, states).into_iter().filter(|tensors| helps(tensors));
    let mut candidates: Vec<Candidate> = candidates.map(|tensors| Candidate { tensors, harm: 0.0 }).collect();
    let int8 = noise(asked)?;
    let int16 = noise(&with(asked, &candidates))?;
    let target = snr.map_or(TIMES * int16, |snr| 10f64.powf(-snr / 10.0));
    if target < int16 {
        return Err(QuantError::Unreachable { most: -10.0 * int16.log10() });
    }
    for k in 0..candidates.len() {
        let others = candidates.iter().enumerate().filter(|(i, _)| *i != k).map(|(_, c)| c);
        let alone = noise(&with(asked, others))?;
        candidates[k].harm = (alone - int16).max(0.0);
    }
    let candidates = ordered(float, asked, candidates);
    let mut taken = vec![false; candidates.len()];
    let mut chosen = int8;
    if int8 > target {
        let of = |taken: &[bool]| with(asked, candidates.iter().zip(taken).filter(|(_, t)| **t).map(|(c, _)| c));
        let mut count = expected(&candidates, int16, target);
        loop {
            taken[..count].fill(true);
            chosen = noise(&of(&taken))?;
            if chosen <= target || count == candidates.len() {
                break;
            }
            count += 1;
        }
        for k in (0..count).rev() {
            taken[k] = false;
            let without = noise(&of(&taken))?;
            if without <= target {
                chosen = without;
            } else {
                taken[k] = true;
            }
        }
    }
    Ok(Found { candidates, taken, int16, chosen, target })
}

/// How many candidates, from the first on, leave no more noise than the target if shares add up; at least one.
fn expected(candidates: &[Candidate], least: f64, target: f64) -> usize {
    let mut left: f64 = candidates.iter().map(|c| c.harm).sum();
    let enough = candidates.iter().position(|c| {
        left -= c.harm;
        least + left <= target
    });
    enough.map_or(candidates.len(), |k| k + 1)
}

/// Instructions that 16 bits for these activations cost on a device, roughly, as the kernels have been measured.
fn instructions(float: &Graph, asked: Vec<bool>) -> f64 {
    /// More for each product of a layer with weights.
    const PRODUCT: f64 = 0.2;
    /// More for each element that another operator writes.
    const ELEMENT: f64 = 30.0;
    /// For each element that is brought from one type to the other.
    const CONVERTED: f64 = 14.0;
    let elements = |id: TensorId| float.tensor(id).shape.elements() as f64;
    let formats = Formats::new(float, [&[], &[]], [&[], &[]], (&[], &[]), asked);
    let mut sum = 0.0;
    let mut converted = vec![false; float.tensors.len()];
    for &id in float.outputs.iter().filter(|id| formats.is_int16(**id) && !formats.asked[id.index()]) {
        converted[id.index()] = true;
        sum += CONVERTED * elements(id);
    }
    for (operator, &wide) in float.operators.iter().zip(&formats.operators) {
        for &id in operator.inputs.iter().filter(|&&id| is_activation(float, id)) {
            let copied = formats.is_int16(id) != wide && !matches!(operator.op, Op::Reshape { .. });
            if copied && !std::mem::replace(&mut converted[id.index()], true) {
                sum += CONVERTED * elements(id);
            }
        }
        sum += match macs(float, operator).unwrap_or(0) {
            _ if !wide || matches!(operator.op, Op::Reshape { .. }) => 0.0,
            0 => ELEMENT * operator.outputs.iter().map(|&id| elements(id)).sum::<f64>(),
            macs => PRODUCT * macs as f64,
        };
    }
    sum
}

/// Candidates by harm for each instruction that they cost beside those before them.
fn ordered(float: &Graph, asked: &[bool], mut rest: Vec<Candidate>) -> Vec<Candidate> {
    let mut asked = asked.to_vec();
    let mut order = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let before = instructions(float, asked.clone());
        let value =
            |candidate: &Candidate| candidate.harm / (instructions(float, with(&asked, [candidate])) - before).max(1.0);
        let mut best = (f64::NEG_INFINITY, 0);
        for (k, candidate) in rest.iter().enumerate() {
            let value = value(candidate);
            // Of equals, the first.
            if value > best.0 {
                best = (value, k);
            }
        }
        let next = rest.remove(best.1);
        next.tensors.iter().for_each(|id| asked[id.index()] = true);
        order.push(next);
    }
    order
}

/// The activations of these names, or that operators of these names write, and what is tied to them.
pub(crate) fn named(float: &Graph, states: &[[TensorId; 2]], names: &[String]) -> Result<Vec<bool>, QuantError> {
    let ids = || (0..float.tensors.len()).map(|i| TensorId(i as u32)).filter(|&id| is_activation(float, id));
    let mut asked = vec![false; float.tensors.len()];
    for name in names {
        let mut found: Vec<TensorId> = ids().filter(|&id| float.tensor(id).name == *name).collect();
        if found.is_empty() {
            let written = float.operators.iter().filter(|o| o.op.name() == *name).flat_map(|o| &o.outputs);
            found = written.copied().filter(|&id| is_activation(float, id)).collect();
        }
        if found.is_empty() {
            let mut known: Vec<&str> = ids().map(|id| float.tensor(id).name.as_str()).collect();
            known.extend(float.operators.iter().map(|o| o.op.name()));
            return Err(QuantError::UnknownLayer { name: name.clone(), near: near(name, known) });
        }
        found.iter().for_each(|id| asked[id.index()] = true);
    }
    for group in groups(float, states) {
        let any = group.iter().any(|id| asked[id.index()]);
        group.iter().for_each(|id| asked[id.index()] |= any);
    }
    Ok(asked)
}

/// The few names that are most like this one, best first.
fn near(name: &str, mut known: Vec<&str>) -> Vec<String> {
    const SHOWN: usize = 4;
    known.sort_unstable();
    known.dedup();
    let wanted = name.to_lowercase();
    // Parts of names, as people remember them, come before misspellings.
    known.sort_by_key(|known| {
        let known = known.to_lowercase();
        (!known.contains(&wanted), strsim::levenshtein(&known, &wanted))
    });
    known.into_iter().take(SHOWN).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smidgen_ir::text;

    /// Four tensors in a chain, of which the operators between cost alike.
    fn chain() -> Graph {
        let source = "graph \"t\" inputs(%0) outputs(%4)
            %0 \"x\" : f32[1x2]
            %1 \"a\" : f32[1x2] = TANH(%0)
            %2 \"b\" : f32[1x2] = RELU(%1)
            %3 \"c\" : f32[1x2] = LOGISTIC(%2)
            %4 \"y\" : f32[1x2] = RELU6(%3)";
        text::parse(source).unwrap()
    }

    fn id(graph: &Graph, name: &str) -> usize {
        graph.tensors.iter().position(|t| t.name == name).unwrap()
    }

    /// Chooses where each tensor of 8 bits adds so much noise to a noise of 1; the names taken and the noise reached.
    fn chosen(harms: &[(&str, f64)], snr: Option<f64>) -> Result<(Vec<String>, f64), QuantError> {
        let graph = chain();
        let mut fixed = vec![false; graph.tensors.len()];
        ["x", "y"].iter().for_each(|name| fixed[id(&graph, name)] = true);
        let mut noise = |asked: &[bool]| {
            let left = harms.iter().filter(|(name, _)| !asked[id(&graph, name)]).map(|(_, harm)| harm);
            Ok(1e-4 * (1.0 + left.sum::<f64>()))
        };
        let none = vec![false; graph.tensors.len()];
        let found = choose(&graph, &[], [&none, &fixed], snr, &mut noise)?;
        let taken = found.candidates.iter().zip(&found.taken).filter(|(_, t)| **t);
        let mut names: Vec<String> =
            taken.flat_map(|(c, _)| c.tensors.iter().map(|&id| graph.tensor(id).name.clone())).collect();
        names.sort();
        Ok((names, found.chosen / 1e-4))
    }

    #[test]
    fn the_most_harmful_are_taken_until_the_target_is_reached() {
        let harms = [("a", 0.5), ("b", 9.0), ("c", 0.4)];
        let (names, noise) = chosen(&harms, None).unwrap();
        assert_eq!((names, noise), (vec!["b".to_owned()], 1.9));
        let (names, noise) = chosen(&harms, Some(38.5)).unwrap();
        assert_eq!((names, noise), (vec!["a".to_owned(), "b".to_owned()], 1.4));
        assert_eq!(chosen(&harms, Some(20.0)).unwrap().0, [""; 0]);
        assert_eq!(chosen(&[], None).unwrap().0, [""; 0]);
    }

    #[test]
    fn more_than_can_be_had_is_refused() {
        let most = chosen(&[("a", 1.0)], Some(50.0)).unwrap_err();
        assert!(matches!(most, QuantError::Unreachable { most } if (most - 40.0).abs() < 1e-9), "{most}");
    }

    #[test]
    fn neighbours_share_the_cost_of_what_lies_between() {
        let graph = chain();
        let of = |name: &str, harm: f64| Candidate { tensors: vec![TensorId(id(&graph, name) as u32)], harm };
        let none = vec![false; graph.tensors.len()];
        // By themselves all cost alike; beside a, b costs one operator less than c.
        let order = ordered(&graph, &none, vec![of("c", 1.1), of("b", 1.0), of("a", 5.0)]);
        let names: Vec<&str> = order.iter().map(|c| graph.tensor(c.tensors[0]).name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn names_are_those_of_tensors_or_operators() {
        let graph = chain();
        let names = |names: &[&str]| named(&graph, &[], &names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        let of = |asked: Vec<bool>| -> Vec<usize> { (0..asked.len()).filter(|&i| asked[i]).collect() };
        assert_eq!(of(names(&["b"]).unwrap()), [id(&graph, "b")]);
        assert_eq!(of(names(&["TANH", "y"]).unwrap()), [id(&graph, "a"), id(&graph, "y")]);
        match names(&["LOGISTC"]) {
            Err(QuantError::UnknownLayer { near, .. }) => assert_eq!(near[0], "LOGISTIC"),
            other => panic!("{other:?}"),
        }
    }
}
