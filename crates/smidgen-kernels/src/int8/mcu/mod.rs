//! The int8 kernels that firmware runs: one algorithm and one packing of constants for every core.
//!
//! What they share: activations are staged as 16-bit numbers such that accumulators are 256 times as large as the reference's
//! ([`epilogue::SCALE`]; 4096 times with [weights of four bits](nibbles)), and outputs are [finished](epilogue) by one multiplication and one shift, which lowering has proven to give the
//! reference's bytes for the weights at hand. A layer for which that cannot be proven keeps a kernel that requantises by the definition.
//!
//! Constants must not grow: packed weights take what the weights do, but for filling up to whole words, and all else about six
//! bytes for each channel.

mod blocks;
mod conv2d;
mod depthwise;
pub mod epilogue;
mod fully_connected;
pub mod lanes;
mod lstm;
pub mod nibbles;
mod pairs;
mod product;
mod sum;
mod variants;
mod weights;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use conv2d::{
    CONV2D_PIXELS, Conv2d, conv2d, conv2d_channel_parameters, conv2d_i4, conv2d_in_place, conv2d_offset,
    conv2d_offset_channel_parameters, conv2d_offset_pack, conv2d_offset_quads, conv2d_offset_scratch,
    conv2d_offset_words, conv2d_pack, conv2d_scratch, conv2d_tap, conv2d_words,
};
pub use depthwise::{
    DEPTHWISE_CHANNELS, Depthwise, depthwise, depthwise_any, depthwise_any_offset, depthwise_columns,
    depthwise_is_staged, depthwise_offset, depthwise_offset_pack, depthwise_offset_weights, depthwise_pack,
    depthwise_scratch, depthwise_weights,
};
pub use epilogue::{Channel, Epilogue};
pub use fully_connected::{fully_connected, fully_connected_i4, fully_connected_pack, fully_connected_weights};
pub use lstm::{lstm, lstm_pack, lstm_weights};
pub use product::{PRODUCT_BITS, Products, product, product_by_pixels};
pub use sum::{SUM_BITS, Terms, sum, sum_by_pixels};
pub use variants::EpilogueVariants;
pub use weights::Width;
