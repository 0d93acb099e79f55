//! Rounding of a layer's weights such that the errors of one make up for those of others, given what the layer reads.
//!
//! A channel's weights `w` and their stored form `q` differ by `d = w - q`, and its output by `d^T x`; the mean of its square is
//! `d^T H d` with `H` the second moments of x. Rounding each weight to the nearest minimises `d^T d` instead, which is far from it
//! where inputs are correlated. Here, for each channel:
//!
//! 1. What the layer reads in the integer network, x', is off already. The weights that give the float network's output from it as
//!    well as any can, `w + (H + c)^-1 E[x' (x - x')^T] w`, take the place of `w`: the normal equations of least squares, kept near
//!    `w` by the damping `c`.
//! 2. One weight after the other is rounded, that of the strongest input first, and its error spread over those still to be rounded
//!    as the moments say (Frantar et al., "GPTQ", 2022, section 3; Hassibi and Stork, "Optimal Brain Surgeon", 1992). With
//!    `H = L^T L`, L lower triangular, that is to choose each `q_i` such that `(L d)_i` is least, given the `d` before it. Several
//!    scales are tried and that of the least error kept.
//! 3. Single weights are moved by a step wherever that lessens the error, and the scale fitted to what is stored, in turns, until
//!    nothing changes.

use crate::second_moments::{Moments, Patches, add_scaled};
use crate::weights::{Layout, Scales, Weights, Width};
use rayon::prelude::*;

/// Damping: this part of the mean of the moments' diagonal is added to it, more where there are few patches for each column.
const DAMPING: f64 = 0.01;
/// Parts of the greatest weight that the greatest stored integer may stand for.
const CLIPS: [f64; 12] = [1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45];
/// Most rounds of step 3.
const ROUNDS: usize = 20;

/// The moments of one group's inputs.
struct Group {
    /// `columns` rows of `columns`.
    moments: Vec<f64>,
    /// Columns in the order of rounding: descending moments.
    order: Vec<usize>,
    /// L in that order: row i holds i + 1 elements, `columns` apart.
    lower: Vec<f64>,
}

impl Group {
    fn new(moments: &[f64], columns: usize, damping: f64) -> Self {
        let mut moments = moments.to_vec();
        let trace: f64 = (0..columns).map(|i| moments[i * columns + i]).sum();
        let mean = trace / columns.max(1) as f64;
        // Inputs that are always 0 leave nothing to compensate; any damping rounds to nearest then.
        let damping = if mean > 0.0 { damping * mean } else { 1.0 };
        (0..columns).for_each(|i| moments[i * columns + i] += damping);
        let mut order: Vec<usize> = (0..columns).collect();
        order.sort_by(|&a, &b| moments[b * columns + b].total_cmp(&moments[a * columns + a]).then(a.cmp(&b)));
        let mut lower = vec![0.0; columns * columns];
        for (row, &a) in lower.chunks_exact_mut(columns.max(1)).zip(&order) {
            row.iter_mut().zip(&order).for_each(|(to, &b)| *to = moments[a * columns + b]);
        }
        factorise(&mut lower, columns, damping);
        Self { moments, order, lower }
    }

    fn columns(&self) -> usize {
        self.order.len()
    }

    /// `H v`.
    fn times(&self, v: &[f64]) -> Vec<f64> {
        let mut product = vec![0.0; v.len()];
        // H is symmetric: its columns are its rows.
        for (row, &factor) in self.moments.chunks_exact(v.len().max(1)).zip(v).filter(|(_, v)| **v != 0.0) {
            add_scaled(&mut product, factor, row);
        }
        product
    }

    /// `H^-1 v`: with `L^T L y = v`, first `L^T z = v` from the last row up, then `L y = z` from the first down.
    fn solve(&self, v: &[f64]) -> Vec<f64> {
        let n = self.columns();
        let mut z: Vec<f64> = self.order.iter().map(|&c| v[c]).collect();
        for i in (0..n).rev() {
            let row = &self.lower[i * n..][..=i];
            z[i] /= row[i];
            let (before, factor) = z.split_at_mut(i);
            add_scaled(before, -factor[0], &row[..i]);
        }
        for i in 0..n {
            let row = &self.lower[i * n..][..=i];
            let sum: f64 = row[..i].iter().zip(&z).map(|(l, y)| l * y).sum();
            z[i] = (z[i] - sum) / row[i];
        }
        let mut y = vec![0.0; n];
        self.order.iter().zip(z).for_each(|(&c, z)| y[c] = z);
        y
    }

