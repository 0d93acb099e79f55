//! Which space the first stage of a search chooses, by what the planner says of its networks.
//!
//! `cargo xtask bench spaces [DRAWS [FLASH]]`: of each of the 108 published spaces DRAWS networks (100) of 1,000 classes are drawn once and
//! asked what they take of an STM32F746; then the space is chosen for budgets of SRAM from 16 to 256 KiB with FLASH KiB
//! (1,000) of constants and code, without and with a limit of 200 milliseconds at one instruction a cycle.
//!
//! `cargo xtask bench spaces small [DRAWS]`: of pictures of 32x32 and 10 classes, for each skeleton the space that is
//! chosen within 8 to 32 KiB of SRAM, 97 KB of flash and 12.5 million multiply-accumulates.

use smidgen::boards;
use smidgen::lowering::LowerOptions;
use smidgen::plan::PlanOptions;
use smidgen::scope::costs;
use smidgen::search::{Budget, Candidate, Figures, Inputs, Limit, Planner, Space, grid};
use smidgen::train::Random;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Milliseconds of an inference.
const LATENCY: f64 = 200.0;

/// Small pictures: what MLPerf Tiny's network for CIFAR-10 takes beside the SRAM.
const SMALL: Budget = Budget { sram: None, flash: Some(97_000), macs: Some(12_500_000), instructions: None };

fn main() {
    let small = std::env::args().any(|argument| argument == "small");
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let (draws, flash) = (numbers.next().unwrap_or(100), numbers.next().unwrap_or(1000));
    let board = boards::find("stm32f746").expect("a board");
    let plan = PlanOptions { costs: costs(board.core), ..PlanOptions::default() };
    let planner = Planner::new(LowerOptions::default().for_mcu(), plan);
    let spaces = match small {
        true => grid([32, 32], 3, 10, Inputs::Squares),
        false => grid([224, 224], 3, 1000, Inputs::Squares),
    };
    let (next, drawn) = (AtomicUsize::new(0), Mutex::new(vec![Vec::new(); spaces.len()]));
    let work = || {
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some(space) = spaces.get(at)
        {
            let mut random = Random::new(at as u64);
            let figures = |_| space.figures(&Candidate::draw(space, &mut random), &planner).expect("a plan");
            let all: Vec<Figures> = (0..draws).map(figures).collect();
            drawn.lock().expect("no thread panics")[at] = all;
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    let drawn = drawn.into_inner().expect("no thread panics");
    let instructions = (LATENCY * 1e3 * f64::from(board.clock_mhz)) as u64;
    println!(
        "{:>9} {:>11} {:>22} {:>10} {:>7}  what most networks exceed",
        "SRAM", "limit", "space", "mean MACs", "fit"
    );
    if small {
        for sram in [8_192, 12_288, 16_500, 24_576, 32_768] {
            let mut names: Vec<&str> = spaces.iter().map(|space| space.skeleton.name).collect();
            names.dedup();
            names.truncate(4);
            for name in names {
                let of = |(space, _): &(&Space, &Vec<Figures>)| space.skeleton.name == name;
                let (spaces, drawn): (Vec<Space>, Vec<Vec<Figures>>) =
                    spaces.iter().zip(&drawn).filter(of).map(|(space, drawn)| (space.clone(), drawn.clone())).unzip();
                println!("{}", line(&Budget { sram: Some(sram), ..SMALL }, &spaces, &drawn, name, sram));
            }
        }
        return;
    }
    for sram in [16, 32, 64, 128, 256] {
        for limit in [None, Some(instructions)] {
            let budget =
                Budget { sram: Some(sram << 10), flash: Some(flash << 10), instructions: limit, ..Budget::default() };
            println!("{}", line(&budget, &spaces, &drawn, limit.map_or("none", |_| "200 ms"), sram));
        }
    }
}

/// The space that wins within a budget.
fn line(budget: &Budget, spaces: &[Space], drawn: &[Vec<Figures>], limit: &str, sram: usize) -> String {
    let kept = |figures: &[Figures]| -> Vec<u64> {
        figures.iter().filter(|figures| budget.admits(figures)).map(|figures| figures.macs).collect()
    };
    let mean = |macs: &[u64]| macs.iter().sum::<u64>() as f64 / macs.len().max(1) as f64;
    let enough = |macs: &[u64], of: usize| macs.len() >= 8 && macs.len() * 50 >= of;
    let all = spaces.iter().zip(drawn).map(|(space, drawn)| (space, drawn, kept(drawn)));
    let best =
        all.filter(|(_, drawn, macs)| enough(macs, drawn.len())).max_by(|a, b| mean(&a.2).total_cmp(&mean(&b.2)));
    let Some((space, drawn, macs)) = best else { return format!("{sram:>9} {limit:>11} {:>22}", "none") };
    let exceeded = |limit: &Limit| drawn.iter().filter(|figures| budget.exceeded(figures).contains(limit)).count();
    let tightest = Limit::ALL.into_iter().max_by_key(exceeded).filter(|limit| exceeded(limit) > 0);
    let named = format!("width {}, {}x{}", space.width, space.input[0], space.input[1]);
    format!(
        "{sram:>9} {limit:>11} {named:>22} {:>8.1} M {:>5.0} %  {}",
        mean(&macs) / 1e6,
        100.0 * macs.len() as f64 / drawn.len() as f64,
        tightest.map_or_else(|| "nothing".to_owned(), |limit| limit.to_string()),
    )
}
