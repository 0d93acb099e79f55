use super::{Channel, Packed, Task};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use smidgen_kernels::Rounding;
use smidgen_kernels::int8::Int8;
use smidgen_kernels::int8::mcu::Width;
use smidgen_kernels::memory::Flash;
use smidgen_kernels::requant::Factor;

/// Without shifts of channels' own.
fn pack(channels: &[Channel], quant: &Int8, width: Width) -> Option<Packed> {
    super::pack(channels, quant, width, false)
}

fn proves(packed: &Packed, channels: &[Channel], quant: &Int8, width: Width) -> bool {
    let tasks: Vec<Task> = channels.iter().map(|channel| Task::new(channel, quant)).collect();
    super::proves(packed, &tasks, width)
}

fn quant(output_zero: i32, rounding: Rounding) -> Int8 {
    Int8 { input_zero: 0, output_zero, min: -128, max: 127, rounding }
}

/// True if the packed form gives the reference's output for every accumulator, each tried. One whose words point outside themselves gives
/// none.
fn equal_everywhere(packed: &Packed, channels: &[Channel], quant: &Int8, width: Width) -> bool {
    if !packed.epilogue.is_sound(width, &packed.words, channels.len()) {
        return false;
    }
    channels.iter().enumerate().all(|(i, channel)| {
        let unpacked =
            packed.epilogue.pair_of(width, Flash::new(&packed.words), i / 2 * 3, channels.len().div_ceil(2) * 3)[i % 2];
        (channel.low..=channel.high).all(|acc| {
            let staged = (acc - channel.bias as i64) * width.scale() as i64 + unpacked.start as i64;
            packed.epilogue.output(&unpacked, staged as i32) == channel.output(acc, quant)
        })
    })
}

/// A layer whose accumulators are few enough to try them all: up to 2^17 for each channel.
fn layer() -> impl Strategy<Value = (Vec<Channel>, Int8)> {
    let channel = (prop::collection::vec(any::<i8>(), 1..5), -20_000i32..20_000, 1e-4f64..0.02)
        .prop_map(|(weights, bias, real)| Channel::new(Factor::new(real), bias, weights.into_iter()));
    let rounding = prop::bool::ANY.prop_map(|once| if once { Rounding::Once } else { Rounding::Twice });
    let quant = (prop_oneof![Just(-128), -20..20], rounding).prop_map(|(zero, rounding)| quant(zero, rounding));
    (prop::collection::vec(channel, 1..6), quant)
}

fn width() -> impl Strategy<Value = Width> {
    prop_oneof![Just(Width::Eight), Just(Width::Four)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_packed_is_equal_everywhere((channels, quant) in layer(), width in width()) {
        // A layer whose channels' scales spread far may have no common shift: then the general form is kept.
        let Some(packed) = pack(&channels, &quant, width) else { return Ok(()) };
        prop_assert!(equal_everywhere(&packed, &channels, &quant, width));
    }

    #[test]
    fn a_changed_word_is_refused_exactly_if_a_byte_changes(
        (channels, quant) in layer(), width in width(), word in any::<prop::sample::Index>(), flip in 0u32..31,
    ) {
        let Some(mut packed) = pack(&channels, &quant, width) else { return Ok(()) };
        let word = word.index(packed.words.len());
        packed.words[word] ^= 1 << flip;
        prop_assert_eq!(proves(&packed, &channels, &quant, width), equal_everywhere(&packed, &channels, &quant, width));
    }

    #[test]
    fn the_steps_are_those_of_the_reference((channels, quant) in layer()) {
        for channel in &channels {
            let mut slow = vec![(channel.low, channel.output(channel.low, &quant))];
            for acc in channel.low + 1..=channel.high {
                let y = channel.output(acc, &quant);
                if y != slow[slow.len() - 1].1 {
                    slow.push((acc, y));
                }
            }
            prop_assert_eq!(channel.steps(channel.low, channel.high, &quant), slow);
        }
    }
}

#[test]
fn hardly_a_layer_is_refused() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut refused = 0;
    for _ in 0..400 {
        let (channels, quant) = layer().new_tree(&mut runner).unwrap().current();
        let width = width().new_tree(&mut runner).unwrap().current();
        refused += usize::from(pack(&channels, &quant, width).is_none());
    }
    assert!(refused <= 4, "{refused} of 400");
}

#[test]
fn changed_parameters_are_refused() {
    let width = Width::Eight;
    let channels: Vec<Channel> =
        (1..5).map(|i| Channel::new(Factor::new(0.003 * i as f64), -70 * i, [100, -90, 35].into_iter())).collect();
    let quant = quant(-3, Rounding::Twice);
    let right = pack(&channels, &quant, width).unwrap();
    assert!(right.epilogue.by_sign);
    let wrong = |change: fn(&mut Packed)| {
        let mut packed = right.clone();
        change(&mut packed);
        !proves(&packed, &channels, &quant, width)
    };
    assert!(!wrong(|_| {}));
    assert!(wrong(|p| p.epilogue.by_sign = false));
    assert!(wrong(|p| p.epilogue.tie = 0));
    assert!(wrong(|p| p.epilogue.shift -= 1));
    assert!(wrong(|p| p.epilogue.offset += 1 << 9));
    assert!(wrong(|p| p.epilogue.unit *= 2));
    assert!(!proves(&right, &channels, &quant, Width::Four));
    assert!(wrong(|p| p.words.truncate(3)));
    assert!(wrong(|p| p.words.push(0)));
    assert!(wrong(|p| p.words[0] |= 1 << 31));
}

