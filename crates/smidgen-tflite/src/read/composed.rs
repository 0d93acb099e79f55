//! Operators that the graph does not have and that others of it give, exactly or, where that is said, up to rounding of floats: each becomes
//! those.

use super::tensors::Source;
use super::unroll::{MOST, Progress};
use crate::error::ReadError;
use crate::flat::{Field, Held, Record};
use crate::ops::UNLIKE;
use crate::schema::{block_size, cumsum, gather, l2_norm, mirror_pad, one_hot, reducer};
use smidgen_ir::front::SupportEntry;
use smidgen_ir::{
    Activation, AxisSlice, BinaryKind, CompareKind, DataType, ElementType, Function, Op, PadValue, Quantisation,
    ReduceKind, ReshapeKind, UnaryKind,
};

/// Operators that are taken here and nowhere else, in alphabetical order.
pub const COMPOSED: [SupportEntry; 15] = [
    composed("ADD_N", "of float32: ADD of one after the other"),
    composed("ARG_MIN", "ARG_MAX of the negated tensor"),
    composed(
        "CUMSUM",
        "of float32: ADD of one slice after the other, or from 33 on PAD of slices and ADD as often as they can be halved",
    ),
    composed("DEPTH_TO_SPACE", "RESHAPE, TRANSPOSE, RESHAPE"),
    composed(
        "EMBEDDING_LOOKUP",
        "GATHER, and DEQUANTIZE of what it finds where the table is int8 with one scale and the output float32",
    ),
    composed("GATHER_ND", "where each index names one axis: GATHER"),
    composed("MIRROR_PAD", "slices put together"),
    composed("ONE_HOT", "where its depth is constant: EQUAL and SELECT_V2"),
    composed(
        "POW",
        "of float32 with one constant exponent: MUL, and DIV, for whole ones up to 64, SQRT, RSQRT, else EXP and LOG",
    ),
    composed("REDUCE_ALL", "REDUCE_MIN of 0 and 1"),
    composed("REDUCE_ANY", "REDUCE_MAX of 0 and 1"),
    composed("RELU_0_TO_1", "of float32: MAXIMUM and MINIMUM"),
    composed("SPACE_TO_DEPTH", "RESHAPE, TRANSPOSE, RESHAPE"),
    composed("SPLIT_V", "with constant sizes: a slice for each"),
    composed("TILE", "with constant multiples: CONCATENATION of the tensor with itself"),
];

const fn composed(name: &'static str, remarks: &'static str) -> SupportEntry {
    SupportEntry { name, types: &[], remarks }
}

/// The operators with parameters among their options, and the number of their options' table.
const TAGS: [(&str, u8); 9] = [
    ("CUMSUM", 102),
    ("DEPTH_TO_SPACE", 94),
    ("GATHER", 23),
    ("L2_NORMALIZATION", 12),
    ("MIRROR_PAD", 77),
    ("ONE_HOT", 61),
    ("REDUCE_ALL", 27),
    ("REDUCE_ANY", 27),
    ("SPACE_TO_DEPTH", 19),
];

/// Whole exponents up to which a power is a product, and the inverse of one.
const MOST_WHOLE: f32 = 64.0;

/// Places up to which running sums are taken one after the other, as the reference does; beyond by doubling.
const MOST_SUMS: usize = 32;

/// The least sum of squares that L2_NORMALIZATION divides by the root of.
const LEAST_SQUARES: f32 = 1e-6;

const ON_FLOATS: &str = "convert without quantisation and use `smidgen quantize`, which has a form of it; or put DEQUANTIZE before it and QUANTIZE \
                         behind it";
const CONSTANT: &str = "make it a constant, or let this be done in your own code before or behind the network";
const SOUND: &str = "convert the network again";

/// The options of an operator, if it has such.
struct Given<'a>(Option<Record<'a>>);

