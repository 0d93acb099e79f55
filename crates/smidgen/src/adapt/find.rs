//! Finding an update scheme: what is worth measuring, and the best of it within the budget.

use super::budget::{Counting, Gauge};
use super::error::SchemeError;
use super::points::Measured;
use crate::error::Error;
use smidgen_adapt::search::{
    Additive, Choice, Evolved, Gains, Settings, Space, approach, evolve, exact, ladder, parts_of, rising,
};
use smidgen_adapt::{AdaptError, Scheme};

/// What several schemes take, in bytes; `None` where an operator has no gradient.
pub type Taken = Result<Vec<Option<usize>>, Error>;

/// What is looked at.
#[derive(Clone, PartialEq, Debug)]
pub struct Limits {
    /// Counts of last convolutions whose biases are trained; `None` for the usual ones.
    pub biases: Option<Vec<usize>>,
    /// Convolutions whose weights are trained; `None` for all.
    pub layers: Option<Vec<usize>>,
    /// Parts of their input channels.
    pub ratios: Vec<f64>,
    /// Also what does not fit the budget: other budgets can be searched with it.
    pub beyond: bool,
}

/// What is worth measuring, and what it takes.
#[derive(Clone, PartialEq, Debug)]
pub struct Survey {
    /// What schemes are made of.
    pub space: Space,
    /// About what they take, in bytes: each part of a convolution beside the fewest biases that reach it.
    pub estimate: Additive,
    /// What training the last so many biases takes, of all counts that were looked at; `None` where an operator has no
    /// gradient.
    pub biases: Vec<(usize, Option<usize>)>,
    /// The budget, in bytes.
    pub budget: usize,
}

/// Asks what parts take, and leaves out those that take more than the budget alone. `plan` gives the memory of several
/// schemes.
///
/// # Errors
/// If nothing fits, a limit names what the network lacks, or a scheme cannot be planned.
pub fn survey(
    gauge: &Gauge,
    limits: &Limits,
    budget: usize,
    plan: &dyn Fn(&[Scheme]) -> Taken,
) -> Result<Survey, Error> {
    let convolutions = gauge.sizes().len();
    let beyond = |what, given| SchemeError::Beyond { what, given, convolutions };
    let mut counts = limits.biases.clone().unwrap_or_else(|| ladder(convolutions));
    counts.push(0);
    counts.sort_unstable();
    counts.dedup();
    if let Some(&given) = counts.iter().find(|&&count| count > convolutions) {
        return Err(beyond("--biases", given).into());
    }
    if let Some(&given) = limits.layers.iter().flatten().find(|&&layer| layer >= convolutions) {
        return Err(beyond("--layers", given).into());
    }
    let of = |count: usize| Scheme { n_bias_update: count, ..Scheme::default() };
    let schemes: Vec<Scheme> = counts.iter().map(|&count| of(count)).collect();
    let mut taken = plan(&schemes)?;
    if gauge.counting() == Counting::Formula {
        // The formula knows no operators.
        for (scheme, taken) in schemes.iter().zip(&mut taken) {
            if !gauge.has_gradients(scheme)? {
                *taken = None;
            }
        }
    }
    let biases: Vec<(usize, Option<usize>)> = counts.iter().copied().zip(taken).collect();
    let least = biases[0].1.unwrap_or(usize::MAX);
    if least > budget {
        return Err(SchemeError::NothingFits { what: gauge.counting().what(), least, budget }.into());
    }
    let looked_at = |taken: usize| limits.beyond || taken <= budget;
    let rungs: Vec<(usize, usize)> =
        biases.iter().filter_map(|&(count, taken)| Some((count, taken.filter(|&taken| looked_at(taken))?))).collect();
    let mut asked: Vec<(usize, f64, usize)> = Vec::new();
    let mut schemes = Vec::new();
    for (i, size) in gauge.sizes().iter().enumerate() {
        let wanted = limits.layers.as_ref().is_none_or(|layers| layers.contains(&i));
        let Some(&(count, alone)) = rungs.iter().find(|&&(count, _)| i + count >= convolutions && wanted) else {
            continue;
        };
        for ratio in parts_of(size, &limits.ratios) {
            asked.push((i, ratio, alone));
            schemes.push(Scheme { manual_weight_idx: vec![i], weight_update_ratio: vec![ratio], ..of(count) });
        }
    }
    let (mut parts, mut weights) = (vec![Vec::new(); convolutions], vec![Vec::new(); convolutions]);
    for ((i, ratio, alone), taken) in asked.into_iter().zip(plan(&schemes)?) {
        if let Some(taken) = taken.filter(|&taken| looked_at(taken)) {
            parts[i].push(ratio);
            weights[i].push(taken.saturating_sub(alone));
        }
    }
    let (counts, taken) = rungs.into_iter().unzip();
    let space = Space { convolutions, biases: counts, parts };
    Ok(Survey { space, estimate: Additive { biases: taken, weights }, biases, budget })
}

impl Survey {
    /// Training biases alone, for each count.
    pub fn rungs(&self) -> Vec<Scheme> {
        let all = 0..self.space.biases.len();
        all.map(|biases| self.space.scheme(&Choice { biases, ..self.space.last_layer() })).collect()
    }

    /// The most biases that are looked at: what weights gain is measured beside them, since these reach all
    /// convolutions that are.
    pub fn most_biases(&self) -> usize {
        self.space.biases.len() - 1
    }

