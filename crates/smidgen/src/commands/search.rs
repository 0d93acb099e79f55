//! `smidgen search`: from labelled samples and a board to a trained network that fills it, and its firmware.

mod found;
mod pretrained;
pub(super) mod report;
mod shapes;
mod told;

use self::pretrained::Pretrained;
use self::shapes::{Ratios, is_about};
use super::Answer;
use super::train::material::{HoldOut, Material, Sets};
use super::train::subject::Subject;
use super::train::{duration, rate, share, threads};
use crate::console::options::{ReferenceOption, size};
use crate::console::output::Output;
use crate::console::samples::Data;
use crate::console::{Code, Failure, interrupt};
use clap::Args;
use smidgen::boards::{self, Board};
use smidgen::data::set::Content;
use smidgen::ir::visible_path;
use smidgen::lowering::KernelSet;
use smidgen::plan::planner::PlanOptions;
use smidgen::plan::{Objective, ScheduleChoice};
use smidgen::scope::{Scope, costs};
use smidgen::search::clock::Counts;
use smidgen::search::{
    Backbone, Budget, Event, Inputs, Length, Options, Planner, Record, Search as Course, SearchError, Space, grid,
};
use smidgen::train::{Augment, Start};
use smidgen::{Error, LowerOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Search the network that best fills a board, train it on your samples, and write its firmware
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen search --data photos/ --board stm32f412 --time 1h -o photos
      photos/CLASS/*.jpg; the network, its firmware and a report lie in the folder photos then
  smidgen search --data cifar10.tar.gz --board stm32f746 --sram 16K --flash 96K --macs 12.5M --time 8h -o cifar
      less than the board has
  smidgen search --data keywords.npz --board nrf52840 --epochs 60 --evaluations 300 --seed 7 -o keywords
      so much of everything, however long it takes: the same bytes for the same seed
  smidgen search --data photos/ --board stm32f412 --from pretrained.tflite --time 20m -o photos
      what is cut from a network that has learnt from many other pictures: for a few hundred of your own
  smidgen search --data photos/ --board stm32f412 --time 1h --replay other/record.json -o again
      what another search with the same options has done, to the same bytes

First networks of 9 widths and of all resolutions are drawn and planned for the board, as firmware would be: the space \
is searched whose networks within the limits compute the most. Then one network is trained that contains all of that \
space, networks are compared with the weights that they share in it, and the best is trained on, first with floats, then \
with the integers that it is written with. It is known to fit before it is trained.

Ctrl-C ends it after the step that is being taken; the same command goes on where it was.")]
pub struct Search {
    #[command(flatten)]
    data: Data,
    /// The board: a name from `smidgen boards`, or your own file
    #[arg(short, long, value_name = "NAME|FILE")]
    board: String,
    /// The folder to write
    #[arg(short, long = "output", value_name = "DIR")]
    output: PathBuf,
    /// SRAM that the network may take, stack aside: bytes, or with K or M for KiB or MiB [default: what the board has, less
    /// 4 KiB]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    sram: Option<usize>,
    /// Flash that its constants and its code may take [default: what the board has, less 8 KiB]
    #[arg(long, value_name = "BYTES", value_parser = size)]
    flash: Option<usize>,
    /// Multiply-accumulates of an inference at most, such as 12.5M
    #[arg(long, value_name = "N", value_parser = count)]
    macs: Option<u64>,
    /// Milliseconds of an inference at most: by the model of a Cortex-M4's cycles, at one instruction a cycle elsewhere
    #[arg(long, value_name = "MS", default_value_t = 200.0, value_parser = milliseconds)]
    latency: f64,
    /// auto, layer or stream: the schedules that are looked at when it is asked what fits
    #[arg(long, default_value = "auto")]
    schedule: ScheduleChoice,
    #[command(flatten)]
    reference: ReferenceOption,
    /// Take so long in all, such as 30m or 2h [default: 1h, unless counts are given]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with_all = ["epochs", "evaluations"])]
    time: Option<Duration>,
    /// Epochs of the network found, and of the supernet
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    epochs: Option<u32>,
    /// Networks compared [default: 300]
    #[arg(long, value_name = "N", requires = "epochs", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    evaluations: Option<u32>,
    /// Epochs of the supernet [default: as many as --epochs]
    #[arg(long, value_name = "N", requires = "epochs", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    supernet_epochs: Option<u32>,
    /// Networks drawn of each space of the first stage [default: 100]
    #[arg(long, value_name = "N", requires = "epochs", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    draws: Option<u32>,
    /// In place of a clock: decide as another search of the same options has, to the same bytes
    #[arg(long, value_name = "FILE", conflicts_with_all = ["epochs", "evaluations"])]
    replay: Option<PathBuf>,
    /// For pictures below 48 pixels: search spaces too whose early blocks may be fused (one convolution in place of an
    /// expansion and a depthwise one), which compute more where SRAM is short
    #[arg(long, conflicts_with = "from")]
    fused: bool,
    /// A pretrained network, as a TensorFlow Lite or ONNX file of floats or integers: search what can be cut from it
    /// (blocks, taps, middle channels, at any resolution), with the weights that it has
    #[arg(long, value_name = "BACKBONE")]
    from: Option<PathBuf>,
    /// Rows and columns of the network's input, such as 96 or 84x112, in place of those that are tried: of pictures of
    /// one shape in their proportions, of others squares, as --fit says
    #[arg(long, value_name = "N|ROWSxCOLUMNS", value_parser = sides)]
    resolution: Option<[usize; 2]>,
    /// What everything that is drawn follows from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Threads [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Samples of a step
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: u32,
    /// The greatest learning rate of the supernet; that of the network found is half of it [default: 0.2, or 0.05 with
    /// --from]
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<f32>,
    /// What happens to pictures from epoch to epoch: any of crop, flip, colour=0.2, cutout=0.25, mixup=0.2 and
    /// randaugment=2, with commas between
    #[arg(long, value_name = "KINDS", default_value_t)]
    augment: Augment,
    /// Show pictures as they are in every epoch
    #[arg(long, conflicts_with = "augment")]
    no_augment: bool,
    /// Train the network found as part of larger ones with the same weights, which are dropped in the end: for networks
    /// so small that they learn too little. Epochs take several times as long
    #[arg(long)]
    netaug: bool,
    /// Show samples of rare classes as often as those of frequent ones
    #[arg(long)]
    balance: bool,
    /// Where the data have no part to test: the share of each class that is held back
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    hold_out: f64,
    /// Bytes that decoded samples may take in memory, or with K or M for KiB or MiB; others lie in a temporary file
    #[arg(long, value_name = "BYTES", default_value = "4096M", value_parser = size)]
    memory: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A number with K, M or G for thousands, millions or thousands of millions.
fn count(text: &str) -> Result<u64, String> {
    let units = [("K", 1e3), ("M", 1e6), ("G", 1e9), ("", 1.0)];
    let of = |(unit, factor): &(&str, f64)| Some(text.to_uppercase().strip_suffix(unit)?.parse::<f64>().ok()? * factor);
    let number = units.iter().find_map(of).filter(|number| *number >= 1.0 && *number < 1e18);
    number.map(|number| number as u64).ok_or_else(|| "a number such as 12500000 or 12.5M".to_owned())
}

/// Rows and columns, from one number for both or from two.
fn sides(text: &str) -> Result<[usize; 2], String> {
    let side = |text: &str| text.parse().ok().filter(|side| (8..=1024).contains(side));
    let sides = match text.split_once('x') {
        Some((rows, columns)) => side(rows).zip(side(columns)).map(|(rows, columns)| [rows, columns]),
        None => side(text).map(|side| [side; 2]),
    };
    sides.ok_or_else(|| "a number from 8 to 1024, such as 96, or two, such as 84x112".to_owned())
}

/// Milliseconds.
fn milliseconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| "a number of milliseconds above 0, such as 200".to_owned())
}

/// Where neither a time nor counts are given.
const TIME: Duration = Duration::from_secs(3600);
const EVALUATIONS: u32 = 300;
const DRAWS: u32 = 100;
/// SRAM and flash of a board that are left for the stack and for start-up code.
const STACK: usize = 4 << 10;
const START_UP: usize = 8 << 10;
/// Pictures whose sides are looked at.
const LOOKED_AT: usize = 32;

impl Search {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let board = boards::find(&self.board).map_err(Error::from)?;
        let subject = Subject::fresh(self.seed);
        // A search compares with what it holds back: that cannot be left.
        let hold_out = Some(HoldOut { share: self.hold_out, asked: false });
        let mut material =
            Material { subject: &subject, data: &self.data, hold_out, memory: self.memory, pixels: None };
        let sets = material.sets()?;
        let pretrained =
            self.from.as_deref().map(|path| Pretrained::open(path, sets.classes(), self.seed)).transpose()?;
        material.pixels = pretrained.as_ref().and_then(|pretrained| pretrained.pixels);
        let backbone = pretrained.as_ref().map(|pretrained| &pretrained.backbone);
        let (spaces, fit) = self.spaces(&sets, backbone)?;
        let options = self.options(&board)?;
        self.claim()?;
        let planner = self.planner(&board);
        let stop = interrupt::stop_flag();
        self.tell_beginning(out, (&board, &sets), (&options.budget, &spaces, fit.as_deref()))?;
        match self.search(out, (&board, &material, &sets), (&spaces, &planner, options), &stop) {
            Err(Failure::Library(Error::Search(SearchError::Stopped))) => {
                let folder = visible_path(&self.output);
                out.warn(format!("interrupted: the same command goes on, with what lies in `{folder}`"));
                Ok(Answer::No(Code::Interrupted))
            }
            other => other,
        }
    }

    fn search(
        &self,
        out: &mut Output,
        (board, material, sets): (&Board, &Material, &Sets),
        (spaces, planner, options): (&[Space], &Planner, Options),
        stop: &AtomicBool,
    ) -> Result<Answer, Failure> {
        let progress = told::Progress::new(out, self.json, &self.output);
        let tell = |event: Event| progress.tell(event);
        let identity = self.identity(board, sets, spaces);
        let mut course = Course::open(&self.output, (options, identity), (stop, &tell))?;
        let space = course.space(spaces, planner, sets.chosen.len())?;
        progress.pause();
        self.tell_space(out, &course, &space)?;
        let shape = Start::of_net(space.net(&space.smallest()).map_err(Error::from)?, self.seed)?;
        let feeder = material.feeder(&shape)?;
        let Some((samples, test)) = material.held(out, sets, &shape, (&feeder, stop))? else {
            return Err(Error::from(SearchError::Stopped).into());
        };
        let found = course.find(&space, planner, &samples)?;
        progress.pause();
        self.tell_found(out, &course, &found)?;
        self.finish(out, (board, sets, &feeder), (&mut course, &space, &found), (&samples, test.as_ref(), stop))
    }

    /// The spaces to look at, and what becomes of pictures of other shapes than their inputs.
    fn spaces(&self, sets: &Sets, backbone: Option<&Arc<Backbone>>) -> Result<(Vec<Space>, Option<String>), Failure> {
        let of_input = |own: [usize; 2], channels: usize, inputs: Inputs| {
            let (own, inputs) = self.resolution.map_or((own, inputs), |asked| (asked, Inputs::Own));
            match backbone {
                Some(backbone) => Space::cuts(backbone, own, sets.classes(), inputs),
                None => {
                    let mut spaces = grid(own, channels, sets.classes(), inputs);
                    spaces.retain(|space| self.fused || space.skeleton.fused == 0);
                    spaces
                }
            }
        };
        let looked_at = sets.training.choose(LOOKED_AT, self.seed);
        let (mut sides, mut depth, mut shape) = (Vec::new(), 1, None);
        for sample in sets.training.read(&looked_at) {
            let Ok(sample) = sample else { continue };
            match &sample.content {
                Content::Picture(bytes) => {
                    let Ok(picture) = smidgen::data::Picture::decode(bytes) else { continue };
                    let (width, height) = picture.size();
                    sides.push([height as usize, width as usize]);
                    depth = if picture.is_grey() { depth } else { 3 };
                }
                Content::Arrays(arrays) => shape = arrays.first().map(|array| array.shape.to_vec()),
            }
        }
        if let Some(mut shape) = shape {
            if shape.len() == 2 {
                shape.push(1);
            }
            let [rows, columns, channels] = Space::input_of(&shape).map_err(Error::from)?;
            if !sets.training.holds_pixels() {
                if let Some(wanted) = backbone.map(|backbone| backbone.channels()).filter(|&wanted| wanted != channels)
                {
                    return Err(Failure::usage(
                        format!("the samples have {channels} channels, and the network of `--from` takes {wanted}"),
                        "leave `--from` out, or name a network of as many channels",
                    ));
                }
                return Ok((of_input([rows, columns], channels, Inputs::Own), None));
            }
            (sides, depth) = (vec![[rows, columns]], channels);
        }
        // What most pictures have at least: others are enlarged.
        sides.sort_by_key(|side| side[0] * side[1]);
        let Some(&typical) = sides.get(sides.len() / 4) else {
            // Reading them all will tell what is wrong.
            return Ok((of_input([224, 224], 3, Inputs::Squares), None));
        };
        let ratios = Ratios::of(&sides);
        let (own, inputs) = match ratios.common() {
            Some(ratio) if !is_about(ratio, 1.0) => {
                let side = ((typical[0] * typical[1]) as f64).sqrt();
                let sides = [ratio.sqrt(), 1.0 / ratio.sqrt()].map(|factor| (side * factor).round().max(1.0) as usize);
                (sides, Inputs::Proportional)
            }
            _ => {
                sides.sort_by_key(|side| side[0].min(side[1]));
                (sides[sides.len() / 4], Inputs::Squares)
            }
        };
        let spaces = of_input(own, depth, inputs);
        let told = spaces.first().and_then(|space| ratios.told(space, self.data.pixels.fit));
        Ok((spaces, told))
    }

    /// What networks may take of a board.
    fn budget(&self, board: &Board) -> Budget {
        let most = |has: u32, less: usize| (has as usize).saturating_sub(less).max(1);
        // Where cycles are modelled, those of the slowest network at hand.
        const MANY: u64 = 1_000_000_000;
        let slowest = Scope::of(Some(board)).milliseconds(MANY).map(|[_, most]| most / MANY as f64);
        let each = slowest.unwrap_or(1.0 / (1e3 * f64::from(board.clock_mhz)));
        let instructions = self.latency / each;
        Budget {
            sram: Some(self.sram.unwrap_or(most(board.sram.bytes, STACK)).min(board.sram.bytes as usize)),
            flash: Some(self.flash.unwrap_or(most(board.flash.bytes, START_UP)).min(board.flash.bytes as usize)),
            macs: self.macs,
            instructions: Some(instructions as u64),
        }
    }

    /// How much is done.
    fn length(&self) -> Length {
        match self.epochs {
            Some(epochs) => Length::Counts(Counts {
                draws: self.draws.unwrap_or(DRAWS) as usize,
                supernet: self.supernet_epochs.unwrap_or(epochs) as usize,
                evaluations: self.evaluations.unwrap_or(EVALUATIONS) as usize,
                epochs: epochs as usize,
            }),
            None => Length::Time(self.time.unwrap_or(TIME)),
        }
    }

    fn threads(&self) -> usize {
        threads(self.threads)
    }

    /// The greatest learning rate of the supernet: what is pretrained would be lost at that of fresh weights.
    fn rate(&self) -> f32 {
        self.rate.unwrap_or(if self.from.is_some() { 0.05 } else { 0.2 })
    }

    fn augment(&self) -> Augment {
        if self.no_augment { Augment::NONE } else { self.augment }
    }

    fn options(&self, board: &Board) -> Result<Options, Failure> {
        let replay = self.replay.as_ref().map(|path| Record::open(path));
        Ok(Options {
            budget: self.budget(board),
            length: self.length(),
            seed: self.seed,
            threads: self.threads(),
            batch: self.batch as usize,
            rate: self.rate(),
            augment: self.augment(),
            balance: self.balance,
            netaug: self.netaug,
            replay: replay.transpose()?,
        })
    }

    /// What the result depends on besides the options of the search.
    fn identity(&self, board: &Board, sets: &Sets, spaces: &[Space]) -> Vec<(String, String)> {
        let backbone = spaces.first().and_then(|space| space.backbone.as_ref());
        let all = [
            ("the board", board.name.clone()),
            ("the schedule", self.schedule.to_string()),
            ("the number of samples", sets.chosen.len().to_string()),
            ("the number of classes", sets.classes().to_string()),
            ("the resolution", self.resolution.map_or_else(|| "any".to_owned(), |[r, c]| format!("{r}x{c}"))),
            ("the search of fused blocks", if self.fused { "on" } else { "off" }.to_owned()),
            ("the network to begin with", backbone.map_or_else(|| "none".to_owned(), |b| format!("{:016x}", b.hash()))),
            ("the fit of pictures", format!("{:?}", self.data.pixels.fit).to_lowercase()),
        ];
        all.map(|(what, value)| (what.to_owned(), value)).to_vec()
    }

    fn lower(&self) -> LowerOptions {
        LowerOptions { kernels: KernelSet::Mcu, ..self.reference.options() }
    }

    fn plan(&self, board: &Board, sram: Option<usize>) -> PlanOptions {
        PlanOptions {
            schedule: self.schedule,
            objective: Objective::Balanced,
            stream_input: false,
            budget: sram,
            costs: costs(board.core),
        }
    }

    /// What says how much networks take.
    fn planner(&self, board: &Board) -> Planner {
        Planner::new(self.lower(), self.plan(board, None))
    }

    /// Makes the folder, or takes one that a search has begun in.
    fn claim(&self) -> Result<(), Failure> {
        let folder = visible_path(&self.output);
        let begun = self.output.join("state/search.json").exists();
        // What a search has that was killed before it had found out anything.
        let ours = |name: &std::ffi::OsStr| name == "state" || name == "progress.jsonl";
        let foreign = |file: std::io::Result<std::fs::DirEntry>| file.is_ok_and(|file| !ours(&file.file_name()));
        let other = !begun && self.output.read_dir().is_ok_and(|mut files| files.any(foreign));
        if other {
            let message = format!("`{folder}` holds other things than a search");
            return Err(Failure::usage(message, "name a folder that is empty or not there yet"));
        }
        let made = std::fs::create_dir_all(self.output.join("state"));
        made.map_err(|error| {
            Failure::usage(format!("the folder `{folder}` cannot be made: {error}"), "name another one")
        })
    }
}
