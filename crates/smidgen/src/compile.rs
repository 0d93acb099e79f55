//! A plan as a folder with firmware code: the third link of the chain from a model to firmware.

use crate::error::Error;
use crate::network::Network;
use crate::planning::Planned;
use smidgen_boards::{Board, Core};
use smidgen_codegen::{CLibrary, Files, Options, Pixels, Processor};
use smidgen_data::picture::{Normalisation, Normalise};
use smidgen_data::{PictureInput, zipped};
use smidgen_ir::ElementType;
use smidgen_sim::library::library;
use smidgen_sim::toolchain::Toolchain;

/// A plan, and the crate that was printed from it.
#[derive(Clone, Debug)]
pub struct Compiled<'n> {
    /// The plan.
    pub planned: Planned<'n>,
    /// The Rust crate.
    pub rust: Files,
    /// What it was printed with.
    pub options: Options,
}

/// Prints a plan; see [`Planned::compile`].
pub(crate) fn compile(planned: Planned, options: Options) -> Result<Compiled, Error> {
    let board = planned.target.board.as_ref();
    let options = Options {
        board: board.map(|board| board.title.clone()),
        processor: board.map(|board| processor(board.core, None)),
        training: planned.training.clone(),
        ..options
    };
    let rust = smidgen_codegen::rust_crate(&planned.plan.program, planned.network.graph(), &options)?;
    Ok(Compiled { planned, rust, options })
}

impl Compiled<'_> {
    /// Bytes of constants in flash.
    pub fn constants(&self) -> usize {
        self.planned.plan.program.constants.iter().map(|c| c.bytes.len()).sum()
    }

    /// The target's board.
    ///
    /// # Errors
    /// If it has none.
    pub fn board(&self) -> Result<&Board, Error> {
        self.planned.target.board.as_ref().ok_or(Error::NoBoard)
    }

    /// Builds the C library: header, CMake file and `lib/libNAME.a`.
    ///
    /// # Errors
    /// If the target has no board, or there is no compiler for its core, or that refuses what was generated.
    pub fn c_library(&self, abi: FloatAbi) -> Result<Files, Error> {
        let core = self.board()?.core;
        let mut made = self.c_sources(core, Some(abi));
        let archive = archive(&made.project, &made.name, core, abi)?;
        made.files.insert(format!("lib/lib{}.a", made.name), archive);
        Ok(made.files)
    }

    /// Builds an Arduino library: `NAME.zip`, to be added in the Arduino IDE. It holds the archive in the folders in which Arduino looks
    /// for it for any board with the core, for both ways to pass floating-point numbers where the core has a unit for them.
    ///
    /// # Errors
    /// As [`c_library`](Self::c_library).
    pub fn arduino(&self) -> Result<Files, Error> {
        let core = self.board()?.core;
        let made = self.c_sources(core, None);
        let Arduino { architectures, soft, hard } = arduino_folders(core);
        let folders: Vec<String> = soft.iter().chain(&hard).cloned().collect();
        let mut files = smidgen_codegen::arduino_library(
            &self.planned.plan.program,
            self.planned.network.graph(),
            &Options { processor: Some(processor(core, None)), ..self.options.clone() },
            architectures,
            &folders,
        );
        let name = &made.name;
        for (abi, folders) in [(FloatAbi::Soft, soft), (FloatAbi::Hard, hard)] {
            if folders.is_empty() {
                continue;
            }
            let archive = archive(&made.project, name, core, abi)?;
            files.extend(folders.iter().map(|folder| (format!("src/{folder}/lib{name}.a"), archive.clone())));
        }
        let inside = files.into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes));
        Ok(Files::from([(format!("{name}.zip"), zipped(inside))]))
    }

    fn c_sources(&self, core: Core, abi: Option<FloatAbi>) -> CLibrary {
        let options = Options { processor: Some(processor(core, abi)), ..self.options.clone() };
        let Planned { network, plan, .. } = &self.planned;
        smidgen_codegen::c_library(&plan.program, network.graph(), &options, &self.rust)
    }
}

/// How floating-point numbers are passed to C functions, which all of a program must agree about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum FloatAbi {
    /// In registers of the floating-point unit, where the core may have one.
    #[default]
    Hard,
    /// In ordinary registers: what `-mfloat-abi=soft` and `softfp` ask for.
    Soft,
}

impl FloatAbi {
    /// The Rust target for a core.
    fn target(self, core: Core) -> String {
        match self {
            Self::Hard => core.target().to_owned(),
            Self::Soft => core.target().replace("eabihf", "eabi"),
        }
    }
}

/// The core as code generation knows it; the flags for floating point only where it is known how numbers are passed.
fn processor(core: Core, abi: Option<FloatAbi>) -> Processor {
    let owned = |flags: &[&str]| flags.iter().map(|&flag| flag.to_owned()).collect();
    Processor {
        title: core.title().to_owned(),
        target: abi.unwrap_or_default().target(core),
        rustc_flags: owned(core.rustc_flags()),
        gcc_flags: core.gcc_flags().to_vec(),
        float_flags: abi.map_or_else(Vec::new, |abi| owned(core.float_flags(abi == FloatAbi::Hard))),
        feature: core.feature().map(str::to_owned),
    }
}