impl<'a> Given<'a> {
    /// What a field holds, else what it says by not being there.
    fn or<T: Held>(&self, field: Field<T>, absent: T::View<'a>) -> Result<T::View<'a>, ReadError> {
        Ok(self.0.map(|options| options.get(field)).transpose()?.flatten().unwrap_or(absent))
    }
}

/// Why an operator is not taken, and what to do about it.
type Left = (String, &'static str);

/// One slice of all that lies along an axis.
fn whole(len: usize) -> AxisSlice {
    AxisSlice { start: 0, stride: 1, len, shrink: false }
}

impl<'a> Progress<'a> {
    /// Takes an operator of these that is given with its options. True if that could be done; why not is noted.
    pub(super) fn compose(
        &mut self,
        index: usize,
        name: &str,
        options: Option<Record<'a>>,
        tag: u8,
    ) -> Result<bool, ReadError> {
        // The graph has these of int8; the others stand among what is computed of constants.
        let whole = matches!(name, "L2_NORMALIZATION" | "LOG_SOFTMAX" | "SQUARED_DIFFERENCE");
        if whole && !self.is_on_floats(index) {
            return Ok(false);
        }
        if !whole
            && !matches!(name, "GATHER" | "SELECT" | "BROADCAST_TO")
            && !COMPOSED.iter().any(|entry| entry.name == name)
        {
            return Ok(false);
        }
        let inputs: Option<Vec<usize>> = self.wirings[index].inputs.iter().copied().collect();
        let outputs = self.wirings[index].outputs.clone();
        let Some(inputs) = inputs else { return Ok(false) };
        // A table of another kind says nothing, and an absent one that all is as usual.
        let given = Given(options.filter(|_| TAGS.contains(&(name, tag))));
        let done = match (name, inputs.as_slice(), outputs.as_slice()) {
            ("GATHER", &[x, indices], &[y]) if given.0.is_some() => {
                let places = [given.or(gather::axis, 0)?, given.or(gather::batch_dims, 0)?];
                return Ok(self.gather(index, [x, indices], y, places));
            }
            ("BROADCAST_TO", &[x, dims], &[y]) => return Ok(self.broadcast_to(index, [x, dims], y)),
            ("GATHER" | "BROADCAST_TO", ..) => return Ok(false),
            ("GATHER_ND", &[table, indices], &[y]) => self.gather_nd(index, [table, indices], y),
            ("EMBEDDING_LOOKUP", &[indices, table], &[y]) => self.embedding_lookup(index, [indices, table], y),
            ("SPLIT_V", &[x, sizes, axis], ys) => self.split_v(index, [x, sizes, axis], ys),
            ("TILE", &[x, multiples], &[y]) => self.tile(index, [x, multiples], y),
            ("MIRROR_PAD", &[x, pads], &[y]) => self.mirror_pad(index, [x, pads], y, given.or(mirror_pad::mode, 0)?),
            ("DEPTH_TO_SPACE" | "SPACE_TO_DEPTH", &[x], &[y]) => {
                self.blocks(index, x, y, given.or(block_size::block_size, 0)?, name == "DEPTH_TO_SPACE")
            }
            ("ADD_N", [first, rest @ ..], &[y]) => self.add_n(index, *first, rest, y),
            ("SQUARED_DIFFERENCE", &[a, b], &[y]) => self.squared_difference(index, [a, b], y),
            ("LOG_SOFTMAX", &[x], &[y]) => self.log_softmax(index, x, y),
            ("L2_NORMALIZATION", &[x], &[y]) => {
                self.l2_normalization(index, x, y, given.or(l2_norm::activation, 0)? != 0)
            }
            ("SELECT", &[condition, a, b], &[y]) => self.select(index, condition, [a, b], y),
            ("POW", &[x, exponent], &[y]) => self.pow(index, [x, exponent], y),
            ("RELU_0_TO_1", &[x], &[y]) => self.relu_0_to_1(index, x, y),
            ("ARG_MIN", &[x, axis], &[y]) => self.arg_min(index, [x, axis], y),
            ("ONE_HOT", &[indices, depth, on, off], &[y]) => {
                self.one_hot(index, [indices, depth, on, off], y, given.or(one_hot::axis, 0)?)
            }
            ("CUMSUM", &[x, axis], &[y]) => {
                let (exclusive, reverse) = (given.or(cumsum::exclusive, false)?, given.or(cumsum::reverse, false)?);
                self.cumsum(index, [x, axis], y, exclusive, reverse)
            }
            ("REDUCE_ALL" | "REDUCE_ANY", &[x, axes], &[y]) => {
                let kind = if name == "REDUCE_ALL" { ReduceKind::Min } else { ReduceKind::Max };
                self.reduce_bools(index, [x, axes], y, kind, given.or(reducer::keep_dims, false)?)
            }
            _ => Err(("it has another number of inputs or outputs than this operator".into(), SOUND)),
        };
        Ok(match done {
            Ok(()) => true,
            Err((reason, hint)) => self.leave(index, reason, hint),
        })
    }

    /// True if an operator's first input is of float32.
    fn is_on_floats(&self, index: usize) -> bool {
        let first = self.wirings[index].inputs.first().copied().flatten();
        first.is_some_and(|t| self.tensors[t].dtype.as_ref().is_ok_and(|dtype| *dtype == DataType::FLOAT32))
    }

    fn shape(&self, t: usize) -> Vec<usize> {
        self.tensors[t].shape.clone()
    }

    /// The integers of a constant.
    fn constants(&self, t: usize, what: &str) -> Result<Vec<i64>, Left> {
        self.tensors[t].integers().ok_or_else(|| (format!("its {what} are not known when reading"), CONSTANT))
    }

    /// An axis that a constant of one element names, of a tensor that has it.
    fn axis(&self, t: usize, x: usize) -> Result<usize, Left> {
        let at = self.constants(t, "axes")?;
        let [axis] = at[..] else { return Err((format!("it names {} axes, and takes one", at.len()), SOUND)) };
        self.axis_of(axis, self.tensors[x].shape.len())
    }

    fn axis_of(&self, axis: i64, rank: usize) -> Result<usize, Left> {
        let from_end = if axis < 0 { axis + rank as i64 } else { axis };
        let found = usize::try_from(from_end).ok().filter(|&axis| axis < rank);
        found.ok_or_else(|| (format!("it names axis {axis} of a tensor of {rank} dimensions"), SOUND))
    }

    /// Refuses a tensor without a last axis.
    fn has_axes(&self, t: usize) -> Result<(), Left> {
        match self.tensors[t].shape.is_empty() {
            true => {
                Err(("it goes along the last axis of a tensor that has none".into(), "give the tensor a dimension"))
            }
            false => Ok(()),
        }
    }

    /// Refuses all but float32.
    fn floats(&self, tensors: &[usize]) -> Result<(), Left> {
        for &t in tensors {
            let Source { dtype, .. } = &self.tensors[t];
            // Types that are not supported are told of where they are declared.
            if dtype.as_ref().is_ok_and(|dtype| *dtype != DataType::FLOAT32) {
                return Err((
                    format!("it computes on {}; float32 is supported", self.tensors[t].stored_element()),
                    ON_FLOATS,
                ));
            }
        }
        Ok(())
    }

    /// Notes that so many operators come of one.
    fn room(&mut self, count: usize) -> Result<(), Left> {
        match self.becomes(count) {
            true => Ok(()),
            false => Err((
                format!("it would become {count} operators, and with those of other operators too many"),
                "let smaller tensors go through it",
            )),
        }
    }

    fn number(&mut self, name: &str, value: f32) -> usize {
        let source = Source::constant(name.into(), vec![1], DataType::FLOAT32, value.to_le_bytes().to_vec().into());
        self.tensors.push(source);
        self.tensors.len() - 1
    }

    /// An operator of one output like `y`.
    fn made(&mut self, index: usize, op: Op, inputs: Vec<usize>, y: usize) -> usize {
        let t = self.like(y, Vec::new());
        self.emit(index, op, inputs, vec![t]);
        t
    }

    /// The elements `start .. start + len` along an axis.
    fn slice(&self, x: usize, axis: usize, start: usize, len: usize) -> Op {
        let mut axes: Vec<AxisSlice> = self.tensors[x].shape.iter().map(|&len| whole(len)).collect();
        axes[axis] = AxisSlice { start, len, ..axes[axis] };
        Op::StridedSlice { axes }
    }

    /// A GATHER with constant indices of what is computed when the network runs. True if that could be done.
    fn gather(&mut self, index: usize, [x, indices]: [usize; 2], y: usize, [axis, batch]: [i32; 2]) -> bool {
        let (shape, places) = (self.shape(x), &self.tensors[indices]);
        let (rank, Some(at)) = (places.shape.len(), places.integers()) else { return false };
        let Ok(axis) = self.axis_of(axis.into(), shape.len()) else { return false };
        let at: Option<Vec<usize>> = at.iter().map(|&i| usize::try_from(i).ok().filter(|&i| i < shape[axis])).collect();
        let (Some(at), true) = (at, rank <= 1 && batch == 0 && self.tensors[x].dtype.is_ok()) else { return false };
        match at.as_slice() {
            &[start] if rank == 0 => {
                let mut op = self.slice(x, axis, start, 1);
                if let Op::StridedSlice { axes } = &mut op {
                    axes[axis].shrink = true;
                }
                self.emit(index, op, vec![x], vec![y]);
            }
            &[start, ..] if at.iter().enumerate().all(|(i, &place)| place == start + i) => {
                self.emit(index, self.slice(x, axis, start, at.len()), vec![x], vec![y]);
            }
            [] => return false,
            _ if !self.copies(at.len()) => return false,
            _ => {
                let mut parts = Vec::new();
                for &start in &at {
                    parts.push(self.made(index, self.slice(x, axis, start, 1), vec![x], y));
                }
                self.emit(index, Op::Concatenation { axis, activation: Activation::None }, parts, vec![y]);
            }
        }
        true
    }

    fn embedding_lookup(&mut self, index: usize, [indices, table]: [usize; 2], y: usize) -> Result<(), Left> {
        let [from, to] = [table, y].map(|t| &self.tensors[t]);
        let gather = Op::Gather { axis: 0, batch: 0 };
        if from.is_like(to) {
            self.emit(index, gather, vec![table, indices], vec![y]);
            return Ok(());
        }
        let whole = matches!(&from.dtype, Ok(DataType::Quantised(ElementType::Int8, Quantisation::PerTensor { .. })));
        if !whole || !to.dtype.as_ref().is_ok_and(|dtype| *dtype == DataType::FLOAT32) {
            let reason = format!("it makes {} of a table of {}", to.element(), from.element());
            return Err((
                reason,
                "let the table and the output have one type, or the table be int8 with one scale and the output float32",
            ));
        }
        let found = self.like(table, Vec::new());
        self.emit(index, gather, vec![table, indices], vec![found]);
        self.emit(index, Op::Dequantize, vec![found], vec![y]);
        Ok(())
    }

    fn gather_nd(&mut self, index: usize, [table, indices]: [usize; 2], y: usize) -> Result<(), Left> {
        let mut places = self.shape(indices);
        match places.pop() {
            Some(1) => {}
            Some(depth @ 2..) => {
                let reason = format!("each of its indices names a place on {depth} axes");
                return Err((reason, "give it a table with these axes flattened to one"));
            }
            _ => return Err(("its indices name no axis".into(), SOUND)),
        }
        if !self.tensors[table].is_like(&self.tensors[y]) {
            return Err(("its output has another type or scale than its table".into(), "put QUANTIZE behind it"));
        }
        let flat = self.like(indices, Vec::new());
        self.emit(index, Op::Reshape { kind: ReshapeKind::Reshape, shape: places }, vec![indices], vec![flat]);
        self.emit(index, Op::Gather { axis: 0, batch: 0 }, vec![table, flat], vec![y]);
        Ok(())
    }

    fn split_v(&mut self, index: usize, [x, sizes, axis]: [usize; 3], ys: &[usize]) -> Result<(), Left> {
        let (axis, sizes) = (self.axis(axis, x)?, self.constants(sizes, "sizes")?);
        let size = self.tensors[x].shape[axis];
        // One of the sizes may be left open.
        let given: i64 = sizes.iter().filter(|&&size| size >= 0).fold(0i64, |sum, &size| sum.saturating_add(size));
        let open = sizes.iter().filter(|&&size| size < 0).count();
        let rest = size as i64 - given;
        if sizes.len() != ys.len() || open > 1 || rest < 0 || (open == 0 && rest != 0) {
            return Err((format!("its sizes {sizes:?} do not make up the {size} elements of the axis"), SOUND));
        }
        self.room(ys.len())?;
        let mut start = 0;
        for (&y, size) in ys.iter().zip(sizes) {
            let len = if size < 0 { rest } else { size } as usize;
            if len == 0 {
                // As Keras' GRU leaves behind: a part that nobody reads.
                let part = &mut self.tensors[y];
                (part.stored, part.data) = (true, Some([].into()));
                continue;
            }
            self.emit(index, self.slice(x, axis, start, len), vec![x], vec![y]);
            start += len;
        }
        Ok(())
    }

    fn tile(&mut self, index: usize, [x, multiples]: [usize; 2], y: usize) -> Result<(), Left> {
        let times = self.constants(multiples, "multiples")?;
        let rank = self.tensors[x].shape.len();
        let times: Option<Vec<usize>> = times.iter().map(|&n| usize::try_from(n).ok().filter(|&n| n > 0)).collect();
        let Some(times) = times.filter(|times| times.len() == rank) else {
            return Err(("its multiples are not one of at least 1 for each dimension".into(), SOUND));
        };
        self.repeat(index, x, &times, y)
    }

    /// As often along each axis of `x` as is said.
    fn repeat(&mut self, index: usize, x: usize, times: &[usize], y: usize) -> Result<(), Left> {
        let axes: Vec<usize> = (0..times.len()).filter(|&axis| times[axis] > 1).collect();
        self.room(times.iter().fold(0usize, |sum, &n| sum.saturating_add(n)))?;
        let Some((&last, first)) = axes.split_last() else {
            self.alias(index, y, x);
            return Ok(());
        };
        let join = |axis| Op::Concatenation { axis, activation: Activation::None };
        let mut from = x;
        for &axis in first {
            from = self.made(index, join(axis), vec![from; times[axis]], y);
        }
        self.emit(index, join(last), vec![from; times[last]], vec![y]);
        Ok(())
    }

    /// A BROADCAST_TO of what is computed when the network runs. True if that could be done.
    fn broadcast_to(&mut self, index: usize, [x, dims]: [usize; 2], y: usize) -> bool {
        let source = &self.tensors[x];
        let (own, Some(dims)) = (source.shape.clone(), self.tensors[dims].integers()) else { return false };
        let dims: Option<Vec<usize>> =
            dims.iter().map(|&dim| usize::try_from(dim).ok().filter(|&dim| dim > 0)).collect();
        let Some(dims) = dims.filter(|dims| dims.len() >= own.len()) else { return false };
        let fits = own.iter().rev().zip(dims.iter().rev()).all(|(&from, &to)| from == to || from == 1);
        if source.data.is_some() || source.dtype.is_err() || !fits {
            return false;
        }
        let mut wide = vec![1; dims.len() - own.len()];
        wide.extend_from_slice(&own);
        let times: Vec<usize> = wide.iter().zip(&dims).map(|(&from, &to)| to / from).collect();
        let mut from = x;
        if wide.len() != own.len() {
            let reshape = Op::Reshape { kind: ReshapeKind::Reshape, shape: wide };
            if times.iter().all(|&times| times == 1) {
                self.emit(index, reshape, vec![x], vec![y]);
                return true;
            }
            from = self.made(index, reshape, vec![x], y);
        }
        match self.repeat(index, from, &times, y) {
            Ok(()) => true,
            Err((reason, hint)) => self.leave(index, reason, hint),
        }
    }

    fn mirror_pad(&mut self, index: usize, [x, pads]: [usize; 2], y: usize, mode: i8) -> Result<(), Left> {
        let pads = self.constants(pads, "paddings")?;
        let shape = self.shape(x);
        // Reflected, the border itself is not repeated.
        let skip = match mode {
            0 => 1,
            1 => 0,
            other => {
                return Err((format!("its mode is number {other}; REFLECT (0) and SYMMETRIC (1) are known"), SOUND));
            }
        };
        let fits = |(pads, &size): (&[i64], &usize)| pads.iter().all(|&n| n >= 0 && n as usize + skip <= size);
        if pads.len() != 2 * shape.len() || !pads.chunks_exact(2).zip(&shape).all(fits) {
            return Err((
                format!("its paddings {pads:?} are more than a tensor of {shape:?} can be mirrored by"),
                SOUND,
            ));
        }
        self.room(pads.iter().sum::<i64>() as usize)?;
        let axes: Vec<usize> = (0..shape.len()).filter(|&axis| pads[2 * axis] + pads[2 * axis + 1] > 0).collect();
        let mut from = x;
        for &axis in &axes {
            let (size, before, after) = (shape[axis], pads[2 * axis] as usize, pads[2 * axis + 1] as usize);
            let mut parts = Vec::new();
            let places = (0..before).rev().map(|i| i + skip).chain([usize::MAX]);
            for at in places.chain((0..after).map(|i| size - 1 - skip - i)) {
                let part = match at {
                    usize::MAX => from,
                    at => self.made(index, self.slice(from, axis, at, 1), vec![from], y),
                };
                parts.push(part);
            }
            let join = Op::Concatenation { axis, activation: Activation::None };
            if Some(&axis) == axes.last() {
                self.emit(index, join, parts, vec![y]);
                return Ok(());
            }
            from = self.made(index, join, parts, y);
        }
        self.alias(index, y, x);
        Ok(())
    }

    /// DEPTH_TO_SPACE, where `apart`, or SPACE_TO_DEPTH: a pixel's channels are blocks of pixels, row by row, each with its channels.
    fn blocks(&mut self, index: usize, x: usize, y: usize, block: i32, apart: bool) -> Result<(), Left> {
        let shape = self.shape(x);
        let sizes = usize::try_from(block).ok().filter(|&block| block > 0).and_then(|b| {
            let &[n, h, w, c] = shape.as_slice() else { return None };
            let pixels = b.checked_mul(b)?;
            match apart {
                true => c
                    .is_multiple_of(pixels)
                    .then(|| [vec![n, h, w, b, b, c / pixels], vec![n, h * b, w * b, c / pixels]]),
                false => (h.is_multiple_of(b) && w.is_multiple_of(b))
                    .then_some([vec![n, h / b, b, w / b, b, c], vec![n, h / b, w / b, pixels.checked_mul(c)?]]),
            }
        });
        let Some([split, joined]) = sizes else {
            return Err((format!("blocks of {block} by {block} do not divide a tensor of {shape:?}"), SOUND));
        };
        let reshape = |shape: Vec<usize>| Op::Reshape { kind: ReshapeKind::Reshape, shape };
        let parts = self.made(index, reshape(split), vec![x], y);
        let turned = self.made(index, Op::Transpose { perm: vec![0, 1, 3, 2, 4, 5] }, vec![parts], y);
        self.emit(index, reshape(joined), vec![turned], vec![y]);
        Ok(())
    }

    fn add_n(&mut self, index: usize, first: usize, rest: &[usize], y: usize) -> Result<(), Left> {
        self.floats(&[first, y])?;
        let Some((&last, middle)) = rest.split_last() else {
            self.alias(index, y, first);
            return Ok(());
        };
        let mut sum = first;
        for &next in middle {
            sum = self.made(index, binary(BinaryKind::Add), vec![sum, next], y);
        }
        self.emit(index, binary(BinaryKind::Add), vec![sum, last], vec![y]);
        Ok(())
    }

    fn squared_difference(&mut self, index: usize, [a, b]: [usize; 2], y: usize) -> Result<(), Left> {
        self.floats(&[a, b, y])?;
        let difference = self.made(index, binary(BinaryKind::Sub), vec![a, b], y);
        self.emit(index, binary(BinaryKind::Mul), vec![difference, difference], vec![y]);
        Ok(())
    }

    /// A reduction over the last axis, which stays with size 1.
    fn over_last(&mut self, index: usize, kind: ReduceKind, x: usize) -> usize {
        let axes = vec![self.tensors[x].shape.len().saturating_sub(1)];
        self.made(index, Op::Reduce { kind, axes, keep_dims: true }, vec![x], x)
    }

    fn log_softmax(&mut self, index: usize, x: usize, y: usize) -> Result<(), Left> {
        self.floats(&[x, y])?;
        self.has_axes(x)?;
        let greatest = self.over_last(index, ReduceKind::Max, x);
        let left = self.made(index, binary(BinaryKind::Sub), vec![x, greatest], y);
        let powers = self.made(index, Op::Unary(UnaryKind::Exp), vec![left], y);
        let sum = self.over_last(index, ReduceKind::Sum, powers);
        let log = self.made(index, Op::Unary(UnaryKind::Log), vec![sum], y);
        self.emit(index, binary(BinaryKind::Sub), vec![left, log], vec![y]);
        Ok(())
    }

    fn l2_normalization(&mut self, index: usize, x: usize, y: usize, clamped: bool) -> Result<(), Left> {
        if clamped {
            return Err(("it has a fused activation".into(), "let the activation be an operator of its own"));
        }
        self.floats(&[x, y])?;
        self.has_axes(x)?;
        let squares = self.made(index, binary(BinaryKind::Mul), vec![x, x], y);
        let sum = self.over_last(index, ReduceKind::Sum, squares);
        let least = self.number("least sum of squares", LEAST_SQUARES);
        let sum = self.made(index, binary(BinaryKind::Maximum), vec![sum, least], y);
        let length = self.made(index, function(Function::Sqrt), vec![sum], y);
        self.emit(index, binary(BinaryKind::Div), vec![x, length], vec![y]);
        Ok(())
    }

    /// SELECT, whose operands are of one shape, and whose condition is of that shape or says it for whole elements of the first axis.
    fn select(&mut self, index: usize, condition: usize, [a, b]: [usize; 2], y: usize) -> Result<(), Left> {
        for t in [condition, a, b, y] {
            let Ok(dtype) = &self.tensors[t].dtype else {
                // Types that are not supported are told of where they are declared.
                return Ok(());
            };
            if t != condition && !self.tensors[t].is_like(&self.tensors[a]) {
                return Err((UNLIKE.0.into(), UNLIKE.1));
            }
            let element = self.tensors[t].stored_element();
            let quantised = matches!(element, ElementType::Int8 | ElementType::Int16) && dtype.quantisation().is_some();
            let plain =
                matches!(element, ElementType::Float32 | ElementType::Int32 | ElementType::Int64 | ElementType::Bool);
            if !(quantised || plain) {
                return Err((
                    format!("it takes {element}"),
                    "use float32, int32, int64, bool or quantised int8 or int16",
                ));
            }
        }
        let (shape, like) = (self.shape(condition), self.shape(a));
        if like != self.shape(b) {
            return Err((format!("it selects from {like:?} and {:?}, which differ", self.shape(b)), SOUND));
        }
        let mut condition = condition;
        if shape != like && shape.len() == 1 && shape.first() == like.first() {
            let mut wide = vec![1; like.len()];
            wide[0] = shape[0];
            let op = Op::Reshape { kind: ReshapeKind::Reshape, shape: wide };
            condition = self.made(index, op, vec![condition], condition);
        } else if shape != like && !shape.is_empty() {
            return Err((format!("its condition of {shape:?} does not suit {like:?}"), SOUND));
        }
        self.emit(index, Op::Select, vec![condition, a, b], vec![y]);
        Ok(())
    }

    /// Two factors whose product is the power of `x` with a whole exponent of at least 2: squares of squares.
    fn whole_power(&mut self, index: usize, x: usize, exponent: u32, y: usize) -> (usize, usize) {
        let mut multiply = |a: usize, b: usize| self.made(index, binary(BinaryKind::Mul), vec![a, b], y);
        // From the second highest bit on; the last product is left to the caller.
        let mut power = x;
        for bit in (1..exponent.ilog2()).rev() {
            power = multiply(power, power);
            if exponent >> bit & 1 == 1 {
                power = multiply(power, x);
            }
        }
        match exponent & 1 {
            1 => (multiply(power, power), x),
            _ => (power, power),
        }
    }

    fn pow(&mut self, index: usize, [x, exponent]: [usize; 2], y: usize) -> Result<(), Left> {
        self.floats(&[x, exponent, y])?;
        let data = self.tensors[exponent].data.clone();
        let values =
            data.iter().flat_map(|data| data.chunks_exact(4)).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let values: Vec<f32> = values.collect();
        let Some(&power) = values.first().filter(|&&first| values.iter().all(|&value| value == first)) else {
            return Err(("its exponent is not one number that is known when reading".into(), CONSTANT));
        };
        if self.shape(x) != self.shape(y) {
            return Err((
                "its exponent has another shape than what is raised".into(),
                "let the exponent be a single number",
            ));
        }
        let (op, inputs) = match power {
            1.0 => {
                self.alias(index, y, x);
                return Ok(());
            }
            0.5 => (function(Function::Sqrt), vec![x]),
            -0.5 => (function(Function::Rsqrt), vec![x]),
            -1.0 => (binary(BinaryKind::Div), vec![self.number("one", 1.0), x]),
            _ if power == 0.0 || !power.is_finite() => {
                return Err((
                    format!("its exponent is {power}"),
                    "leave it out, or let the exponent be a number other than 0",
                ));
            }
            _ if power.fract() == 0.0 && power.abs() <= MOST_WHOLE => {
                let (product, square) = self.whole_power(index, x, power.abs() as u32, y);
                if power > 0.0 {
                    (binary(BinaryKind::Mul), vec![product, square])
                } else {
                    let whole = self.made(index, binary(BinaryKind::Mul), vec![product, square], y);
                    (binary(BinaryKind::Div), vec![self.number("one", 1.0), whole])
                }
            }
            _ if power.fract() == 0.0 => {
                return Err((
                    format!("its exponent is {power}; whole ones are supported from -{MOST_WHOLE} to {MOST_WHOLE}"),
                    "write it as a power of a power",
                ));
            }
            // Of what is below 0 there is no such power, and no logarithm.
            _ => {
                let log = self.made(index, Op::Unary(UnaryKind::Log), vec![x], y);
                let factor = self.number("exponent", power);
                let product = self.made(index, binary(BinaryKind::Mul), vec![log, factor], y);
                (Op::Unary(UnaryKind::Exp), vec![product])
            }
        };
        self.emit(index, op, inputs, vec![y]);
        Ok(())
    }

    fn relu_0_to_1(&mut self, index: usize, x: usize, y: usize) -> Result<(), Left> {
        self.floats(&[x, y])?;
        let [zero, one] = [("zero", 0.0), ("one", 1.0)].map(|(name, value)| self.number(name, value));
        let positive = self.made(index, binary(BinaryKind::Maximum), vec![x, zero], y);
        self.emit(index, binary(BinaryKind::Minimum), vec![positive, one], vec![y]);
        Ok(())
    }

    fn arg_min(&mut self, index: usize, [x, axis]: [usize; 2], y: usize) -> Result<(), Left> {
        let axis = self.axis(axis, x)?;
        let negated = match self.tensors[x].dtype.as_ref().ok().and_then(DataType::quantisation) {
            Some(&Quantisation::PerTensor { scale, zero_point })
                if self.tensors[x].stored_element() == ElementType::Int8 =>
            {
                // Less than nothing, on a scale that has a place for each of the 256: exactly -1 - x.
                let (zero, mirrored) = (DataType::int8(scale, 0), DataType::int8(scale, -1 - zero_point));
                self.tensors.push(Source::constant("nothing".into(), vec![1], zero, vec![0].into()));
                let nothing = self.tensors.len() - 1;
                let like = Source { dtype: Ok(mirrored), ..self.tensors[x].clone() };
                self.tensors.push(like);
                let negated = self.tensors.len() - 1;
                self.emit(index, binary(BinaryKind::Sub), vec![nothing, x], vec![negated]);
                negated
            }
            _ => {
                self.floats(&[x])?;
                self.made(index, function(Function::Neg), vec![x], x)
            }
        };
        self.emit(index, Op::ArgMax { axis }, vec![negated], vec![y]);
        Ok(())
    }

    fn one_hot(
        &mut self,
        index: usize,
        [indices, depth, on, off]: [usize; 4],
        y: usize,
        axis: i32,
    ) -> Result<(), Left> {
        let depth = match self.constants(depth, "depth")?[..] {
            [depth] if (1..=i64::from(i32::MAX)).contains(&depth) => depth as usize,
            _ => return Err(("its depth is no number above 0".into(), SOUND)),
        };
        let shape = self.shape(indices);
        let axis = if axis == -1 { shape.len() } else { self.axis_of(axis.into(), shape.len() + 1)? };
        let int32 = DataType::Plain(ElementType::Int32);
        let indices = match self.tensors[indices].dtype.as_ref().map(DataType::element) {
            Ok(ElementType::Int32) => indices,
            Ok(ElementType::Int64) => {
                // As the reference does: of numbers that do not fit 32 bits the upper bits are cut off.
                self.tensors.push(Source::activation("indices of 32 bits".into(), Ok(int32.clone())));
                let narrow = self.tensors.len() - 1;
                self.emit(index, Op::Cast, vec![indices], vec![narrow]);
                narrow
            }
            // Types that are not supported are told of where they are declared.
            Err(_) => return Ok(()),
            Ok(other) => return Err((format!("its indices are {other}; int32 and int64 are supported"), SOUND)),
        };
        // A number alone justifies no memory.
        if depth > MOST {
            return Err((format!("its depth is {depth}, and {MOST} is the most"), "let fewer places be told apart"));
        }
        let places: Vec<u8> = (0..depth as i32).flat_map(i32::to_le_bytes).collect();
        let mut at = vec![1; shape.len() + 1];
        at[axis] = depth;
        let name = "places".to_owned();
        self.tensors.push(Source::constant(name.clone(), at, int32, places.into()));
        let places = self.tensors.len() - 1;
        let mut wide = shape;
        wide.insert(axis, 1);
        let indices = self.made(index, Op::Reshape { kind: ReshapeKind::Reshape, shape: wide }, vec![indices], indices);
        self.tensors.push(Source::activation(name, Ok(DataType::Plain(ElementType::Bool))));
        let met = self.tensors.len() - 1;
        self.emit(index, Op::Compare(CompareKind::Equal), vec![indices, places], vec![met]);
        // The reference copies what is stored, whatever converters note of the scales of these two.
        let [on, off] = [on, off].map(|t| {
            let (source, like) = (&self.tensors[t], &self.tensors[y]);
            if source.data.is_none() || source.is_like(like) || source.stored_element() != like.stored_element() {
                return t;
            }
            let stored = Source { dtype: like.dtype.clone(), uint8: like.uint8, ..source.clone() };
            self.tensors.push(stored);
            self.tensors.len() - 1
        });
        self.emit(index, Op::Select, vec![met, on, off], vec![y]);
        Ok(())
    }

    fn cumsum(
        &mut self,
        index: usize,
        [x, axis]: [usize; 2],
        y: usize,
        exclusive: bool,
        reverse: bool,
    ) -> Result<(), Left> {
        self.floats(&[x, y])?;
        let axis = self.axis(axis, x)?;
        let size = self.tensors[x].shape[axis];
        if size == 0 {
            return Err(("it sums nothing".into(), SOUND));
        }
        if size <= MOST_SUMS {
            return self.one_after_the_other(index, x, axis, y, [exclusive, reverse]);
        }
        // By doubling: each place has the sum of one, then two, then four slices.
        let steps = (0..).map(|i| 1usize << i).take_while(|&by| by < size);
        self.room(3 * (1 + steps.clone().count()))?;
        let mut sum = x;
        if exclusive {
            sum = self.moved(index, sum, axis, 1, reverse, y);
        }
        for by in steps {
            let before = self.moved(index, sum, axis, by, reverse, y);
            sum = self.made(index, binary(BinaryKind::Add), vec![sum, before], y);
        }
        self.alias(index, y, sum);
        Ok(())
    }

    /// Running sums in the reference's order, whose roundings they have.
    fn one_after_the_other(
        &mut self,
        index: usize,
        x: usize,
        axis: usize,
        y: usize,
        [exclusive, reverse]: [bool; 2],
    ) -> Result<(), Left> {
        let size = self.tensors[x].shape[axis];
        self.room(2 * size)?;
        let mut sums = Vec::new();
        for i in 0..size {
            let place = if reverse { size - 1 - i } else { i };
            let part = self.made(index, self.slice(x, axis, place, 1), vec![x], y);
            let sum = match sums.last() {
                Some(&sum) => self.made(index, binary(BinaryKind::Add), vec![sum, part], y),
                None => part,
            };
            sums.push(sum);
        }
        if exclusive {
            // Each place has the sum of those before it.
            let zero = self.number("nothing", 0.0);
            let first = self.made(index, binary(BinaryKind::Mul), vec![sums[0], zero], y);
            sums.pop();
            sums.insert(0, first);
        }
        if reverse {
            sums.reverse();
        }
        self.emit(index, Op::Concatenation { axis, activation: Activation::None }, sums, vec![y]);
        Ok(())
    }

    /// The slices of `x` moved by so many places towards the end of an axis, or with `reverse` towards its begin; zeros come after them.
    fn moved(&mut self, index: usize, x: usize, axis: usize, by: usize, reverse: bool, y: usize) -> usize {
        let left = self.tensors[x].shape[axis] - by;
        let rest = self.made(index, self.slice(x, axis, if reverse { by } else { 0 }, left), vec![x], y);
        let mut pads = vec![[0, 0]; self.tensors[x].shape.len()];
        pads[axis] = if reverse { [0, by] } else { [by, 0] };
        self.made(index, Op::Pad { pads, value: PadValue::Zero }, vec![rest], y)
    }

    fn reduce_bools(
        &mut self,
        index: usize,
        [x, axes]: [usize; 2],
        y: usize,
        kind: ReduceKind,
        keep_dims: bool,
    ) -> Result<(), Left> {
        let rank = self.tensors[x].shape.len();
        let named = self.constants(axes, "axes")?;
        let mut axes = named.iter().map(|&axis| self.axis_of(axis, rank)).collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        axes.dedup();
        let numbers = |all: &mut Self| {
            all.tensors.push(Source::activation("as numbers".into(), Ok(DataType::FLOAT32)));
            all.tensors.len() - 1
        };
        let from = numbers(self);
        self.emit(index, Op::Cast, vec![x], vec![from]);
        let reduced = numbers(self);
        self.emit(index, Op::Reduce { kind, axes, keep_dims }, vec![from], vec![reduced]);
        self.emit(index, Op::Cast, vec![reduced], vec![y]);
        Ok(())
    }
}

fn binary(kind: BinaryKind) -> Op {
    Op::Binary { kind, activation: Activation::None }
}

fn function(function: Function) -> Op {
    Op::Unary(UnaryKind::Function(function))
}
