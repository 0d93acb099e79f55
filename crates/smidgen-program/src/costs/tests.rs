use super::*;
use crate::Region;
use smidgen_kernels::Window2d;

/// What the measured steps do, and what they took on each kind of core.
const STEPS: &str = include_str!("measured/steps.csv");
const MEASURED: [(&Costs, &str); 6] = [
    (&ARMV6M, include_str!("measured/armv6m.txt")),
    (&ARMV7M, include_str!("measured/armv7m.txt")),
    (&ARMV7EM, include_str!("measured/armv7em.txt")),
    (&ARMV8M, include_str!("measured/armv8m.txt")),
    (&CORTEX_M55, include_str!("measured/cortex_m55.txt")),
    (&RV32IMC, include_str!("measured/rv32imc.txt")),
];

#[test]
fn rates_are_those_that_fit_the_measurements_and_a_step_is_less_than_5_per_cent_off() {
    for (costs, text) in MEASURED {
        let measured = read(STEPS, text).unwrap();
        let fitted = fit(measured.iter());
        for family in Family::ALL {
            let steps = measured.iter().filter(|step| step.work.family == family).count();
            assert_eq!(usize::from(costs.steps[family as usize]), steps, "{}: {}", costs.name, family.name());
            if steps > 0 {
                let [mut found, mut fitted] = [costs.rates, fitted].map(|rates| rates[family as usize]);
                for feature in (0..family.features().len()).filter(|&i| GUESSED.contains(&(family, i))) {
                    let seen = measured.iter().any(|step| step.work.family == family && step.work.counts[feature] > 0);
                    assert!(!seen, "{}: {} is measured", family.name(), family.features()[feature]);
                    (found[feature], fitted[feature]) = (0, 0);
                }
                assert_eq!(found, fitted, "{}: {}; `cargo xtask fit-costs`", costs.name, family.name());
            }
        }
        let all = errors(&costs.rates, measured.iter(), None);
        assert!(all.steps > 500 && all.mean < 0.05, "{}: {all:?}", costs.name);
    }
}

#[test]
fn rates_hold_for_networks_that_they_were_not_fitted_to() {
    for (costs, text) in MEASURED {
        let measured = read(STEPS, text).unwrap();
        let held = held_out(&measured, None);
        println!("{}: {:.2} %", costs.name, 100.0 * held.mean);
        assert!(held.steps * 100 > measured.len() * 99 && held.mean < 0.05, "{}: {held:?}", costs.name);
    }
}

/// What the code of networks' firmware follows from, and its bytes on each kind of core.
const FIRMWARE: &str = include_str!("measured/code.csv");
const CODE: [(&Costs, &str); 6] = [
    (&ARMV6M, include_str!("measured/armv6m_code.txt")),
    (&ARMV7M, include_str!("measured/armv7m_code.txt")),
    (&ARMV7EM, include_str!("measured/armv7em_code.txt")),
    (&ARMV8M, include_str!("measured/armv8m_code.txt")),
    (&CORTEX_M55, include_str!("measured/cortex_m55_code.txt")),
    (&RV32IMC, include_str!("measured/rv32imc_code.txt")),
];

#[test]
fn bytes_of_code_are_less_than_5_per_cent_off() {
    for (costs, text) in CODE {
        let measured = read_code(FIRMWARE, text).unwrap();
        assert_eq!(costs.code, fit_code(measured.iter()), "{}; `cargo xtask fit-costs`", costs.name);
        let all = code_errors(&costs.code, measured.iter());
        assert!(all.steps > 100 && all.mean < 0.05, "{}: {all:?}", costs.name);
        // Every second random network like MCUNet, modelled by the code of all others.
        let seed =
            |one: &CodeMeasurement| one.network.strip_prefix("mobile-")?.split(' ').next()?.parse::<usize>().ok();
        let is_held = |one: &&CodeMeasurement| seed(one).is_some_and(|seed| seed.is_multiple_of(2));
        let others = fit_code(measured.iter().filter(|one| !is_held(one)));
        let mobile = code_errors(&others, measured.iter().filter(is_held));
        println!("{}: {:.2} %, of mobile networks {:.2} %", costs.name, 100.0 * all.mean, 100.0 * mobile.mean);
        assert!(mobile.steps > 15 && mobile.mean < 0.05, "{}: {mobile:?}", costs.name);
    }
}

fn window(size: usize, stride: usize, [rows, columns, channels]: [usize; 3], outputs: usize) -> Window2d {
    Window2d {
        input: [rows * stride, columns * stride, channels],
        output: [rows, columns, outputs],
        size: [size; 2],
        stride: [stride; 2],
        dilation: [1; 2],
        before: [size / 2; 2],
    }
}

fn all(window: &Window2d) -> Region {
    Region { y0: 0, y1: window.output[0], x0: 0, x1: window.output[1] }
}

#[test]
fn windows_beside_the_border_take_longer() {
    let window = window(3, 1, [9, 9, 4], 8);
    for costs in Costs::ALL {
        let cost = |region| {
            modelled(
                &costs.rates[Family::Conv2d as usize],
                &windows::conv2d(Family::Conv2d, &window, [false; 2], region).counts,
            )
        };
        let row = |y| cost(Region { y0: y, y1: y + 1, x0: 0, x1: 9 });
        assert!(row(0) > row(4) && row(0) == row(8), "{}", costs.name);
        let pixels = |x| cost(Region { y0: 4, y1: 5, x0: x, x1: x + 3 });
        assert!(pixels(0) > pixels(3) && pixels(0) == pixels(6), "{}", costs.name);
    }
}

#[test]
fn rows_computed_together_are_staged_once() {
    let window = window(3, 1, [16, 20, 24], 24);
    for costs in Costs::ALL {
        let rates = &costs.rates[Family::Depthwise3 as usize];
        let cost = |rows, region| modelled(rates, &windows::depthwise(&window, rows, false, region).counts);
        let together = [1, 2, 4, 8].map(|rows| cost(rows, all(&window)));
        assert!(together.is_sorted_by(|a, b| a > b), "{}: {together:?}", costs.name);
        // One row staged for each that is computed, at best; three without.
        let apart: u64 = (0..16).map(|y| cost(1, Region { y0: y, y1: y + 1, ..all(&window) })).sum();
        assert_eq!(apart, together[0] + 15 * u64::from(rates[0]));
    }
    let dilated = Window2d { dilation: [2; 2], ..window };
    assert_eq!(windows::depthwise(&dilated, 1, false, all(&dilated)).family, Family::DepthwiseAny);
}
