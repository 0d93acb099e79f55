//! The device kernels give what their definitions say. The same cases run on emulated cores, with the hand-written blocks.

mod conv2d;
mod depthwise;
mod fully_connected;
mod layer;
mod product;
mod random;
mod sum;

#[test]
fn convolutions() {
    for seed in 0..if cfg!(miri) { 20 } else { 4000 } {
        assert!(conv2d::check(seed), "case {seed}");
    }
}

#[test]
fn fully_connected_layers() {
    for seed in 0..if cfg!(miri) { 20 } else { 2000 } {
        assert!(fully_connected::check(seed), "case {seed}");
    }
}

#[test]
fn depthwise_layers() {
    let mut memory = Box::new(depthwise::Memory::NEW);
    let mut checked = 0;
    for seed in 0..3000 {
        let right = depthwise::check(seed, &mut memory);
        assert_ne!(right, Some(false), "case {seed}");
        checked += usize::from(right.is_some());
    }
    assert!(checked > 2500, "only {checked} cases fit");
}

#[test]
fn products() {
    for seed in 0..2000 {
        assert!(product::check(seed), "case {seed}");
    }
}

#[test]
fn sums() {
    for seed in 0..2000 {
        assert!(sum::check(seed), "case {seed}");
    }
}
