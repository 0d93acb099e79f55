//! The device kernels give what their definitions say. The same cases run on emulated cores, with the hand-written blocks.

mod depthwise;
mod random;

#[test]
fn depthwise_layers() {
    let mut memory = Box::new(depthwise::Memory::NEW);
    for seed in 0..3000 {
        assert!(depthwise::check(seed, &mut memory), "case {seed}");
    }
}