    /// Step 2: the stored weights and `d^T H d`.
    fn round(&self, weights: &[f64], scale: f64, largest: f64) -> (Vec<f64>, f64) {
        let n = self.columns();
        let (mut stored, mut differences, mut error) = (vec![0.0; n], Vec::with_capacity(n), 0.0);
        for (i, &column) in self.order.iter().enumerate() {
            let row = &self.lower[i * n..][..=i];
            let before: f64 = row[..i].iter().zip(&differences).map(|(l, d)| l * d).sum();
            let wanted = weights[column] + before / row[i];
            stored[column] = (wanted / scale).round().clamp(-largest, largest);
            let difference = weights[column] - scale * stored[column];
            differences.push(difference);
            error += (before + row[i] * difference).powi(2);
        }
        (stored, error)
    }
}

/// Replaces a symmetric, positive definite matrix by L with `L^T L` equal to it. Diagonal elements are at least `least`, which
/// damping guarantees but for rounding.
fn factorise(matrix: &mut [f64], columns: usize, least: f64) {
    for j in (0..columns).rev() {
        let (above, row) = matrix.split_at_mut(j * columns);
        let row = &mut row[..=j];
        let root = row[j].max(least).sqrt();
        row.iter_mut().for_each(|v| *v /= root);
        let row = &*row;
        let update = |(i, above): (usize, &mut [f64])| add_scaled(&mut above[..=i], -row[i], &row[..=i]);
        if j < 256 {
            above.chunks_exact_mut(columns).enumerate().for_each(update);
        } else {
            above.par_chunks_exact_mut(columns).enumerate().for_each(update);
        }
    }
}

/// A channel's part in one group.
struct Part<'a> {
    group: &'a Group,
    /// What to come near to.
    weights: Vec<f64>,
    /// `H w`.
    aim: Vec<f64>,
    stored: Vec<f64>,
}

/// Rounds the weights of a layer that reads inputs of these moments. Scales of their own are fitted to each channel, no less than
/// `scales.least`; a common one is kept. The second result is what to add to each channel's bias so that its mean
/// output stays what it was; the moments are about the means if that is wanted.
pub(crate) fn round(
    values: &[f32],
    layout: &Layout,
    moments: &Moments,
    scales: &Scales,
    width: Width,
) -> (Weights, Vec<f64>) {
    let patches = &moments.patches;
    let columns = patches.columns;
    let damping = DAMPING * (1.0 + 1.0 / moments.support().max(1e-9));
    let square = (columns * columns).max(1);
    let groups: Vec<Group> =
        moments.own.par_chunks_exact(square).map(|own| Group::new(own, columns, damping)).collect();
    let channel = |output: usize| -> (Vec<i8>, f32, f64) {
        let read = |group: usize| -> Vec<f64> {
            let element = |c: usize| patches.element(layout, output, group, c).map_or(0.0, |e| f64::from(values[e]));
            (0..columns).map(element).collect()
        };
        let mut parts: Vec<Part<'_>> = patches
            .groups_of(layout, output)
            .map(|g| {
                let mut weights = read(g);
                let mut pull = vec![0.0; columns];
                let apart = &moments.apart[g * square..][..square];
                for (row, &w) in apart.chunks_exact(columns.max(1)).zip(&weights) {
                    add_scaled(&mut pull, w, row);
                }
                add_scaled(&mut weights, 1.0, &groups[g].solve(&pull));
                Part { aim: groups[g].times(&weights), stored: Vec::new(), group: &groups[g], weights }
            })
            .collect();
        let scale = choose(&mut parts, scales, output, width);
        let mut shift = 0.0;
        let mut all = Vec::new();
        for (part, g) in parts.iter().zip(patches.groups_of(layout, output)) {
            let [real, found] = moments.means.each_ref().map(|means| &means[g * columns..][..columns]);
            for (((w, q), real), found) in read(g).iter().zip(&part.stored).zip(real).zip(found) {
                shift += w * real - f64::from(scale) * q * found;
            }
            all.extend(part.stored.iter().map(|&q| q as i8));
        }
        (all, scale, shift)
    };
    let channels: Vec<(Vec<i8>, f32, f64)> = (0..layout.outputs).into_par_iter().map(channel).collect();
    let (mut stored, mut fitted, mut shifts) = (vec![0; values.len()], Vec::new(), Vec::new());
    for (output, (all, scale, shift)) in channels.into_iter().enumerate() {
        place(patches, layout, output, &all, &mut stored);
        fitted.push(scale);
        shifts.push(shift);
    }
    (Weights { stored, scales: fitted }, shifts)
}

