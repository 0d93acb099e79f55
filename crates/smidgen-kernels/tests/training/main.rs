//! The kernels of a training step give what their definitions say.

mod backward;
mod forward;
mod layer;
mod plain;
#[path = "../mcu/random.rs"]
mod random;

use random::Random;

/// Random cases of a kernel.
fn cases(check: fn(&mut Random) -> bool) {
    for seed in 0..if cfg!(miri) { 5 } else { 600 } {
        assert!(check(&mut Random(seed)), "case {seed}");
    }
}

#[test]
fn convolutions() {
    cases(forward::conv2d);
}

#[test]
fn depthwise_convolutions() {
    cases(forward::depthwise);
}

#[test]
fn sums() {
    cases(forward::sum);
}

#[test]
fn masks() {
    cases(backward::mask);
}

#[test]
fn sums_of_gradients() {
    cases(backward::total);
}

#[test]
fn rearranged_gradients() {
    cases(backward::rearrange);
}

#[test]
fn gradients_of_functions() {
    cases(backward::slope);
}

#[test]
fn gradients_of_products() {
    cases(backward::product);
}

#[test]
fn gradients_of_interpolation() {
    cases(backward::resized);
}

#[test]
fn gradients_of_greatest_elements() {
    cases(backward::greatest);
}

#[test]
fn gradients_of_convolutions() {
    cases(backward::conv2d);
}

#[test]
fn gradients_of_depthwise_convolutions() {
    cases(backward::depthwise);
}

#[test]
fn gradients_of_averages() {
    cases(backward::spread);
}

#[test]
fn updates_of_weights() {
    cases(backward::update);
}

#[test]
fn updates_of_biases() {
    cases(backward::bias);
}
