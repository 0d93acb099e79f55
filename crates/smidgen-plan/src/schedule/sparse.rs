//! Values for some of many indices, forgotten all at once in constant time.

/// For each index a value, or none. A segment of few steps touches few of a network's buffers; clearing a list of all of them for each
/// segment would make planning quadratic in the number of steps.
pub(crate) struct Sparse<T> {
    values: Vec<T>,
    /// The round in which each value was set.
    set: Vec<u32>,
    round: u32,
}

impl<T: Copy + Default> Sparse<T> {
    /// No values for indices below `len`.
    pub fn new(len: usize) -> Self {
        Self { values: vec![T::default(); len], set: vec![0; len], round: 1 }
    }

    /// Forgets every value.
    pub fn clear(&mut self) {
        self.round = match self.round.checked_add(1) {
            Some(round) => round,
            None => {
                self.set.fill(0);
                1
            }
        };
    }

    /// The value, if there is one.
    pub fn get(&self, index: usize) -> Option<T> {
        (self.set[index] == self.round).then(|| self.values[index])
    }

    /// The value, the default if there is none.
    pub fn of(&self, index: usize) -> T {
        self.get(index).unwrap_or_default()
    }

    /// Sets a value.
    pub fn put(&mut self, index: usize, value: T) {
        self.values[index] = value;
        self.set[index] = self.round;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_forgotten_all_at_once() {
        let mut sparse = Sparse::new(3);
        sparse.put(1, 7);
        assert_eq!((sparse.get(0), sparse.get(1), sparse.of(2)), (None, Some(7), 0));
        sparse.clear();
        assert_eq!(sparse.get(1), None);
        sparse.round = u32::MAX;
        sparse.put(2, 5);
        sparse.clear();
        assert_eq!((sparse.get(1), sparse.get(2), sparse.round), (None, None, 1));
    }
}