/// Puts a channel's stored weights, group by group, where they belong.
fn place(patches: &Patches, layout: &Layout, output: usize, all: &[i8], stored: &mut [i8]) {
    for (part, group) in all.chunks_exact(patches.columns.max(1)).zip(patches.groups_of(layout, output)) {
        for (column, &q) in part.iter().enumerate() {
            if let Some(element) = patches.element(layout, output, group, column) {
                stored[element] = q;
            }
        }
    }
}

/// Steps 2 and 3 for one channel: leaves what to store in its parts and gives the scale.
fn choose(parts: &mut [Part<'_>], scales: &Scales, output: usize, width: Width) -> f32 {
    let largest = f64::from(width.largest());
    let greatest = parts.iter().flat_map(|p| &p.weights).fold(0.0, |most: f64, w| most.max(w.abs()));
    let least = scales.least[output];
    // Stored scales are of single precision, so it is with such that weights are rounded.
    let fits = |scale: f64| (scale as f32).max(least);
    let candidates: Vec<f32> = match scales.common {
        Some(scale) => vec![scale],
        None if width == Width::Int8 => vec![fits(greatest / largest)],
        None => CLIPS.iter().map(|clip| fits(clip * greatest / largest)).collect(),
    };
    let mut best = (f64::INFINITY, scales.common.unwrap_or(least));
    for scale in candidates {
        let rounded: Vec<(Vec<f64>, f64)> =
            parts.iter().map(|p| p.group.round(&p.weights, scale.into(), largest)).collect();
        let error: f64 = rounded.iter().map(|(_, error)| error).sum();
        if error < best.0 || parts.iter().any(|p| p.stored.is_empty()) {
            best = (error, scale);
            parts.iter_mut().zip(rounded).for_each(|(p, (stored, _))| p.stored = stored);
        }
    }
    let mut scale = best.1;
    // Of the products of H with the stored weights, the scale left out.
    let mut products: Vec<Vec<f64>> = parts.iter().map(|p| p.group.times(&p.stored)).collect();
    for _ in 0..ROUNDS {
        let mut changed = false;
        for (part, product) in parts.iter_mut().zip(&mut products) {
            changed |= move_single(part, product, scale.into(), largest);
        }
        if scales.common.is_none() {
            let sum = |of: &dyn Fn(&Part<'_>, &[f64]) -> f64| -> f64 {
                parts.iter().zip(&products).map(|(p, product)| of(p, product)).sum()
            };
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let power = sum(&|p, product| dot(&p.stored, product));
            let wanted = sum(&|p, _| dot(&p.stored, &p.aim)) / power;
            if power > 0.0 && wanted > 0.0 {
                let fitted = fits(wanted);
                changed |= fitted != scale;
                scale = fitted;
            }
        }
        if !changed {
            break;
        }
    }
    scale
}

/// Moves each stored weight to where, all others as they are, the error is least; whether any moved. `product` is `H q`.
fn move_single(part: &mut Part<'_>, product: &mut [f64], scale: f64, largest: f64) -> bool {
    let n = part.stored.len();
    let mut changed = false;
    for (i, row) in part.group.moments.chunks_exact(n.max(1)).enumerate() {
        let step = (part.aim[i] - scale * product[i]) / (scale * row[i]);
        let moved = (part.stored[i] + step).round().clamp(-largest, largest);
        let by = moved - part.stored[i];
        if by != 0.0 {
            part.stored[i] = moved;
            add_scaled(product, by, row);
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::affine::Affine;
    use crate::weights::{self, Ends};
    use smidgen_ir::{Activation, ElementType, Op};

    const ENDS: Ends = {
        let one = Affine { element: ElementType::Int8, scale: 1.0, zero_point: 0 };
        Ends { input: one, output: one }
    };

    const FULL: Op =
        Op::FullyConnected { keep_num_dims: false, asymmetric_quantize_inputs: false, activation: Activation::None };

    fn noise(seed: &mut u64) -> f32 {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (*seed >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Inputs of 12 columns that follow four causes and a little noise; those of the second network are off by a tenth of one of them.
    fn inputs(count: usize) -> Vec<[Vec<f32>; 2]> {
        let mut seed = 7;
        (0..count)
            .map(|_| {
                let causes = [(); 4].map(|()| noise(&mut seed));
                let real: Vec<f32> = (0..12).map(|i| causes[i % 4] + 0.4 * noise(&mut seed) + 0.5).collect();
                let found = real.iter().enumerate().map(|(i, x)| x + 0.1 * causes[(i + 1) % 4]).collect();
                [real, found]
            })
            .collect()
    }

    /// Mean squared error of 3 outputs on other samples than those that weights were rounded by.
    fn error(values: &[f32], weights: &Weights, shifts: &[f64]) -> f64 {
        let (all, mut sum) = (inputs(1000), 0.0);
        for [real, found] in &all[400..] {
            for (o, shift) in shifts.iter().enumerate() {
                let row = &values[12 * o..][..12];
                let wanted: f64 = row.iter().zip(real).map(|(w, x)| f64::from(w * x)).sum();
                let stored = weights.stored[12 * o..][..12].iter().zip(found);
                let got: f64 = stored.map(|(&q, x)| f64::from(weights.scales[o] * f32::from(q) * x)).sum();
                sum += (wanted - got - shift).powi(2);
            }
        }
        sum
    }

    #[test]
    fn errors_make_up_for_each_other() {
        let mut seed = 3;
        let values: Vec<f32> = (0..36).map(|_| noise(&mut seed)).collect();
        let layout = Layout::of(&FULL, &[3, 12]).unwrap();
        let mut moments = Moments::new(Patches::of(&FULL, &[1, 12], &[3, 12]).unwrap());
        for (i, [real, found]) in inputs(400).iter().enumerate() {
            moments.add(i, 400, real, found);
        }
        moments.finish(true);
        let width = Width::Int4;
        let scales = weights::scales(&values, &layout, &[0.0; 3], ENDS, width);
        let (compensated, shifts) = round(&values, &layout, &moments, &scales, width);
        let nearest = weights::rounded(&values, &layout, scales.whole.clone(), width);
        let ratio = error(&values, &compensated, &shifts) / error(&values, &nearest, &[0.0; 3]);
        assert!(ratio < 0.35, "{ratio}");
        assert!(compensated.stored.iter().all(|q| (-7..=7).contains(q)));
    }

    #[test]
    fn independent_inputs_leave_weights_at_the_nearest() {
        let values = [0.9, -0.33, 0.123, 7.0];
        let layout = Layout::of(&FULL, &[1, 4]).unwrap();
        let mut moments = Moments::new(Patches::of(&FULL, &[1, 4], &[1, 4]).unwrap());
        for i in 0..4 {
            let x: Vec<f32> = (0..4).map(|k| if i == k { 1.0 } else { 0.0 }).collect();
            moments.add(i, 4, &x, &x);
        }
        moments.finish(false);
        let scales = Scales { whole: vec![1.0], common: Some(1.0), least: vec![0.0] };
        let (found, shifts) = round(&values, &layout, &moments, &scales, Width::Int4);
        assert_eq!((found.stored, found.scales), (vec![1, 0, 0, 7], vec![1.0]));
        assert_eq!(shifts.len(), 1);
    }

    #[test]
    fn inputs_that_never_vary_do_no_harm() {
        let values = [0.5, -0.25, 1.0, 0.0];
        let layout = Layout::of(&FULL, &[2, 2]).unwrap();
        let mut moments = Moments::new(Patches::of(&FULL, &[1, 2], &[2, 2]).unwrap());
        moments.add(0, 1, &[0.0; 2], &[0.0; 2]);
        moments.finish(true);
        let scales = weights::scales(&values, &layout, &[0.0; 2], ENDS, Width::Int4);
        let (found, shifts) = round(&values, &layout, &moments, &scales, Width::Int4);
        assert_eq!(shifts, [0.0; 2]);
        for (i, (&q, v)) in found.stored.iter().zip(values).enumerate() {
            let scale = found.scales[i / 2];
            assert!((f32::from(q) * scale - v).abs() <= 0.51 * scale, "{i}: {q} times {scale} for {v}");
        }
    }

    #[test]
    fn the_factor_gives_back_the_matrix() {
        let matrix = [4.0, 2.0, -1.0, 2.0, 5.0, 0.5, -1.0, 0.5, 3.0];
        let group = Group::new(&matrix, 3, 0.0);
        for (i, &a) in group.order.iter().enumerate() {
            for (j, &b) in group.order.iter().enumerate() {
                let product: f64 = (i.max(j)..3).map(|k| group.lower[3 * k + i] * group.lower[3 * k + j]).sum();
                assert!((product - matrix[3 * a + b]).abs() < 1e-12);
            }
        }
        let solved = group.solve(&group.times(&[1.0, -2.0, 3.0]));
        assert!(solved.iter().zip([1.0, -2.0, 3.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{solved:?}");
    }
}
