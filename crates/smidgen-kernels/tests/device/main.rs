//! The device kernels give what their definitions say. The same cases run on emulated cores, with the hand-written blocks.

mod depthwise;
mod random;
mod sum;

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
fn sums() {
    for seed in 0..2000 {
        assert!(sum::check(seed), "case {seed}");
    }
}
