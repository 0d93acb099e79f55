//! UNIDIRECTIONAL_SEQUENCE_LSTM.

use super::Written;
use crate::error::WriteError;
use crate::write::Writer;
use smidgen_ir::RecurrentParams;

/// What the format has keeps its state from call to call, which a layer that begins anew each time does not.
pub(super) fn write(writer: &mut Writer<'_, '_>, _: &RecurrentParams) -> Result<Written, WriteError> {
    Err(writer.fail(
        "the format has no recurrent layer that begins anew in each call: keep the network as ONNX or in the textual form",
    ))
}
