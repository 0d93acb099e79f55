//! First fit in several orders.

use super::{Constraints, FREE};

/// The best of several orders: offsets and the greatest end.
pub(super) fn best(constraints: &Constraints) -> (Vec<usize>, usize) {
    let n = constraints.len();
    let key_size = |i: usize| std::cmp::Reverse(constraints.sizes[i]);
    let mut by_size: Vec<usize> = (0..n).collect();
    by_size.sort_by_key(|&i| key_size(i));
    let forwards: Vec<usize> = (0..n).collect();
    let backwards: Vec<usize> = (0..n).rev().collect();
    [by_size, forwards, backwards]
        .iter()
        .map(|order| first_fit(constraints, order))
        .min_by_key(|(_, bytes)| *bytes)
        .unwrap_or_default()
}

/// Places the objects in this order, each at the lowest offset that the ones before it leave free.
pub(super) fn first_fit(constraints: &Constraints, order: &[usize]) -> (Vec<usize>, usize) {
    let n = constraints.len();
    let mut offsets = vec![0; n];
    let mut forbidden: Vec<(isize, isize)> = Vec::new();
    let mut top = 0;
    for (position, &i) in order.iter().enumerate() {
        forbidden.clear();
        for &j in &order[..position] {
            let (up, down) = (constraints.distance[j * n + i], constraints.distance[i * n + j]);
            if up != FREE && down != FREE && up > -down {
                // Strictly between these two, `i` is neither far enough above `j` nor far enough below it.
                let at: isize = offsets[j];
                forbidden.push((at - down, at + up));
            }
        }
        forbidden.sort_unstable();
        let align = constraints.aligns[i] as isize;
        let mut at: isize = 0;
        for &(from, to) in &forbidden {
            if from < at && at < to {
                at = align_up(to, align);
            }
        }
        offsets[i] = at;
        top = top.max(at + constraints.sizes[i] as isize);
    }
    (offsets.into_iter().map(|at| at as usize).collect(), top as usize)
}

/// The least multiple of `align`, a power of two, that is at least `at`.
pub(super) fn align_up(at: isize, align: isize) -> isize {
    (at + align - 1) & -align
}
