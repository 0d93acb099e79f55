//! Maximum over windows.

/// For each element of the output, the elements of its window.
#[derive(Clone, Debug, Default)]
pub(crate) struct MaxPool {
    ends: Vec<u32>,
    elements: Vec<u32>,
}

impl MaxPool {
    /// Appends a window, which is not empty.
    pub(crate) fn push(&mut self, window: impl IntoIterator<Item = usize>) {
        self.elements.extend(window.into_iter().map(|i| i as u32));
        self.ends.push(self.elements.len() as u32);
    }

    fn windows(&self) -> impl Iterator<Item = &[u32]> {
        self.ends.iter().scan(0, |start, &end| {
            let window = &self.elements[*start..end as usize];
            *start = end as usize;
            Some(window)
        })
    }

    pub(super) fn forward(&self, x: &[f32], out: &mut [f32]) {
        for (y, window) in out.iter_mut().zip(self.windows()) {
            *y = x[greatest(x, window)];
        }
    }

    pub(super) fn backward(&self, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        for (d, window) in dy.iter().zip(self.windows()) {
            dx[greatest(x, window)] += d;
        }
    }
}

/// The first of the greatest elements; a NaN counts as the greatest.
fn greatest(x: &[f32], window: &[u32]) -> usize {
    let mut best = window[0] as usize;
    for &i in &window[1..] {
        let v = x[i as usize];
        if v > x[best] || v.is_nan() {
            best = i as usize;
        }
    }
    best
}