fn archive(project: &Files, name: &str, core: Core, abi: FloatAbi) -> Result<Vec<u8>, Error> {
    let toolchain = Toolchain::find(&abi.target(core)).map_err(smidgen_sim::Error::from)?;
    Ok(library(project, name, core, &toolchain).map_err(smidgen_sim::Error::from)?)
}

/// Where Arduino looks for a library of a core.
struct Arduino {
    /// Arduino's names for the families of boards that have the core.
    architectures: &'static [&'static str],
    /// Folders for code that passes floating-point numbers in ordinary registers.
    soft: Vec<String>,
    /// Folders for code that passes them in registers of their own.
    hard: Vec<String>,
}

/// Arduino's cores call a processor (`build.mcu`) after its core, some after the chip. Where the command that compiles names a
/// floating-point unit and how numbers are passed, a folder for these is looked for inside; where there is none, or they stand in a file
/// of flags, as Arduino's own Mbed cores have them (`softfp`), the processor's folder is taken. What is compiled for
/// the least unit runs on all, so all of a core get the same archive.
fn arduino_folders(core: Core) -> Arduino {
    let units = |processors: &[&str], units: &[&str]| -> Vec<String> {
        processors.iter().flat_map(|p| units.iter().map(move |unit| format!("{p}/{unit}-hard"))).collect()
    };
    let plain = |processors: &[&str]| processors.iter().map(|&p| p.to_owned()).collect();
    let (architectures, processors, all): (&'static [&'static str], &[&str], &[&str]) = match core {
        Core::CortexM0 | Core::CortexM0Plus => {
            (&["samd", "rp2040", "mbed_rp2040", "stm32", "nRF5"], &["cortex-m0", "cortex-m0plus"], &[])
        }
        Core::CortexM3 => (&["sam", "stm32", "STM32F1"], &["cortex-m3"], &[]),
        Core::CortexM4 => (
            &[
                "mbed",
                "mbed_nano",
                "mbed_nicla",
                "nrf52",
                "renesas_uno",
                "renesas_portenta",
                "samd",
                "stm32",
                "STM32F4",
            ],
            &["cortex-m4"],
            &["fpv4-sp-d16"],
        ),
        // Teensy 4 is called after its chip, and its family `avr`, which would be promising too much.
        Core::CortexM7 => (
            &["mbed", "mbed_giga", "mbed_opta", "mbed_portenta", "stm32"],
            &["cortex-m7", "imxrt1062"],
            &["fpv4-sp-d16", "fpv5-sp-d16", "fpv5-d16"],
        ),
        Core::CortexM33 => (
            &["rp2040", "silabs", "stm32", "zephyr", "nrf54l15"],
            &["cortex-m33", "rp2350"],
            &["fpv4-sp-d16", "fpv5-sp-d16"],
        ),
        Core::CortexM55 => (&["zephyr"], &["cortex-m55"], &["fpv5-sp-d16", "fpv5-d16"]),
        Core::Rv32imc => (&["esp32"], &["esp32c2", "esp32c3", "esp32c6", "esp32h2", "rv32imc"], &[]),
    };
    Arduino { architectures, soft: plain(processors), hard: units(processors, all) }
}

/// What a pixel becomes, if the network's only input is a picture of int8 or int16, and whether that is a guess; `None` for any other network.
///
/// A grey input whose quantisation fits no convention for pixels is no picture unless a normalisation is asked for: sound comes in
/// this form too (a spectrogram is `[1, frames, coefficients, 1]`).
///
/// # Errors
/// If the normalisation is for another number of channels.
pub fn pixels(network: &Network, normalise: Normalise) -> Result<Option<(Pixels, bool)>, Error> {
    let graph = network.graph();
    let normalise = match (normalise, network.pixels()) {
        (Normalise::Auto, Some(stored)) => Normalise::Stored(stored),
        (asked, _) => asked,
    };
    let [input] = graph.inputs[..] else { return Ok(None) };
    let element = graph.tensor(input).element();
    if !matches!(element, ElementType::Int8 | ElementType::Uint8 | ElementType::Int16) {
        return Ok(None);
    }
    let Ok(picture) = PictureInput::of(graph, 0) else { return Ok(None) };
    let [height, width, channels] = picture.size();
    // A pixel of each value in all channels, as often as it takes to fill the picture.
    let values: Vec<u8> = (0..=255u8).collect();
    let mut stored = vec![[0i16; 256]; channels];
    let (mut described, mut guessed, mut swapped) = (String::new(), false, false);
    for part in values.chunks(height * width) {
        let mut pixels: Vec<u8> = part.iter().flat_map(|&value| vec![value; channels]).collect();
        pixels.resize(height * width * channels, 0);
        let prepared = picture.from_pixels(&pixels, normalise).map_err(smidgen_data::Error::from)?;
        let reals = prepared.array.to_f64();
        for (&value, pixel) in part.iter().zip(reals.chunks(channels)) {
            pixel.iter().enumerate().for_each(|(channel, &real)| stored[channel][value as usize] = real as i16);
        }
        (described, guessed) = (prepared.describe(), prepared.guessed);
        swapped = prepared.normalisation.is_swapped();
        if guessed && channels == 1 && matches!(prepared.normalisation, Normalisation::Fill { .. }) {
            return Ok(None);
        }
    }
    if stored.windows(2).all(|pair| pair[0] == pair[1]) {
        stored.truncate(1);
    }
    let description = described.trim_start_matches("normalised ").replace('`', "");
    Ok(Some((Pixels { stored, element, swapped, description }, guessed)))
}
