//! Arithmetic of two operands with broadcasting.

use super::Operand;
use smidgen_ir::BinaryKind;

/// `y[i] = a[a_of[i]] op b[b_of[i]]`.
#[derive(Clone, Debug)]
pub(crate) struct Binary {
    /// Which.
    pub kind: BinaryKind,
    /// The left operand.
    pub a: Operand,
    /// The right operand.
    pub b: Operand,
    /// For each element of the output, that of `a`.
    pub a_of: Vec<u32>,
    /// For each element of the output, that of `b`.
    pub b_of: Vec<u32>,
}

impl Binary {
    pub(super) fn forward(&self, a: &[f32], b: &[f32], out: &mut [f32]) {
        for ((y, &i), &j) in out.iter_mut().zip(&self.a_of).zip(&self.b_of) {
            let (a, b) = (a[i as usize], b[j as usize]);
            *y = match self.kind {
                BinaryKind::Add => a + b,
                BinaryKind::Sub => a - b,
                BinaryKind::Mul => a * b,
                BinaryKind::Div => a / b,
                BinaryKind::SquaredDifference => (a - b) * (a - b),
                BinaryKind::Minimum if b < a => b,
                BinaryKind::Maximum if b > a => b,
                BinaryKind::Minimum | BinaryKind::Maximum => a,
            };
        }
    }

    /// Where operands of a minimum or maximum are equal, each gets half of the gradient, as in PyTorch.
    pub(super) fn backward(&self, k: usize, a: &[f32], b: &[f32], dy: &[f32], dx: &mut [f32]) {
        let is = |operand: &Operand| matches!(operand, Operand::Input(i) if *i == k);
        let (left, right) = (is(&self.a), is(&self.b));
        for ((d, &i), &j) in dy.iter().zip(&self.a_of).zip(&self.b_of) {
            let (i, j) = (i as usize, j as usize);
            let (a, b) = (a[i], b[j]);
            let (da, db) = match self.kind {
                BinaryKind::Add => (1.0, 1.0),
                BinaryKind::Sub => (1.0, -1.0),
                BinaryKind::Mul => (b, a),
                BinaryKind::Div => (1.0 / b, -a / (b * b)),
                BinaryKind::SquaredDifference => (2.0 * (a - b), 2.0 * (b - a)),
                BinaryKind::Minimum => share(a < b, a == b),
                BinaryKind::Maximum => share(a > b, a == b),
            };
            if left {
                dx[i] += d * da;
            }
            if right {
                dx[j] += d * db;
            }
        }
    }
}

/// Shares of the left and the right operand.
fn share(left: bool, equal: bool) -> (f32, f32) {
    match (left, equal) {
        (_, true) => (0.5, 0.5),
        (true, _) => (1.0, 0.0),
        (false, _) => (0.0, 1.0),
    }
}