    /// Each part of a convolution beside the most biases, convolution by convolution.
    pub fn parts(&self) -> Vec<Scheme> {
        let parts = self.space.parts.iter().enumerate().flat_map(|(i, parts)| (1..=parts.len()).map(move |p| (i, p)));
        let scheme = |(i, part): (usize, usize)| {
            let mut choice = Choice { biases: self.most_biases(), ..self.space.last_layer() };
            choice.weights[i] = part;
            self.space.scheme(&choice)
        };
        parts.map(scheme).collect()
    }

    /// The gains, from what [`rungs`](Self::rungs) and [`parts`](Self::parts) came to. Training more of the same is
    /// taken to gain no less, which takes out some of the noise: that of biases rises with their count, that of a
    /// convolution's weights with the part.
    pub fn gains(&self, rungs: &[Measured], parts: &[Measured]) -> Gains {
        let scores = |measured: &[Measured]| measured.iter().map(Measured::score).collect::<Vec<f64>>();
        let biases = rising(&scores(rungs));
        let (first, beside) = (biases.first().copied().unwrap_or(0.0), rungs.last().map_or(0.0, Measured::score));
        let mut parts = scores(parts).into_iter().map(|score| score - beside);
        Gains {
            biases: biases.iter().map(|score| score - first).collect(),
            weights: (self.space.parts.iter())
                .map(|of| rising(&parts.by_ref().take(of.len()).collect::<Vec<f64>>()))
                .collect(),
        }
    }
}

/// The scheme that was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The scheme, as the space numbers it.
    pub choice: Choice,
    /// The scheme itself.
    pub scheme: Scheme,
    /// The sum of what its parts gain.
    pub gain: f64,
    /// Bytes of the budget that it takes.
    pub taken: usize,
    /// What evolution came to.
    pub evolved: Evolved,
    /// The greatest gain there is, where memory adds up, so that it is known.
    pub optimum: Option<f64>,
}

/// A score that is higher by less than this, half of the last figure that is told, is no higher.
const LEAST_GAIN: f64 = 5e-5;

impl Found {
    /// The classifier alone in place of what was found, if that came to no more when it was measured itself, and takes no less: gains do
    /// not add up, and of equals the least is enough. `measured` is what both came to.
    ///
    /// # Errors
    /// If the classifier alone does not take what was said before.
    pub fn or_last_layer(
        &self,
        (gauge, survey): (&Gauge, &Survey),
        [measured, alone]: [&Measured; 2],
    ) -> Result<Option<Self>, Error> {
        let choice = survey.space.last_layer();
        let scheme = survey.space.scheme(&choice);
        let taken = gauge.confirmed(&scheme)?;
        let more = measured.score() - alone.score();
        let gained = more >= LEAST_GAIN || more > -LEAST_GAIN && self.taken < taken;
        Ok((choice != self.choice && !gained).then(|| Self { choice, scheme, gain: 0.0, taken, ..self.clone() }))
    }
}

/// Looks for the scheme of the greatest gain within the budget. `plan` gives the memory of several schemes. With the
/// formula, whose memory adds up, the result is the optimum; evolution is compared with it.
///
/// # Errors
/// If a scheme cannot be planned, or does not take what was said before.
pub fn find(
    gauge: &Gauge,
    survey: &Survey,
    gains: &Gains,
    settings: Settings,
    plan: &dyn Fn(&[Scheme]) -> Taken,
) -> Result<Found, Error> {
    let Survey { space, estimate, budget, .. } = survey;
    let schemes = |choices: &[Choice]| choices.iter().map(|choice| space.scheme(choice)).collect::<Vec<_>>();
    let mut memory = |choices: &[Choice]| plan(&schemes(choices));
    let nothing =
        || SchemeError::NothingFits { what: gauge.counting().what(), least: estimate.biases[0], budget: *budget };
    let (choice, evolved, optimum) = match gauge.counting() {
        Counting::Planned => {
            let starts = approach(space, gains, estimate, *budget, &mut memory)?;
            let evolved = evolve((space, gains, estimate), &starts, *budget, settings, &mut memory)?;
            let evolved = evolved.ok_or_else(nothing)?;
            (evolved.choice.clone(), evolved, None)
        }
        Counting::Formula => {
            let bits = space.formula(gauge.sizes(), gauge.features().count)?;
            let best = exact(space, gains, &bits, 8 * budget).ok_or_else(nothing)?;
            let evolved = evolve((space, gains, estimate), &[], *budget, settings, &mut memory)?.ok_or_else(nothing)?;
            let most = space.gain(gains, &best);
            (best, evolved, Some(most))
        }
    };
    let scheme = space.scheme(&choice);
    // Planned anew, as the commands that use the scheme do it.
    let taken = gauge.confirmed(&scheme)?;
    if taken > *budget {
        let error = format!("the scheme that was found takes {taken} bytes; {budget} are allowed");
        return Err(AdaptError::Internal(error).into());
    }
    Ok(Found { gain: space.gain(gains, &choice), choice, scheme, taken, evolved, optimum })
}

/// About how much there is to compute for a scheme, in any unit: multiply-accumulates of the forward pass once for each
/// sample, and of what is trained and comes after it, forwards and backwards, in every iteration.
pub fn work(gauge: &Gauge, scheme: &Scheme, (samples, iterations): (usize, usize)) -> f64 {
    let macs = gauge.sizes().iter().map(|size| {
        let inputs = if size.depthwise { 1 } else { size.input[2] };
        (size.output.iter().product::<usize>() * size.area * inputs) as f64
    });
    let first = gauge.sizes().len() - scheme.n_bias_update;
    let (mut all, mut behind) = (0.0, 0.0);
    for (i, macs) in macs.enumerate() {
        all += macs;
        behind += if i >= first { macs } else { 0.0 };
    }
    all * samples as f64 + 3.0 * behind * iterations as f64
}
