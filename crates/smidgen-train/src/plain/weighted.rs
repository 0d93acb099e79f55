//! Operators whose every output is a weighted sum of inputs: means, sums, average pools, bilinear resizing.

/// A sparse matrix, row by row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weighted {
    /// Where each row ends in `terms`.
    ends: Vec<u32>,
    /// Index of an input element, and its weight.
    terms: Vec<(u32, f32)>,
}

impl Weighted {
    /// Appends a row.
    pub(crate) fn push(&mut self, terms: impl IntoIterator<Item = (usize, f32)>) {
        self.terms.extend(terms.into_iter().map(|(index, weight)| (index as u32, weight)));
        self.ends.push(self.terms.len() as u32);
    }

    fn rows(&self) -> impl Iterator<Item = &[(u32, f32)]> {
        self.ends.iter().scan(0, |start, &end| {
            let row = &self.terms[*start..end as usize];
            *start = end as usize;
            Some(row)
        })
    }

    pub(super) fn forward(&self, x: &[f32], out: &mut [f32]) {
        for (y, row) in out.iter_mut().zip(self.rows()) {
            *y = row.iter().map(|&(i, w)| f64::from(w) * f64::from(x[i as usize])).sum::<f64>() as f32;
        }
    }

    pub(super) fn backward(&self, dy: &[f32], dx: &mut [f32]) {
        for (d, row) in dy.iter().zip(self.rows()) {
            for &(i, w) in row {
                dx[i as usize] += w * d;
            }
        }
    }
}
