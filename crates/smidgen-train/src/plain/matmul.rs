//! Products of matrices, BATCH_MATMUL.

use super::Operand;

/// `y[i, j] = sum over k of a[i, k] b[k, j]`, for each of several pairs of matrices.
#[derive(Clone, Debug)]
pub(crate) struct Matmul {
    /// The left operand.
    pub a: Operand,
    /// The right operand.
    pub b: Operand,
    /// For each matrix of the output, where those of `a` and `b` begin.
    pub starts: Vec<[usize; 2]>,
    /// Rows of the output, elements that are summed, columns of the output.
    pub sizes: [usize; 3],
    /// Elements of `a` from one row to the next and from one column to the next, and likewise of `b`.
    pub steps: [[usize; 2]; 2],
}

impl Matmul {
    /// Visits every product in a fixed order: the elements of `y`, `a` and `b` that meet.
    #[inline(always)]
    fn each(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let [m, depth, n] = self.sizes;
        let [[a_row, a_column], [b_row, b_column]] = self.steps;
        for (matrix, [a, b]) in self.starts.iter().enumerate() {
            for i in 0..m {
                for k in 0..depth {
                    let (x, row) = (a + i * a_row + k * a_column, b + k * b_row);
                    for j in 0..n {
                        visit((matrix * m + i) * n + j, x, row + j * b_column);
                    }
                }
            }
        }
    }

    pub(super) fn forward(&self, a: &[f32], b: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        self.each(|y, i, j| out[y] += a[i] * b[j]);
    }

    /// `da = dy b^T` and `db = a^T dy`, whichever of them is input `k`.
    pub(super) fn backward(&self, k: usize, a: &[f32], b: &[f32], dy: &[f32], dx: &mut [f32]) {
        let is = |operand: &Operand| matches!(operand, Operand::Input(i) if *i == k);
        if is(&self.a) {
            self.each(|y, i, j| dx[i] += dy[y] * b[j]);
        }
        if is(&self.b) {
            self.each(|y, i, j| dx[j] += dy[y] * a[i]);
        }
    }
}
