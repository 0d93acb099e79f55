//! Windows over images: one or two spatial axes, their padding, and the graph's rows and columns.

use super::FIXED_PARAMETERS;
use crate::call::Call;
use crate::constant::Element;
use crate::emit::{Active, channels_last};
use crate::node_error::NodeError;
use smidgen_ir::{Padding, TensorId, Window};

/// A tensor of images as the graph's windowed operators take it: `[N,H,W,C]`. An operator on `[N,C,L]` sees one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image {
    pub id: TensorId,
    pub dims: [usize; 4],
    /// The file's tensor has one spatial axis.
    line: bool,
}

impl Image {
    /// Brings an input into the form that windowed operators take.
    pub fn of(call: &mut Call<'_, '_>, x: &Active) -> Result<Self, NodeError> {
        let rank = x.layout.len();
        if !(3..=4).contains(&rank) {
            return Err(NodeError::unsupported(
                format!("its input has {rank} dimensions; batches of images (4) and of lines (3) are supported"),
                "use layers for images or lines",
            ));
        }
        let x = call.emit.arrange(x, &channels_last(rank))?;
        let dims = call.emit.graph.tensor(x.id).shape.dims();
        let line = rank == 3;
        let dims = match *dims {
            [n, l, c] => [n, 1, l, c],
            [n, h, w, c] => [n, h, w, c],
            _ => return Err(NodeError::Malformed("its input is no image".into())),
        };
        let id = call.emit.relabel(x.id, dims.to_vec())?;
        Ok(Self { id, dims, line })
    }

    /// Number of spatial axes in the file.
    pub fn axes(&self) -> usize {
        if self.line { 1 } else { 2 }
    }

    /// Names a result `[N,H,W,C]` with as many axes as the input had.
    pub fn result(&self, call: &mut Call<'_, '_>, id: TensorId) -> Result<Active, NodeError> {
        let element = Element::F32;
        if !self.line {
            return Ok(Active { id, layout: channels_last(4), element });
        }
        let dims = call.emit.graph.tensor(id).shape.dims();
        let shape = [dims[0], dims[2], dims[3]].to_vec();
        Ok(Active { id: call.emit.relabel(id, shape)?, layout: channels_last(3), element })
    }

    /// One number for rows and one for columns from a list of one or two; `default` where there is none.
    pub fn pair(&self, list: Option<Vec<i64>>, default: usize, what: &str) -> Result<[usize; 2], NodeError> {
        let Some(list) = list else { return Ok([default; 2]) };
        let number = |value: i64| {
            usize::try_from(value).map_err(|_| NodeError::Malformed(format!("`{what}` holds the number {value}")))
        };
        match (list.as_slice(), self.line) {
            (&[l], true) => Ok([default, number(l)?]),
            (&[h, w], false) => Ok([number(h)?, number(w)?]),
            _ => Err(NodeError::Malformed(format!(
                "`{what}` has {} entries for {} spatial axes",
                list.len(),
                self.axes()
            ))),
        }
    }
}

/// What a window moves by, and the file's padding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windowing {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Rows above, columns to the left.
    pub before: [usize; 2],
    /// Rows below, columns to the right.
    pub after: [usize; 2],
}

impl Windowing {
    /// Reads `strides`, `dilations`, `pads` and `auto_pad` of a window of `kernel` over the image.
    pub fn of(call: &Call<'_, '_>, image: &Image, kernel: [usize; 2]) -> Result<Self, NodeError> {
        let stride = image.pair(call.ints("strides")?, 1, "strides")?;
        let dilation = image.pair(call.ints("dilations")?, 1, "dilations")?;
        let mut windowing = Self { kernel, stride, dilation, before: [0; 2], after: [0; 2] };
        for (name, values) in [("the window", kernel), ("strides", stride), ("dilations", dilation)] {
            if values.iter().any(|&v| v == 0 || v > i32::MAX as usize) {
                return Err(NodeError::Malformed(format!("{name} {values:?} is impossible")));
            }
        }
        match call.text("auto_pad")?.unwrap_or("NOTSET") {
            "NOTSET" | "" => {
                if let Some(pads) = call.ints("pads")? {
                    let (before, after) = pads.split_at(pads.len() / 2);
                    if let Some(&negative) = pads.iter().find(|&&p| p < 0) {
                        let reason = format!("its padding of {negative} cuts the image");
                        return Err(NodeError::unsupported(reason, FIXED_PARAMETERS));
                    }
                    windowing.before = image.pair(Some(before.to_vec()), 0, "pads")?;
                    windowing.after = image.pair(Some(after.to_vec()), 0, "pads")?;
                }
            }
            "VALID" => {}
            same @ ("SAME_UPPER" | "SAME_LOWER") => {
                for (axis, &step) in stride.iter().enumerate() {
                    let size = image.dims[axis + 1];
                    let span = (size.div_ceil(step).saturating_sub(1))
                        .checked_mul(step)
                        .and_then(|n| n.checked_add(windowing.extent(axis)?));
                    let span = span.ok_or_else(|| NodeError::Malformed("its window is impossible".into()))?;
                    let total = span.saturating_sub(size);
                    let small = total / 2;
                    windowing.before[axis] = if same == "SAME_UPPER" { small } else { total - small };
                    windowing.after[axis] = total - windowing.before[axis];
                }
            }
            other => return Err(NodeError::Malformed(format!("`auto_pad` is {other:?}"))),
        }
        Ok(windowing)
    }

    /// Pixels from the first tap to the last along an axis; `None` if that overflows.
    pub fn extent(&self, axis: usize) -> Option<usize> {
        (self.kernel[axis] - 1).checked_mul(self.dilation[axis])?.checked_add(1)
    }

    /// The padding as the graph says it: SAME or VALID where that is the same.
    pub fn padding(&self, image: &Image) -> Padding {
        let [[top, left], [bottom, right]] = [self.before, self.after];
        let explicit = Padding::Explicit { top, bottom, left, right };
        let resolve = |axis: usize, padding: Padding| {
            let size = image.dims[axis + 1];
            Window::resolve(size, self.kernel[axis], self.stride[axis], self.dilation[axis], padding, axis)
        };
        let alike =
            |padding| (0..2).all(|axis| resolve(axis, padding).is_some_and(|w| Some(w) == resolve(axis, explicit)));
        [Padding::Valid, Padding::Same].into_iter().find(|&p| alike(p)).unwrap_or(explicit)
    }
}