#[test]
fn accumulators_wrap_where_those_of_the_reference_do() {
    let relu = quant(-128, Rounding::Twice);
    for bias in [i32::MIN, i32::MIN + 9_000, i32::MAX, i32::MAX - 9_000] {
        // The smallest scales that converters give.
        for real in [3e-8, 2e-9] {
            let channels = vec![
                Channel::new(Factor::new(real), bias, [127, -80, 11].into_iter()),
                Channel::new(Factor::new(real), bias, [0; 3].into_iter()),
                Channel::new(Factor::new(0.003), 40, [100, -90, 35].into_iter()),
            ];
            let packed = pack(&channels, &relu, Width::Eight).expect("a packed form");
            assert!(equal_everywhere(&packed, &channels, &relu, Width::Eight), "{bias} {real}");
        }
    }
}

#[test]
fn after_a_relu_the_sign_needs_no_care() {
    let channels = [Channel::new(Factor::new(0.004), 500, [100, -90, 35].into_iter())];
    assert!(!pack(&channels, &quant(-128, Rounding::Twice), Width::Eight).unwrap().epilogue.by_sign);
    assert!(!pack(&channels, &quant(-3, Rounding::Once), Width::Eight).unwrap().epilogue.by_sign);
    assert!(pack(&channels, &quant(-127, Rounding::Twice), Width::Eight).unwrap().epilogue.by_sign);
}

#[test]
fn extremes_are_packed_or_refused() {
    let twice = quant(0, Rounding::Twice);
    // Outputs that never change, whatever the scale.
    for real in [0.0, 1e-9, 1e-3, 0.9] {
        let channels = vec![Channel::new(Factor::new(real), 40, core::iter::empty::<i8>()); 3];
        assert!(
            equal_everywhere(&pack(&channels, &twice, Width::Eight).unwrap(), &channels, &twice, Width::Eight),
            "{real}"
        );
    }
    assert_eq!(pack(&[], &twice, Width::Eight).unwrap().words.len(), 0);
    // More than 24 bits of accumulator, which are only had where they do not matter.
    let wide = |real, weights| Channel::new(Factor::new(real), 1 << 24, core::iter::repeat_n(127, weights));
    assert_eq!(pack(&[wide(1e-6, 400)], &twice, Width::Eight), None);
    assert_eq!(pack(&[wide(1e-2, 4)], &twice, Width::Eight).unwrap().epilogue.extras, 0);
    // A clamp inside the range of int8.
    let clamped = Int8 { max: 100, ..twice };
    assert_eq!(pack(&[Channel::new(Factor::new(0.01), 0, [127, 127].into_iter())], &clamped, Width::Eight), None);
    // A bias that needs more bits than are stored becomes an extra.
    let wide = [Channel::new(Factor::new(1e-5), 6_000_000, [90; 40].into_iter())];
    let packed = pack(&wide, &twice, Width::Eight).unwrap();
    assert_eq!((packed.epilogue.extras, packed.words.len()), (1, 4));
}

#[test]
fn narrow_weights_scale_their_accumulators_more() {
    let twice = quant(0, Rounding::Twice);
    let channel = |bias| [Channel::new(Factor::new(1e-4), bias, [7; 400].into_iter())];
    // 20 bits of accumulator, but not more.
    assert!(pack(&channel(100_000), &twice, Width::Four).is_some());
    assert_eq!(pack(&channel(300_000), &twice, Width::Four), None);
    assert!(pack(&channel(300_000), &twice, Width::Eight).is_some());
}

#[test]
fn a_channel_may_have_its_own_shift() {
    // Factors 2^11 apart, with as many accumulators as 49 taps give: one shift leaves too few bits to the least.
    let wide = |real, bias| Channel::new(Factor::new(real), bias, (0..49).map(|i| 127 - (i % 3) as i8));
    let channels = [wide(0.45, 3), wide(1.613e-4, -70_001), wide(4.37e-4, 40_000), wide(0.00213, 40_000)];
    for quant in [quant(-128, Rounding::Twice), quant(5, Rounding::Twice)] {
        assert_eq!(pack(&channels, &quant, Width::Eight), None);
        let packed = super::pack(&channels, &quant, Width::Eight, true).unwrap();
        assert!(packed.epilogue.own_shifts && packed.epilogue.extras > 0);
        assert!(equal_everywhere(&packed, &channels, &quant, Width::Eight));
        // The shift is proven with the rest.
        let other = Packed { words: packed.words.iter().map(|w| w ^ 1).collect(), ..packed };
        assert!(!proves(&other, &channels, &quant, Width::Eight));
    }
}
