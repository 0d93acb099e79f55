//! What training allocates: nothing in a step, and little before.

mod reference;

use reference::{noise, settings};
use smidgen_train::{Activation, Builder, ConvLayer, Net, Optimiser, Random, Samples, Settings, Trainer, Value};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts the allocations of this thread, and the bytes that it has.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: as the system's allocator, which does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        BYTES.set(BYTES.get() + layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get() - layout.size() as isize);
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// MLPerf Tiny's network for CIFAR-10 (Banbury et al. 2021): three residual blocks of 16, 32 and 64 channels.
fn resnet8() -> Net {
    let mut b = Builder::new(&[32, 32, 3]);
    let mut x = b.conv("stem", b.input(), 16, ConvLayer::new(3, 1, Activation::Relu)).unwrap();
    for (block, (channels, stride)) in [(16, 1), (32, 2), (64, 2)].into_iter().enumerate() {
        x = residual(&mut b, block, x, channels, stride);
    }
    let pooled = b.global_pool("pool", x).unwrap();
    let logits = b.fully_connected("classifier", pooled, 10, Activation::None).unwrap();
    b.build(logits).unwrap()
}

fn residual(b: &mut Builder, block: usize, x: Value, channels: usize, stride: usize) -> Value {
    let name = |part: &str| format!("block{block}.{part}");
    let y = b.conv(&name("first"), x, channels, ConvLayer::new(3, stride, Activation::Relu)).unwrap();
    let y = b.conv(&name("second"), y, channels, ConvLayer::new(3, 1, Activation::None)).unwrap();
    let x = if stride == 1 {
        x
    } else {
        b.conv(&name("shortcut"), x, channels, ConvLayer::new(1, stride, Activation::None)).unwrap()
    };
    b.add(&name("sum"), y, x, Activation::Relu).unwrap()
}

#[test]
fn a_step_allocates_nothing() {
    let net = resnet8();
    let mut random = Random::new(4);
    let inputs = noise(6 * net.input_len(), &mut random);
    let labels = [1, 2, 3, 4, 5, 6];
    for optimiser in [Optimiser::default(), Optimiser::ADAM_W] {
        let settings = Settings { optimiser, average: Some(0.9), clip: Some(1.0), ..settings(6, 2) };
        let mut trainer = Trainer::new(net.clone(), settings, 5).unwrap();
        let batch = Samples::new(&net, &inputs, &labels).unwrap();
        let before = ALLOCATIONS.get();
        trainer.step(&batch, 0.0).unwrap();
        trainer.step(&batch, 0.5).unwrap();
        assert_eq!(ALLOCATIONS.get() - before, 0);
    }
}

/// The figure is exact: all buffers are allocated by the thread that makes the trainer.
#[test]
fn resnet8_at_batch_128_takes_little() {
    let net = resnet8();
    assert_eq!(net.macs(), 12_501_632);
    for (threads, most) in [(1, 16), (2, 30), (8, 120)] {
        let before = BYTES.get();
        let settings = Settings { batch: 128, shard: 16, threads, average: Some(0.99), ..Settings::default() };
        let trainer = Trainer::new(net.clone(), settings, 5).unwrap();
        let taken = (BYTES.get() - before) / 1_000_000;
        assert!(taken < most, "{threads} threads take {taken} MB");
        drop(trainer);
    }
}
