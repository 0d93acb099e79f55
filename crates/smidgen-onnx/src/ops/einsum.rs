//! Einsum of one or two operands: sums over axes and products of matrices, with axes moved before and after.

use super::matrix::product;
use super::reduce::over;
use super::{FIXED_PARAMETERS, Outputs, rows};
use crate::call::{Call, Value};
use crate::emit::Active;
use crate::node_error::NodeError;
use smidgen_ir::ReduceKind;

rows! {
    "Einsum" COMPUTE einsum, "one or two operands; no axis twice in one of them, no ellipsis";
}

/// An operand with a letter for each of the file's axes.
struct Lettered {
    x: Active,
    letters: Vec<char>,
}

impl Lettered {
    /// Sums over the axes whose letters nobody else has.
    fn summed(self, call: &mut Call<'_, '_>, kept: impl Fn(char) -> bool) -> Result<Self, NodeError> {
        let gone: Vec<usize> = (0..self.letters.len()).filter(|&a| !kept(self.letters[a])).collect();
        let letters = self.letters.iter().copied().filter(|&letter| kept(letter)).collect();
        Ok(Self { x: over(call, ReduceKind::Sum, &self.x, &gone, false)?, letters })
    }

    /// With its axes in the order of these letters, which are its own.
    fn ordered(&self, letters: &[char]) -> Active {
        let place = |axis: &usize| letters.iter().position(|&l| l == self.letters[*axis]).unwrap_or(*axis);
        Active { layout: self.x.layout.iter().map(place).collect(), ..self.x.clone() }
    }
}

fn unusual(equation: &str) -> NodeError {
    NodeError::unsupported(format!("its equation is `{}`", smidgen_ir::visible(equation)), FIXED_PARAMETERS)
}

pub fn einsum(call: &mut Call<'_, '_>) -> Outputs {
    let equation: String = call.text("equation")?.unwrap_or("").chars().filter(|c| !c.is_whitespace()).collect();
    let (terms, result) = match equation.split_once("->") {
        Some((terms, result)) => (terms, Some(result.chars().collect::<Vec<char>>())),
        None => (equation.as_str(), None),
    };
    let terms: Vec<Vec<char>> = terms.split(',').map(|term| term.chars().collect()).collect();
    let count = |letter: char| terms.iter().flatten().filter(|&&l| l == letter).count();
    // Without an arrow it is the letters that occur once, in their order.
    let result = result.unwrap_or_else(|| {
        let mut once: Vec<char> = terms.iter().flatten().copied().filter(|&l| count(l) == 1).collect();
        once.sort_unstable();
        once
    });
    let repeats = |term: &[char]| term.iter().enumerate().any(|(i, l)| term[..i].contains(l));
    let plain = |term: &[char]| term.iter().all(char::is_ascii_alphabetic) && !repeats(term);
    if !(1..=2).contains(&terms.len()) || !terms.iter().all(|t| plain(t)) || !plain(&result) {
        return Err(unusual(&equation));
    }
    if terms.len() != call.inputs.len() || result.iter().any(|&l| count(l) == 0) {
        return Err(NodeError::Malformed(format!("its equation `{equation}` does not suit its inputs")));
    }
    let mut operands = Vec::new();
    for (i, letters) in terms.iter().enumerate() {
        let x = call.float_input(i)?;
        if x.layout.len() != letters.len() {
            return Err(NodeError::Malformed(format!("its equation `{equation}` does not suit its input {i}")));
        }
        let own = Lettered { x, letters: letters.clone() };
        operands.push(own.summed(call, |l| {
            result.contains(&l) || terms.iter().enumerate().any(|(j, t)| j != i && t.contains(&l))
        })?);
    }
    let Some(b) = (if operands.len() == 2 { operands.pop() } else { None }) else {
        return Ok(vec![Value::Active(operands[0].ordered(&result))]);
    };
    let a = &operands[0];
    let of = |own: &Lettered, other: &Lettered, shared: bool, in_result: bool| -> Vec<char> {
        let fits = |l: &&char| other.letters.contains(l) == shared && result.contains(l) == in_result;
        own.letters.iter().filter(fits).copied().collect()
    };
    // Those of both and of the result are batches, those of both alone are summed over.
    let (batch, summed) = (of(a, &b, true, true), of(a, &b, true, false));
    let (rows, columns) = (of(a, &b, false, true), of(&b, a, false, true));
    let size = |call: &Call<'_, '_>, own: &Lettered, letters: &[char]| -> Vec<usize> {
        let dims = call.emit.dims(&own.x);
        letters.iter().filter_map(|l| own.letters.iter().position(|o| o == l)).map(|axis| dims[axis]).collect()
    };
    let shapes = [(a, &batch), (a, &rows), (a, &summed), (&b, &columns)].map(|(own, letters)| size(call, own, letters));
    if size(call, &b, &batch) != shapes[0] || size(call, &b, &summed) != shapes[2] {
        return Err(unusual(&equation));
    }
    let joined = |parts: [&[usize]; 2]| parts.map(|part| part.iter().product::<usize>());
    let mut matrices = Vec::new();
    for (own, order, [first, second]) in [
        (a, [&batch[..], &rows, &summed].concat(), [&shapes[1], &shapes[2]]),
        (&b, [&batch[..], &summed, &columns].concat(), [&shapes[2], &shapes[3]]),
    ] {
        let x = own.ordered(&order);
        let shape = [&shapes[0][..], &joined([first, second])].concat();
        matrices.push(Value::Active(call.emit.reshape(&x, &shape)?));
    }
    let y = product(call, [&matrices[0], &matrices[1]], [false; 2])?;
    let y = call.emit.reshape(&y, &[&shapes[0][..], &shapes[1], &shapes[3]].concat())?;
    let letters = [&batch[..], &rows, &columns].concat();
    Ok(vec![Value::Active(Lettered { x: y, letters }.ordered(&result))])
}
