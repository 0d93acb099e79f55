//! Offsets: a place in the arena for everything, so that the arena is smallest.
//!
//! Given sizes, alignments and, for each pair that is ever live together, the least distance either way, find offsets that are
//! not negative such that for every pair one of its two distances is kept and the greatest end is least.
//!
//! The invariant: whatever [`assign`] returns keeps every constraint, and `lower_bound` is at most what any assignment needs.

mod heuristic;

/// What offsets must keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Constraints {
    /// Bytes of each object.
    pub sizes: Vec<usize>,
    /// Alignment of each object: a power of two.
    pub aligns: Vec<usize>,
    /// `distance[below * n + above]`; `FREE` if they are never live together.
    distance: Vec<isize>,
    /// A number of bytes below which no arena can be, known beforehand: the most bytes live at one time.
    pub live_bytes: usize,
}

const FREE: isize = isize::MIN;

impl Constraints {
    /// Objects of these sizes and alignments, none of which are ever live together.
    pub fn new(objects: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let (sizes, aligns): (Vec<usize>, Vec<usize>) = objects.into_iter().unzip();
        let n = sizes.len();
        Self { sizes, aligns, distance: vec![FREE; n * n], live_bytes: 0 }
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// True if there is nothing to place.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// The least `off_above - off_below` where `above` lies above `below`; `None` if that order is not restricted, which means
    /// that the two are never live together in a way that matters.
    pub fn distance(&self, below: usize, above: usize) -> Option<isize> {
        let distance = self.distance[below * self.len() + above];
        (distance != FREE).then_some(distance)
    }

    /// Demands at least this distance where `above` lies above `below`.
    pub fn require(&mut self, below: usize, above: usize, bytes: isize) {
        let n = self.len();
        let distance = &mut self.distance[below * n + above];
        *distance = (*distance).max(bytes);
    }
}

/// How an assignment was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// The heuristic, whose result met the lower bound.
    Heuristic,
    /// Exact search.
    Exact,
    /// The heuristic and as much exact search as the budget allowed.
    Budget,
}

/// Offsets for all objects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Offset of each object.
    pub offsets: Vec<usize>,
    /// The greatest end.
    pub bytes: usize,
    /// No assignment that keeps the constraints is smaller than this.
    pub lower_bound: usize,
    /// How it was found.
    pub method: Method,
    /// `bytes == lower_bound`.
    pub optimal: bool,
}

/// Finds offsets.
pub fn assign(constraints: &Constraints) -> Assignment {
    let (offsets, bytes) = heuristic::best(constraints);
    let lower_bound = constraints.live_bytes.max(constraints.sizes.iter().copied().max().unwrap_or(0));
    let optimal = bytes == lower_bound;
    Assignment {
        offsets,
        bytes,
        lower_bound,
        method: if optimal { Method::Heuristic } else { Method::Budget },
        optimal,
    }
}
